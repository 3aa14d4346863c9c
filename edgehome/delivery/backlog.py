"""The alerts on their way: each stored first, then sent by seq until the broker has it.

No thread and no clock of its own: `delivery.py` calls it from its one thread, with the time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TypeVar

from edgehome.backoff import BackOff
from edgehome.mqtt import FAILURE
from edgehome.outbox import Entry, Outbox, OutboxFullError
from edgehome.types import OutboxError, Problem

logger = logging.getLogger(__name__)

WINDOW = 16
"""Alerts handed to the broker and not acknowledged yet."""
RING = 64
"""Alerts kept in memory while the disk refuses them."""
MESSAGE_AT_FAULT = (0x95, 0x99)
"""PUBACK reasons for this one message (too large, payload format): the others may go on."""
REMEMBERED = 2000
"""Sendings of which the time is kept, as many as the outbox keeps sent alerts."""


Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert as the supervisor handed it in."""

    id: str
    payload: bytes
    wall_s: float
    """Seconds since 1970 on the wall clock."""


class Backlog:
    """Owns the outbox, what is in flight, and what is known of every copy."""

    def __init__(self, path: Path, *, jitter: Callable[[float, float], float]) -> None:
        """Assign; `step` opens the outbox at `path`."""
        self._path = path
        self._outbox: Outbox | None = None
        self._last_store = ""
        self._ring: deque[Raised] = deque()
        self._ring_dropped = 0
        self._storage = BackOff(jitter)
        self._refused = BackOff(jitter)
        self._denied = False
        self._probing = True
        self._position = 0
        self._in_flight: dict[int, Entry] = {}
        self._acknowledged: set[int] = set()
        self._set_aside: set[int] = set()
        self._copied: set[str] = set()
        self._sendings: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)
        self._damage: Problem | None = None
        self._fault: Problem | None = None
        self.raised = 0
        """Alerts committed, or stored before under the same id, since the start."""

    @property
    def problems(self) -> list[Problem]:
        """What keeps alerts from being stored."""
        return [problem for problem in (self._damage, self._fault) if problem]

    @property
    def pending(self) -> int:
        """Alerts that the broker has not taken yet."""
        stored = self._outbox.pending_count - len(self._acknowledged) if self._outbox else 0
        return stored + len(self._ring)

    @property
    def in_flight(self) -> int:
        """Alerts that the broker has not answered for."""
        return len(self._in_flight)

    @property
    def dropped(self) -> int:
        """Alerts lost for want of room, over the life of the outbox."""
        return self._ring_dropped + (self._outbox.dropped if self._outbox else 0)

    @property
    def store(self) -> str:
        """The outbox's own name."""
        return self._outbox.store if self._outbox else ""

    def next_step_s(self, now_s: float) -> float:
        """Return the monotonic time at which `step` or `take` has something to try again."""
        times = [back_off.until_s for back_off in (self._storage, self._refused)]
        return min((at_s for at_s in times if at_s > now_s), default=inf)

    def add(self, alert: Raised) -> None:
        """Take an alert; `step` stores it. Without a disk the oldest in memory give way."""
        self._ring.append(alert)
        while len(self._ring) > RING and self._fault:
            lost = self._ring.popleft()
            self._ring_dropped += 1
            logger.error("alert %s is lost: the disk refuses it and the memory is full", lost.id)

    def step(self, now_s: float, wall_s: float) -> list[Entry]:
        """Write what waits for the disk, and return the alerts that are committed now."""
        stored: list[Entry] = []
        if self._fault and now_s < self._storage.until_s:
            return stored
        try:
            outbox = self._open()
            while self._ring:
                stored.append(self._store(outbox))
            if self._acknowledged:
                outbox.mark_sent(sorted(self._acknowledged), wall_s)
                self._acknowledged.clear()
            if self._ring_dropped:
                outbox.add_dropped(self._ring_dropped)
                self._ring_dropped = 0
        except OutboxError as error:
            self._storage_failed(error, now_s)
        else:
            self._storage_works()
        return stored

    def take(self, now_s: float) -> Entry | None:
        """Return the alert to send next, None while there is none or the window is full."""
        room = 1 if self._probing else WINDOW
        if now_s < self._refused.until_s or len(self._in_flight) >= room:
            return None
        for entry in self._waiting():
            self._position = entry.seq or self._position
            return entry
        return None

    def is_copied(self, entry: Entry) -> bool:
        """Say whether an earlier copy may have arrived."""
        return bool(entry.replay) or entry.id in self._copied

    def handed_over(self, mid: int, entry: Entry) -> None:
        """Note that an entry of `take` went to the broker as message `mid`."""
        self._in_flight[mid] = entry

    def not_sent(self) -> None:
        """Note that an entry of `take` could not be handed over: the connection is gone."""
        self._position = 0

    def owns(self, mid: int) -> bool:
        """Say whether message `mid` is an alert."""
        return mid in self._in_flight

    def acknowledge(self, mid: int, reason: int, now_s: float) -> None:
        """Take a PUBACK: 0 means sent, anything else that the alert stays pending."""
        entry = self._in_flight.pop(mid)
        self._denied = reason >= FAILURE
        if reason == 0:
            self._sent(entry, now_s)
        elif reason in MESSAGE_AT_FAULT:
            self._set_aside.add(entry.seq)
        else:
            self._position = 0
            self._probing = True
            if now_s >= self._refused.until_s:
                self._refused.fail(now_s)

    def connected(self) -> None:
        """Begin a connection: everything pending is due, one alert first to see how it goes."""
        self._set_aside.clear()
        self._position = 0
        self._probing = True
        if not self._denied:
            self._refused.succeed()

    def disconnected(self) -> None:
        """End a connection: what was in flight may or may not have arrived."""
        self._copied |= {entry.id for entry in self._in_flight.values()}
        self._in_flight.clear()
        self._position = 0

    def cursor(self) -> int:
        """Return the highest seq up to which everything was sent, 0 when nothing was."""
        return 0 if self._acknowledged else self._ask(Outbox.cursor, 0)

    def newest(self) -> Entry | None:
        """Return the alert that was raised last."""
        return self._ask(Outbox.newest, None)

    def newest_sent_wall(self) -> float:
        """Return the wall clock of the newest sending in the outbox, 0.0 for none."""
        return self._ask(Outbox.newest_sent_wall, 0.0)

    def replay_above(self, seq: int, *, since_wall: float = 0.0) -> int:
        """Make alerts pending again that a broker forgot; return how many."""
        return self._replay(self._ask(lambda o: o.sent(above=seq, since_wall=since_wall), []))

    def replay_between(self, since_s: float, until_s: float) -> int:
        """Make alerts pending again that were sent in that monotonic time; return how many."""
        return self._replay([seq for at_s, seq in self._sendings if since_s <= at_s <= until_s])

    def close(self) -> None:
        """Close the outbox."""
        if self._outbox:
            self._outbox.__exit__()
            self._outbox = None

    def _open(self) -> Outbox:
        if self._outbox is None:
            self._outbox = Outbox(self._path).__enter__()
            self._damage = self._outbox.damage or self._damage
            if self._outbox.store != self._last_store:  # another file: its seqs mean other alerts
                self._last_store = self._outbox.store
                self._acknowledged.clear()
                self._sendings.clear()
                self.disconnected()
        return self._outbox

    def _store(self, outbox: Outbox) -> Entry:
        alert = self._ring[0]
        seq = outbox.append(alert.id, alert.payload, alert.wall_s)
        self._ring.popleft()
        self.raised += 1
        return Entry(seq, alert.id, alert.wall_s, alert.payload)

    def _storage_failed(self, error: OutboxError, now_s: float) -> None:
        if self._fault is None:
            logger.error("%s", error)
        self._fault = error.problem
        self._storage.fail(now_s)
        if not isinstance(error, OutboxFullError):
            self.close()  # the next step opens, checks and, if need be, replaces the file

    def _storage_works(self) -> None:
        if self._fault:
            logger.info("the outbox stores alerts again")
        self._fault = None
        self._storage.succeed()

    def _waiting(self) -> Iterable[Entry]:
        """Yield what may be sent: stored alerts by seq, then those the disk refuses."""
        flying = {entry.id for entry in self._in_flight.values()}
        skipped = self._acknowledged | self._set_aside
        most = WINDOW + len(flying) + len(skipped)
        stored: list[Entry] = []
        for entry in self._ask(lambda o: o.pending(after=self._position, limit=most), stored):
            if entry.id not in flying and entry.seq not in skipped:
                yield entry
        if self._fault:
            for alert in self._ring:
                if alert.id not in flying:
                    yield Entry(0, alert.id, alert.wall_s, alert.payload)

    def _sent(self, entry: Entry, now_s: float) -> None:
        self._refused.succeed()
        self._probing = False
        self._copied.discard(entry.id)
        if entry.seq:
            self._acknowledged.add(entry.seq)
            self._sendings.append((now_s, entry.seq))
        else:
            self._ring = deque(alert for alert in self._ring if alert.id != entry.id)
        logger.info("sent alert %d (%s)", entry.seq, entry.id)

    def _replay(self, seqs: list[int]) -> int:
        self._acknowledged -= set(seqs)
        count = self._ask(lambda outbox: outbox.reopen(seqs), 0) if seqs else 0
        if count:
            self._begin_again()
        return count

    def _ask(self, question: Callable[[Outbox], Answer], otherwise: Answer) -> Answer:
        """Ask the outbox; a disk that fails shows in `problems` at the next write."""
        if self._outbox is None:
            return otherwise
        try:
            return question(self._outbox)
        except OutboxError as error:
            logger.warning("%s", error)
            return otherwise

    def _begin_again(self) -> None:
        self._refused.succeed()
        self._position = 0
        self._probing = True
