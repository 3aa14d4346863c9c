"""Sunrise and sunset at the home; the only importer of ephem.

A sunrise is what almanacs call one: the sun's upper edge on a level horizon, with a refraction of
34 minutes of arc. Hills and houses are not known. Import this only where `location` is set: the
library takes some two megabytes.
"""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

import ephem

from edgehome.types import SunDay, SunTimes

_HORIZON = math.radians(-50 / 60)
"""Of the sun's centre: 34 minutes of refraction and 16 of its own radius, in radians."""
_HALF_DAY = 0.505
"""Days between noon and the midnights beside it, with the minutes by which they stray."""


def sun_at(latitude: float, longitude: float) -> SunTimes:
    """Return the sun's times at a place, in degrees north and east, each day worked out once."""

    @lru_cache(maxsize=8)
    def day_of(day: date, zone: tzinfo) -> SunDay:
        return _day(latitude, longitude, day, zone)

    return day_of


def _day(latitude: float, longitude: float, day: date, zone: tzinfo) -> SunDay:
    place = ephem.Observer()
    place.lat, place.lon = math.radians(latitude), math.radians(longitude)
    place.pressure, place.horizon = 0, _HORIZON  # our own refraction, not one by the weather
    # Days are told apart by the sun over this meridian, so none is skipped or comes twice,
    # whatever the zone.
    mean_noon = datetime.combine(day, time(12)) - timedelta(hours=longitude / 15)
    place.date = mean_noon - timedelta(hours=1)
    noon = place.date = place.next_transit(ephem.Sun())
    sun = ephem.Sun(place)
    return SunDay(
        sunrise=_moment(place, noon, zone, rising=True),
        sunset=_moment(place, noon, zone, rising=False),
        up=bool(sun.alt > _HORIZON),
    )


def _moment(
    place: ephem.Observer, noon: ephem.Date, zone: tzinfo, *, rising: bool
) -> datetime | None:
    """Return the last rise before noon or the first set after it, if in the same solar day."""
    place.date = noon
    search = place.previous_rising if rising else place.next_setting
    try:
        found = search(ephem.Sun(), use_center=True)
    except ephem.CircumpolarError:
        return None
    if abs(found - noon) > _HALF_DAY:
        return None
    moment: datetime = found.datetime().replace(tzinfo=UTC, microsecond=0)
    return moment.astimezone(zone)
