"""One limit for all rules' alerts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from edgehome.types import Severity
from tests.rules.scene import NOON, Scene, activity, rule


def flood(*names: str, **fields: object) -> list[object]:
    return [
        rule(activity(name), name=name.title(), repeat_interval_s=1.0, **fields) for name in names
    ]


def scene_of(limit: int = 3, window_s: float = 60.0, *names: str) -> Scene:
    rules = flood(*(names or ("slap",)))
    return Scene(*rules, limit=limit, window_s=window_s)  # type: ignore[arg-type]


def test_a_flood_becomes_one_alert_that_counts_it() -> None:
    scene = scene_of()
    scene.show(10, slap=0.9)
    assert scene.times() == [0.0, 1.0, 2.0]
    scene.show(51)
    (folded,) = [(now, alert) for now, alert in scene.alerts if alert.folded]
    now, alert = folded
    assert now == 60.0, "the first of the three is then a minute ago"
    assert (alert.folded, alert.message) == (7, "7 more alerts: Slap 7")
    assert (alert.rule, alert.label, alert.score) == ("Slap", "slap", 0.9)
    assert alert.since == NOON + timedelta(seconds=3)
    assert alert.at == NOON + timedelta(seconds=60)
    assert (alert.model, alert.config, alert.evidence) == ("abcd", "c0", ())
    assert len({alert.id for _, alert in scene.alerts}) == 4


def test_one_that_is_folded_alone_is_told_in_the_singular() -> None:
    scene = scene_of()
    scene.show(3.2, slap=0.9)
    scene.show(60)
    assert scene.alerts[-1][1].message == "1 more alert: Slap 1"


def test_the_most_severe_rule_gives_its_name_and_the_most_frequent_comes_first() -> None:
    calm = rule(activity("a"), name="Calm", repeat_interval_s=1.0, severity=Severity.INFO)
    grave = rule(activity("b"), name="Grave", repeat_interval_s=2.0, severity=Severity.CRITICAL)
    scene = Scene(calm, grave, limit=2, window_s=60.0)
    scene.show(5, a=0.9, b=0.9)
    scene.show(60)
    alert = scene.alerts[-1][1]
    assert (alert.message, alert.rule) == ("6 more alerts: Calm 4, Grave 2", "Grave")
    assert (alert.severity, alert.label) == (Severity.CRITICAL, "b")


def test_the_first_of_an_incident_is_never_folded() -> None:
    scene = scene_of(2, 60.0, "a", "b", "c", "d")
    scene.show(1, a=0.9, b=0.9, c=0.9, d=0.9)
    assert [alert.rule for _, alert in scene.alerts] == ["A", "B", "C", "D"]


def test_an_incident_begins_when_a_rule_was_quiet_for_a_window() -> None:
    scene = scene_of(1, 60.0, "a", "b")
    scene.show(0.2, a=0.9)
    scene.show(50)
    scene.show(0.2, b=0.9)
    scene.show(9.6)
    scene.show(0.2, a=0.9)
    assert scene.times("A") == [0.0, 60.0], "a minute after its last: the first of an incident"
    scene.show(30)
    scene.show(0.2, a=0.9)
    assert scene.times("A") == [0.0, 60.0]
    scene.show(59)
    scene.show(0.2, a=0.9)
    assert [alert.folded for _, alert in scene.alerts if alert.rule == "A"] == [0, 0, 1]


def test_one_that_was_folded_keeps_an_incident_going() -> None:
    scene = scene_of(1, 60.0, "a", "b")
    for _ in range(6):
        scene.show(0.2, a=0.9)
        scene.show(49.8)
    raised = [now for now, alert in scene.alerts if not alert.folded]
    assert raised == [0.0], "never quiet for a minute"


def test_the_window_slides() -> None:
    scene = scene_of(3, 5.0)
    scene.show(20, slap=0.9)
    told = [round(now, 1) for now, alert in scene.alerts]
    for n in range(len(told)):
        assert sum(told[n] <= other < told[n] + 5.0 for other in told) <= 3
    assert sum(alert.folded or 1 for _, alert in scene.alerts) == pytest.approx(20, abs=3)


def test_what_is_folded_is_told_while_no_frame_comes_too() -> None:
    scene = scene_of()
    scene.show(10, slap=0.9)
    for _ in range(60):
        scene.idle(1.0)
    assert [(now, alert.folded) for now, alert in scene.alerts if alert.folded] == [(60.0, 7)]


def test_what_is_folded_outlives_a_restart() -> None:
    scene = scene_of()
    scene.show(10, slap=0.9)
    scene.restart(20.0)
    scene.show(60)
    (alert,) = (alert for _, alert in scene.alerts if alert.folded)
    assert alert.message == "7 more alerts: Slap 7"
    assert alert.since == NOON + timedelta(seconds=3)
    assert scene.times()[-1] == pytest.approx(60.0)


def test_muted_rules_do_not_count() -> None:
    scene = scene_of(2, 60.0, "a", "b")
    scene.engine.mute("A", muted=True)
    scene.show(1, a=0.9, b=0.9)
    scene.show(5, a=0.9)
    scene.show(1, b=0.9)
    assert [alert.folded for _, alert in scene.alerts] == [0, 0]


def test_what_is_folded_of_a_rule_that_is_gone_is_not_told() -> None:
    scene = scene_of(1, 60.0, "a", "b")
    scene.show(3, a=0.9, b=0.9)
    scene.reload(*[item for item in scene.config.rules if item.name == "B"])
    scene.show(60)
    assert scene.alerts[-1][1].message == "2 more alerts: B 2"
    scene.reload()
    scene.show(60)
    assert scene.alerts[-1][1].message == "2 more alerts: B 2"


def test_folding_goes_on_where_a_restart_broke_it_off() -> None:
    scene = scene_of(1, 60.0)
    scene.show(3, slap=0.9)
    scene.restart(1.0)
    scene.show(3, slap=0.9)
    scene.show(60)
    folded = [alert.message for _, alert in scene.alerts if alert.folded]
    assert folded == ["5 more alerts: Slap 5"]
