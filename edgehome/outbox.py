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

COLUMNS = "seq, id, created_wall, payload, replay"


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
        self.dropped = 0
        """Alerts that were pushed out unsent, over the life of the file."""
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

    def append(self, alert_id: str, payload: bytes, wall_s: float) -> int:
        """Store an alert and return its seq; the id of a stored one returns that one's seq."""
        known = self._one("SELECT seq FROM alerts WHERE id = ?", alert_id)
        if known is not None:
            return known
        try:
            return self._insert(alert_id, payload, wall_s)
        except OutboxFullError:
            if not self._find_room():
                raise
            return self._insert(alert_id, payload, wall_s)

    def pending(self, *, after: int = 0, limit: int = 16) -> list[Entry]:
        """Return the unsent alerts with a seq above `after`, the oldest first."""
        rows = self._all(
            f"SELECT {COLUMNS} FROM alerts WHERE state = 'pending' AND seq > ?"  # noqa: S608
            " ORDER BY seq LIMIT ?",
            after,
            limit,
        )
        return [Entry(*row) for row in rows]

    def newest(self) -> Entry | None:
        """Return the alert that was raised last, sent or not."""
        rows = self._all(f"SELECT {COLUMNS} FROM alerts ORDER BY seq DESC LIMIT 1")  # noqa: S608
        return (
            Entry(rows[0][0], rows[0][1], rows[0][2], rows[0][3], bool(rows[0][4]))
            if rows
            else None
        )

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
            self._drop(count)

    def _insert(self, alert_id: str, payload: bytes, wall_s: float) -> int:
        with self._transaction("FULL"):
            self._make_room()
            row = self._connection.execute(
                "INSERT INTO alerts (id, created_wall, payload) VALUES (?, ?, ?)",
                (alert_id, wall_s, payload),
            )
            self.pending_count += 1
        return int(row.lastrowid or 0)

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
            self._drop(excess)

    def _forget_sent(self, count: int) -> None:
        if count > 0:
            self._forget("sent", count)
            self._sent_count = max(0, self._sent_count - count)

    def _forget(self, state: str, count: int) -> None:
        self._connection.execute(
            "DELETE FROM alerts WHERE seq IN"
            " (SELECT seq FROM alerts WHERE state = ? ORDER BY seq LIMIT ?)",
            (state, count),
        )

    def _drop(self, count: int) -> None:
        self._connection.execute("UPDATE facts SET dropped = dropped + ?", (count,))
        self.dropped += count

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

    def _count(self) -> None:
        self.store, self.dropped = self._connection.execute(
            "SELECT store, dropped FROM facts"
        ).fetchone()
        counts = dict(self._connection.execute("SELECT state, count(*) FROM alerts GROUP BY state"))
        self.pending_count = counts.get("pending", 0)
        self._sent_count = counts.get("sent", 0)
