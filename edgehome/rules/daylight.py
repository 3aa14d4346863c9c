"""`sun`: which side of a sunrise or sunset a moment is on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo

from edgehome.config.conditions import SunCondition
from edgehome.types import SunDay, SunTimes

DAYS = 2
"""So many days before and after are looked at: an offset moves a rise or a set by half a day."""
_SPANS = {
    "after sunset": (False, True),
    "before sunrise": (False, False),
    "after sunrise": (True, True),
    "before sunset": (True, False),
}
"""Whether it is the day that is meant, else the night; whether its begin is named, else its end."""
_DAWN = datetime.min.replace(tzinfo=UTC)
_DUSK = datetime.max.replace(tzinfo=UTC)


class Daylight:
    """The sun's nights and days around a date."""

    def __init__(self, sun: SunTimes) -> None:
        self._sun = sun
        self._key: tuple[date, tzinfo | None] | None = None
        self._turns: list[tuple[datetime, bool]] = []

    def holds(self, condition: SunCondition, at: datetime) -> bool:
        """Return whether a sun condition holds at a wall clock with zone."""
        up, from_its_begin = _SPANS[condition.sun]
        offset = timedelta(seconds=condition.offset_s)
        for begin, end in self._spans(at, up=up):
            if from_its_begin:
                found = _moved(begin, offset) <= at < end
            else:
                found = begin <= at < _moved(end, offset)
            if found:
                return True
        return False

    def _spans(self, at: datetime, *, up: bool) -> list[tuple[datetime, datetime]]:
        """Return the days, or else the nights, around a moment, each from turn to turn."""
        turns = self._around(at)
        ends = [moment for moment, _ in turns[1:]] + [_DUSK]
        return [
            (begin, end) for (begin, is_up), end in zip(turns, ends, strict=True) if is_up is up
        ]

    def _around(self, at: datetime) -> list[tuple[datetime, bool]]:
        """Return when the sun rose (True) and set (False), the first of it long ago."""
        zone = at.tzinfo or UTC
        key = (at.date(), zone)
        if key != self._key:
            days = [self._sun(at.date() + timedelta(days=n), zone) for n in range(-DAYS, DAYS + 1)]
            self._turns = _turns(days)
            self._key = key
        return self._turns


def _turns(days: list[SunDay]) -> list[tuple[datetime, bool]]:
    first = days[0]
    turns = [(_DAWN, first.up and first.sunrise is None)]
    for day in days:
        # Where a day and the next differ without a turn between, the sun only grazes the horizon.
        if day.sunrise:
            turns.append((day.sunrise, True))
        if day.sunset:
            turns.append((day.sunset, False))
    return turns


def _moved(moment: datetime, offset: timedelta) -> datetime:
    return moment if moment in {_DAWN, _DUSK} else moment + offset
