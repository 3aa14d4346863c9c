"""Of one attempt after the other, and of several at once: which moment is told."""

from __future__ import annotations

from datetime import timedelta

from edgehome.config.conditions import AnyCondition, ArmedCondition, AtLeast, ThenCondition
from edgehome.types import Mode, NearMiss
from tests.rules.scene import NOON, Scene, activity, both, rule


def only(scene: Scene) -> NearMiss:
    assert len(scene.misses) == 1, scene.misses
    return scene.misses[0][1]


def test_a_later_attempt_does_not_tell_the_longest_time_of_the_one_before() -> None:
    scene = Scene(rule(activity("slap", for_s=5.0)))
    scene.show(3.2, slap=0.9)
    scene.show(11)
    scene.show(1.2, slap=0.9)
    scene.show(1)
    held = [missed.message.rpartition("held only ")[2] for _, missed in scene.misses]
    assert held == ["3.0 s", "1.0 s"]


def test_of_moments_that_are_as_close_the_first_of_the_highest_is_told() -> None:
    either = AnyCondition(conditions=(activity("kick"), activity("hug")))
    scene = Scene(rule(both(activity("slap", below=0.1, for_s=9.0), either)))
    scene.show(0.4, slap=0.7, kick=0.9)
    scene.show(0.6, slap=0.9, hug=0.9)  # as many conditions, others
    scene.show(0.4, slap=0.65, kick=0.9)
    scene.show(0.4, slap=0.9, hug=0.9)
    scene.show(1)
    assert only(scene).evidence[0].value == "0.900"
    (hug,) = [one for one in only(scene).evidence if one.condition == "hug above"]
    assert hug.since == NOON + timedelta(seconds=0.4)
    scene = Scene(rule(both(activity("slap"), ArmedCondition(armed=(Mode.NIGHT,)))))
    for slap in (0.7, 0.9, 0.9, 0.8):
        scene.show(0.4, slap=slap)
    scene.show(1)
    assert only(scene).at == NOON + timedelta(seconds=0.4)


def test_what_goes_on_until_no_frames_come_is_told_with_the_time_for_which_it_was_seen() -> None:
    scene = Scene(rule(both(activity("slap"), ArmedCondition(armed=(Mode.NIGHT,)))))
    scene.show(3.2, slap=0.9)
    scene.wait(31)
    scene.show(0.2)
    assert only(scene).message.startswith("slap was seen for 3.0 s"), only(scene).message


def test_one_that_comes_back_before_it_resolves_is_none() -> None:
    scene = Scene(rule(resolve_after_s=10.0, repeat_interval_s=600.0))
    for _ in range(2):
        scene.show(1, slap=0.9)
        scene.show(2)
    assert len(scene.alerts) == 1
    assert scene.misses == []


def test_one_that_was_told_before_a_restart_and_is_muted_after_it_is_none() -> None:
    scene = Scene(rule(repeat_interval_s=2.0))
    scene.show(1, slap=0.9)
    scene.restart(0.2)
    scene.engine.mute("Fight", muted=True)
    scene.show(3, slap=0.9)
    scene.show(2)
    assert len(scene.alerts) == 1
    assert scene.misses == []


def test_a_rule_that_was_told_of_lately_does_not_silence_another_one() -> None:
    scene = Scene(
        rule(activity("slap", for_s=5.0), name="Slaps"),
        rule(activity("kick", for_s=5.0), name="Kicks"),
    )
    scene.show(1, slap=0.9)
    scene.show(1)
    scene.show(1, slap=0.9, kick=0.9)
    scene.show(1)
    assert [missed.rule for _, missed in scene.misses] == ["Slaps", "Kicks"]


def test_of_alternatives_the_one_that_came_nearest_is_told() -> None:
    frames = activity("kick", at_least=AtLeast(9, 9), for_s=5.0)
    scene = Scene(rule(AnyCondition(conditions=(frames, activity("slap", for_s=5.0)))))
    scene.show(1, kick=0.9, slap=0.9)
    scene.show(1)
    assert only(scene).message.endswith("but slap `for: 5s` was held only 0.8 s")


def test_a_sequence_tells_how_many_of_its_steps_came() -> None:
    steps = ThenCondition(conditions=tuple(activity(name) for name in ("slap", "kick", "hug")))
    scene = Scene(rule(steps))
    scene.show(1, slap=0.9)
    scene.show(1, slap=0.9, kick=0.9)
    scene.show(1)
    assert "only 2 of the 3 steps" in only(scene).message
    assert scene.alerts == []
    scene.show(1, hug=0.9)
    assert len(scene.alerts) == 1


def test_a_wait_of_less_than_a_second_is_told_in_milliseconds() -> None:
    scene = Scene(rule(activity("slap", for_s=0.5)))
    scene.show(0.4, slap=0.9)
    scene.show(1)
    assert "`for: 500ms` was held only 0.2 s" in only(scene).message


def test_how_long_ago_the_last_alert_was_is_told_in_minutes_when_it_was_long() -> None:
    scene = Scene(rule(repeat_interval_s=600.0))
    scene.show(20)
    scene.show(1, slap=0.9)
    scene.show(239)
    scene.show(1, slap=0.9)
    scene.show(1)
    assert "its last alert was 4 min before" in only(scene).message


def test_the_first_reason_for_which_an_alert_was_held_back_is_told() -> None:
    scene = Scene(rule(repeat_interval_s=600.0))
    scene.show(1, slap=0.9)
    scene.show(1)
    scene.mode = Mode.DISARMED
    scene.show(1, slap=0.9)
    scene.mode = Mode.AWAY
    scene.show(1, slap=0.9)
    scene.show(1)
    assert only(scene).reason == "disarmed"


def test_one_that_was_muted_before_a_restart_is_told_after_it() -> None:
    scene = Scene(rule())
    scene.engine.mute("Fight", muted=True)
    scene.show(1, slap=0.9)
    scene.restart(0.2)
    scene.show(1, slap=0.9)
    scene.show(1)
    assert only(scene).reason == "muted"


def test_an_attempt_goes_on_for_as_long_as_the_rule_fires() -> None:
    scene = Scene(rule(resolve_after_s=5.0))
    scene.engine.mute("Fight", muted=True)
    scene.show(1, slap=0.9)
    scene.show(9)
    assert scene.reasons() == [(6.0, "muted")]
