"""When to do less because the board is too hot or too busy, and when to do more again: pure.

One step down after a minute of strain, one step up after five minutes of ease; between the two
nothing changes. Whoever went up and was strained soon after waits twice as long the next time, so
that a board in the sun does not go up and down all afternoon.

A Raspberry Pi throttles its cores from 80 degrees on, and cores and graphics at 85; a 3B+ clocks
down a little from 60 on, which is how it is meant to work:
https://www.raspberrypi.com/documentation/computers/raspberry-pi.html#frequency-management-and-thermal-control
"""

from __future__ import annotations

from enum import IntEnum
from math import inf

HOT = 80.0
"""Degrees Celsius from which the board is strained."""
COOL = 70.0
"""Degrees Celsius below which it is at ease."""
DOWN_S = 60.0
"""Seconds of strain before a step down, and between two of them."""
UP_S = 300.0
"""Seconds of ease before a step up, and between two of them."""
LONGEST_UP_S = 3600.0
"""What that can grow to."""


class Pressure(IntEnum):
    """How the board is."""

    EASE = 0
    MIDDLE = 1
    """Neither: things stay as they are."""
    STRAIN = 2


def heat(temperature: float | None, *, throttled: bool | None) -> Pressure:
    """Return how hot it is: degrees Celsius, and whether the firmware slows it down for heat."""
    if throttled or (temperature is not None and temperature >= HOT):
        return Pressure.STRAIN
    if temperature is None or temperature < COOL:
        return Pressure.EASE
    return Pressure.MIDDLE


def load(step_ms: float | None, *, now: float, next_up: float, most: float) -> Pressure:
    """Return how busy it is, by the milliseconds of a step as it runs.

    `now` and `next_up` are the rates in frames a second that it runs at and would run at one step
    higher; `most` is the part of the time between two frames that a step may take there.
    """
    if step_ms is None:
        return Pressure.EASE
    if step_ms > 1000 / now:
        return Pressure.STRAIN
    return Pressure.EASE if step_ms <= most * 1000 / next_up else Pressure.MIDDLE


class Stairs:
    """How many steps below the top the board is to work."""

    def __init__(self, most: int) -> None:
        """Take the steps there are."""
        self.most = most
        self.level = 0
        """Steps below the top."""
        self.helpless = False
        """Whether it is strained though there is no step left."""
        self._pressure = Pressure.MIDDLE
        self._since_s = -inf
        """When the pressure became what it is, or the level did, whatever came later."""
        self._up_s = UP_S
        self._raised_s: float | None = None
        """When it went up last, if it has not gone down since."""

    def look(self, now_s: float, pressure: Pressure) -> bool:
        """Take how the board is now; return whether the level has changed."""
        if pressure is not self._pressure:
            self._pressure, self._since_s = pressure, now_s
            self.helpless = self.helpless and pressure is not Pressure.EASE
        lasted_s = now_s - self._since_s
        if pressure is Pressure.STRAIN and lasted_s >= DOWN_S:
            return self._down(now_s)
        if pressure is Pressure.EASE and self.level and lasted_s >= self._up_s:
            self.level -= 1
            self._since_s = self._raised_s = now_s
            return True
        return False

    def _down(self, now_s: float) -> bool:
        if self.level == self.most:
            self.helpless = True
            return False
        if self._raised_s is not None:
            held = now_s - self._raised_s >= self._up_s
            self._up_s = UP_S if held else min(2 * self._up_s, LONGEST_UP_S)
            self._raised_s = None
        self.level += 1
        self._since_s = now_s
        return True
