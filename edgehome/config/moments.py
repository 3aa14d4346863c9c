"""The moments that there are to a rule: minutes of the week, modes of the home, night or day.

A set of moments is an integer with a bit for each of them, so that schedules and modes are held
against each other exactly and fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from edgehome.config.conditions import Between
from edgehome.types import Mode

DAY = 24 * 60
WEEK = 7 * DAY
MODES = tuple(Mode)
_WEEK_BITS = (1 << WEEK) - 1
_BLOCKS = 2 * len(MODES)
"""A week by night in each mode, then a week by day in each."""
ALL = (1 << (WEEK * _BLOCKS)) - 1

Moments = int


@cache
def at_times(between: Between) -> Moments:
    """Return the moments at which the clock is within the span."""
    first = between.start.hour * 60 + between.start.minute
    last = between.end.hour * 60 + between.end.minute
    day = (1 << DAY) - 1
    before_end, from_start = (1 << last) - 1, day & ~((1 << first) - 1)
    minutes = before_end & from_start if first < last else before_end | from_start
    return _everywhere(sum(minutes << (n * DAY) for n in range(7)))


@cache
def on_days(weekdays: tuple[int, ...]) -> Moments:
    """Return the moments of these days; 0 is Monday."""
    return _everywhere(sum(((1 << DAY) - 1) << (n * DAY) for n in weekdays))


@cache
def in_modes(modes: tuple[Mode, ...]) -> Moments:
    """Return the moments while the home is in one of the modes."""
    blocks = [MODES.index(mode) for mode in modes]
    return _blocks([*blocks, *(block + len(MODES) for block in blocks)])


@cache
def by_night(*, night: bool) -> Moments:
    """Return the moments while the sun is down, or while it is up."""
    return _blocks(range(len(MODES)) if night else range(len(MODES), _BLOCKS))


def longest_minutes(moments: Moments) -> int | None:
    """Return the longest unbroken time in minutes, in whatever mode; None: it never ends."""
    week = 0
    for block in range(_BLOCKS):
        week |= (moments >> (block * WEEK)) & _WEEK_BITS
    if week == _WEEK_BITS:
        return None
    # A span may go on over the end of the week.
    text = f"{week:0{WEEK}b}" * 2
    return max(len(run) for run in text.split("0"))


def _everywhere(week: int) -> Moments:
    return sum(week << (block * WEEK) for block in range(_BLOCKS))


def _blocks(blocks: Iterable[int]) -> Moments:
    return sum(_WEEK_BITS << (block * WEEK) for block in blocks)
