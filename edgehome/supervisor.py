"""The supervisor's loop: one thread that never waits for disk, network, camera or model.

It lets the rules judge what the worker sees, hands alerts to the delivery thread, tells the home
how things stand, and tells systemd that all this still goes on.
"""

from __future__ import annotations

import logging
import selectors
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import Enum, auto

from edgehome import homeassistant, systemd
from edgehome.delivery import Delivery
from edgehome.errands import Errands
from edgehome.explain import explain_alert
from edgehome.history import History
from edgehome.homeassistant import Command
from edgehome.learning import Learning
from edgehome.messages import Paced, Ready, Snapshot
from edgehome.node import Node, said
from edgehome.rulememory import RuleMemory
from edgehome.rules import Verdict
from edgehome.settings import unknown_labels
from edgehome.types import Alert, Scores
from edgehome.vision import Vision
from edgehome.wakeup import Wakeup

HEARTBEAT_S = 30.0
STATUS_S = 1.0
"""The home is told of a changed status at most this often; of a rule's change at once."""
IDLE_S = 2.0
"""The rules are told that no frame comes after so long, and each second from then on."""
FIRST_S = 30.0
"""The first frame is waited for so long: after that the rules forget what was before anyway."""
LONG_TURN_S = 0.1
"""A turn that takes longer is logged, when none before it took as long."""
DELIVERY_TURN_S = 30.0
"""Seconds without a turn of the delivery thread after which systemd is not reassured."""

logger = logging.getLogger(__name__)


class Outcome(Enum):
    """Why the loop ended."""

    STOP = auto()
    RELOAD = auto()


class Supervisor:
    """One configuration at work, from start to stop or reload."""

    def __init__(
        self,
        node: Node,
        *,
        vision: Vision,
        delivery: Delivery,
        wakeup: Wakeup,
        errands: Errands,
        rules: RuleMemory,
        history: History,
        learning: Learning,
        selector: selectors.BaseSelector,
        clock: Callable[[], float],
    ) -> None:
        """Take the parts; `clock` gives seconds on the monotonic clock."""
        self.node = node
        self._rules = rules
        self._history = history
        self._learning = learning
        self._vision = vision
        self._delivery = delivery
        self._wakeup = wakeup
        self._errands = errands
        self._selector = selector
        self._clock = clock
        self._watchdog_s = systemd.watchdog_interval_s()
        self._next_heartbeat_s = self._next_status_s = self._next_watchdog_s = 0.0
        self._ready, self._longest_s = False, 0.0
        self._raised, self._unkept = 0, False
        self._frame_s: float | None = None
        self._heard_s, self._idle_s = clock(), 0.0
        self._told: dict[str, bytes] = {}
        self._announcements, self._summary = 0, ""

    def run(
        self,
        on_command: Callable[[Command], None],
        on_turn: Callable[[], Outcome | None],
        due_s: Callable[[], float],
    ) -> Outcome:
        """Loop until `on_turn`, asked once a turn, says how to end; the worker is stopped then.

        `due_s` says when `on_turn` is to be asked even if nothing happens.
        """
        try:
            while True:
                self._selector.select(self._timeout_s(due_s()))
                began_s = self._clock()
                outcome = self._turn(on_command, on_turn)
                self._measure(self._clock() - began_s)
                if outcome:
                    return outcome
        finally:
            logger.info("the longest turn of the loop took %.1f ms", self._longest_s * 1000)
            if self._frame_s is not None:
                self.keep_rules()
            self._learning.end(self._vision.stop())
            self.node.worker_gone()

    def _turn(
        self, on_command: Callable[[Command], None], on_turn: Callable[[], Outcome | None]
    ) -> Outcome | None:
        for command in self._wakeup.drain():
            on_command(command)
            self.refresh()
        self._errands.collect()
        self._hear()
        self._wait_for_frames()
        self._vision.climb()
        self._tell()
        return on_turn()

    def _measure(self, took_s: float) -> None:
        if took_s > max(self._longest_s, LONG_TURN_S):
            logger.warning("a turn of the loop took %.0f ms", took_s * 1000)
        self._longest_s = max(took_s, self._longest_s)

    def keep_rules(self) -> None:
        """Have it written how the rules stand, but not before an alert that they remember."""
        self._unkept = self._raised > self._delivery.status().settled
        if not self._unkept:
            self._rules.save(self.node.memory(), self._heard_s)

    def refresh(self) -> None:
        """Tell the home of the status at the next turn."""
        self._next_status_s = self._clock()

    def begin_anew(self) -> None:
        """Tell the home everything at the next turn: other rules may have cleared a topic."""
        self._told.clear()
        self.refresh()

    def _timeout_s(self, due_s: float) -> float:
        due_s = min(due_s, self._vision.deadline_s, self._next_heartbeat_s, self._next_status_s)
        if self._watchdog_s:
            due_s = min(due_s, self._next_watchdog_s)
        return max(0.0, due_s - self._clock())

    def _hear(self) -> None:
        for message in self._vision.hear():
            if message is None:
                self._miss()
            elif isinstance(message, Scores):
                self._see(message)
            elif isinstance(message, Ready):
                self._begin(message)
            elif isinstance(message, Paced):
                self.node.run_at(message.rate)
            elif isinstance(message, Snapshot):
                self._show(message)
            else:
                self._learning.hear(message)
            if message is None or isinstance(message, Scores):
                self._announce_ready()

    def _begin(self, ready: Ready) -> None:
        logger.info("model %s on %s", ready.sha256[:12], ready.runtime)
        self.node.model = ready.sha256
        self.node.run_at(ready.rate, ready.budget.threads if ready.budget else None)
        self.node.report("delegate", ready.degraded)
        if not self._learning.ready(ready):
            taught = [one.name for one in self.node.taught]
            self.node.report("labels", unknown_labels(self.node.config, ready, taught))

    def _see(self, scores: Scores) -> None:
        self._frame_s, self._heard_s = scores.time_s, self._clock()
        self._take(self.node.see(scores))

    def _miss(self) -> None:
        self.node.worker_gone()
        self._learning.worker_gone()
        self.refresh()

    def _wait_for_frames(self) -> None:
        """Let the rules know how long no frame has come, in seconds of the camera's clock."""
        waited_s = (now_s := self._clock()) - self._heard_s
        # Until a frame has come its clock is not known, and a wrong one would be a gap of its own.
        least_s, frame_s = (FIRST_S, 0.0) if self._frame_s is None else (IDLE_S, self._frame_s)
        if waited_s >= least_s and now_s >= self._idle_s:
            self._idle_s = now_s + STATUS_S
            self._take(self.node.idle(frame_s + waited_s))

    def _take(self, verdict: Verdict) -> None:
        """Act on what the rules say."""
        for event in verdict.events:
            verb = "started" if event.edge == "onset" else "ended"
            logger.info("%s %s (%.2f)", event.activity, verb, event.score)
        if verdict.alerts:
            self._raise(verdict.alerts)
        for near_miss in verdict.near_misses:
            logger.info("no alert %s: %s", near_miss.rule, near_miss.message)
            self._history.add(near_miss)
        if verdict != Verdict():
            self.refresh()

    def _raise(self, alerts: Sequence[Alert]) -> None:
        """Hand over the alerts of one moment; how the rules stand is stored with them, as one."""
        memory = self._rules.encode(self.node.memory(), self._heard_s)
        slugs = homeassistant.rule_slugs(rule.name for rule in self.node.config.rules)
        for alert in alerts:
            slug = slugs.get(alert.rule, homeassistant.OTHER_RULE)
            why, joined = explain_alert(alert), alert is not alerts[-1]
            self.raise_event(alert, slug, why, memory=memory, joined=joined)
            self._vision.ask_snapshot(alert.id)
            self._learning.leave_out(alert)

    def raise_event(
        self,
        alert: Alert,
        event_type: str,
        explanation: str = "",
        *,
        memory: bytes | None = None,
        joined: bool = False,
    ) -> None:
        """Hand an alert over, a rule's or the node's own, and keep a record of it."""
        logger.warning("alert %s: %s", alert.rule, alert.message)
        payload = homeassistant.alert_payload(alert, event_type, explanation)
        self._delivery.raise_alert(alert.id, payload, memory=memory, joined=joined)
        self._raised += 1
        self._history.add(alert)

    def _show(self, snapshot: Snapshot) -> None:
        """Publish the picture that goes with an alert, or let it go without a connection."""
        messages = homeassistant.picture_messages(
            self.node.identity,
            snapshot.jpeg,
            alert_id=snapshot.alert_id,
            at=snapshot.at,
            retain=self.node.config.snapshots.retain,
        )
        self._delivery.publish(messages, once=True)

    def _tell(self) -> None:
        now_s = self._clock()
        if now_s >= self._next_status_s:
            self._next_status_s = now_s + STATUS_S
            self._tell_changes()
        # A heartbeat is not retained: whoever comes back would wait for the next one.
        announcements = self._delivery.status().announcements
        if now_s >= self._next_heartbeat_s or announcements != self._announcements:
            self._announcements = announcements
            self._next_heartbeat_s = now_s + HEARTBEAT_S
            self._delivery.publish([homeassistant.heartbeat(self._status())])
        if self._watchdog_s and now_s >= self._next_watchdog_s:
            self._next_watchdog_s = now_s + self._watchdog_s
            delivers = now_s - self._delivery.status().progress_s < DELIVERY_TURN_S
            if delivers and self._vision.attended():
                systemd.notify("WATCHDOG=1")

    def _status(self) -> homeassistant.NodeStatus:
        delivery = self._delivery.status()
        self.node.report_all("delivery", delivery.problems)
        status = self.node.status(
            restarts=self._vision.restarts,
            pending=delivery.pending + delivery.unanswered,
            dropped=delivery.dropped,
            ignored=delivery.ignored,
            delivery=delivery.mode,
            frame_age_s=None if self._frame_s is None else self._clock() - self._heard_s,
        )
        return replace(status, longest_turn_ms=self._longest_s * 1000)

    def _tell_changes(self) -> None:
        """Publish the states that differ from what was said last."""
        status = self._status()
        active = any(rule.state != "inactive" for rule in status.rules)
        if (self._rules.due() and active) or self._unkept:
            self.keep_rules()
        messages = homeassistant.state_messages(status, explain_alert)
        changed = [m for m in messages if self._told.get(m.topic) != m.payload]
        if changed:
            self._told |= {message.topic: message.payload for message in changed}
            self._delivery.publish(changed)
        if self._vision.resting:
            self._announce_ready()
        if (summary := said(status)) != self._summary:
            self._summary = summary
            systemd.notify(f"STATUS={summary}")

    def _announce_ready(self) -> None:
        """Tell systemd after the first frame, the first honest failure, or in safe mode."""
        if not self._ready:
            self._ready = True
            systemd.notify("READY=1")
