"""The demo: what it shows, and how it ends. `.ci/run` runs the whole of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "scripts" / "demo.py"
NO_ALERT, NO_INPUT, NO_BROKER = 1, 66, 69

needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin") is None,
    reason="no mosquitto here",
)


def demo(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, DEMO, *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


@needs_mosquitto
def test_a_clip_that_shows_the_label_becomes_an_alert(rendered: Path) -> None:
    done = demo("--clip", rendered / "room-day-fight.mp4", "--label", "person")
    assert done.returncode == 0, done.stderr
    assert 'the device "Edgehome demo" with' in done.stdout
    assert '"label": "person"' in done.stdout
    assert "Everything has been stopped." in done.stdout


@needs_mosquitto
def test_an_alert_where_nothing_happens_is_a_failure_of_the_demo() -> None:
    """With somebody in the picture a rule on people cannot stay silent."""
    code = (
        "import dataclasses, sys; sys.argv += ['--label', 'person']; import demo\n"
        "demo.EMPTY = dataclasses.replace(demo.FALL, quiet_s=8.0)\n"
        "sys.exit(demo.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{DEMO.parent}"},
    )  # fmt: skip
    assert done.returncode == NO_ALERT, done.stdout
    assert "An alert came though nothing happens. The daemon's log:" in done.stderr


@needs_mosquitto
def test_a_daemon_that_ends_is_told_with_its_log() -> None:
    done = demo(PYTHONPATH="")
    if "No module named edgehome" not in done.stderr:
        pytest.skip("edgehome is installed for this Python")
    assert done.returncode == NO_ALERT
    assert "The daemon ended with status 1. The daemon's log:" in done.stderr


def test_a_model_or_a_clip_that_is_not_there_is_said_with_the_option(rendered: Path) -> None:
    for option in ("--clip", "--model"):
        done = demo(option, "/no/such.file")
        assert done.returncode == NO_INPUT
        assert "There is no file /no/such.file" in done.stderr
        assert f"{option} FILE" in done.stderr


def test_without_a_broker_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import os, sys, demo_broker; demo_broker.shutil.which = lambda *_, **__: None\n"
        "import demo; sys.exit(demo.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{DEMO.parent}"},
    )  # fmt: skip
    assert done.returncode == NO_BROKER
    assert "sudo apt install mosquitto" in done.stderr
