"""Times in a memory: kept as ages in seconds, so that another start's clock can read them."""

from __future__ import annotations

from datetime import datetime

from edgehome.rules.timing import LONGEST_S


def age(now_s: float, then_s: float | None) -> float | None:
    """Return how long ago a moment was, in seconds; None for one that never was."""
    return None if then_s is None else now_s - then_s


def moment(now_s: float, kept: object) -> float | None:
    """Return the moment of an age. Raises ValueError when it is none."""
    return None if kept is None else now_s - number(kept)


def number(kept: object, *, least: float = 0.0) -> float:
    """Return a number from `least` to 1e9. Raises ValueError when it is none."""
    if isinstance(kept, bool) or not isinstance(kept, int | float):
        raise ValueError(f"{kept!r} is not a number")
    if not least <= kept <= LONGEST_S:  # not for a number that is none
        raise ValueError(f"{kept!r} is out of range")
    return float(kept)


def text(kept: object) -> str:
    """Return text. Raises ValueError when it is none."""
    if not isinstance(kept, str):
        raise ValueError(f"{kept!r} is not text")
    return kept


def truth(kept: object) -> bool:
    """Return true or false. Raises ValueError when it is neither."""
    if not isinstance(kept, bool):
        raise ValueError(f"{kept!r} is neither true nor false")
    return kept


def wall_clock(kept: object) -> datetime | None:
    """Return a wall clock with zone, or None. Raises ValueError when it is neither."""
    if kept is None:
        return None
    if not isinstance(kept, str):
        raise ValueError(f"{kept!r} is not a time")
    at = datetime.fromisoformat(kept)
    if at.tzinfo is None:
        raise ValueError(f"{kept!r} has no zone")
    return at
