"""What the node knows and tells, on made-up scores."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from edgehome.config.conditions import Activity, ActivityCondition, AllCondition, SunCondition
from edgehome.config.types import Config, EventsConfig, LocationConfig, Rule
from edgehome.node import Node
from edgehome.types import Alert, CameraState, Mode, NearMiss, Problem, Scores

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
FIGHTING = ActivityCondition(activity=Activity("fighting", ("slap",)), for_s=1.0)
RULE = Rule(name="Fight", when=FIGHTING)


class Driver:
    """Shows a node frames, five a second, as a worker would."""

    def __init__(self, *rules: Rule, location: LocationConfig | None = None) -> None:
        self.config = Config(
            rules=rules,
            events=EventsConfig(smoothing_s=0),
            location=location or LocationConfig(),
        )
        self.ids = count()
        self.node = self.new_node()
        self.frame = 0
        self.time_s = 0.0
        self.near_misses: list[NearMiss] = []

    def new_node(self) -> Node:
        return Node(
            self.config,
            identity="edgehome_test",
            started_at=NOON,
            identify=lambda: f"id{next(self.ids)}",
        )

    def show(self, frames: int, *, motion: float = 0.0, **probabilities: float) -> list[Alert]:
        alerts: list[Alert] = []
        for _ in range(frames):
            self.frame += 1
            self.time_s += 0.2
            at = NOON + timedelta(seconds=self.time_s)
            scores = Scores(
                self.time_s, at, probabilities, self.frame, self.frame * 2, 10.0, motion=motion,
                camera=frozenset({CameraState.DARK} if motion > 0.5 else ()),
            )  # fmt: skip
            verdict = self.node.see(scores)
            alerts += verdict.alerts
            self.near_misses += verdict.near_misses
        return alerts


def test_frames_of_a_still_scene_count_for_the_rate_and_not_for_the_model_s_time() -> None:
    driver = Driver(RULE)
    driver.show(60, slap=0.1)
    for _ in range(60):
        driver.frame += 1
        driver.time_s += 0.2
        at = NOON + timedelta(seconds=driver.time_s)
        driver.node.see(Scores(driver.time_s, at, {"slap": 0.1}, driver.frame, still=True))
    status = driver.node.status()
    assert status.frames_per_second == pytest.approx(5.0)
    assert status.inference_ms == 10.0
    assert status.frames == 120


def test_a_status_tells_what_goes_on_and_how_fast() -> None:
    driver = Driver(RULE)
    (alert,) = driver.show(20, slap=0.9)
    status = driver.node.status(restarts=3, pending=2, dropped=1)
    assert (status.activity, status.confidence) == ("fighting", 0.9)
    assert [(rule.name, rule.state, rule.last_alert) for rule in status.rules] == [
        ("Fight", "firing", alert)
    ]
    assert (status.frames, status.skipped) == (20, 40)
    assert status.frames_per_second == pytest.approx(5.0)
    assert status.inference_ms == 10.0
    assert (status.worker_restarts, status.pending, status.dropped) == (3, 2, 1)
    driver.show(1, slap=0.1)
    calm = driver.node.status()
    assert (calm.activity, calm.rules[0].firing) == ("", False)
    assert calm.confidence == pytest.approx(0.1)


def test_a_status_tells_how_the_picture_is() -> None:
    driver = Driver(RULE)
    assert driver.node.status().motion is None, "nothing was seen yet"
    driver.show(1, motion=0.6)
    status = driver.node.status()
    assert (status.motion, status.camera) == (0.6, frozenset({CameraState.DARK}))


def test_when_the_worker_is_gone_its_counters_go_on_and_to_the_rules_it_is_a_gap() -> None:
    driver = Driver(RULE)
    assert len(driver.show(10, slap=0.9)) == 1
    driver.node.worker_gone()
    gone = driver.node.status()
    assert (gone.activity, gone.confidence, gone.motion, gone.frames) == ("", 0.0, None, 10)
    assert gone.frames_per_second is None
    driver.frame = 0
    driver.time_s += 10
    assert driver.show(10, slap=0.9) == [], "it fires still"
    back = driver.node.status()
    assert (back.rules[0].firing, back.frames, back.skipped) == (True, 20, 40)
    driver.node.worker_gone()
    for second in range(1, 32):
        driver.node.idle(driver.time_s + second)
    assert not driver.node.status().rules[0].firing, "for half a minute nothing came"


def test_disarmed_it_still_sees_but_does_not_judge() -> None:
    driver = Driver(RULE)
    driver.node.mode = Mode.DISARMED
    assert driver.show(20, slap=0.9) == []
    status = driver.node.status()
    assert (status.mode, status.activity) == (Mode.DISARMED, "fighting")
    assert not status.rules[0].firing
    driver.node.mode = Mode.HOME
    assert driver.show(4, slap=0.9) == [], "armed again, it waits its whole time"
    assert len(driver.show(4, slap=0.9)) == 1


def test_a_node_is_away_until_it_is_told_otherwise() -> None:
    assert Driver().node.status().mode is Mode.AWAY


def test_a_muted_rule_tells_nothing_but_a_near_miss() -> None:
    driver = Driver(RULE)
    driver.node.mute("Fight", muted=True)
    assert driver.show(10, slap=0.9) == []
    driver.show(1)
    (status,) = driver.node.status().rules
    assert (status.muted, status.last_alert) == (True, None)
    assert [missed.reason for missed in driver.near_misses] == ["muted"]
    assert status.last_near_miss == driver.near_misses[0]


def test_new_rules_take_over_between_two_frames() -> None:
    driver = Driver(RULE)
    driver.show(3, slap=0.9)
    driver.node.use(Config(rules=(RULE, Rule(name="New", when=FIGHTING)), events=EventsConfig(0)))
    alerts = driver.show(10, slap=0.9)
    assert [(alert.rule, alert.at) for alert in alerts] == [
        ("Fight", NOON + timedelta(seconds=1.2)),
        ("New", NOON + timedelta(seconds=1.8)),
    ]
    assert [rule.name for rule in driver.node.status().rules] == ["Fight", "New"]


def test_rules_go_on_over_a_restart() -> None:
    driver = Driver(RULE)
    driver.show(4, slap=0.9)
    memory = json.loads(json.dumps(driver.node.memory()))
    driver.node = driver.new_node()
    driver.node.restore(memory, gap_s=0.2)
    (alert,) = driver.show(3, slap=0.9)
    assert alert.at == NOON + timedelta(seconds=1.2)


def test_a_restart_brings_back_the_last_alerts_from_the_records() -> None:
    driver = Driver(RULE)
    (alert,) = driver.show(10, slap=0.9)
    older = NearMiss(NOON, "Fight", "too_low", "older")
    newer = NearMiss(NOON, "Fight", "too_low", "newer")
    driver.node = driver.new_node()
    driver.node.recall(iter([older, alert, newer]))
    (status,) = driver.node.status().rules
    assert (status.last_alert, status.last_near_miss) == (alert, newer)


def test_an_alert_tells_the_model_and_the_configuration() -> None:
    driver = Driver(RULE)
    driver.node.model = "abcd"
    driver.node.use(Config(rules=(RULE,), events=EventsConfig(0), sha256="c0"))
    (alert,) = driver.show(10, slap=0.9)
    assert (alert.model, alert.config) == ("abcd", "c0")
    assert driver.node.model == "abcd"


def test_the_sun_is_that_of_the_location() -> None:
    pytest.importorskip("ephem")
    dusk = AllCondition(conditions=(FIGHTING, SunCondition(sun="after sunset")))
    for longitude, dark in ((5.0, False), (-175.0, True)):
        driver = Driver(Rule(name="Fight", when=dusk), location=LocationConfig(45.0, longitude))
        assert bool(driver.show(10, slap=0.9)) is dark


def test_problems_are_told_until_their_part_is_well() -> None:
    node = Driver().node
    node.report("worker", Problem("camera_missing", "None.", "Plug it in."))
    node.report_all("delivery", (Problem("a", "A.", ""), Problem("b", "B.", "")))
    assert [problem.code for problem in node.status().problems] == ["camera_missing", "a", "b"]
    node.report("worker", None)
    node.report_all("delivery", ())
    assert node.status().problems == ()
