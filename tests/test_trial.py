"""A release on trial, and both scripts killed at every step; tests/system has the real thing."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest
from small_system import FIRST, SmallSystem, distinct

from edgehome.outbox import Outbox
from edgehome.statefile import StateFile

NEW = "0.2.0-20261123T010203Z"
EVERY = (
    1 if "EDGEHOME_TEST_LONG" in os.environ else 4 if "EDGEHOME_TEST_SYSTEM" in os.environ else 9
)
"""One step in so many is tried: all of them take three minutes of computing."""


def on_trial(folder: Path, fate: str) -> SmallSystem:
    system = SmallSystem(folder)
    system.add_release(NEW, fate)
    system.ask(f"releases/{NEW}")
    return system


def assert_consistent(system: SmallSystem) -> str:
    """Unit, model, heads and schema are those of the release that is in place."""
    current = system.current()
    assert (system.units / "edgehome.service").read_text() == current
    assert (system.units / "edgehome-reboot.path").read_text() == current
    assert (system.config / "config.schema.json").read_text() == current
    models = system.config / "models"
    assert (models / "edgehome-a0.tflite").read_text() == current
    assert [head.name for head in (models / "heads").iterdir()] == [f"{current[:5]}.json"]
    return current


def test_a_release_that_stays_healthy_for_a_minute_has_proven_itself(tmp_path: Path) -> None:
    system = on_trial(tmp_path / "s", "active")
    system.trial()
    assert assert_consistent(system) == NEW
    assert (system.opt / "verdict").read_text() == "proven"
    assert (system.opt / "previous").read_text() == f"releases/{FIRST}"
    assert (system.opt / "releases" / FIRST).exists()


def test_a_release_that_its_owner_restarts_late_in_the_trial_is_given_time_to_be_ready(
    tmp_path: Path,
) -> None:
    system = on_trial(tmp_path / "s", "restarted")
    system.trial()
    assert assert_consistent(system) == NEW
    assert (system.opt / "verdict").read_text() == "proven"


@pytest.mark.parametrize(
    ("fate", "reason"),
    [
        ("crash", "it ended unexpectedly 3 times"),
        ("hang", "it hung"),
        ("mute", "it was not ready, or not ready again, after 45 seconds"),
        ("refuse", "it ended with status 78"),
    ],
)
def test_a_release_that_is_not_healthy_goes_within_a_minute(
    tmp_path: Path, fate: str, reason: str
) -> None:
    system = on_trial(tmp_path / "s", fate)
    (system.state / "starts.json").write_text("[]")
    told = system.trial().stdout
    assert assert_consistent(system) == FIRST
    assert reason in told
    assert (system.opt / "verdict").read_text() == f"back: {reason}"
    note = json.loads((system.state / "rollback.json").read_text())
    assert note == {"version": NEW, "reason": reason}
    assert not (system.state / "starts.json").exists(), "it would come back in safe mode"
    assert (system.folder / "running").read_text().strip() == f"releases/{FIRST}"
    assert not (system.opt / "releases" / NEW).exists()
    assert float((system.folder / "uptime").read_text().split()[0]) <= 1000 + 60


def test_the_note_goes_when_an_upgrade_holds(tmp_path: Path) -> None:
    system = on_trial(tmp_path / "s", "active")
    (system.state / "rollback.json").write_text("{}")
    system.trial()
    assert not (system.state / "rollback.json").exists()


def test_the_first_release_has_none_to_go_back_to_and_stays(tmp_path: Path) -> None:
    system = SmallSystem(tmp_path / "s", installed=False)
    system.add_release(NEW, "crash")
    system.ask(f"releases/{NEW}")
    told = system.trial().stdout
    assert assert_consistent(system) == NEW
    assert "no release before it" in told
    assert (system.opt / "verdict").read_text() == "failed: it ended unexpectedly 3 times"


def step_in(folder: Path, function: str) -> int:
    """Return the number of the first step of a good trial that is in a function of trial.sh."""
    system = on_trial(folder, "active")
    system.trial()
    return next(n for n, step in enumerate(system.steps(), 1) if f":{function}:" in step)


def test_a_trial_that_three_reboots_cut_off_goes_back(tmp_path: Path) -> None:
    watching = step_in(tmp_path / "whole", "watch")
    system = on_trial(tmp_path / "s", "active")
    for _ in range(3):
        system.trial(kill_at=watching)
        assert system.current() == NEW
    system.trial()
    assert assert_consistent(system) == FIRST
    assert "cut off 3 times" in (system.opt / "verdict").read_text()


def test_a_second_upgrade_within_the_minute_goes_back_to_the_one_that_proved_itself(
    tmp_path: Path,
) -> None:
    ready = step_in(tmp_path / "whole", "approve")
    system = on_trial(tmp_path / "s", "active")
    system.trial(kill_at=ready)
    assert system.current() == NEW
    system.add_release("0.3.0-20261124T000000Z", "crash")
    system.ask("releases/0.3.0-20261124T000000Z")
    system.settle()
    assert assert_consistent(system) == FIRST


def test_who_asks_for_it_gets_the_release_before_and_no_problem(tmp_path: Path) -> None:
    system = on_trial(tmp_path / "s", "active")
    system.trial()
    system.ask("back")
    system.trial()
    assert assert_consistent(system) == FIRST
    assert not (system.state / "rollback.json").exists()
    system.ask("back")
    told = system.trial().stdout
    assert "no release before it" in told
    assert assert_consistent(system) == FIRST


def test_a_release_starts_with_an_outbox_of_a_newer_kind_and_keeps_its_alerts(
    tmp_path: Path,
) -> None:
    path = tmp_path / "outbox.db"
    with Outbox(path) as outbox:
        for number in range(3):
            outbox.append(f"a{number}", b"{}", 1000.0 + number)
    with sqlite3.connect(path) as newer:
        newer.execute("ALTER TABLE alerts ADD COLUMN picture BLOB")
        newer.execute("CREATE TABLE pictures (name TEXT)")
        newer.execute("PRAGMA user_version = 3")
    newer.close()
    with Outbox(path) as outbox:
        assert [entry.id for entry in outbox.pending()] == ["a0", "a1", "a2"]
        assert outbox.append("a3", b"{}", 1003.0)


def test_a_release_takes_what_it_knows_from_a_newer_state_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    path.write_text('{"mode": "night", "of_tomorrow": {"x": [1]}, "armed": "of another type"}')
    memory = StateFile(path)
    memory.load()
    assert memory.get("mode", "") == "night"
    assert memory.get("armed", True) is True


@pytest.mark.parametrize(("fate", "stays"), [("active", NEW), ("crash", FIRST)])
def test_killed_at_every_step_a_trial_comes_to_the_same_end(
    tmp_path: Path, fate: str, stays: str
) -> None:
    system = on_trial(tmp_path / "whole", fate)
    system.trial()
    points = distinct(system.steps())
    assert len(points) > 60
    for number in points[::EVERY]:
        system = on_trial(tmp_path / str(number), fate)
        system.trial(kill_at=number)
        assert system.current() in {FIRST, NEW}
        system.settle()
        assert assert_consistent(system) == stays, number


def test_killed_at_every_step_install_leaves_a_release_that_runs_and_run_again_repairs(
    tmp_path: Path,
) -> None:
    system = SmallSystem(tmp_path / "whole")
    done = system.install()
    assert done.returncode == 0, done.stderr
    assert system.current() != FIRST
    points = distinct(system.steps())
    assert len(points) > 100
    for number in points[::EVERY]:
        system = SmallSystem(tmp_path / str(number))
        system.install(kill_at=number)
        system.current()
        system.settle()
        assert (system.units / "edgehome.service").read_text(), number
        before = system.current()
        again = system.install()
        assert again.returncode == 0, (number, again.stderr)
        system.settle()
        assert system.current() != before, number
        assert not list((system.opt / "releases").glob("*.new")), number
        assert len(list((system.opt / "releases").iterdir())) <= 2, number
