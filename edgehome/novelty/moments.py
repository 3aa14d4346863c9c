"""Representative moments of a place, in bounded memory: what they looked like, when, how often.

A window joins the nearest moment when it lies within a radius of it, or becomes a moment of its
own. The radius starts at what changes from one window to the next, and grows while the memory is
full and most moments never come again. A moment counts as normal once it was there on several
days: one strange evening gives moments, but none that count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]
    Matrix = NDArray[np.float32]

HALF_LIFE_DAYS = 28.0
"""After so many days a moment that did not come again counts half."""
DAY_S = 86_400.0
MOST_BYTES = 144_000
"""Of all moments, a byte each number."""
_MOST = 300
_APART_S = 20 * 3600.0
"""A later coming counts as another day, so that an evening past midnight is one."""
_NEEDED = (1.0, 1.0, 1.6, 1.6, 2.4)
"""Days a moment must have been there, by how many days the place is known; less than whole
numbers, for they fade."""
_LIKE = 2.0
"""Squared steps within which a window is like a moment."""
_JUDGED_DAYS = 2 * _NEEDED[-1]
"""As if a moment had been there on so many days: what people say lasts a month."""
_FADE_EVERY_S = 3600.0
_MOST_AWAY_DAYS = 7.0
"""A longer pause fades no more than this: the clock may have jumped by years."""
_SLOWEST = 0.01
_GROWTH = 1.01
_WIDEST = 30.0
_SHARE = 0.6
"""Of the moments should have come again and again; else they are too narrow."""
_LEAST_TRUSTED = 60
_CLOSEST = 0.3
"""Share of the typical squared step from which a window is a moment of its own, at first."""


def most_moments(width: int) -> int:
    """Return how many moments of `width` numbers are kept."""
    return max(32, min(_MOST, MOST_BYTES // width))


@dataclass(frozen=True, slots=True)
class Near:
    """Where a window lies among the moments."""

    squared: Vector
    """Squared distances to each, (moments,)."""
    nearest: int
    """-1 where there are none."""


class Moments:
    """The moments. All times are seconds of the wall clock, hours local ones, 0-24."""

    def __init__(self, width: int) -> None:
        most = most_moments(width)
        self.used = 0
        self.points = np.zeros((most, width), np.float32)
        self.count = np.zeros(most, np.float32)
        """Windows that joined, fading."""
        self.days = np.zeros(most, np.float32)
        """Days on which it was there, fading."""
        self.first = np.zeros(most, np.float64)
        self.last = np.zeros(most, np.float64)
        self.counted = np.zeros(most, np.float64)
        """When a day was last counted."""
        self.hours = np.zeros((most, 24), np.float32)
        """Windows by the hour of day, fading."""
        self.judged = np.zeros(most, np.float32)
        """1 where somebody said that it is normal."""
        self.norms = np.zeros(most, np.float32)
        self.step2 = 0.0
        """Squared distance of one window from the one before, typically."""
        self.growth = _CLOSEST
        self.scatter = 0.0
        """Squared distance of a window from the moment that it joins, typically."""
        self.place_days = 0
        """Days on which anything was there."""
        self.place_counted = float("-inf")
        self.faded = 0.0
        self._before: Vector | None = None

    @property
    def needed(self) -> float:
        """Return on how many days a moment must have been there to count as normal.

        Fewer where else hardly any would count.
        """
        days = self.days[: self.used]
        wished = _NEEDED[min(max(self.place_days, 1), len(_NEEDED)) - 1]
        least = min(_LEAST_TRUSTED, self.used // 2)
        for needed in (wished, 1.6):
            if np.count_nonzero(days >= needed) >= least:
                return min(needed, wished)
        return 0.0

    def trusted(self) -> Matrix:
        """Return the moments that count as normal, (trusted, width)."""
        rows: Matrix = self.points[: self.used][self.days[: self.used] >= self.needed]
        return rows

    def look(self, window: Vector) -> Near:
        """Return where a window lies, (width,); nothing is learnt of it."""
        if not self.used:
            return Near(np.empty(0, np.float32), -1)
        squared = self.norms[: self.used] - 2 * (self.points[: self.used] @ window)
        squared += window @ window
        return Near(squared, int(squared.argmin()))

    def learn(self, window: Vector, at: float, hour: float, *, judged: bool = False) -> None:
        """Learn a window, (width,); one that was judged to be normal counts at once."""
        self._fade(at)
        if abs(at - self.place_counted) > _APART_S:
            self.place_days += 1
            self.place_counted = at
        self._measure(window)
        near = self.look(window)
        if near.nearest >= 0 and near.squared[near.nearest] <= self.step2 * self.growth:
            self.scatter += (max(float(near.squared[near.nearest]), 0.0) - self.scatter) * _SLOWEST
            self._join(near.nearest, window, at)
            place = near.nearest
        else:
            place = self._room()
            self._begin(place, window, at)
        self.hours[place, int(hour) % 24] += 1
        if judged:
            self.judged[place] = 1
            self.days[place] = max(self.days[place], _JUDGED_DAYS)

    def was_judged(self, near: Near) -> bool:
        """Return whether a window is like a moment that somebody said is normal."""
        like = near.squared <= _LIKE * self.step2
        return bool(self.judged[: len(like)][like].any())

    def refresh(self) -> None:
        """Make anew what follows from the points."""
        self.norms = np.einsum("ij,ij->i", self.points, self.points)

    def _measure(self, window: Vector) -> None:
        if self._before is not None:
            away = window - self._before
            squared = max(float(away @ away), 1e-12)
            if not self.step2:
                self.step2 = squared
            # towards the median: a cut from one scene to another is no typical step
            self.step2 *= 1.02 if squared > self.step2 else 1 / 1.02
        self._before = window

    def _join(self, place: int, window: Vector, at: float) -> None:
        self.count[place] += 1
        rate = np.float32(max(1 / float(self.count[place]), _SLOWEST))
        point = self.points[place]
        point += (window - point) * rate
        self.norms[place] = point @ point
        self.last[place] = at
        if abs(at - self.counted[place]) > _APART_S:
            self.days[place] += 1
            self.counted[place] = at

    def _begin(self, place: int, window: Vector, at: float) -> None:
        self.points[place] = window
        self.norms[place] = window @ window
        self.count[place] = self.days[place] = 1
        self.first[place] = self.last[place] = self.counted[place] = at
        self.hours[place] = self.judged[place] = 0

    def _room(self) -> int:
        if self.used < len(self.points):
            self.used += 1
            return self.used - 1
        worth = self.days * 8 + np.log1p(self.count)
        place = int(worth.argmin())
        known = self.place_days >= len(_NEEDED)
        again = np.count_nonzero(self.days >= _NEEDED[-1] if known else self.days > 0)
        if again < _SHARE * self.used or self.days[place] >= _NEEDED[-1] or not known:
            self.growth = min(self.growth * _GROWTH, _WIDEST)
        return place

    def _fade(self, at: float) -> None:
        if not self.faded or at < self.faded:  # the clock may be put right
            self.faded = at
        if at - self.faded < _FADE_EVERY_S:
            return
        days = min((at - self.faded) / DAY_S, _MOST_AWAY_DAYS)
        kept = np.float32(0.5 ** (days / HALF_LIFE_DAYS))
        self.count *= kept
        self.days *= kept
        self.hours *= kept
        self.faded = at
