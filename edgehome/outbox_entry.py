"""What the outbox gives and raises."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import NamedTuple

from edgehome.outbox_file import error_code
from edgehome.types import OutboxError

COLUMNS = "seq, id, created_wall, payload, replay, severity, rule, folded"
"""Of an entry."""


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


class New(NamedTuple):
    """An alert that is to be stored."""

    id: str
    payload: bytes
    wall_s: float
    """Seconds since 1970 on the wall clock."""
    severity: str = "warning"
    rule: str = ""


class OutboxFullError(OutboxError):
    """Raised when there is no room; the outbox stays usable and what it has can be sent."""


def refused(error: Exception) -> OutboxError:
    """Return what to raise for an error of SQLite or of the disk."""
    kind = OutboxFullError if error_code(error) == sqlite3.SQLITE_FULL else OutboxError
    return kind(
        "storage_failed",
        f"The outbox cannot store alerts: {error}.",
        "Check the disk or SD card: free space, and whether it has become read-only.",
    )
