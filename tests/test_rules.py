"""Events and rules, on made-up scores: minutes of time in microseconds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count
from typing import Any

import pytest

from edgehome.config.types import Activity, Between, Rule
from edgehome.events import Events, Moment, group_score
from edgehome.rules import RuleEngine, State
from edgehome.types import Alert, Scores, Severity

PERIOD_S = 0.2
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Scene:
    """A camera that sees what the test says, at five frames a second."""

    def __init__(self, *rules: Rule, smoothing_s: float = 0.0) -> None:
        self.engine = RuleEngine(rules)
        self.events = Events(self.engine.watches(), smoothing_s=smoothing_s, period_s=PERIOD_S)
        self.time_s = 0.0
        self.at = NOON
        self.moments: list[Moment] = []
        self.alerts: list[tuple[float, Alert]] = []
        self._ids = count()

    def show(self, seconds: float, **scores: float) -> None:
        """Show these scores for some time."""
        for _ in range(round(seconds / PERIOD_S)):
            moment = self.events.update(Scores(self.time_s, self.at, scores))
            self.moments.append(moment)
            for alert in self.engine.update(moment, lambda: f"id{next(self._ids)}"):
                self.alerts.append((round(self.time_s, 3), alert))
            self.skip(PERIOD_S)

    def skip(self, seconds: float) -> None:
        """Let time go by without a frame."""
        self.time_s += seconds
        self.at += timedelta(seconds=seconds)

    def times(self) -> list[float]:
        return [time_s for time_s, _ in self.alerts]

    def edges(self) -> list[tuple[float, str]]:
        return [(round(m.time_s, 3), e.edge) for m in self.moments for e in m.events]


def rule(**changes: Any) -> Rule:
    base = Rule(name="Fight", when=Activity("fighting", ("slap", "kick")), above=0.6, below=0.4)
    return replace(base, **changes)


def test_an_activity_begins_at_above_and_ends_at_below() -> None:
    scene = Scene(rule())
    scene.show(1, slap=0.59)
    scene.show(1, slap=0.6)
    scene.show(1, slap=0.41)
    scene.show(1, slap=0.4)
    assert scene.edges() == [(1.0, "onset"), (3.0, "offset")]


def test_labels_of_a_group_add_up_and_stay_a_probability() -> None:
    activity = Activity("fighting", ("slap", "kick"))
    assert group_score(Scores(0, NOON, {"slap": 0.4, "kick": 0.3}), activity) == pytest.approx(0.7)
    assert group_score(Scores(0, NOON, {"slap": 0.7, "kick": 0.6}), activity) == 1.0
    assert group_score(Scores(0, NOON, {"walk": 1.0}), activity) == 0.0


def test_a_label_over_a_window_of_its_own_has_a_name_of_its_own() -> None:
    activity = Activity("fighting", ("slap", "kick"))
    scores = Scores(
        0, NOON, {"slap": 0.1, "kick": 0.1, "slap@3s": 0.2, "kick@3s": 0.3, "slap@0.5s": 0.9}
    )
    assert group_score(scores, activity) == pytest.approx(0.2)
    assert group_score(scores, activity, 3.0) == pytest.approx(0.5)
    # A label that is not told over that window, such as a small head's, is taken as it is.
    assert group_score(scores, activity, 0.5) == pytest.approx(0.9 + 0.1)
    assert group_score(Scores(0, NOON, {"fall": 0.4}), Activity("x", ("fall",)), 3.0) == 0.4


def test_two_rules_may_look_back_over_different_windows_at_one_activity() -> None:
    quick, slow = rule(name="Quick", window_s=1.0), rule(name="Slow")
    scene = Scene(quick, slow)
    assert len(scene.engine.watches()) == len(set(scene.engine.watches())) == 2
    scene.show(1, **{"slap@1s": 0.9, "slap": 0.2})
    scene.show(1, **{"slap@1s": 0.9, "slap": 0.9})
    assert [(time_s, alert.rule) for time_s, alert in scene.alerts] == [(0, "Quick"), (1, "Slow")]
    assert scene.alerts[0][1].evidence[0].condition == "fighting above"


def test_smoothing_keeps_a_single_frame_from_being_an_onset() -> None:
    scene = Scene(rule(), smoothing_s=1.0)
    scene.show(0.2, slap=1.0)
    scene.show(2, slap=0.0)
    assert scene.edges() == []
    scene.show(2, slap=1.0)
    assert [edge for _, edge in scene.edges()] == ["onset"]


def test_smoothing_goes_by_time_not_by_frames() -> None:
    watches = RuleEngine([rule()]).watches()
    slow = Events(watches, smoothing_s=1.0, period_s=0.2)
    fast = Events(watches, smoothing_s=1.0, period_s=0.1)
    for n in range(5):
        last_slow = slow.update(Scores(n * 0.2, NOON, {"slap": 0.5}))
    for n in range(10):
        last_fast = fast.update(Scores(n * 0.1, NOON, {"slap": 0.5}))
    score = last_slow.levels[watches[0]].score
    assert score == pytest.approx(last_fast.levels[watches[0]].score)
    assert score == pytest.approx(0.5 * (1 - 2.718281828**-1.0))


def test_a_rule_fires_when_it_has_held_for_as_long_as_it_asks() -> None:
    scene = Scene(rule(for_s=2.0))
    scene.show(1.8, slap=0.9)
    assert scene.engine.evaluators[0].state is State.PENDING
    scene.show(0.2, slap=0.1)
    assert scene.engine.evaluators[0].state is State.INACTIVE
    scene.show(3, slap=0.9)
    assert scene.times() == [4.0]
    assert scene.engine.evaluators[0].state is State.FIRING


def test_a_rule_without_for_fires_at_once() -> None:
    scene = Scene(rule())
    scene.show(1, slap=0.9)
    assert scene.times() == [0.0]


def test_an_alert_says_what_was_measured_and_what_was_asked() -> None:
    scene = Scene(
        rule(
            for_s=2.0,
            between=Between.parse("08:00-20:00"),
            severity=Severity.CRITICAL,
            message="{rule}: {label} {score:.0%} {severity} {at:%H:%M}",
        )
    )
    scene.show(3, slap=0.5, kick=0.33)
    _, alert = scene.alerts[0]
    assert alert.message == "Fight: fighting 83% critical 12:00"
    assert (alert.id, alert.rule, alert.label, alert.at) == (
        "id0",
        "Fight",
        "fighting",
        NOON + timedelta(seconds=2),
    )
    assert [(e.condition, e.value, e.threshold, e.met) for e in alert.evidence] == [
        ("fighting above", "0.830", "0.6", True),
        ("for", "2.0s", "2s", True),
        ("between", "12:00", "08:00-20:00", True),
    ]


def test_while_it_lasts_it_is_told_again_each_repeat_interval() -> None:
    scene = Scene(rule(repeat_interval_s=60))
    scene.show(150, slap=0.9)
    assert scene.times() == [0.0, 60.0, 120.0]
    assert len({alert.id for _, alert in scene.alerts}) == 3


def test_a_rule_that_comes_and_goes_is_told_no_more_often() -> None:
    scene = Scene(rule(repeat_interval_s=60))
    for _ in range(10):
        scene.show(5, slap=0.9)
        scene.show(5, slap=0.0)
    assert scene.times() == [0.0, 60.0]


def test_with_no_repeat_interval_each_onset_is_told_once() -> None:
    scene = Scene(rule(repeat_interval_s=0))
    for _ in range(3):
        scene.show(60, slap=0.9)
        scene.show(5, slap=0.0)
    assert scene.times() == [0.0, 65.0, 130.0]


def test_a_schedule_is_kept_and_a_rule_becomes_due_when_it_opens() -> None:
    scene = Scene(rule(between=Between.parse("12:01-13:00"), for_s=2.0))
    scene.show(90, slap=0.9)
    assert scene.times() == [62.0]


def test_a_schedule_is_of_the_camera_s_own_zone() -> None:
    scene = Scene(rule(between=Between.parse("14:00-15:00")))
    scene.at = NOON.astimezone(timezone(timedelta(hours=2)))
    scene.show(1, slap=0.9)
    assert scene.times() == [0.0]


@pytest.mark.parametrize("years", [-1, 1])
def test_a_step_of_the_wall_clock_leaves_durations_alone(years: int) -> None:
    scene = Scene(rule(for_s=5.0, repeat_interval_s=60))
    scene.show(2, slap=0.9)
    scene.at += timedelta(days=365 * years)
    scene.show(60, slap=0.9)
    assert scene.times() == [5.0]


def test_a_pending_rule_begins_anew_after_a_gap_in_frames() -> None:
    scene = Scene(rule(for_s=5.0))
    scene.show(4, slap=0.9)
    scene.skip(10)
    scene.show(10, slap=0.9)
    assert scene.times() == [19.0]


def test_a_firing_rule_does_not_alert_again_because_of_a_gap() -> None:
    scene = Scene(rule(repeat_interval_s=3600))
    scene.show(4, slap=0.9)
    scene.skip(10)
    scene.show(10, slap=0.9)
    assert scene.times() == [0.0]


def test_what_was_seen_before_a_gap_says_nothing_of_after_it() -> None:
    scene = Scene(rule(), smoothing_s=5.0)
    scene.show(60, slap=0.9)
    scene.skip(10)
    scene.show(0.2, slap=0.9)
    assert scene.edges()[-1][1] == "offset"


def test_two_rules_may_watch_one_activity_with_thresholds_of_their_own() -> None:
    scene = Scene(rule(name="Low", above=0.3, below=0.2), rule(name="High", above=0.8, below=0.5))
    scene.show(1, slap=0.5)
    scene.show(1, slap=0.9)
    assert [(t, a.rule) for t, a in scene.alerts] == [(0.0, "Low"), (1.0, "High")]
