"""A rule's states, and when it tells the home."""

from __future__ import annotations

from datetime import timedelta

import pytest

from edgehome.config.conditions import (
    ArmedCondition,
    MotionCondition,
    NoneCondition,
    ThenCondition,
)
from edgehome.types import Mode, Severity
from tests.rules.scene import NOON, Scene, activity, both, rule

SLAP = activity("slap", for_s=2.0)


def test_a_rule_fires_when_it_has_held_for_as_long_as_it_asks() -> None:
    scene = Scene(rule(SLAP))
    scene.show(1.8, slap=0.9)
    scene.show(0.2, slap=0.1)
    scene.show(3, slap=0.9)
    scene.show(1)
    assert scene.states() == [
        (0.0, "pending"), (1.8, "inactive"), (2.0, "pending"), (4.0, "firing"), (5.0, "inactive"),
    ]  # fmt: skip
    assert scene.times() == [4.0]


def test_a_rule_without_for_fires_at_once() -> None:
    scene = Scene(rule())
    scene.show(1, slap=0.9)
    assert scene.states() == [(0.0, "firing")]


def test_a_change_of_state_carries_both_clocks() -> None:
    scene = Scene(rule())
    scene.show(1)
    scene.show(1, slap=0.9)
    ((_, change),) = scene.changes
    assert (change.time_s, change.at) == (1001.0, NOON + timedelta(seconds=1))
    assert (str(change.old), str(change.new), change.rule) == ("inactive", "firing", "Fight")


def test_for_within_a_list_is_not_the_rules_own() -> None:
    """A rule is pending only while all holds but its own `for`."""
    scene = Scene(rule(both(SLAP, activity("kick"), for_s=1.0)))
    scene.show(3, slap=0.9)
    assert scene.states() == []
    scene.show(2, slap=0.9, kick=0.9)
    assert scene.states() == [(3.0, "pending"), (4.0, "firing")]


def test_it_is_told_again_each_repeat_interval_while_it_goes_on() -> None:
    scene = Scene(rule(repeat_interval_s=10.0))
    scene.show(25, slap=0.9)
    assert scene.times() == [0.0, 10.0, 20.0]
    assert len({alert.id for _, alert in scene.alerts}) == 3


def test_it_is_not_told_again_within_the_repeat_interval_when_it_comes_again() -> None:
    scene = Scene(rule(repeat_interval_s=10.0))
    scene.show(2, slap=0.9)
    scene.show(2)
    scene.show(10, slap=0.9)
    assert scene.times() == [0.0, 10.0], "it goes on when the interval ends"


def test_without_repeat_interval_it_is_told_once_each_time_it_fires() -> None:
    scene = Scene(rule(repeat_interval_s=0.0))
    for _ in range(3):
        scene.show(5, slap=0.9)
        scene.show(1)
    assert scene.times() == [0.0, 6.0, 12.0]


def test_resolve_after_keeps_it_firing_through_a_break() -> None:
    scene = Scene(rule(repeat_interval_s=0.0, resolve_after_s=3.0))
    scene.show(1, slap=0.9)
    scene.show(2.8)
    scene.show(1, slap=0.9)
    scene.show(5)
    assert scene.states() == [(0.0, "firing"), (7.8, "inactive")]
    assert scene.times() == [0.0]


def test_a_rule_that_fires_goes_on_without_waiting_for_its_for_again() -> None:
    scene = Scene(rule(SLAP, resolve_after_s=1.0))
    scene.show(3, slap=0.9)
    scene.show(0.8)
    scene.show(1, slap=0.9)
    scene.show(0.8)
    scene.show(1, slap=0.9)
    assert scene.states() == [(0.0, "pending"), (2.0, "firing")]


def test_it_is_not_told_again_after_it_is_over_only_because_of_resolve_after() -> None:
    scene = Scene(rule(repeat_interval_s=5.0, resolve_after_s=60.0))
    scene.show(4, slap=0.9)
    scene.show(20)
    assert scene.times() == [0.0]
    scene.show(1, slap=0.9)
    assert scene.times() == [0.0, 24.0], "it goes on again, and the interval is over"


def test_an_alert_says_what_was_seen_and_why() -> None:
    scene = Scene(
        rule(
            both(SLAP, NoneCondition(conditions=(activity("hug"),)), for_s=1.0),
            severity=Severity.CRITICAL,
            message="{rule}: {label} {score:.1f} {severity} {at:%H:%M:%S}",
        )
    )
    scene.show(4, slap=0.9, hug=0.123)
    ((_, alert),) = scene.alerts
    began = NOON
    fired = began + timedelta(seconds=3)
    assert alert.message == "Fight: slap 0.9 critical 12:00:03"
    assert (alert.id, alert.at, alert.rule, alert.label) == ("id0", fired, "Fight", "slap")
    assert (alert.score, alert.severity) == (0.9, Severity.CRITICAL)
    assert alert.since == began + timedelta(seconds=2), "from when on it was pending"
    assert (alert.model, alert.config, alert.folded) == ("abcd", "c0", 0)
    assert [(e.condition, e.value, e.threshold, e.met, e.since) for e in alert.evidence] == [
        ("slap above", "0.900", "0.6", True, began),
        ("slap for", "3.0s", "2s", True, began + timedelta(seconds=2)),
        ("none", "0 of 1", "0", True, began),
        ("hug above", "0.123", "0.6", False, None),
        ("for", "1.0s", "1s", True, fired),
    ]


def test_a_muted_rule_is_judged_and_tells_nothing() -> None:
    scene = Scene(rule(repeat_interval_s=60.0))
    scene.engine.mute("Fight", muted=True)
    scene.show(5, slap=0.9)
    assert (scene.state(), scene.alerts) == ("firing", [])
    assert scene.engine.statuses()[0].muted
    scene.engine.mute("Fight", muted=False)
    scene.show(1, slap=0.9)
    assert scene.times() == [5.0], "it fires still, and nobody was told"


def test_muting_a_rule_that_is_gone_does_nothing() -> None:
    scene = Scene(rule())
    scene.engine.mute("Gone", muted=True)
    scene.show(1, slap=0.9)
    assert len(scene.alerts) == 1


def test_unmuting_does_not_bring_back_what_was_told_before() -> None:
    scene = Scene(rule(repeat_interval_s=0.0))
    scene.show(1, slap=0.9)
    scene.engine.mute("Fight", muted=True)
    scene.show(1, slap=0.9)
    scene.engine.mute("Fight", muted=False)
    scene.show(1, slap=0.9)
    assert scene.times() == [0.0]


def test_a_rule_that_says_nothing_of_modes_rests_while_the_home_is_disarmed() -> None:
    scene = Scene(rule(SLAP))
    scene.show(3, slap=0.9)
    scene.mode = Mode.DISARMED
    scene.show(3, slap=0.9)
    scene.mode = Mode.HOME
    scene.show(3, slap=0.9)
    assert scene.states() == [
        (0.0, "pending"), (2.0, "firing"), (3.0, "inactive"), (6.0, "pending"), (8.0, "firing"),
    ]  # fmt: skip
    assert scene.edges() == [(0.0, "onset")], "what is seen is told all the same"


@pytest.mark.parametrize(
    ("armed", "fires"),
    [
        ((Mode.AWAY,), [Mode.AWAY]),
        ((Mode.HOME, Mode.NIGHT), [Mode.HOME, Mode.NIGHT]),
        ((Mode.DISARMED,), [Mode.DISARMED]),
        (tuple(Mode), list(Mode)),
    ],
)
def test_a_rule_that_speaks_of_modes_is_judged_by_that_alone(
    armed: tuple[Mode, ...], fires: list[Mode]
) -> None:
    scene = Scene(rule(both(activity("slap"), ArmedCondition(armed=armed))))
    found = []
    for mode in Mode:
        scene.mode = mode
        scene.show(1, slap=0.9)
        if scene.state() == "firing":
            found.append(mode)
    assert sorted(found) == sorted(fires)


def test_a_mode_among_others_does_not_make_a_rule_begin_anew() -> None:
    scene = Scene(rule(SLAP))
    scene.show(1, slap=0.9)
    scene.mode = Mode.NIGHT
    scene.show(2, slap=0.9)
    assert scene.times() == [2.0]


def test_rules_tell_in_the_files_order() -> None:
    scene = Scene(rule(name="Z"), rule(name="A"), rule(activity("kick"), name="K"))
    scene.show(1, kick=0.9, slap=0.9)
    assert [alert.rule for _, alert in scene.alerts] == ["Z", "A", "K"]
    assert [status.name for status in scene.engine.statuses()] == ["Z", "A", "K"]


def test_a_sequence_holds_while_its_last_step_does() -> None:
    scene = Scene(rule(ThenCondition(conditions=(activity("a"), activity("b")))))
    scene.show(1, a=0.9)
    scene.show(1, b=0.9)
    scene.show(1, a=0.9, b=0.9)  # its first step again changes nothing
    scene.show(1)
    assert scene.states() == [(1.0, "firing"), (3.0, "inactive")]


def test_of_three_steps_the_last_one_counts() -> None:
    steps = ThenCondition(conditions=tuple(activity(name) for name in "abc"))
    scene = Scene(rule(steps))
    scene.show(1, a=0.9)
    scene.show(1, b=0.9)
    scene.show(1, b=0.9, c=0.9)
    scene.show(1, c=0.9)
    scene.show(1)
    assert scene.states() == [(2.0, "firing"), (4.0, "inactive")]


def test_the_home_is_told_again_while_what_was_counted_goes_on() -> None:
    scene = Scene(rule(activity("slap", count=2, window_s=3.0), repeat_interval_s=2.0))
    scene.show(0.4, slap=0.9)
    scene.show(0.4)
    scene.show(7, slap=0.9)  # from 3 s on it is no longer twice within the window
    scene.show(3)
    assert scene.times() == [0.8, 2.8, 4.8, 6.8]


def test_what_goes_on_after_a_long_gap_begins_again() -> None:
    chain = ThenCondition(conditions=(activity("a"), activity("b")))
    often = activity("a", count=2, window_s=600.0)
    scene = Scene(rule(chain, name="Then"), rule(often, name="Count"))
    scene.show(1, a=0.9)
    scene.wait(40)
    scene.show(1, a=0.9)
    assert scene.times("Count") == [41.0]
    scene.show(1, b=0.9)
    assert scene.times("Then") == [42.0]


def test_a_rule_on_motion_alone_stands_at_the_motion() -> None:
    scene = Scene(rule(MotionCondition(motion=0.1)))
    scene.motion = 0.25
    scene.show(1)
    (status,) = scene.engine.statuses()
    assert status.score == 0.25
