"""What the outbox may hold, and which alerts give way when it is full.

What the home has acknowledged goes first, then what the broker took: both are copies. After that
alerts are lost in the order of `outbox_plan.py`, each counted, and one alert tells of it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from datetime import UTC, datetime

from edgehome.outbox_plan import Pending, Plan
from edgehome.outbox_schema import LOSS
from edgehome.types import Severity

logger = logging.getLogger(__name__)

MAX_ROWS = 10_000
MAX_BYTES = 16 * 1024 * 1024
"""Of payload."""
INCIDENT_S = 600.0
"""Alerts of one rule belong to one incident when no more lies between one and the next."""
LOST_ID = "dropped-"
"""How the id of the one alert begins that tells of losses; ids of others are hexadecimal."""
ALERTS_DROPPED = "alerts_dropped"
"""Its event type."""
COPIES = ("acknowledged", "sent")


class Room:
    """Counts an outbox's rows and makes room for new ones, within the caller's transactions."""

    def __init__(self, connection: sqlite3.Connection, max_rows: int, max_bytes: int) -> None:
        """Take an open outbox; `max_bytes` is of payload."""
        self._connection = connection
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._bytes = 0
        self._plan = Plan()
        self.rows: dict[str, int] = {}
        """By state."""
        self.dropped: dict[str, int] = {}
        """Alerts lost, by reason, over the life of the file."""
        self._teller = (0, 0)
        self.untold = 0
        """Losses of which no row tells yet."""
        self.floor = 1
        """No pending alert has a seq below it."""
        self.count_sent_as_lost = False
        """Sent alerts count as lost when they give way: the home still has to acknowledge them."""
        self._last: dict[str, float] = {}
        self.count()

    def count(self) -> None:
        """Count again, at the beginning and after a transaction that was undone."""
        ask = self._connection.execute
        self.rows = dict.fromkeys(("pending", *COPIES), 0)
        self.rows |= dict(ask("SELECT state, count(*) FROM alerts GROUP BY state"))
        self.dropped = dict(ask("SELECT reason, count FROM losses"))
        (self._bytes,) = ask("SELECT total(length(payload)) FROM alerts").fetchone()
        lowest = ask("SELECT min(seq) FROM alerts WHERE state = 'pending'").fetchone()[0]
        self.floor = lowest or 1
        self._last = dict(ask("SELECT rule, max(created_wall) FROM alerts GROUP BY rule"))
        self._find_teller()
        self.untold = 0
        self._plan.clear()

    @property
    def copies(self) -> int:
        """Rows that the broker took."""
        return sum(self.rows[state] for state in COPIES)

    def changed(self, before: str, after: str, count: int) -> None:
        """Note that rows went from one state to another."""
        self.rows[before] -= count
        self.rows[after] += count
        self._plan.clear()
        self._find_teller()

    def begins(self, rule: str, wall_s: float) -> bool:
        """Say whether an alert is the first of an incident."""
        return not rule or abs(wall_s - self._last.get(rule, -INCIDENT_S * 2)) > INCIDENT_S

    def added(self, alert: Pending, wall_s: float, size: int) -> None:
        """Note a new pending row."""
        self.rows["pending"] += 1
        self._bytes += size
        self._plan.add(alert)
        if alert.rule:
            self._last[alert.rule] = wall_s

    def trim(self) -> None:
        """Keep the bounds, by taking away copies, or else the alerts that matter least."""
        while self._is_over():
            if self.copies:
                self.forget_copies(min(self.copies, max(1, self._max_rows // 100)))
            elif not self._lose_one():
                break

    def forget_copies(self, count: int) -> None:
        """Forget what the home has, then what only the broker has, the oldest first."""
        for state in COPIES:
            if count <= 0 or not self.rows[state]:
                continue
            sizes = self._connection.execute(
                "DELETE FROM alerts WHERE seq IN"
                " (SELECT seq FROM alerts WHERE state = ? ORDER BY seq LIMIT ?)"
                " RETURNING length(payload)",
                (state, count),
            ).fetchall()
            self._gone(state, sizes)
            count -= len(sizes)
            if sizes and state == "sent" and self.count_sent_as_lost:
                self.drop("unacknowledged", len(sizes))

    def drop(self, reason: str, count: int) -> None:
        """Count losses."""
        self._connection.execute(LOSS, (reason, count))
        self.dropped[reason] = self.dropped.get(reason, 0) + count
        self.untold += count

    def tell(self, store: str, wall_s: float) -> None:
        """Put the one alert that tells of losses at the end; it has room beyond the bounds.

        With other counts it has another id: who has seen the one before must see this one.
        """
        sizes = self._connection.execute(
            "DELETE FROM alerts WHERE id GLOB ? AND state = 'pending' RETURNING length(payload)",
            (f"{LOST_ID}*",),
        ).fetchall()
        self._gone("pending", sizes)
        total = sum(self.dropped.values())
        payload = told(self.dropped, wall_s)
        self._connection.execute(
            "INSERT INTO alerts (id, created_wall, payload, severity) VALUES (?, ?, ?, ?)",
            (f"{LOST_ID}{store}-{total}", wall_s, payload, str(Severity.CRITICAL)),
        )
        self.rows["pending"] += 1
        self._bytes += len(payload)
        self._teller = (1, len(payload))
        self.untold = 0
        if total % 100 == 1 or not sizes:
            logger.error("the outbox is full: %d alerts are lost so far", total)

    def _find_teller(self) -> None:
        """Know the rows and bytes of the unsent alert that tells of losses."""
        if self.dropped:
            self._teller = self._connection.execute(
                "SELECT count(*), total(length(payload)) FROM alerts"
                " WHERE id GLOB ? AND state = 'pending'",
                (f"{LOST_ID}*",),
            ).fetchone()

    def _is_over(self) -> bool:
        rows, in_rows = self._teller
        too_many = sum(self.rows.values()) - rows > self._max_rows
        return too_many or self._bytes - in_rows > self._max_bytes

    def _lose_one(self) -> bool:
        """Lose the next alert of the plan; False when there is none left to lose."""
        loss = self._plan.take()
        if not loss:
            rows = self._connection.execute(
                "SELECT seq, severity, rule, first FROM alerts"
                " WHERE state = 'pending' AND id NOT GLOB ? ORDER BY seq",
                (f"{LOST_ID}*",),
            )
            self._plan.make(Pending(*row) for row in rows)
            loss = self._plan.take()
        if not loss:
            return False
        gone = self._connection.execute(
            "DELETE FROM alerts WHERE seq = ? AND state = 'pending'"
            " RETURNING length(payload), folded",
            (loss.seq,),
        ).fetchall()
        self._gone("pending", gone)
        for _, folded in gone:
            self.drop(loss.reason, 1)
            self._connection.execute(
                "UPDATE alerts SET folded = folded + ? WHERE seq = ?", (1 + folded, loss.into)
            )
        return True

    def _gone(self, state: str, rows: list[tuple[int, ...]]) -> None:
        self.rows[state] -= len(rows)
        self._bytes -= sum(row[0] for row in rows)


def told(dropped: dict[str, int], wall_s: float) -> bytes:
    """Return the payload of the alert that tells of losses."""
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(dropped.items()))
    payload = {
        "event_type": ALERTS_DROPPED,
        "at": datetime.fromtimestamp(wall_s, UTC).isoformat(timespec="milliseconds"),
        "rule": "",
        "severity": str(Severity.CRITICAL),
        "message": f"{sum(dropped.values())} alerts were lost for want of room ({counts}).",
        "dropped": dropped,
    }
    return json.dumps(payload).encode()
