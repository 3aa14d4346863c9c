"""An hour without alerts: how long it lasts, whatever the clocks do, and what rules make of it."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from edgehome.silence import SILENCE_S, Silence
from edgehome.statefile import StateFile
from tests.rules.scene import Scene, rule

WALL_S = 1.79e9


class Clocks:
    def __init__(self) -> None:
        self.monotonic_s, self.wall_s = 100.0, WALL_S

    def go(self, seconds: float) -> None:
        self.monotonic_s += seconds
        self.wall_s += seconds


def made(file: Path, clocks: Clocks) -> Silence:
    memory = StateFile(file)
    memory.load()
    return Silence(memory, lambda: clocks.monotonic_s, lambda: clocks.wall_s)


def test_it_lasts_an_hour_and_ends_by_itself(tmp_path: Path) -> None:
    clocks = Clocks()
    silence = made(tmp_path / "s", clocks)
    assert (silence.until, silence.deadline_s, silence.over()) == (None, math.inf, False)
    silence.begin()
    until = silence.until
    assert until
    assert until.timestamp() == WALL_S + 3600
    assert until.tzinfo
    clocks.go(3599.9)
    assert not silence.over()
    clocks.go(0.1)
    assert clocks.monotonic_s >= silence.deadline_s
    assert silence.over()
    assert (silence.until, silence.over()) == (None, False)
    assert made(tmp_path / "s", clocks).until is None


def test_asked_for_again_it_lasts_an_hour_from_then(tmp_path: Path) -> None:
    clocks = Clocks()
    silence = made(tmp_path / "s", clocks)
    silence.begin()
    clocks.go(1800)
    silence.begin()
    clocks.go(3599)
    assert not silence.over()
    silence.end()
    assert silence.until is None


def test_a_step_of_the_wall_clock_makes_it_neither_longer_nor_shorter(tmp_path: Path) -> None:
    clocks = Clocks()
    silence = made(tmp_path / "s", clocks)
    silence.begin()
    for step_s in (-1e9, 2e9):
        clocks.wall_s += step_s
        assert not silence.over()
    clocks.monotonic_s += 3600
    assert silence.over()


@pytest.mark.parametrize(
    ("gone_s", "left_s"),
    [(60, 3540), (3599, 1), (3600, 0), (86400, 0), (-60, SILENCE_S), (-WALL_S, SILENCE_S)],
)
def test_over_a_restart_it_goes_on_and_never_for_more_than_an_hour(
    tmp_path: Path, gone_s: float, left_s: float
) -> None:
    clocks = Clocks()
    made(tmp_path / "s", clocks).begin()
    clocks.wall_s += gone_s
    clocks.monotonic_s = 3.0
    silence = made(tmp_path / "s", clocks)
    assert silence.deadline_s == (pytest.approx(3 + left_s) if left_s else math.inf)


@pytest.mark.parametrize("kept", ['"soon"', "null", "[]", "1e400", "-1e400", "NaN", "true"])
def test_a_broken_note_of_it_is_none(tmp_path: Path, kept: str) -> None:
    (tmp_path / "s").write_text(f'{{"silenced_until": {kept}}}')
    assert made(tmp_path / "s", Clocks()).until is None
    assert json.loads((tmp_path / "s").read_text())


def test_silenced_every_rule_is_judged_and_none_tells_and_then_it_tells_what_goes_on() -> None:
    scene = Scene(rule())
    scene.show(2, slap=0.0)
    scene.engine.silence(silent=True)
    scene.show(10, slap=0.9)
    assert scene.state() == "firing"
    assert scene.alerts == []
    scene.reload(*scene.config.rules)
    scene.show(2, slap=0.9)
    assert scene.alerts == [], "a reload does not end it"
    scene.engine.silence(silent=False)
    scene.show(1, slap=0.9)
    assert len(scene.alerts) == 1


def test_what_a_silence_held_back_is_told_as_a_near_miss_with_its_own_reason() -> None:
    scene = Scene(rule())
    scene.engine.silence(silent=True)
    scene.show(10, slap=0.9)
    scene.show(5, slap=0.0)
    ((_, missed),) = scene.misses
    assert missed.reason == "silenced"
    assert missed.message.endswith("but all rules were silenced for a time")
    scene.engine.mute("Fight", muted=True)
    scene.wait(20)
    scene.show(10, slap=0.9)
    scene.show(5, slap=0.0)
    assert scene.reasons()[-1][1] == "muted", "a rule's own mute goes first"


def test_a_silence_ends_and_a_rule_s_own_mute_stays() -> None:
    scene = Scene(rule())
    scene.engine.mute("Fight", muted=True)
    scene.engine.silence(silent=True)
    scene.engine.silence(silent=False)
    scene.show(10, slap=0.9)
    assert scene.alerts == []
