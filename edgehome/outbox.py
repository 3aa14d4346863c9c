"""The outbox: alerts on disk until the broker has them, in SQLite.

Raised means that `append` returned: the row has been committed with an fsync. WAL with
`synchronous=FULL` loses nothing at a power cut (https://www.sqlite.org/pragma.html#pragma_synchronous);
marking as sent goes without an fsync, since an undone mark costs one copy more and no alert.
docs/decisions/0003-outbox.md has the figures. One thread owns an outbox.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from edgehome.outbox_entry import COLUMNS, Entry, New, OutboxFullError, refused
from edgehome.outbox_file import close_file, grow, open_file
from edgehome.outbox_plan import Pending
from edgehome.outbox_room import MAX_BYTES, MAX_ROWS, Room
from edgehome.outbox_schema import ACKNOWLEDGED, INSERT, NOTE, REOPENED, SENT
from edgehome.types import OutboxError, Problem

__all__ = ["Entry", "New", "Outbox", "OutboxFullError"]

logger = logging.getLogger(__name__)

MEMORY = "rule memory"
"""The note in which the rules' memory lies."""


class Outbox:
    """Alerts in the order in which they were raised. `with` opens it, for one thread only.

    A damaged file is set aside as `outbox.corrupt-1` with what belongs to it, and the rows that
    can still be read are kept. Methods raise OutboxError when the disk refuses.
    """

    def __init__(
        self,
        path: Path,
        *,
        keep_sent: int = 2000,
        max_rows: int = MAX_ROWS,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Assign; `keep_sent` rows stay after sending, for a broker that forgets.

        `max_bytes` is of payload.
        """
        self._path = path
        self._keep_sent = keep_sent
        self._bounds = (max_rows, max_bytes)
        self._connection: sqlite3.Connection
        self._room: Room
        self._wall_s = 0.0
        self.store = ""
        """Random name of this file, so that a cursor of another file is told apart."""
        self.damage: Problem | None = None
        """Set when the file was found damaged on opening."""

    def __enter__(self) -> Self:
        """Open, check and salvage what is there; raises OutboxError when the disk refuses."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection, self.damage = open_file(self._path)
            (self.store,) = self._connection.execute("SELECT store FROM facts").fetchone()
            self._room = Room(self._connection, *self._bounds)
        except (sqlite3.Error, OSError) as error:
            raise refused(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        close_file(self._path, self._connection)

    @property
    def pending_count(self) -> int:
        """Alerts that the broker has not taken."""
        return self._room.rows["pending"]

    @property
    def dropped_total(self) -> dict[str, int]:
        """Alerts lost, by reason, over the life of the file.

        `info` and `oldest` were lost unsent, `folded` are counted in the row of another alert,
        `disk` could not be stored, `unacknowledged` were sent and the home never said it had them.
        """
        return dict(self._room.dropped)

    @property
    def dropped(self) -> int:
        """Alerts lost, over the life of the file."""
        return sum(self._room.dropped.values())

    def await_acknowledgement(self, *, awaited: bool) -> None:
        """Say whether the home acknowledges: sent alerts are no mere copies until it has."""
        self._room.count_sent_as_lost = awaited

    def append(
        self,
        alert_id: str,
        payload: bytes,
        wall_s: float,
        *,
        severity: str = "warning",
        rule: str = "",
        memory: bytes | None = None,
    ) -> int:
        """Store an alert and return its seq; the id of a stored one returns that one's seq.

        In a full outbox it may be folded into an earlier one of its rule at once.
        `memory` is how the rules stand after it; both are committed, or neither is.
        """
        alert = New(alert_id, payload, wall_s, severity, rule)
        return self.append_all([alert], memory=memory)[0]

    def append_all(self, alerts: Sequence[New], *, memory: bytes | None = None) -> list[int]:
        """Store the alerts of one moment and how the rules stand after it: all or nothing."""
        known = [self._seq(alert.id) for alert in alerts]
        if all(known):
            return known
        try:
            return self._insert(alerts, memory)
        except OutboxFullError:
            if not self._find_room():
                raise
            return self._insert(alerts, memory)

    def memory(self) -> bytes | None:
        """Return how the rules stood at the newest alert that told; None when none did."""
        value = self._note(MEMORY)
        return value if isinstance(value, bytes) else None

    def note(self, name: str, value: str) -> None:
        """Keep a small fact for as long as the file lasts; one that is the same costs no write."""
        if self.noted(name) != value:
            with self._transaction("FULL"):
                self._connection.execute(NOTE, (name, value))

    def noted(self, name: str) -> str | None:
        """Return a fact that `note` kept."""
        value = self._note(name)
        return value if isinstance(value, str) else None

    def pending(self, *, after: int = 0, limit: int = 16) -> list[Entry]:
        """Return the unsent alerts with a seq above `after`, the oldest first."""
        after = max(after, self._room.floor - 1)
        return self._entries(
            "WHERE state = 'pending' AND seq > ? ORDER BY seq LIMIT ?", after, limit
        )

    def unacknowledged(self, limit: int) -> list[Entry]:
        """Return sent alerts that the home has not acknowledged, the oldest first."""
        return self._entries("WHERE state = 'sent' ORDER BY seq LIMIT ?", limit)

    def newest(self) -> Entry | None:
        """Return the alert that was raised last, sent or not."""
        entries = self._entries("ORDER BY seq DESC LIMIT 1")
        return entries[0] if entries else None

    def mark_sent(self, seqs: Sequence[int], wall_s: float) -> None:
        """Note that the broker took these; the newest `keep_sent` of the sent rows stay."""
        self._wall_s = wall_s
        with self._transaction("NORMAL"):
            changed = self._set(SENT, seqs, wall_s)
            self._room.changed("pending", "sent", changed)
            self._forget_old()

    def acknowledge(self, alert_ids: Sequence[str]) -> int:
        """Note that the home has these; return how many it had not acknowledged before."""
        total = 0
        with self._transaction("NORMAL"):
            for state in ("sent", "pending"):
                changed = self._set(f"{ACKNOWLEDGED} AND state = '{state}'", alert_ids)
                self._room.changed(state, "acknowledged", changed)
                total += changed
            self._forget_old()
        return total

    def reopen(self, seqs: Sequence[int]) -> int:
        """Make these sent alerts pending again, as replays; return how many there were."""
        with self._transaction("NORMAL"):
            changed = self._set(REOPENED, seqs)
            self._room.changed("sent", "pending", changed)
            self._room.floor = min([self._room.floor, *seqs])
        return changed

    def sent(self, *, above: int, since_wall: float = 0.0) -> list[int]:
        """Return the seqs of sent alerts above `above` that were sent at or after `since_wall`."""
        rows = self._all(
            "SELECT seq FROM alerts WHERE state = 'sent' AND seq > ? AND sent_wall >= ?"
            " ORDER BY seq",
            above,
            since_wall,
        )
        return [row[0] for row in rows]

    def newest_sent_wall(self) -> float:
        """Return the wall clock of the newest sending, 0.0 when nothing was sent."""
        rows = self._all("SELECT max(sent_wall) FROM alerts WHERE state = 'sent'")
        return float(rows[0][0] or 0.0)

    def cursor(self) -> int:
        """Return the highest seq up to which everything is sent, 0 when nothing is."""
        first = self._one(
            "SELECT seq FROM alerts WHERE state = 'pending' AND seq >= ? ORDER BY seq LIMIT 1",
            self._room.floor,
        )
        last = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'alerts'") or 0
        self._room.floor = last + 1 if first is None else first
        return self._room.floor - 1

    def add_dropped(self, count: int) -> None:
        """Count alerts that were lost before they could be stored, because the disk refused."""
        with self._transaction("FULL"):
            self._room.drop("disk", count)

    def _insert(self, alerts: Sequence[New], memory: bytes | None) -> list[int]:
        with self._transaction("FULL"):
            seqs = [self._seq(alert.id) or self._add(alert) for alert in alerts]
            if memory is not None:
                self._connection.execute(NOTE, (MEMORY, memory))
            self._room.trim()
        return seqs

    def _add(self, alert: New) -> int:
        self._wall_s = alert.wall_s
        first = int(self._room.begins(alert.rule, alert.wall_s))
        row = (alert.id, alert.wall_s, alert.payload, alert.severity, alert.rule, first)
        seq = int(self._connection.execute(INSERT, row).lastrowid or 0)
        added = Pending(seq, alert.severity, alert.rule, first)
        self._room.added(added, alert.wall_s, len(alert.payload))
        return seq

    def _seq(self, alert_id: str) -> int:
        return self._one("SELECT seq FROM alerts WHERE id = ?", alert_id) or 0

    def _set(self, change: str, keys: Sequence[object], *values: object) -> int:
        """Bring rows from one state to another, a key each; return how many there were."""
        query = f"UPDATE alerts SET {change}"  # noqa: S608
        return sum(self._connection.execute(query, (*values, key)).rowcount for key in keys)

    def _forget_old(self) -> None:
        """Keep the newest `keep_sent` copies, or a few more: forgetting costs writes, too."""
        excess = self._room.copies - self._keep_sent
        if self._room.count_sent_as_lost:
            excess = min(excess, self._room.rows["acknowledged"])
        if excess > self._keep_sent // 16:
            self._room.forget_copies(excess)

    def _find_room(self) -> bool:
        """Take more of the disk, or else forget sent alerts; False when neither can be."""
        try:
            if grow(self._connection, self._path):
                return True
        except (sqlite3.Error, OSError) as error:
            raise refused(error) from error
        if not self._room.copies:
            return False
        logger.warning("the disk is full: sent alerts make room for new ones")
        with self._transaction("NORMAL"):
            self._room.forget_copies(max(200, self._room.copies // 10))
        return True

    @contextmanager
    def _transaction(self, synchronous: str) -> Iterator[None]:
        """Commit all or nothing, losses told; FULL waits for the disk, NORMAL does not."""
        try:
            self._connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            if self._room.untold:
                self._room.tell(self.store, self._wall_s)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error, OutboxError):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._room.count()
            raise refused(error) from error

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise refused(error) from error

    def _one(self, query: str, *values: object) -> int | None:
        rows = self._all(query, *values)
        return None if not rows or rows[0][0] is None else int(rows[0][0])

    def _entries(self, where: str, *values: object) -> list[Entry]:
        query = f"SELECT {COLUMNS} FROM alerts {where}"  # noqa: S608
        return [Entry(*row) for row in self._all(query, *values)]

    def _note(self, name: str) -> object:
        rows = self._all("SELECT value FROM notes WHERE name = ?", name)
        return rows[0][0] if rows else None
