"""The fields of a message between two processes, as they must be.

Each function raises ValueError for what is none; `problem_of` KeyError and TypeError too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from edgehome.types import Problem


def text_of(value: object) -> str:
    """Return a text, of whole characters."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")
    value.encode()  # half a character is none
    return value


def number_of(value: object) -> float:
    """Return a finite number."""
    number = float(value) if isinstance(value, int | float) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no number")
    return number


def positive_of(value: object) -> float:
    """Return a number above 0."""
    number = number_of(value)
    if number <= 0:
        raise ValueError(f"{value!r} is not above 0")
    return number


def rarity_of(value: object) -> float:
    """Return the days in which such a thing comes once; raises ValueError below 0."""
    days = number_of(value)
    if days < 0:
        raise ValueError(f"once in {days} days")
    return days


def problem_of(fields: Mapping[str, Any]) -> Problem:
    """Return what is wrong with a part."""
    return Problem(text_of(fields["code"]), text_of(fields["message"]), text_of(fields["remedy"]))
