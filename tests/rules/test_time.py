"""Gaps, steps of the wall clock, restarts and reloads."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest

from edgehome.config.conditions import (
    AtLeast,
    Between,
    BetweenCondition,
    CameraCondition,
    ThenCondition,
)
from edgehome.types import CameraState, Mode
from tests.rules.scene import NOON, Scene, activity, both, rule

YEAR = timedelta(days=365)


@pytest.mark.parametrize("seed", range(100))
def test_a_step_of_the_wall_clock_by_a_year_neither_shortens_nor_stretches_a_wait(
    seed: int,
) -> None:
    chance = random.Random(seed)
    scene = Scene(rule(activity("slap", for_s=5.0)))
    began_s = chance.uniform(0.2, 3.0)
    scene.show(began_s)
    began_s, step_s = scene.time_s, chance.uniform(0.0, 4.8)
    scene.show(step_s, slap=0.9)
    scene.at += chance.choice([-YEAR, YEAR])
    scene.show(8, slap=0.9)
    assert len(scene.alerts) == 1
    assert abs(scene.times()[0] - (began_s + 5.0)) <= 0.2


def test_a_step_of_the_wall_clock_does_not_touch_a_repeat_interval() -> None:
    scene = Scene(rule(repeat_interval_s=10.0))
    for _ in range(5):
        scene.show(5, slap=0.9)
        scene.at += YEAR
        scene.show(5, slap=0.9)
        scene.at -= 2 * YEAR
    assert scene.times() == [0.0, 10.0, 20.0, 30.0, 40.0]


@pytest.mark.parametrize(
    "step", [timedelta(hours=11), timedelta(hours=-13), YEAR - timedelta(hours=13)]
)
def test_a_schedule_goes_by_the_clock_from_the_next_frame_on(step: timedelta) -> None:
    night = BetweenCondition(between=Between.parse("23:00-06:00"))
    scene = Scene(rule(both(activity("slap"), night)))
    scene.show(1, slap=0.9)
    scene.at += step
    scene.show(1, slap=0.9)
    scene.at -= step
    scene.show(1, slap=0.9)
    assert scene.states() == [(1.0, "firing"), (2.0, "inactive")]


def test_a_step_by_whole_days_is_noticed_by_weekdays() -> None:
    from edgehome.config.conditions import WeekdaysCondition

    scene = Scene(rule(both(activity("slap"), WeekdaysCondition(weekdays=(1,)))))
    scene.show(1, slap=0.9)
    scene.at += timedelta(days=1)
    scene.show(1, slap=0.9)
    assert scene.states() == [(1.0, "firing")]


def test_a_short_gap_stops_the_clock_of_for() -> None:
    """What is not seen does not count: the gap is as long as one frame."""
    scene = Scene(rule(activity("slap", for_s=3.0)))
    scene.show(2, slap=0.9)
    scene.wait(20)
    scene.show(3, slap=0.9)
    assert scene.times() == [23.0]
    assert scene.states() == [(0.0, "pending"), (23.0, "firing")]


def test_two_seconds_without_a_frame_are_no_gap() -> None:
    scene = Scene(rule(activity("slap", for_s=3.0)))
    scene.show(2, slap=0.9)
    scene.wait(1.8)
    scene.show(1, slap=0.9)
    assert scene.times() == [3.8], "the frame after it counts for two seconds"


def test_a_short_gap_stops_the_clock_of_resolve_after() -> None:
    scene = Scene(rule(resolve_after_s=3.0))
    scene.show(1, slap=0.9)
    scene.show(1)
    scene.wait(20)
    scene.show(3)
    assert scene.states() == [(0.0, "firing"), (24.0, "inactive")]


def test_a_short_gap_is_no_frame_to_at_least() -> None:
    scene = Scene(rule(activity("slap", at_least=AtLeast(3, 4))))
    scene.show(0.4, slap=0.9)
    scene.wait(20)
    scene.show(0.2, slap=0.9)
    assert scene.times() == [20.4]


def test_a_short_gap_keeps_the_smoothed_score() -> None:
    scene = Scene(rule(), smoothing_s=2.0)
    scene.show(10, slap=0.9)
    before = scene.engine.statuses()[0].score
    scene.wait(20)
    scene.show(0.2, slap=0.9)
    assert scene.engine.statuses()[0].score == pytest.approx(before, abs=0.01)
    assert len(scene.events) == 1


def test_true_time_counts_for_count_and_then_and_repeat_intervals() -> None:
    counted = rule(activity("slap", count=2, window_s=10.0), name="Count")
    chain = rule(
        ThenCondition(conditions=(activity("slap"), activity("kick")), gap_s=10.0), name="Then"
    )
    scene = Scene(counted, chain, rule(activity("slap"), name="Repeat", repeat_interval_s=12.0))
    scene.show(1, slap=0.9)
    scene.show(1)
    scene.wait(12)
    scene.show(1, slap=0.9)
    scene.show(1, slap=0.9, kick=0.9)
    assert scene.times("Count") == []
    assert scene.times("Then") == [15.0], "its first began again after the gap"
    assert scene.times("Repeat") == [0.0, 14.0]
    scene.show(12)
    scene.show(1, kick=0.9)
    assert scene.times("Then") == [15.0]


def test_a_long_gap_makes_everything_begin_anew() -> None:
    scene = Scene(
        rule(activity("slap", for_s=3.0)),
        rule(activity("kick", above=0.3), name="Kick", repeat_interval_s=3600.0),
        smoothing_s=2.0,
    )
    scene.show(2, slap=0.99, kick=0.99)
    scene.wait(30.2)
    scene.show(0.2, slap=0.9, kick=0.9)
    assert scene.states("Fight")[-1] == (32.2, "inactive")
    assert scene.states("Kick")[-1] == (32.2, "inactive")
    assert scene.edges()[-2:] == [(32.2, "offset"), (32.2, "offset")]
    scene.show(5, slap=0.99, kick=0.99)
    assert scene.state("Kick") == "firing"
    assert len(scene.times("Kick")) == 1, "the repeat interval goes on"


def test_a_gap_of_thirty_seconds_is_the_longest_over_which_a_rule_goes_on() -> None:
    scene = Scene(rule())
    scene.show(1, slap=0.9)
    scene.wait(29.8)
    scene.show(1, slap=0.9)
    assert scene.states() == [(0.0, "firing")]


def test_a_long_gap_ends_a_rule_that_still_goes_on_and_it_fires_again() -> None:
    scene = Scene(rule(repeat_interval_s=3600.0))
    scene.show(1, slap=0.9)
    scene.wait(100)
    scene.show(1, slap=0.9)
    assert scene.states() == [(0.0, "firing"), (101.0, "inactive"), (101.0, "firing")]
    assert scene.edges() == [(0.0, "onset"), (101.0, "offset"), (101.0, "onset")]
    assert scene.times() == [0.0]


def test_counted_beginnings_outlive_a_long_gap() -> None:
    scene = Scene(rule(activity("slap", count=2, window_s=600.0)))
    scene.show(1, slap=0.9)
    scene.wait(100)
    scene.show(1)
    scene.show(1, slap=0.9)
    assert scene.times() == [102.0]


def test_a_sequence_does_not_outlive_a_long_gap() -> None:
    scene = Scene(rule(ThenCondition(conditions=(activity("a"), activity("b")), gap_s=600.0)))
    scene.show(1, a=0.9)
    scene.wait(100)
    scene.show(1, b=0.9)
    assert scene.alerts == []


def test_a_state_of_the_camera_outlives_a_long_gap_but_the_wait_begins_anew() -> None:
    scene = Scene(rule(CameraCondition(camera=(CameraState.DARK,), for_s=2.0)))
    scene.camera = frozenset({CameraState.DARK})
    scene.show(1)
    scene.wait(100)
    scene.show(3)
    assert scene.times() == [103.0]


def test_while_no_frame_comes_rules_resolve_after_thirty_seconds() -> None:
    scene = Scene(rule())
    scene.show(1, slap=0.9)
    for _ in range(40):
        scene.idle(1.0)
    assert scene.states() == [(0.0, "firing"), (31.0, "inactive")]
    assert scene.edges() == [(0.0, "onset"), (31.0, "offset")]
    ((_, first), (_, last)) = scene.changes
    assert last.at == first.at + timedelta(seconds=31.0)
    assert last.time_s == first.time_s + 31.0
    scene.show(1, slap=0.9)
    assert scene.states()[2:] == [(41.0, "firing")]


def test_idle_before_the_first_frame_says_nothing() -> None:
    scene = Scene(rule())
    scene.idle(100)
    scene.show(1, slap=0.9)
    assert scene.times() == [100.0]


def test_a_source_whose_clock_goes_back_begins_anew() -> None:
    scene = Scene(rule(activity("slap", for_s=3.0)))
    scene.show(2, slap=0.9)
    scene.base_s -= 500.0
    scene.show(5, slap=0.9)
    assert scene.times() == [5.0]


def test_a_repeat_interval_is_over_when_it_ends_within_a_gap() -> None:
    scene = Scene(rule(repeat_interval_s=15.0))
    scene.show(1, slap=0.9)
    scene.wait(20)
    scene.show(1, slap=0.9)
    assert scene.times() == [0.0, 21.0]


def test_a_restart_is_a_gap_of_its_length() -> None:
    scene = Scene(rule(activity("slap", for_s=3.0)), smoothing_s=0.5)
    scene.show(2, slap=0.9)
    scene.restart(10.0)
    scene.show(4, slap=0.9)
    unbroken = Scene(rule(activity("slap", for_s=3.0)), smoothing_s=0.5)
    unbroken.show(2, slap=0.9)
    unbroken.wait(9.8)
    unbroken.show(4, slap=0.9)
    assert scene.times() == unbroken.times() != []
    assert scene.states() == unbroken.states()


def test_a_long_restart_makes_everything_begin_anew_but_mutes_and_intervals() -> None:
    scene = Scene(rule(repeat_interval_s=100.0), rule(name="Muted"))
    scene.engine.mute("Muted", muted=True)
    scene.show(1, slap=0.9)
    scene.restart(31.0)
    scene.show(90, slap=0.9)
    assert scene.times() == [0.0, 100.0]
    assert [status.muted for status in scene.engine.statuses()] == [False, True]


def test_a_restart_with_a_rule_firing_does_not_tell_it_again() -> None:
    scene = Scene(rule(repeat_interval_s=0.0, resolve_after_s=5.0))
    scene.show(1, slap=0.9)
    scene.restart(5.0)
    scene.show(1)
    scene.show(1, slap=0.9)
    assert (scene.state(), scene.times()) == ("firing", [0.0])


def test_a_rule_that_goes_on_over_a_restart_is_told_again_when_its_interval_is_over() -> None:
    scene = Scene(rule(repeat_interval_s=15.0))
    scene.show(1, slap=0.9)
    scene.restart(10.0)
    scene.show(10, slap=0.9)
    assert (scene.times(), scene.states()) == ([0.0, pytest.approx(15.0)], [(0.0, "firing")])


def test_after_a_restart_without_frames_a_firing_rule_resolves_too() -> None:
    scene = Scene(rule())
    scene.show(1, slap=0.9)
    scene.restart(10.0)
    for _ in range(25):
        scene.idle(1.0)
    assert scene.states()[-1][1] == "inactive"
    assert scene.states()[-1][0] == pytest.approx(31.8, abs=1.01)


def test_restarts_without_a_frame_between_them_add_up() -> None:
    """A node whose camera is broken starts again and again: what it knew grows old all the same."""
    scene = Scene(rule(repeat_interval_s=0.0))
    scene.show(1, slap=0.9)
    for _ in range(3):
        scene.restart(12.0)
        scene.idle(0.2)
    assert scene.state() == "inactive"
    scene.show(1, slap=0.9)
    assert len(scene.alerts) == 2


def test_a_restart_that_takes_no_time_is_no_gap() -> None:
    scene = Scene(rule(activity("slap", for_s=3.0)))
    scene.show(2, slap=0.9)
    scene.restart(0.0)
    scene.show(2, slap=0.9)
    assert scene.times() == [pytest.approx(3.0)]


def test_a_mode_is_remembered_over_a_restart() -> None:
    """Armed by Home Assistant while the node was down: the rules begin anew, as always."""
    scene = Scene(rule(activity("slap", for_s=2.0)), mode=Mode.DISARMED)
    scene.show(5, slap=0.9)
    scene.restart(1.0)
    scene.mode = Mode.AWAY
    scene.show(3, slap=0.9)
    assert scene.times() == [pytest.approx(5.8 + 2.0)]


def test_a_reload_leaves_rules_alone_whose_conditions_are_the_same() -> None:
    before = rule(activity("slap", for_s=3.0))
    scene = Scene(before)
    scene.show(2, slap=0.9)
    scene.reload(rule(name="New"), rule(activity("slap", for_s=3.0), message="New words"))
    scene.show(2, slap=0.9)
    assert scene.times("Fight") == [3.0]
    assert next(alert.message for _, alert in scene.alerts if alert.rule == "Fight") == "New words"
    assert scene.times("New") == [2.0]


def test_a_reload_makes_a_rule_with_other_conditions_begin_anew() -> None:
    scene = Scene(rule(activity("slap", for_s=3.0)))
    scene.show(2, slap=0.9)
    scene.reload(rule(activity("slap", for_s=3.5)))
    scene.show(5, slap=0.9)
    assert scene.times() == [5.6], "3.5 s on a grid of 0.2 s"


def test_a_reload_keeps_intervals_and_mutes_by_name() -> None:
    scene = Scene(rule(repeat_interval_s=60.0), rule(name="Muted"))
    scene.engine.mute("Muted", muted=True)
    scene.show(1, slap=0.9)
    scene.reload(
        rule(activity("slap", above=0.7), repeat_interval_s=60.0),
        rule(activity("slap", above=0.7), name="Muted"),
    )
    scene.show(10, slap=0.9)
    assert (scene.state("Fight"), scene.state("Muted")) == ("firing", "firing")
    assert scene.times() == [0.0]


def test_a_reload_keeps_scores_and_what_goes_on() -> None:
    scene = Scene(rule(), smoothing_s=2.0)
    scene.show(10, slap=0.9)
    scene.reload(rule(), rule(activity("kick"), name="Kick"))
    scene.show(1, slap=0.9)
    assert scene.edges() == [(scene.edges()[0][0], "onset")]


def test_a_reload_within_a_gap_does_not_hide_it() -> None:
    kept: tuple[Any, ...] = (rule(activity("slap", for_s=3.0)),)
    scene = Scene(*kept)
    scene.show(2, slap=0.9)
    scene.wait(20)
    scene.reload(*kept)
    scene.wait(20)
    scene.show(2, slap=0.9)
    assert scene.states() == [(0.0, "pending"), (42.0, "inactive"), (42.0, "pending")]


def test_nothing_depends_on_when_it_is_written_down() -> None:
    """A wall clock far from any sense changes no duration."""
    scene = Scene(rule(activity("slap", for_s=1.0)), at=NOON.replace(year=1971))
    scene.show(2, slap=0.9)
    assert scene.times() == [1.0]
