"""Teaching a running node: from clips, by the second, and whatever goes wrong with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from broker import Listener, wait_for
from daemon import ALERT, Daemon, problems, wait_for_alerts

from edgehome import lessontraining
from edgehome.lessonstore import LessonStore, lesson_name
from edgehome.lessontraining import Model
from edgehome.types import EdgehomeError

ROOT = Path(__file__).resolve().parents[1]
SLOW_S = 60.0
"""Generous: the machine may be busy."""
BOX = Model("movinet-a0-kinetics600", 5.0)


def teach(daemon: Daemon, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgehome", "teach", *arguments, "-c", str(daemon.file),
               "--state", str(daemon.state)]  # fmt: skip
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def status_of(daemon: Daemon, name: str = "wrestle") -> dict[str, Any]:
    (found,) = json.loads(teach(daemon, name, "--list", "--json").stdout)
    return dict(found)


@pytest.fixture
def examples(rendered: Path) -> list[str]:
    """Three fights and three walks: all that a lesson needs."""
    yes = [
        str(rendered / f"{place}-fight.mp4") for place in ("room-day", "porch-day", "room-night")
    ]
    no = [str(rendered / f"{place}-walk.mp4") for place in ("room-day", "porch-day", "room-night")]
    return ["--yes", *yes, "--no", *no]


def test_a_rule_on_a_taught_activity_fires_as_soon_as_it_was_taught(
    daemon: Daemon, listener: Listener, examples: list[str]
) -> None:
    """And after a restart, and after its worker was killed; not once it was removed."""
    daemon.config["rules"] = [
        {"name": "Wrestling", "when": "wrestle", "above": 0.3, "repeat_interval": "1s"}
    ]
    daemon.write()
    taught = teach(daemon, "wrestle", *examples)
    assert taught.returncode == 0, taught.stderr
    assert "3 examples): finds about" in taught.stdout
    daemon.start()
    wait_for_alerts(listener, 1, SLOW_S)
    assert listener.heard(ALERT)[-1].json["rule"] == "Wrestling"
    assert "unknown_label" not in problems(listener)
    worker = daemon.worker()
    assert worker
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: daemon.worker() not in {None, worker}, SLOW_S, "another worker")
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 2, SLOW_S)
    removed = teach(daemon, "wrestle", "--remove")
    assert (removed.returncode, removed.stdout) == (0, "wrestle: forgotten\n")
    wait_for(lambda: "unknown_label" in problems(listener), SLOW_S, "the rule is blind")
    assert teach(daemon, "wrestle", "--undo").returncode == 0
    wait_for(lambda: "unknown_label" not in problems(listener), SLOW_S, "it sees again")


def test_a_rule_may_be_written_before_its_activity_is_taught(
    daemon: Daemon, examples: list[str]
) -> None:
    """The model is the configured one all the same; another mistake in the file is told."""
    daemon.config["rules"] = [{"name": "Wrestling", "when": "wrestle"}]
    daemon.config["recognizer"]["model"] = os.path.relpath(
        daemon.config["recognizer"]["model"], daemon.folder
    )
    daemon.write()
    taught = teach(daemon, "wrestle", *examples)
    assert taught.returncode == 0, taught.stderr
    daemon.file.write_text(daemon.file.read_text().replace("when:", "wen:"))
    refused = teach(daemon, "wrestle", *examples)
    assert refused.returncode == 78, refused.stderr
    assert "wen" in refused.stderr


def test_a_rule_that_was_there_first_is_taken_over_once_its_activity_was_taught(
    daemon: Daemon, listener: Listener, examples: list[str]
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1, SLOW_S)
    daemon.config["rules"] = [{"name": "Wrestling", "when": "wrestle", "repeat_interval": "1s"}]
    daemon.write()
    wait_for(lambda: "config_invalid" in problems(listener), SLOW_S, "refused")
    assert teach(daemon, "wrestle", *examples).returncode == 0
    wait_for(lambda: "config_invalid" not in problems(listener), SLOW_S, "taken over")
    assert teach(daemon, "wrestle", "--remove").returncode == 0
    wait_for(lambda: problems(listener), SLOW_S, "nobody knows it any more")
    assert teach(daemon, "wrestle", "--undo").returncode == 0
    wait_for(lambda: not problems(listener), SLOW_S, "it does again")


def test_a_running_node_learns_of_the_seconds_that_it_remembers(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1, SLOW_S)
    time.sleep(6)
    now = datetime.now().astimezone()
    span = f"{now - timedelta(seconds=5):%H:%M:%S}..{now:%H:%M:%S}"
    done = teach(daemon, "wrestle", "--yes", span)
    assert done.returncode == 0, done.stderr + daemon.said()
    assert "needs 2 more examples" in done.stdout
    assert status_of(daemon)["shown"] == 1
    nothing = teach(daemon, "wrestle", "--yes", "00:00:01..00:00:02")
    assert nothing.returncode == 69
    assert "does not remember those seconds" in nothing.stderr
    assert list((daemon.state / "taught").glob("*.ask")) == []
    assert list((daemon.state / "taught").glob("*.told")) == []


def test_a_file_to_import_that_is_not_there_is_told_with_a_remedy(daemon: Daemon) -> None:
    done = teach(daemon, "wrestle", "--import", "nowhere.json")
    assert done.returncode == 66
    assert "Cannot read nowhere.json" in done.stderr
    assert "--export" in done.stderr


def test_without_a_running_node_times_are_refused_with_a_remedy(daemon: Daemon) -> None:
    done = teach(daemon, "wrestle", "--yes", "10:00:00..10:00:05")
    assert done.returncode == 69
    assert "No running node answers" in done.stderr
    assert list((daemon.state / "taught").glob("*.ask")) == []


def test_a_broken_file_is_told_and_put_aside_and_the_others_go_on(
    daemon: Daemon, listener: Listener, examples: list[str]
) -> None:
    assert teach(daemon, "wrestle", *examples).returncode == 0
    folder = daemon.state / "taught"
    broken = {"cut": (folder / "wrestle.json").read_bytes()[:5000], "empty": b"", "list": b"[]",
              "binary": bytes(range(256)), "deep": b"[" * 100_000}  # fmt: skip
    for name, data in broken.items():
        (folder / f"{name}.json").write_bytes(data)
    daemon.config["rules"][0] |= {"when": "wrestle"}
    daemon.write()
    daemon.start()
    wait_for_alerts(listener, 1, SLOW_S)
    wait_for(lambda: "lesson_invalid" in problems(listener), SLOW_S, "told")
    assert {path.stem for path in folder.glob("*.broken")} == set(broken)
    assert daemon.alive()
    (folder / "late.json").write_bytes(b"{}")
    wait_for((folder / "late.broken").exists, SLOW_S, "noticed by itself")
    assert daemon.alive()


def test_a_lesson_of_another_model_rests_and_that_is_told(
    daemon: Daemon, listener: Listener, examples: list[str]
) -> None:
    assert teach(daemon, "wrestle", *examples).returncode == 0
    file = daemon.state / "taught" / "wrestle.json"
    file.write_text(file.read_text().replace("movinet-a0-kinetics600", "another-space"))
    daemon.start()
    wait_for_alerts(listener, 1, SLOW_S)
    wait_for(lambda: "lesson_rests" in problems(listener), SLOW_S, "told")
    assert file.exists()


def test_export_and_import_are_one_small_file_that_teaches_the_same(
    daemon: Daemon, tmp_path: Path, examples: list[str]
) -> None:
    teach(daemon, "wrestle", *examples)
    before, copy = status_of(daemon), tmp_path / "wrestle.lesson"
    assert teach(daemon, "wrestle", "--export", str(copy)).returncode == 0
    assert copy.stat().st_size < 300_000
    teach(daemon, "wrestle", "--remove")
    assert json.loads(teach(daemon, "--list", "--json").stdout) == []
    assert teach(daemon, "wrestle", "--import", str(copy)).returncode == 0
    assert status_of(daemon) == before
    assert teach(daemon, "again", "--import", str(copy)).returncode == 0
    assert status_of(daemon, "again")["says"] == before["says"]
    (tmp_path / "bad").write_bytes(copy.read_bytes()[:2000])
    assert teach(daemon, "third", "--import", str(tmp_path / "bad")).returncode == 65
    refused = teach(daemon, "wrestle", "--import", str(copy))
    assert refused.returncode == 64
    assert "taught here already" in refused.stderr
    assert status_of(daemon) == before


def test_undo_takes_the_last_change_back(daemon: Daemon, examples: list[str]) -> None:
    teach(daemon, "wrestle", *examples)
    before = status_of(daemon)
    teach(daemon, "wrestle", "--no", examples[1])
    assert status_of(daemon)["version"] == before["version"] + 1
    assert teach(daemon, "wrestle", "--undo").returncode == 0
    assert status_of(daemon) == before


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ((), 64),
        (("wrestle",), 64),
        (("wrestle", "--undo", "--yes", "a.mp4"), 64),
        (("wrestle", "--undo", "--remove"), 64),
        (("wrestle", "--undo"), 66),
        (("wrestle", "--remove"), 66),
        (("wrestle", "--export", "x"), 66),
        (("wrestle", "--yes", "nowhere.mp4"), 66),
        (("fall", "--yes", "nowhere.mp4"), 64),
        (("???", "--undo"), 64),
        (("x" * 41, "--undo"), 64),
        (("wrestle", "--yes", "25:00:00..25:00:05"), 64),
    ],
)
def test_a_command_that_cannot_be_done_says_so(
    daemon: Daemon, arguments: tuple[str, ...], status: int
) -> None:
    done = teach(daemon, *arguments)
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_names_become_labels_and_never_paths() -> None:
    assert lesson_name("  Oma auf der Treppe!") == "oma_auf_der_treppe"
    assert lesson_name("Tür") == "tur"
    assert lesson_name("../../etc/passwd") == "etc_passwd"
    with pytest.raises(EdgehomeError):
        lesson_name("日本")


def test_a_learner_that_is_killed_changes_nothing_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program in its place ends itself as the kernel would."""
    killed = tmp_path / "python"
    killed.write_text("#!/bin/sh\nkill -9 $$\n")
    killed.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(killed))
    store = LessonStore(tmp_path)
    learnt = lessontraining.change(store, "wrestle", [{"did": "undo"}], BOX)
    assert learnt.problem
    assert (learnt.problem.code, learnt.settled) == ("lesson_failed", False)
    assert store.names() == []


def test_a_learner_that_hangs_is_ended_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = tmp_path / "python"
    hangs.write_text("#!/bin/sh\nexec sleep 600\n")
    hangs.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hangs))
    began_s = time.monotonic()
    learnt = lessontraining.change(LessonStore(tmp_path), "wrestle", [{"did": "undo"}], BOX, 0.5)
    assert time.monotonic() - began_s < SLOW_S
    assert learnt.problem
    assert "more than 0.5 s" in learnt.problem.message


def test_a_full_disk_leaves_the_lesson_as_it_was(daemon: Daemon, examples: list[str]) -> None:
    """A file cannot grow beyond a limit here: the kernel refuses as a full disk does."""
    assert teach(daemon, "wrestle", *examples).returncode == 0
    before = (daemon.state / "taught" / "wrestle.json").read_bytes()
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from edgehome.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", limited, "teach", "wrestle", "--no", examples[1],
               "-c", str(daemon.file), "--state", str(daemon.state)]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 74, done.stderr
    assert "cannot be written" in done.stderr
    assert (daemon.state / "taught" / "wrestle.json").read_bytes() == before
    assert not list((daemon.state / "taught").glob("*.new"))


def test_what_root_writes_belongs_to_the_owner_of_the_state_folder(
    daemon: Daemon, examples: list[str]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can write for another user")
    daemon.state.mkdir(mode=0o755)
    os.chown(daemon.state, 12345, 12345)
    for folder in (daemon.state, *daemon.state.parents):  # pytest keeps its own folders closed
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    done = teach(daemon, "wrestle", *examples)
    assert done.returncode == 0, done.stderr
    written = list((daemon.state / "taught").iterdir())
    assert {path.name for path in written} == {"wrestle.json", "lock"}
    assert {path.stat().st_uid for path in (*written, daemon.state / "taught")} == {12345}
