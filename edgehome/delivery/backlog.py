"""The alerts on their way: each stored first, then sent by seq until the broker has it.

No thread and no clock of its own: `delivery.py` calls it from its one thread, with the time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from pathlib import Path

from edgehome.backoff import BackOff
from edgehome.delivery.acknowledgement import ACKNOWLEDGED, MOST, NOTE, Acknowledgement
from edgehome.delivery.status import DeliveryStatus
from edgehome.delivery.storage import Raised, Storage
from edgehome.mqtt import FAILURE
from edgehome.outbox import Entry, Outbox
from edgehome.types import OutboxError, Problem

logger = logging.getLogger(__name__)

WINDOW = 16
"""Alerts handed to the broker and not acknowledged yet."""
MESSAGE_AT_FAULT = (0x95, 0x99)
"""PUBACK reasons for this one message (too large, payload format): the others may go on."""
REMEMBERED = 2000
"""Sendings of which the time is kept, as many as the outbox keeps sent alerts."""


class Backlog:
    """Owns the outbox, what is in flight, and what is known of every copy."""

    def __init__(self, path: Path, *, jitter: Callable[[float, float], float]) -> None:
        """Assign; `step` opens the outbox at `path`."""
        self.acknowledgement = Acknowledgement()
        self._storage = Storage(path, jitter=jitter)
        self._fact = ""
        self._answers: dict[str, None] = {}
        self._last_store = ""
        self._opened: Outbox | None = None
        self._refused = BackOff(jitter)
        self._denied = False
        self._probing = True
        self._position = 0
        self._in_flight: dict[int, Entry] = {}
        self._acknowledged: set[int] = set()
        self._set_aside: set[int] = set()
        self._copied: set[str] = set()
        self._sendings: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)

    @property
    def problems(self) -> list[Problem]:
        """What keeps alerts from being stored, or from being acknowledged."""
        answers = self.acknowledgement.problem
        return [*([answers] if answers else []), *self._storage.problems]

    def memory(self) -> bytes | None:
        """Return how the rules stood at the newest alert when the outbox was opened."""
        return self._storage.memory()

    def status(self) -> DeliveryStatus:
        """Return what is known here of how delivery stands."""
        return DeliveryStatus(
            pending=self.pending,
            mode=self.acknowledgement.mode,
            unanswered=self.acknowledgement.unanswered,
            raised=self._storage.raised,
            settled=self._storage.settled,
            dropped=self._storage.dropped,
        )

    @property
    def pending(self) -> int:
        """Alerts that the broker has not taken yet."""
        return max(0, self._storage.pending - len(self._acknowledged))

    @property
    def in_flight(self) -> int:
        """Alerts that the broker has not answered for."""
        return len(self._in_flight)

    @property
    def store(self) -> str:
        """The outbox's own name."""
        return self._storage.store

    def next_step_s(self, now_s: float) -> float:
        """Return the monotonic time at which `step` or `take` has something to try again."""
        times = [self._storage.until_s, self._refused.until_s]
        times.append(self.acknowledgement.next_step_s(now_s))
        return min((at_s for at_s in times if at_s > now_s), default=inf)

    def add(self, alert: Raised) -> None:
        """Take an alert; `step` stores it. Without a disk the oldest in memory give way."""
        self._storage.add(alert)

    def step(self, now_s: float, wall_s: float) -> list[Entry]:
        """Write what waits for the disk, and return the alerts that are committed now."""
        stored: list[Entry] = []
        if self._storage.rests(now_s):
            return stored
        try:
            outbox = self._open()
            for entry in self._storage.keep(outbox):
                stored.append(entry)  # noqa: PERF402  # those before a fault count
            self._account(outbox, wall_s)
        except OutboxError as error:
            self._storage.failed(error, now_s)
        else:
            self._storage.works()
        return stored

    def take(self, now_s: float) -> Entry | None:
        """Return the alert to send next, None while there is none or the window is full."""
        room = 1 if self._probing else WINDOW
        if now_s < self._refused.until_s or len(self._in_flight) >= room:
            return None
        if not self.acknowledgement.room(now_s, len(self._in_flight)):
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

    def answer(self, alert_id: str) -> None:
        """Take the home's word that it has an alert; `step` stores it."""
        if len(self._answers) < MOST:  # more than a disk at fault should cost
            self._answers[alert_id] = None

    def send_again(self, now_s: float, *, present: bool) -> None:
        """Make pending what the home did not answer for; `present`: it could have."""
        self._replay(self.acknowledgement.due(now_s, present=present))

    def connected(self, now_s: float) -> None:
        """Begin a connection: everything pending is due, one alert first to see how it goes."""
        self.acknowledgement.connected(now_s)
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
        return 0 if self._acknowledged else self._storage.ask(Outbox.cursor, 0)

    def newest(self) -> Entry | None:
        """Return the alert that was raised last."""
        return self._storage.ask(Outbox.newest, None)

    def newest_sent_wall(self) -> float:
        """Return the wall clock of the newest sending in the outbox, 0.0 for none."""
        return self._storage.ask(Outbox.newest_sent_wall, 0.0)

    def replay_above(self, seq: int, *, since_wall: float = 0.0) -> int:
        """Make alerts pending again that a broker forgot; return how many."""
        return self._replay(
            self._storage.ask(lambda o: o.sent(above=seq, since_wall=since_wall), [])
        )

    def replay_between(self, since_s: float, until_s: float) -> int:
        """Make alerts pending again that were sent in that monotonic time; return how many."""
        return self._replay([seq for at_s, seq in self._sendings if since_s <= at_s <= until_s])

    def close(self) -> None:
        """Close the outbox."""
        self._storage.close()

    def _open(self) -> Outbox:
        outbox = self._storage.open()
        if outbox is not self._opened:  # the disk may have undone marks of what was sent
            self._opened = outbox
            self._position = 0
        if outbox.store != self._last_store:  # another file: its seqs mean other alerts
            self._last_store = outbox.store
            self._acknowledged.clear()
            self._sendings.clear()
            self.disconnected()
            self._fact = outbox.noted(NOTE) or ""
            self.acknowledgement.restore(self._fact)
        return outbox

    def _account(self, outbox: Outbox, wall_s: float) -> None:
        """Write down what the broker took, what the home has, and what that changes."""
        acknowledgement = self.acknowledgement
        outbox.await_acknowledgement(awaited=acknowledgement.mode == ACKNOWLEDGED)
        if self._acknowledged:
            outbox.mark_sent(sorted(self._acknowledged), wall_s)
            self._acknowledged.clear()
        if self._answers:
            changed = outbox.acknowledge(list(self._answers))
            acknowledgement.stored(list(self._answers), changed, outbox.cursor())
            self._answers.clear()
        if acknowledgement.fact != self._fact:
            outbox.note(NOTE, acknowledgement.fact)
            self._fact = acknowledgement.fact
        if (above := acknowledgement.everything()) is not None:
            self.replay_above(above)

    def _waiting(self) -> Iterable[Entry]:
        """Yield what may be sent: stored alerts by seq, then those the disk refuses."""
        flying = {entry.id for entry in self._in_flight.values()}
        skipped = self._acknowledged | self._set_aside
        most = WINDOW + len(flying) + len(skipped)
        stored: list[Entry] = []
        ask = self._storage.ask
        for entry in ask(lambda o: o.pending(after=self._position, limit=most), stored):
            if entry.id not in flying and entry.seq not in skipped:
                yield entry
        yield from (entry for entry in self._storage.refused() if entry.id not in flying)

    def _sent(self, entry: Entry, now_s: float) -> None:
        self._refused.succeed()
        self._probing = False
        self._copied.discard(entry.id)
        if entry.seq:
            self._acknowledged.add(entry.seq)
            self._sendings.append((now_s, entry.seq))
            self.acknowledgement.sent(entry.id, entry.seq, now_s)
        else:
            self._storage.forget(entry.id)
        logger.info("sent alert %d (%s)", entry.seq, entry.id)

    def _replay(self, seqs: list[int]) -> int:
        self._acknowledged -= set(seqs)
        count = self._storage.ask(lambda outbox: outbox.reopen(seqs), 0) if seqs else 0
        if count:
            self._begin_again()
        return count

    def _begin_again(self) -> None:
        self._refused.succeed()
        self._position = 0
        self._probing = True
