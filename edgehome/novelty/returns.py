"""How rare a score is here, in days: from the peaks of a home's own episodes.

An episode is at most a quarter of a day; of each the highest score counts. Above the upper
quarter of the peaks the tail is taken as exponential: its scale the lesser of mean and median
(over log 2), so that one strange evening moves it little and a short tail is not made long; the
uncertainty of few peaks makes it longer (a Lomax tail, the predictive distribution of an
exponential one). What came twice is not rarer than it came. Time is what the camera watched,
still or not; it and the peaks fade with a half-life of weeks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

HALF_LIFE_DAYS = 28.0
DAY_S = 86_400.0
EPISODE_S = 6 * 3600.0
LONGEST_DAYS = 1000.0
MOST_PEAKS = 600
_SHARE = 0.25
_MOST_TAIL = 40
_LEAST_TAIL = 4
_LEAST_SCALE = 0.01


class Returns:
    """Peaks, and the time that was watched."""

    def __init__(self) -> None:
        self.watched_days = 0.0
        """Fading."""
        self.faded = 0.0
        self.peaks: list[tuple[float, float]] = []
        """Beginning of the episode, and the highest score in it; the last may still grow."""
        self._ranked: list[tuple[float, float]] = []
        self._stale = True

    @property
    def episode(self) -> float:
        """Return when the running episode began; 0 before the first."""
        return self.peaks[-1][0] if self.peaks else 0.0

    def watch(self, seconds: float, at: float) -> None:
        """Count time in which the camera could see, until `at`."""
        if self.faded and at > self.faded:
            self.watched_days *= 0.5 ** ((at - self.faded) / DAY_S / HALF_LIFE_DAYS)
        self.faded = at
        self.watched_days += seconds / DAY_S

    def add(self, score: float, at: float) -> None:
        """Take a score into its episode."""
        if self.peaks and 0 <= at - self.peaks[-1][0] < EPISODE_S:
            if score > self.peaks[-1][1]:
                self.peaks[-1] = (self.peaks[-1][0], score)
            return
        self.peaks.append((at, score))
        self.peaks = self.peaks[-MOST_PEAKS:]
        self._stale = True

    def drop(self, start: float, end: float) -> None:
        """Forget the peaks of episodes that began in or reached into a span."""
        self.peaks = [p for p in self.peaks if p[0] + EPISODE_S < start or p[0] > end]
        self._stale = True

    def days(self, score: float) -> float:
        """Return once in how many days a score is reached, at most LONGEST_DAYS.

        Episodes before the running one are asked; 0 while there are too few.
        """
        if self._stale:
            self._ranked = _ranked(self.peaks[:-1], self.faded)
            self._stale = False
        ranked = self._ranked
        if len(ranked) < _LEAST_TAIL or not self.watched_days:
            return 0.0
        return min(self.watched_days / max(_expected(ranked, score), 1e-9), LONGEST_DAYS)


def _ranked(peaks: Sequence[tuple[float, float]], now: float) -> list[tuple[float, float]]:
    """Return (score, weight) of peaks, the highest first."""
    fade = DAY_S * HALF_LIFE_DAYS
    weighed = [(score, 0.5 ** (max(now - at, 0) / fade)) for at, score in peaks]
    return sorted(weighed, reverse=True)


def _expected(ranked: Sequence[tuple[float, float]], score: float) -> float:
    """Return how many episodes of the time watched would reach a score."""
    count = min(max(_LEAST_TAIL, round(_SHARE * len(ranked))), _MOST_TAIL, len(ranked))
    level = ranked[count - 1][0]
    reached = sum(weight for value, weight in ranked if value >= score)
    if score <= level:
        return max(reached, 1e-9)
    tail = ranked[: count - 1]
    middle = (tail[len(tail) // 2][0] - level) / math.log(2)
    mean = math.fsum(value - level for value, _ in tail) / len(tail)
    scale = max(min(middle, mean), _LEAST_SCALE)
    weight = sum(w for _, w in ranked[:count])
    beyond: float = weight * (1 + (score - level) / (count * scale)) ** -count
    return max(beyond, reached - 1)
