"""Delivery against a plain model: whatever happens in whatever order, what was stored arrives.

The thread's own turns on a real SQLite file, with the time as an argument; the broker and those
who listen are a model. EDGEHOME_TEST_LONG=1 tries many more histories.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from storm.model import BASE, Disk, ModelBroker

from edgehome.config.types import MqttConfig
from edgehome.delivery import Delivery
from edgehome.delivery import storage as delivery_storage

LONG = os.environ.get("EDGEHOME_TEST_LONG") == "1"
YEAR_S = 365 * 86400.0
RING, WINDOW = 64, 16


class Machine(RuleBasedStateMachine):
    """One node, its disk, its broker, Home Assistant and a log that keeps its session."""

    @initialize(log=st.booleans(), answers=st.booleans())
    def begin(self, log: bool, answers: bool) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="edgehome-machine-"))
        self.now_s, self.wall_s = 1000.0, 1.7e9
        self.number = 0
        self.broker = ModelBroker(log=log, answers=answers)
        self.fresh: list[list[tuple[int, str]]] = []
        Disk.fault, Disk.committed, Disk.opened = "", {}, []
        self.patch = patch.object(delivery_storage, "Outbox", Disk)
        self.patch.start()
        self.start()
        self.connect()

    def start(self) -> None:
        self.delivery = Delivery(
            mqtt=MqttConfig("model"),
            base=BASE,
            outbox=self.place / "outbox.db",
            clock=lambda: self.now_s,
            wall=lambda: self.wall_s,
            jitter=lambda low, high: (low + high) / 2,
        )
        self.committed_before = len(Disk.committed)
        self.handed_in: set[str] = set()

    def turn(self) -> None:
        """Let the delivery thread take everything that has happened."""
        while self.broker.events:
            events, self.broker.events = self.broker.events, []
            for event in events:
                self.delivery._queue.put(event)
            self.delivery._turn(0.0)
        self.delivery._turn(0.0)

    @rule(count=st.integers(1, 30))
    def raise_alerts(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.handed_in.add(f"a{self.number}")
            self.delivery.raise_alert(f"a{self.number}", {"message": "x"})
        self.turn()

    @rule()
    def connect(self) -> None:
        self.broker.connect()
        self.turn()

    @rule(taken=st.integers(0, 20))
    def lose_the_connection(self, taken: int) -> None:
        self.broker.cut(taken)
        self.turn()

    @rule(count=st.integers(1, 30))
    def alerts_go_out(self, count: int) -> None:
        """Raise some amid a spell of fair weather."""
        if not self.broker.session:
            self.connect()
        self.time_passes(2.0, answering=True)
        self.raise_alerts(count)
        self.time_passes(2.0, answering=True)

    @rule(count=st.integers(1, 40))
    def broker_answers(self, count: int) -> None:
        self.broker.take(count)
        self.turn()

    @rule(denies=st.booleans())
    def access_list_changes(self, denies: bool) -> None:
        self.broker.denies = denies

    @rule()
    def broker_saves(self) -> None:
        self.broker.save()

    @rule()
    def broker_forgets(self) -> None:
        self.broker.roll_back()
        self.turn()

    @rule(clean=st.booleans())
    def home_goes(self, clean: bool) -> None:
        self.broker.leave(clean=clean)
        self.turn()

    @rule()
    def home_comes(self) -> None:
        self.broker.come()
        self.turn()

    @rule(away=st.booleans())
    def log_goes_or_comes(self, away: bool) -> None:
        self.broker.log_away(away=away)

    @rule(fault=st.sampled_from(["", "full", "broken"]))
    def disk_changes(self, fault: str) -> None:
        Disk.fault = fault
        self.turn()

    @rule()
    def node_is_killed(self) -> None:
        self.keep_order()
        Disk.kill()
        self.broker.cut()
        self.broker.events.clear()
        self.start()

    @rule(forwards=st.booleans())
    def clock_jumps(self, forwards: bool) -> None:
        self.wall_s += YEAR_S if forwards else -YEAR_S

    @rule(seconds=st.sampled_from([0.3, 2.0, 20.0, 89.0]), answering=st.booleans())
    def time_passes(self, seconds: float, answering: bool) -> None:
        """Go on; the broker misses a dead Home Assistant within 90 s."""
        for _ in range(8):
            self.now_s += seconds / 8
            self.wall_s += seconds / 8
            self.turn()
            if answering:
                self.broker.take(1000)
                self.turn()
        if seconds > 80:
            self.broker.notice()
            self.turn()

    @invariant()
    def what_was_handed_in_is_stored_or_taken_or_waits_or_is_counted(self) -> None:
        if not hasattr(self, "delivery"):
            return
        status = self.delivery.status()
        stored = len(Disk.committed) - self.committed_before
        waiting = self.handed_in - Disk.committed.keys() - self.broker.taken
        assert len(waiting) <= RING + status.dropped, (waiting, status)
        assert len(waiting) <= status.dropped or status.problems, "alerts wait, and nobody is told"
        assert status.raised == stored
        assert self.delivery._backlog.in_flight <= WINDOW

    @invariant()
    def keep_order(self) -> None:
        session = getattr(self, "broker", None) and self.broker.session
        if session:
            check_order(session.sent)

    def teardown(self) -> None:
        if not hasattr(self, "delivery"):
            return
        try:
            self.settle()
        finally:
            Disk.fault = ""
            self.patch.stop()
            Disk.kill()
            shutil.rmtree(self.place)

    def settle(self) -> None:
        """Heal everything; whoever was promised an alert must have it in the end."""
        Disk.fault, self.broker.denies = "", False
        self.broker.come()
        self.broker.log_away(away=False)
        self.connect()
        for _ in range(60):
            self.time_passes(2.0, answering=True)
        log, backlog = self.broker.log, self.delivery._backlog
        assert backlog.pending == 0
        if log:  # what Home Assistant answered for counts as delivered, whoever else listens
            answered = self.broker.home.ids() if self.broker.answers else set()
            assert Disk.committed.keys() <= log.ids() | answered, "the log misses an alert"
        if backlog.acknowledgement.mode == "acknowledged":
            since = backlog.acknowledgement.since
            promised = {alert for alert, seq in Disk.committed.items() if seq >= since}
            assert promised <= self.broker.home.ids(), "Home Assistant misses an alert"
        for subscriber in filter(None, (log, self.broker.home)):
            check_copies(subscriber.received)


def check_order(sent: list[dict[str, Any]]) -> None:
    """Within a connection what was never sent before goes out by seq."""
    seen: set[str] = set()
    highest = 0
    for alert in sent:
        if alert["seq"] and not alert["replay"] and alert["id"] not in seen:
            assert alert["seq"] > highest
            highest = alert["seq"]
        seen.add(alert["id"])


def check_copies(received: list[dict[str, Any]]) -> None:
    """Every copy says the same id and seq; one sent before it could be stored has seq 0."""
    for alert in received:
        if alert["seq"] and alert["id"] in Disk.committed:
            assert Disk.committed[alert["id"]] == alert["seq"]


Machine.TestCase.settings = settings(
    max_examples=2000 if LONG else 40,
    stateful_step_count=60 if LONG else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)
TestDelivery = Machine.TestCase
