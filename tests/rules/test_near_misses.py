"""Why a rule did not fire."""

from __future__ import annotations

from datetime import timedelta

import pytest

from edgehome.config.conditions import (
    AnyCondition,
    ArmedCondition,
    AtLeast,
    Between,
    BetweenCondition,
    CameraCondition,
    Condition,
    MotionCondition,
    NoneCondition,
    ThenCondition,
    UnusualCondition,
)
from edgehome.types import CameraState, Mode, NearMiss
from tests.rules.scene import NOON, Scene, activity, both, rule


def only(scene: Scene) -> NearMiss:
    assert len(scene.misses) == 1, scene.misses
    return scene.misses[0][1]


def test_one_that_did_not_last() -> None:
    scene = Scene(rule(activity("slap", for_s=5.0)))
    scene.show(1)
    scene.show(3.4, slap=0.9)
    scene.show(1)
    missed = only(scene)
    assert missed.reason == "too_short"
    assert missed.message == "would have fired at 12:00:06, but `for: 5s` was held only 3.2 s"
    assert missed.rule == "Fight"
    assert [(e.condition, e.value, e.met) for e in missed.evidence] == [
        ("slap above", "0.900", True),
        ("for", "3.2s", False),
    ]
    assert missed.evidence[0].since == NOON + timedelta(seconds=1)


def test_one_that_did_not_last_within_a_list() -> None:
    scene = Scene(rule(both(activity("slap", for_s=5.0), ArmedCondition(armed=(Mode.AWAY,)))))
    scene.show(3.4, slap=0.9)
    scene.show(1)
    assert only(scene).message == (
        "would have fired at 12:00:05, but slap `for: 5s` was held only 3.2 s"
    )


def test_the_longest_of_several_tries_is_told() -> None:
    scene = Scene(rule(activity("slap", below=0.55, for_s=5.0)))
    for seconds in (1.0, 3.0, 2.0):
        scene.show(seconds, slap=0.9)
        scene.show(1, slap=0.5)
    scene.show(1)
    missed = only(scene)
    assert missed.message == "would have fired at 12:00:07, but `for: 5s` was held only 2.8 s"
    assert missed.at == NOON + timedelta(seconds=4.8)
    assert missed.evidence[1].value == "2.8s"


def test_one_that_was_not_high_enough_is_told_at_its_highest() -> None:
    scene = Scene(rule())
    for slap in (0.2, 0.49, 0.5, 0.52, 0.51, 0.2):
        scene.show(0.2, slap=slap)
    missed = only(scene)
    assert (missed.reason, missed.message) == ("too_low", "slap reached only 0.52 of 0.60")
    assert missed.at == NOON + timedelta(seconds=0.6)
    assert missed.evidence[0].value == "0.520"


def test_near_is_four_fifths_of_above() -> None:
    scene = Scene(rule())
    scene.show(1, slap=0.479)
    scene.show(1)
    assert scene.misses == []
    scene.show(1, slap=0.481)
    scene.show(1)
    assert len(scene.misses) == 1


def test_one_that_another_condition_kept_back() -> None:
    scene = Scene(
        rule(both(activity("climbing"), ArmedCondition(armed=(Mode.AWAY,)))), mode=Mode.HOME
    )
    scene.show(4.2, climbing=0.81)
    scene.show(1)
    missed = only(scene)
    assert missed.reason == "condition"
    assert missed.message == (
        "climbing was seen for 4.0 s (0.81), but `armed: away` did not hold: it was home"
    )
    assert [(e.condition, e.value, e.threshold, e.met) for e in missed.evidence] == [
        ("climbing above", "0.810", "0.6", True),
        ("armed", "home", "away", False),
    ]


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (BetweenCondition(between=Between.parse("22:00-06:00")), "`between: 22:00-06:00` did not"),
        (activity("kick", at_least=AtLeast(2, 3)), "kick reached only 0.00 of 0.60"),
        (NoneCondition(conditions=(activity("slap"),)), "slap held, under `none`"),
        (activity("kick", above=0.9), "kick reached only 0.00 of 0.90"),
        (MotionCondition(motion=0.5), "motion reached only 0.00 of 0.50"),
        (UnusualCondition(unusual=7.0), "`unusual: once_a_week` did not hold: it was nothing unus"),
        (CameraCondition(camera=(CameraState.DARK,)), "`camera: dark` did not hold: it was well"),
        (
            ThenCondition(conditions=(activity("slap"), activity("kick"))),
            "only 1 of the 2 steps of `then` came in their order",
        ),
        (
            AnyCondition(conditions=(activity("kick"), activity("hug", above=0.7))),
            "kick reached only 0.00 of 0.60",
        ),
        (activity("slap", count=2, window_s=60.0), "slap began only 1 of 2 times within 1m"),
        (
            activity("slap", at_least=AtLeast(9, 9)),
            "slap held in only 5 of the last 9 frames; `at_least: 9 of 9`",
        ),
    ],
)
def test_what_kept_it_back_is_said_in_words(when: Condition, words: str) -> None:
    scene = Scene(rule(both(activity("slap"), when)))
    scene.show(1, slap=0.9)
    scene.show(1)
    assert words in only(scene).message


def test_what_came_near_to_unusual_says_how_near() -> None:
    scene = Scene(rule(UnusualCondition(unusual=7.0)))
    for scene.unusual in (5.5, 0.0):
        scene.show(1)
    assert scene.misses == []
    for scene.unusual in (5.8, 0.0):
        scene.show(1)
    missed = only(scene)
    assert missed.reason == "condition"
    assert missed.message == (
        "something was seen, but `unusual: once_a_week` did not hold: it was once in 5.8d"
    )


def test_what_was_seen_is_the_first_activity_that_was_there() -> None:
    away = ArmedCondition(armed=(Mode.HOME,))
    either = AnyCondition(conditions=(activity("kick", for_s=0.2), activity("slap", for_s=0.2)))
    scene = Scene(rule(both(either, away)))
    scene.show(2, slap=0.7)
    scene.show(1)
    assert only(scene).message == (
        "slap was seen for 1.8 s (0.70), but `armed: home` did not hold: it was away"
    )


def test_a_higher_score_that_is_less_close_is_not_told() -> None:
    """Most conditions first: at home the score was higher, but away it was closer."""
    away = ArmedCondition(armed=(Mode.AWAY,))
    scene = Scene(rule(both(activity("slap", for_s=5.0), away)))
    scene.show(1, slap=0.7)
    scene.mode = Mode.HOME
    scene.show(1, slap=0.95)
    scene.show(1)
    missed = only(scene)
    assert missed.evidence[0].value == "0.700"
    assert missed.reason == "too_short"


def test_one_that_fired_is_none() -> None:
    scene = Scene(rule(activity("slap", for_s=1.0)))
    scene.show(3, slap=0.9)
    scene.show(3, slap=0.5)
    scene.show(1)
    assert scene.misses == []


def test_one_that_goes_on_while_the_rule_fires_is_none() -> None:
    scene = Scene(rule(repeat_interval_s=600.0, resolve_after_s=60.0))
    for _ in range(3):
        scene.show(1, slap=0.9)
        scene.show(15)
    assert scene.misses == []


def test_one_that_was_told_before_a_restart_is_none() -> None:
    scene = Scene(rule())
    scene.show(1, slap=0.9)
    scene.restart(1.0)
    scene.show(1, slap=0.9)
    scene.show(1)
    assert (scene.misses, scene.state()) == ([], "inactive")


def test_one_within_the_repeat_interval() -> None:
    scene = Scene(rule(repeat_interval_s=600.0))
    scene.show(1, slap=0.9)
    scene.show(30)
    scene.show(1, slap=0.9)
    scene.show(1)
    missed = only(scene)
    assert (missed.reason, missed.at) == ("repeat_interval", NOON + timedelta(seconds=31))
    assert missed.message == (
        "would have fired at 12:00:31, but its last alert was 31 s before and "
        "`repeat_interval` is 10m"
    )


def test_one_that_was_muted() -> None:
    scene = Scene(rule())
    scene.engine.mute("Fight", muted=True)
    scene.show(1, slap=0.9)
    scene.show(1)
    assert only(scene).message == "would have fired at 12:00:00, but the rule was muted"
    assert only(scene).reason == "muted"


def test_one_that_was_folded() -> None:
    other = rule(activity("kick"), name="Kick")
    scene = Scene(rule(repeat_interval_s=0.0), other, limit=1, window_s=600.0)
    scene.show(1, slap=0.9)
    scene.show(1)
    scene.show(1, slap=0.9)
    scene.show(1)
    missed = only(scene)
    assert missed.reason == "folded"
    assert "`alerts: limit`" in missed.message


def test_one_while_disarmed_is_told_only_if_it_would_have_fired() -> None:
    scene = Scene(rule(activity("slap", for_s=2.0)), mode=Mode.DISARMED)
    scene.show(1, slap=0.9)
    scene.show(1)
    assert scene.misses == []
    scene.show(3, slap=0.9)
    scene.show(1)
    assert only(scene).reason == "disarmed"
    assert only(scene).message == "would have fired at 12:00:04, but the home was disarmed"


def test_armed_while_it_goes_on_it_is_an_alert_and_no_near_miss() -> None:
    scene = Scene(rule(activity("slap", for_s=2.0)), mode=Mode.DISARMED)
    scene.show(3, slap=0.9)
    scene.mode = Mode.AWAY
    scene.show(3, slap=0.9)
    scene.show(1)
    assert (len(scene.alerts), scene.misses) == (1, [])


def test_at_most_one_of_a_rule_is_told_in_ten_seconds() -> None:
    scene = Scene(rule(), rule(name="Other"))
    for _ in range(20):
        scene.show(0.4, slap=0.55)
        scene.show(0.6)
    assert [now for now, missed in scene.misses if missed.rule == "Fight"] == [0.4, 10.4]
    assert [now for now, missed in scene.misses if missed.rule == "Other"] == [0.4, 10.4]


def test_what_must_not_be_there_is_no_attempt() -> None:
    scene = Scene(rule(NoneCondition(conditions=(activity("slap"),), for_s=60.0)))
    scene.show(5)
    scene.show(5, slap=0.9)
    scene.show(5)
    assert scene.misses == []


def test_a_long_gap_ends_an_attempt() -> None:
    scene = Scene(rule(activity("slap", for_s=5.0)))
    scene.show(3.2, slap=0.9)
    scene.wait(60)
    scene.show(1, slap=0.9)
    assert only(scene).message.endswith("was held only 3.0 s")
    idle = Scene(rule(activity("slap", for_s=5.0)))
    idle.show(3.2, slap=0.9)
    idle.idle(31)
    assert only(idle).message.endswith("was held only 3.0 s")


def test_a_camera_that_is_well_again_ends_an_attempt() -> None:
    scene = Scene(rule(CameraCondition(camera=(CameraState.COVERED,), for_s=10.0)))
    scene.camera = frozenset({CameraState.COVERED})
    scene.show(3)
    scene.camera = frozenset()
    scene.show(1)
    assert only(scene).message.endswith("`for: 10s` was held only 2.8 s")
