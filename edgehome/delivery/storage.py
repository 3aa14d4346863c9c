"""Where alerts are kept: in the outbox on disk, and in memory while the disk refuses them."""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgehome.backoff import BackOff
from edgehome.outbox import Entry, New, Outbox, OutboxFullError
from edgehome.outbox_plan import RANK
from edgehome.types import OutboxError, Problem

logger = logging.getLogger(__name__)

ALERT_BYTES = 16384
RING = 64
"""Alerts kept in memory while the disk refuses them."""

OPEN_S = 5.0
"""The outbox is waited for so long at a start: opening 10,000 alerts takes 0.3 s."""

Answer = TypeVar("Answer")
Payload = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert as the supervisor handed it in."""

    id: str
    payload: bytes
    wall_s: float
    """Seconds since 1970 on the wall clock."""
    severity: str = "warning"
    rule: str = ""
    memory: bytes | None = None
    """How the rules stand after it; it is stored with the alert or not at all."""
    joined: bool = False
    """The next one is of the same moment: both are stored, or neither is."""


def raised(
    alert_id: str,
    payload: Payload,
    wall_s: float,
    *,
    memory: bytes | None = None,
    joined: bool = False,
) -> Raised:
    """Return an alert to store; raises ValueError for no JSON or more than 16 KiB of it."""
    content = json.dumps(dict(payload), allow_nan=False).encode()
    if len(content) > ALERT_BYTES:
        raise ValueError(f"the payload of alert {alert_id} has {len(content)} bytes")
    severity, rule = str(payload.get("severity", "warning")), str(payload.get("rule", ""))
    return Raised(alert_id, content, wall_s, severity, rule, memory, joined)


class Storage:
    """Owns the outbox, the ring in front of it, and what is wrong with the disk."""

    def __init__(self, path: Path, *, jitter: Callable[[float, float], float]) -> None:
        """Assign; `open` opens the outbox at `path`."""
        self._path = path
        self._outbox: Outbox | None = None
        self._ring: deque[Raised] = deque()
        self._ring_dropped = 0
        self._back_off = BackOff(jitter)
        self._damage: Problem | None = None
        self._fault: Problem | None = None
        self._taken = 0
        self._unfinished = False
        """Whether another alert of the newest one's moment is still to come."""
        self.raised = 0
        """Alerts committed, or stored before under the same id, since the start."""
        self._last_counts = 0, 0
        self._tried = threading.Event()
        self._memory: bytes | None = None

    @property
    def problems(self) -> list[Problem]:
        """What keeps alerts from being stored."""
        return [problem for problem in (self._damage, self._fault) if problem]

    @property
    def pending(self) -> int:
        """Alerts that the outbox has as unsent, and those in memory."""
        return self._counts()[0] + len(self._ring)

    @property
    def dropped(self) -> int:
        """Alerts lost for want of room, over the life of the outbox."""
        return self._ring_dropped + self._counts()[1]

    @property
    def store(self) -> str:
        """The outbox's own name."""
        return self._outbox.store if self._outbox else ""

    @property
    def until_s(self) -> float:
        """Monotonic seconds before which the disk is not to be tried again."""
        return self._back_off.until_s

    def rests(self, now_s: float) -> bool:
        """Say whether the disk failed, and is left alone for a while."""
        return bool(self._fault) and now_s < self._back_off.until_s

    @property
    def settled(self) -> int:
        """Alerts taken since the start that wait for the disk no more, whatever became of them."""
        return self._taken - len(self._ring)

    def add(self, alert: Raised) -> None:
        """Take an alert; `keep` stores it. Without a disk the least severe in memory give way."""
        self._ring.append(alert)
        self._taken += 1
        self._unfinished = alert.joined
        while len(self._ring) > RING and self._fault:
            lost = min(self._ring, key=lambda alert: RANK.get(alert.severity, 1))
            self._ring.remove(lost)
            self._ring_dropped += 1
            logger.error("alert %s is lost: the disk refuses it and the memory is full", lost.id)

    def open(self) -> Outbox:
        """Return the outbox; raises OutboxError when the disk refuses."""
        if self._outbox is None:
            self._outbox = Outbox(self._path).__enter__()
            self._damage = self._outbox.damage or self._damage
            self._memory = self._outbox.memory()
        return self._outbox

    def keep(self, outbox: Outbox) -> Iterator[Entry]:
        """Commit what waits in memory, and yield each; raises OutboxError when the disk refuses."""
        while group := self._group():
            new = [New(a.id, a.payload, a.wall_s, a.severity, a.rule) for a in group]
            seqs = outbox.append_all(new, memory=group[-1].memory)
            for seq, alert in zip(seqs, group, strict=True):
                self._ring.popleft()
                self.raised += 1
                yield Entry(seq, alert.id, alert.wall_s, alert.payload)
        if self._ring_dropped:
            outbox.add_dropped(self._ring_dropped)
            self._ring_dropped = 0

    def _group(self) -> list[Raised]:
        """Return the oldest alerts of one moment; none while the last of them is still to come."""
        group: list[Raised] = []
        for alert in self._ring:
            group.append(alert)
            if not alert.joined:
                return group
        return [] if self._unfinished else group  # the last of a moment may have given way

    def refused(self) -> list[Entry]:
        """Return the alerts that the disk refuses, with the seq 0."""
        ring = self._ring if self._fault else ()
        return [Entry(0, alert.id, alert.wall_s, alert.payload) for alert in ring]

    def forget(self, alert_id: str) -> None:
        """Drop an alert that was sent from memory."""
        self._ring = deque(alert for alert in self._ring if alert.id != alert_id)

    def memory(self) -> bytes | None:
        """Return how the rules stood at the newest alert when the outbox was opened.

        For other threads: waits until the disk has given an outbox or has failed to.
        """
        if not self._tried.wait(OPEN_S):
            logger.warning("the outbox takes more than %g s to open", OPEN_S)
        return self._memory

    def failed(self, error: OutboxError, now_s: float) -> None:
        """Note that the disk refused, and leave it alone for a while."""
        if self._fault is None:
            logger.error("%s", error)
        self._fault = error.problem
        self._tried.set()
        self._back_off.fail(now_s)
        if not isinstance(error, OutboxFullError):
            self.close()  # the next `open` checks and, if need be, replaces the file

    def works(self) -> None:
        """Note that the disk took everything."""
        if self._fault:
            logger.info("the outbox stores alerts again")
        self._fault = None
        self._tried.set()
        self._back_off.succeed()

    def ask(self, question: Callable[[Outbox], Answer], otherwise: Answer) -> Answer:
        """Ask the outbox; a disk that fails shows in `problems` at the next write."""
        if self._outbox is None:
            return otherwise
        try:
            return question(self._outbox)
        except OutboxError as error:
            logger.warning("%s", error)
            return otherwise

    def _counts(self) -> tuple[int, int]:
        """Return the outbox's unsent and lost alerts, or what they were when the disk failed."""
        outbox = self._outbox
        return (outbox.pending_count, outbox.dropped) if outbox else self._last_counts

    def close(self) -> None:
        """Close the outbox."""
        if self._outbox:
            self._last_counts = self._counts()
            self._outbox.__exit__()
            self._outbox = None
