"""Sunrise and sunset against published almanacs, to two minutes."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edgehome.sun import sun_at
from edgehome.types import SunDay

ROOT = Path(__file__).resolve().parents[1]
OSLO, AMSTERDAM = ZoneInfo("Europe/Oslo"), ZoneInfo("Europe/Amsterdam")
MELBOURNE, NEW_YORK = ZoneInfo("Australia/Melbourne"), ZoneInfo("America/New_York")
WINTER_OSLO = timezone(timedelta(hours=1))
"""The tables for Tromsø of the Naval Observatory have UT + 1h all year."""

TROMSO_USNO = (69.5, 19.0)
"""The degrees that the Naval Observatory's own page names."""
HAMMERFEST = (70.66, 23.68)
DE_BILT = (52.1, 5.18)
MELBOURNE_PLANETARIUM = (-37.83, 145.0)

ALMANACS = [
    # US Naval Observatory, as quoted in PyEphem's manual (rise-set): Atlanta, 33.8 N, 84.4 W.
    ((33.8, -84.4), NEW_YORK, "2009-09-06", "07:15", "19:56"),
    # Melbourne Planetarium, Skynotes of June 2014, of January 2020, and of October 2025, in which
    # clocks went forward on the 5th.
    (MELBOURNE_PLANETARIUM, MELBOURNE, "2014-06-01", "07:26", "17:09"),
    (MELBOURNE_PLANETARIUM, MELBOURNE, "2014-06-21", "07:36", "17:08"),
    (MELBOURNE_PLANETARIUM, MELBOURNE, "2020-01-01", "06:01", "20:45"),
    (MELBOURNE_PLANETARIUM, MELBOURNE, "2020-01-31", "06:31", "20:34"),
    (MELBOURNE_PLANETARIUM, MELBOURNE, "2025-10-01", "05:55", "18:24"),
    (MELBOURNE_PLANETARIUM, MELBOURNE, "2025-10-11", "06:40", "19:33"),
    # KNMI's table for the Netherlands, as printed by libelle.nl; clocks went forward on 26 March.
    (DE_BILT, AMSTERDAM, "2023-03-18", "06:48", None),
    (DE_BILT, AMSTERDAM, "2023-03-25", "06:32", None),
    (DE_BILT, AMSTERDAM, "2023-04-01", "07:16", None),
    (DE_BILT, AMSTERDAM, "2023-05-13", "05:50", None),
    # US Naval Observatory, Tromsø, 69.5 N 19.0 E, 2014, as quoted on answers.com.
    (TROMSO_USNO, WINTER_OSLO, "2014-04-01", "04:50", "18:49"),
    (TROMSO_USNO, WINTER_OSLO, "2014-04-30", "02:29", "20:58"),
    (TROMSO_USNO, WINTER_OSLO, "2014-05-17", "00:29", "23:06"),
    # Almanakk for Norge 2010, University of Oslo, on the 15th of the month. (Of February, 08:16 is
    # printed for three towns at once where it is Tromsø's: the quotation's slip, left out.)
    ((69.65, 18.96), OSLO, "2010-01-15", "11:31", "12:17"),
    ((69.65, 18.96), OSLO, "2010-05-15", "01:43", "23:48"),
    ((67.28, 14.40), OSLO, "2010-12-15", "11:18", "12:37"),
    (HAMMERFEST, OSLO, "2010-03-15", "05:50", "17:22"),
    (HAMMERFEST, OSLO, "2010-04-15", "04:17", "20:37"),
    (HAMMERFEST, OSLO, "2010-09-15", "05:35", "19:04"),
    (HAMMERFEST, OSLO, "2010-10-15", "07:41", "16:39"),
    (HAMMERFEST, OSLO, "2010-11-15", "09:28", "12:50"),
]


def minutes_apart(found: datetime | None, day: str, clock: str) -> float:
    assert found
    told = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=found.tzinfo)
    return abs((found - told).total_seconds()) / 60


@pytest.mark.parametrize(("place", "zone", "day", "rise", "set_"), ALMANACS)
def test_the_times_are_those_of_the_almanacs(
    place: tuple[float, float], zone: ZoneInfo, day: str, rise: str, set_: str | None
) -> None:
    sun = sun_at(*place)(date.fromisoformat(day), zone)
    assert sun.up
    assert minutes_apart(sun.sunrise, day, rise) <= 2
    if set_:
        assert minutes_apart(sun.sunset, day, set_) <= 2


@pytest.mark.parametrize(
    ("place", "day", "up"),
    [
        # Almanakk for Norge 2010: midnight sun and polar night on these days.
        (HAMMERFEST, "2010-05-15", True),
        (HAMMERFEST, "2010-07-15", True),
        (HAMMERFEST, "2010-01-15", False),
        (HAMMERFEST, "2010-12-15", False),
        # And the other way round in the south: Vostok, at midsummer and midwinter.
        ((-78.46, 106.84), "2026-12-21", True),
        ((-78.46, 106.84), "2026-06-21", False),
    ],
)
def test_where_the_sun_neither_rises_nor_sets_it_is_up_or_down_all_day(
    place: tuple[float, float], day: str, up: bool
) -> None:
    assert sun_at(*place)(date.fromisoformat(day), OSLO) == SunDay(None, None, up=up)


def test_the_polar_day_begins_with_a_sunrise_and_ends_with_a_sunset() -> None:
    """Tromsø rises on 18 May 2014 at 00:13 and sets on 25 July at 23:20 (USNO, UT + 1h)."""
    times = sun_at(*TROMSO_USNO)
    first, last = times(date(2014, 5, 18), WINTER_OSLO), times(date(2014, 7, 25), WINTER_OSLO)
    assert minutes_apart(first.sunrise, "2014-05-18", "00:13") <= 2
    assert (first.sunset, last.sunrise) == (None, None)
    assert minutes_apart(last.sunset, "2014-07-25", "23:20") <= 2
    between = [times(date(2014, 5, 19) + timedelta(n), WINTER_OSLO) for n in range(67)]
    assert set(between) == {SunDay(None, None, up=True)}


def test_a_change_of_the_clocks_moves_the_hand_and_not_the_sun() -> None:
    times = sun_at(*DE_BILT)
    for before, after, hours in (
        (date(2026, 3, 28), date(2026, 3, 29), 1),
        (date(2026, 10, 24), date(2026, 10, 25), -1),
    ):
        one, two = times(before, AMSTERDAM).sunset, times(after, AMSTERDAM).sunset
        assert one
        assert two
        real = two.astimezone(UTC) - one.astimezone(UTC)
        assert abs(real - timedelta(days=1)) < timedelta(minutes=4)
        by_the_clock = two.replace(tzinfo=None) - one.replace(tzinfo=None)
        assert abs(by_the_clock - timedelta(days=1, hours=hours)) < timedelta(minutes=4)


@pytest.mark.parametrize("latitude", [-85, -70, -66.5, -33, 0, 41, 65.8, 66.5, 69.5, 71, 85])
@pytest.mark.parametrize("longitude", [-180, -157.4, 0, 15.6, 176, 180])
def test_days_follow_each_other_without_a_gap(latitude: float, longitude: float) -> None:
    """What is up at a day's end is up at the next one's beginning, whatever the zone is set to."""
    times = sun_at(latitude, longitude)
    days = [times(date(2026, 1, 1) + timedelta(n), UTC) for n in range(366)]
    for one, two in pairwise(days):
        assert (one.sunset is None and one.up) == (two.sunrise is None and two.up)
        rises_and_sets = [m for d in (one, two) for m in (d.sunrise, d.sunset) if m]
        assert rises_and_sets == sorted(rises_and_sets)
    assert all(day.up for day in days if day.sunrise or day.sunset)


def test_a_zone_that_is_not_the_place_s_own_names_the_same_moments() -> None:
    times = sun_at(-36.85, 174.76)  # Auckland, on a node whose zone was left at UTC
    sun = times(date(2026, 11, 22), UTC)
    assert sun == times(date(2026, 11, 22), ZoneInfo("Pacific/Auckland"))
    assert sun.sunrise
    assert sun.sunrise.date() == date(2026, 11, 21)


def test_only_who_asks_for_the_sun_pays_for_it() -> None:
    probe = (
        "import sys, edgehome.app, edgehome.configfile, edgehome.__main__\n"
        "assert 'ephem' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
