"""What the node knows and tells, on made-up scores."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from edgehome.config.types import Activity, Config, EventsConfig, Rule
from edgehome.node import Node
from edgehome.types import Alert, Problem, Scores

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
RULE = Rule(name="Fight", when=Activity("fighting", ("slap",)), above=0.6, below=0.4, for_s=1.0)


class Driver:
    """Shows a node frames, five a second, as a worker would."""

    def __init__(self, *rules: Rule) -> None:
        ids = count()
        self.node = Node(
            Config(rules=rules, events=EventsConfig(smoothing_s=0)),
            identity="edgehome_test",
            started_at=NOON,
            identify=lambda: f"id{next(ids)}",
        )
        self.frame = 0
        self.time_s = 0.0

    def show(self, frames: int, **probabilities: float) -> list[Alert]:
        alerts: list[Alert] = []
        for _ in range(frames):
            self.frame += 1
            self.time_s += 0.2
            at = NOON + timedelta(seconds=self.time_s)
            scores = Scores(self.time_s, at, probabilities, self.frame, self.frame * 2, 10.0)
            alerts += self.node.see(scores)[1]
        return alerts


def test_a_status_tells_what_goes_on_and_how_fast() -> None:
    driver = Driver(RULE)
    (alert,) = driver.show(20, slap=0.9)
    status = driver.node.status(restarts=3, pending=2, dropped=1)
    assert (status.activity, status.confidence) == ("fighting", 0.9)
    assert [(rule.name, rule.firing, rule.last_alert) for rule in status.rules] == [
        ("Fight", True, alert)
    ]
    assert (status.frames, status.skipped) == (20, 40)
    assert status.frames_per_second == pytest.approx(5.0)
    assert status.inference_ms == 10.0
    assert (status.worker_restarts, status.pending, status.dropped) == (3, 2, 1)
    driver.show(1, slap=0.1)
    calm = driver.node.status()
    assert (calm.activity, calm.rules[0].firing) == ("", False)
    assert calm.confidence == pytest.approx(0.1)


def test_when_the_worker_is_gone_nothing_is_known_and_counters_go_on() -> None:
    driver = Driver(RULE)
    assert len(driver.show(10, slap=0.9)) == 1
    driver.node.worker_gone()
    gone = driver.node.status()
    assert (gone.activity, gone.rules[0].firing, gone.frames) == ("", False, 10)
    assert gone.frames_per_second is None
    driver.frame = 0
    driver.time_s += 10
    assert driver.show(10, slap=0.9) == [], "it was told within its repeat_interval"
    back = driver.node.status()
    assert (back.rules[0].firing, back.frames, back.skipped) == (True, 20, 40)


def test_disarmed_it_still_sees_but_does_not_judge() -> None:
    driver = Driver(RULE)
    driver.node.armed = False
    assert driver.show(20, slap=0.9) == []
    status = driver.node.status()
    assert (status.armed, status.activity, status.rules[0].firing) == (False, "fighting", False)
    driver.node.armed = True
    assert driver.show(4, slap=0.9) == [], "armed again, it waits its whole time"
    assert len(driver.show(4, slap=0.9)) == 1


def test_problems_are_told_until_their_part_is_well() -> None:
    node = Driver().node
    node.report("worker", Problem("camera_missing", "None.", "Plug it in."))
    node.report_all("delivery", (Problem("a", "A.", ""), Problem("b", "B.", "")))
    assert [problem.code for problem in node.status().problems] == ["camera_missing", "a", "b"]
    node.report("worker", None)
    node.report_all("delivery", ())
    assert node.status().problems == ()
