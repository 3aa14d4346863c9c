"""Which frames of a source are due, and when they happened: pure, with time as an argument."""

from __future__ import annotations

import math

TIE = 1e-6
"""What differs by less than this, in seconds or in intervals, differs by float noise alone."""


class Pace:
    """Picks, for each point of a grid of 1 / rate, the frame that lies nearest to it.

    The next frame is expected after the same gap as this one, so a 30 fps source at 5 gives
    every sixth frame, and a source at exactly the rate loses none to jitter of its clock.
    The grid is counted from its origin, so it does not drift; it starts anew at the first frame
    after a gap of more than an interval, and when the clock went back.
    """

    def __init__(self, rate: float) -> None:
        self.skipped = 0
        """Frames that were not due."""
        self._rate = rate
        self._origin_s = 0.0
        self._point = 0
        """The next point of the grid that wants a frame."""
        self._previous_s: float | None = None

    def change(self, rate: float) -> None:
        """Pick so many frames a second from the next one on; from any thread."""
        self._rate = rate
        self._previous_s = None  # last: it begins the grid anew

    def due(self, time_s: float) -> bool:
        """Say whether the frame of that moment (seconds, any monotonic clock) is wanted."""
        previous_s, self._previous_s = self._previous_s, time_s
        if previous_s is None or time_s < previous_s or self._points(time_s) > self._point + 1:
            self._origin_s, self._point = time_s, 1
            return True
        half_gap = min((time_s - previous_s) * self._rate, 1.0) / 2
        reached = self._points(time_s) + half_gap + TIE
        if reached < self._point:
            self.skipped += 1
            return False
        self._point = math.floor(reached) + 1
        return True

    def _points(self, time_s: float) -> float:
        return (time_s - self._origin_s) * self._rate


class Timeline:
    """Turns the stamps in a video into seconds from 0 that always increase.

    Stamps may be missing, repeat, or go back (a file that starts again, a broken recording):
    then the frame follows its predecessor by one period, so a loop has no gap at the seam.
    """

    def __init__(self, period_s: float, *, longest_gap_s: float = math.inf) -> None:
        self._period_s = period_s
        """Seconds between frames where the stamps do not say."""
        self._longest_gap_s = longest_gap_s
        """A longer jump forward, in seconds, is taken for a broken stamp."""
        self._start_s: float | None = None
        """The stamp that would be time 0; None where no stamp was seen since the last break."""
        self._time_s: float | None = None
        """Time of the previous frame."""

    def at(self, stamp_s: float | None) -> float:
        """Return the time of the next frame in seconds; its stamp too, where it has one."""
        time_s = self._continued(stamp_s)
        if time_s is None:
            time_s = 0.0 if self._time_s is None else self._time_s + self._period_s
            self._start_s = None if stamp_s is None else stamp_s - time_s
        self._time_s = time_s
        return time_s

    def _continued(self, stamp_s: float | None) -> float | None:
        if stamp_s is None or self._start_s is None or self._time_s is None:
            return None
        time_s = stamp_s - self._start_s
        return time_s if TIE < time_s - self._time_s <= self._longest_gap_s else None
