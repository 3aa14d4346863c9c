"""The long tests in short, and the table of docs/reference/reliability.md: each command exists."""

from __future__ import annotations

import argparse
import json
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from broker import mosquitto

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
TABLE = ROOT / "docs" / "reference" / "reliability.md"


def figures(*command: str) -> dict[str, Any]:
    """Run one of the scripts; return its figures, and the faults that it found."""
    done = subprocess.run(
        [sys.executable, SCRIPTS / command[0], *command[1:], "--json"],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == bool(found["faults"])
    return found


def test_no_command_by_chance_is_obeyed_that_is_none() -> None:
    found = figures("fuzz.py", "commands", "--count", "20000")
    assert found["faults"] == []
    assert sum(found["obeyed"].values()) > 1000
    assert found["refused"] > 10_000


def test_a_corrupted_model_is_stopped_by_its_hash_and_would_often_run_without_it() -> None:
    found = figures("fuzz.py", "models", "--count", "40")
    assert found["faults"] == []
    assert found["with_the_hash"] == {"stopped by the hash": 40}
    assert found["without_it"]["loaded and ran"] > 4


def test_a_corrupted_outbox_always_opens() -> None:
    found = figures("fuzz.py", "outbox", "--count", "100")
    assert found["faults"] == []
    assert found["set aside"] > 20


def test_a_worker_that_talks_nonsense_does_the_supervisor_no_harm() -> None:
    mosquitto()
    found = figures("fuzz.py", "pipe", "--count", "8")
    assert found["faults"] == []
    assert found["decoded_as"]["refused"] > 10_000


def test_the_supervisor_does_not_grow_with_the_frames() -> None:
    mosquitto()
    found = figures("soak.py", "supervisor", "--frames", "20000")
    assert found["faults"] == []
    assert found["alerts"] > 10


def test_the_worker_does_not_grow_with_its_steps() -> None:
    found = figures("soak.py", "worker", "--frames", "200")
    assert found["faults"] == []
    assert found["steps"] == 200


def test_the_alerts_of_many_nodes_on_one_broker_all_arrive() -> None:
    mosquitto()
    found = figures("scale.py", "--nodes", "40", "--seconds", "3")
    assert found["faults"] == []
    assert found["alerts"] == [40, 40]


def commands() -> list[str]:
    """Return the commands that the table names."""
    rows = [line for line in TABLE.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[-2])]


class UnderstoodError(Exception):
    """The command line was right."""


def parse(command: str, patch: pytest.MonkeyPatch) -> None:
    """Start a script up to where its arguments have been read: UnderstoodError, or SystemExit."""
    words = shlex.split(command)
    understand = argparse.ArgumentParser.parse_args

    def stop(*arguments: Any, **named: Any) -> None:
        understand(*arguments, **named)
        raise UnderstoodError

    patch.setattr(argparse.ArgumentParser, "parse_args", stop)
    patch.setattr(sys, "argv", words[1:])
    patch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    runpy.run_path(str(ROOT / words[1]), run_name="__main__")


@pytest.mark.parametrize("command", commands())
def test_the_command_of_a_figure_exists_and_takes_its_arguments(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [word for word in shlex.split(command) if "=" not in word]
    assert words[0] == "python", command
    if words[1:3] == ["-m", "pytest"]:
        files = [ROOT / word.partition("::")[0] for word in words[3:] if ".py" in word]
        assert files, command
        assert all(file.exists() for file in files), command
        return
    assert (ROOT / words[1]).parent == SCRIPTS, command
    with pytest.raises(UnderstoodError):
        parse(shlex.join(words), monkeypatch)


@pytest.mark.parametrize("command", ["nothing", "worker --count 3", "worker --frames many"])
def test_a_command_that_takes_no_such_argument_is_noticed(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit):
        parse(f"python scripts/soak.py {command}", monkeypatch)
