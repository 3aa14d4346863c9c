"""Keys that take a list: how its items are read, and what is made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from edgehome.config.values import Choice, Parser, probability, suggest

LEAST_SIDE = 0.1
"""A smaller part of the picture holds too few pixels of most cameras."""
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values or of lists. The reader walks it and places a mistake at its item."""

    item: Parser | ListOf
    least: int
    most: int
    single: bool = False
    """A value alone stands for a list of one."""
    join: Callable[[tuple[Any, ...]], Any] = tuple
    """Makes the value of the items' values; raises ValueError as a parser does."""


def words(*known: str, every: str = "") -> ListOf:
    """Return a reader of one or several of `known`; the word `every` stands for all of them."""
    choice = Choice((*known, every) if every else known)

    def flat(found: tuple[str, ...]) -> tuple[str, ...]:
        return known if every in found else unique(found)

    return ListOf(choice, 1, len(choice.words), single=True, join=flat if every else unique)


def unique(found: Iterable[Any]) -> tuple[Any, ...]:
    """Return the items in their order, each once."""
    return tuple(dict.fromkeys(found))


def weekdays(value: str) -> tuple[int, ...]:
    """Return the days of `mon` or of `fri-sun`, over the week's end too; 0 is Monday."""
    first, dash, last = value.strip().lower().partition("-")
    for word in (first, last) if dash else (first,):
        if word not in DAYS:
            hint = suggest(word, DAYS)
            raise ValueError(f"{word!r} is not one of {', '.join(DAYS)}{hint}")
    start = DAYS.index(first)
    end = DAYS.index(last) if dash else start
    return tuple((start + n) % 7 for n in range((end - start) % 7 + 1))


def _sorted_days(found: tuple[tuple[int, ...], ...]) -> tuple[int, ...]:
    return tuple(sorted({day for days in found for day in days}))


def _region(found: tuple[float, ...]) -> tuple[float, ...]:
    x, y, width, height = found
    if min(width, height) < LEAST_SIDE:
        raise ValueError(f"is too small: width and height are at least {LEAST_SIDE:g}")
    for start, side, words in ((x, width, "x and width"), (y, height, "y and height")):
        if start + side > 1.000001:
            raise ValueError(
                f"reaches beyond the picture: {words} make {start + side:g}, at most 1"
            )
    return x, y, min(width, 1 - x), min(height, 1 - y)


WEEKDAYS = ListOf(weekdays, 1, 7, single=True, join=_sorted_days)
REGION = ListOf(probability, 4, 4, join=_region)
POLYGONS = ListOf(ListOf(ListOf(probability, 2, 2), 3, 100), 0, 50)
