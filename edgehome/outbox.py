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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from edgehome.outbox_file import close_file, error_code, grow, open_file
from edgehome.types import OutboxError, Problem

logger = logging.getLogger(__name__)

COLUMNS = "seq, id, created_wall, payload, replay, severity, rule, folded"
MEMORY = "rule memory"
"""The note in which the rules' memory lies."""
NOTE = "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"


@dataclass(frozen=True, slots=True)
class Entry:
    """One alert in the outbox."""

    seq: int
    """Order of raising, from 1; never used twice in a store. 0: not stored, the disk refuses."""
    id: str
    created_wall: float
    """Seconds since 1970 on the wall clock when it was raised."""
    payload: bytes
    """A JSON object."""
    replay: int = 0
    """1: a copy went to the broker before and may have arrived."""
    severity: str = "warning"
    rule: str = ""
    folded: int = 0
    """Alerts of the same rule lost for want of room, for which this one stands too."""


class OutboxFullError(OutboxError):
    """Raised when there is no room; the outbox stays usable and what it has can be sent."""


def _refused(error: Exception) -> OutboxError:
    kind = OutboxFullError if error_code(error) == sqlite3.SQLITE_FULL else OutboxError
    return kind(
        "storage_failed",
        f"The outbox cannot store alerts: {error}.",
        "Check the disk or SD card: free space, and whether it has become read-only.",
    )


class Outbox:
    """Alerts in the order in which they were raised. `with` opens it, for one thread only.

    A damaged file is set aside as `outbox.corrupt-1` with what belongs to it, and the rows that
    can still be read are kept. Methods raise OutboxError when the disk refuses.
    """

    def __init__(self, path: Path, *, keep_sent: int = 2000, max_rows: int = 10_000) -> None:
        """Assign; `keep_sent` rows stay after sending, for a broker that forgets."""
        self._path = path
        self._keep_sent = keep_sent
        self._max_rows = max_rows
        self._connection: sqlite3.Connection
        self.store = ""
        """Random name of this file, so that a cursor of another file is told apart."""
        self.dropped_total: dict[str, int] = {}
        """Alerts lost before they were sent, by reason, over the life of the file."""
        self.pending_count = 0
        self._sent_count = 0
        self.damage: Problem | None = None
        """Set when the file was found damaged on opening."""

    def __enter__(self) -> Self:
        """Open, check and salvage what is there; raises OutboxError when the disk refuses."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection, self.damage = open_file(self._path)
            self._count()
        except (sqlite3.Error, OSError) as error:
            raise _refused(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        close_file(self._path, self._connection)

    @property
    def dropped(self) -> int:
        """Alerts lost before they were sent, over the life of the file."""
        return sum(self.dropped_total.values())

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

        `memory` is how the rules stand after it; both are committed, or neither is.
        """
        known = self._one("SELECT seq FROM alerts WHERE id = ?", alert_id)
        if known is not None:
            return known
        row = (alert_id, wall_s, payload, severity, rule)
        try:
            return self._insert(row, memory)
        except OutboxFullError:
            if not self._find_room():
                raise
            return self._insert(row, memory)

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
        with self._transaction("NORMAL"):
            for seq in seqs:
                changed = self._connection.execute(
                    "UPDATE alerts SET state = 'sent', sent_wall = ?"
                    " WHERE seq = ? AND state = 'pending'",
                    (wall_s, seq),
                ).rowcount
                self.pending_count -= changed
                self._sent_count += changed
            self._forget_sent(self._sent_count - self._keep_sent)

    def acknowledge(self, alert_ids: Sequence[str]) -> int:
        """Note that the home has these; return how many it had not acknowledged before."""
        with self._transaction("NORMAL"):
            changed = sum(
                self._connection.execute(
                    "UPDATE alerts SET state = 'acknowledged'"
                    " WHERE id = ? AND state IN ('pending', 'sent')",
                    (alert_id,),
                ).rowcount
                for alert_id in alert_ids
            )
            if changed:
                self._count()
        return changed

    def reopen(self, seqs: Sequence[int]) -> int:
        """Make these sent alerts pending again, as replays; return how many there were."""
        with self._transaction("NORMAL"):
            changed = sum(
                self._connection.execute(
                    "UPDATE alerts SET state = 'pending', replay = 1"
                    " WHERE seq = ? AND state = 'sent'",
                    (seq,),
                ).rowcount
                for seq in seqs
            )
            self._count()
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
        first = self._one("SELECT min(seq) FROM alerts WHERE state = 'pending'")
        if first is not None:
            return first - 1
        return self._one("SELECT seq FROM sqlite_sequence WHERE name = 'alerts'") or 0

    def add_dropped(self, count: int) -> None:
        """Count alerts that were lost before they could be stored."""
        with self._transaction("FULL"):
            self._drop(count, "disk")

    def _insert(self, row: tuple[str, float, bytes, str, str], memory: bytes | None) -> int:
        with self._transaction("FULL"):
            self._make_room()
            cursor = self._connection.execute(
                "INSERT INTO alerts (id, created_wall, payload, severity, rule)"
                " VALUES (?, ?, ?, ?, ?)",
                row,
            )
            if memory is not None:
                self._connection.execute(NOTE, (MEMORY, memory))
            self.pending_count += 1
        return int(cursor.lastrowid or 0)

    def _find_room(self) -> bool:
        """Take more of the disk, or else forget sent alerts; False when neither can be."""
        try:
            if grow(self._connection, self._path):
                return True
        except (sqlite3.Error, OSError) as error:
            raise _refused(error) from error
        if not self._sent_count:
            return False
        logger.warning("the disk is full: sent alerts make room for new ones")
        with self._transaction("NORMAL"):
            self._forget_sent(max(200, self._sent_count // 10))
        return True

    def _make_room(self) -> None:
        """Keep the bound: sent rows go first, then the oldest pending ones, counted."""
        excess = self.pending_count + self._sent_count + 1 - self._max_rows
        self._forget_sent(min(excess, self._sent_count))
        excess = self.pending_count + self._sent_count + 1 - self._max_rows
        if excess > 0:
            logger.error("the outbox is full: %d of the oldest unsent alerts are lost", excess)
            self._forget("pending", excess)
            self.pending_count -= excess
            self._drop(excess, "oldest")

    def _forget_sent(self, count: int) -> None:
        """Forget what the home has, then what only the broker has."""
        for state in ("acknowledged", "sent"):
            if count > 0:
                gone = self._forget(state, count)
                self._sent_count -= gone
                count -= gone

    def _forget(self, state: str, count: int) -> int:
        return self._connection.execute(
            "DELETE FROM alerts WHERE seq IN"
            " (SELECT seq FROM alerts WHERE state = ? ORDER BY seq LIMIT ?)",
            (state, count),
        ).rowcount

    def _drop(self, count: int, reason: str) -> None:
        self._connection.execute(
            "INSERT INTO losses VALUES (?, ?)"
            " ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count",
            (reason, count),
        )
        self.dropped_total[reason] = self.dropped_total.get(reason, 0) + count

    @contextmanager
    def _transaction(self, synchronous: str) -> Iterator[None]:
        """Commit all or nothing; FULL waits for the disk, NORMAL does not."""
        try:
            self._connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error, OutboxError):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                self._count()
            raise _refused(error) from error

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise _refused(error) from error

    def _one(self, query: str, *values: object) -> int | None:
        rows = self._all(query, *values)
        return None if not rows or rows[0][0] is None else int(rows[0][0])

    def _entries(self, where: str, *values: object) -> list[Entry]:
        query = f"SELECT {COLUMNS} FROM alerts {where}"  # noqa: S608
        return [Entry(*row) for row in self._all(query, *values)]

    def _note(self, name: str) -> object:
        rows = self._all("SELECT value FROM notes WHERE name = ?", name)
        return rows[0][0] if rows else None

    def _count(self) -> None:
        (self.store,) = self._connection.execute("SELECT store FROM facts").fetchone()
        self.dropped_total = dict(self._connection.execute("SELECT reason, count FROM losses"))
        counts = dict(self._connection.execute("SELECT state, count(*) FROM alerts GROUP BY state"))
        self.pending_count = counts.get("pending", 0)
        self._sent_count = counts.get("sent", 0) + counts.get("acknowledged", 0)
