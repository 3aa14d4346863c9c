"""How rare a score is here, in days: from the peaks of a home's own episodes.

An episode is at most a quarter of a day; of each the highest score counts. A score is as rare as
it is long ago that one was higher: of n + 1 like episodes each is equally likely to be the
highest, so what beats the last n comes once in n + 1 of them, whatever their distribution (Vovk,
Gammerman and Shafer 2005). What was learnt badly at first is past after the time asked for. So
long is looked back over half of the peaks; beyond them the tail is taken as exponential, its
scale that of the upper quarter of the last weeks' peaks, the lesser of mean and median (over
log 2), so that one strange evening moves it little.

No peak counts as more than the highest of the last week and one and a half such scales: about
once a month. So what is strange raises the threshold by a step, however strange it was, and not
again while it is not higher (as in adaptive conformal inference, Gibbs and Candes 2021).

A loop keeps the budget where episodes are not alike, as in the first weeks, when all is new and
then less so: what a rule of once a week got in the last weeks against what it asked for makes
return periods longer or shorter, twofold at most, but none of a day or less.

Longer is told in episodes, and these in days of watching, still or not, fading with a half-life
of weeks: an absence makes nothing unusual, nor does a clock that is put right.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence

HALF_LIFE_DAYS = 28.0
DAY_S = 86_400.0
EPISODE_S = 6 * 3600.0
LONGEST_DAYS = 1000.0
MOST_PEAKS = 600
MOST_ALERTS = 150
_LEAST = 4
_LOOKED_BACK = 0.5
_ALERT_DAYS = 7.0
_CAPPED_SCALES = 1.5
_MOST_STEP = 0.25
"""Of the threshold, in logarithms of distances: few peaks may mistake the scale."""
_SCALE_DAYS = 28.0
_LOOP_DAYS = 28.0
_LOOP_PRIOR = 2.0
"""Alerts, asked for and got, to begin with."""
_LOOP_MOST = 2.0
_SHARE = 0.25
_MOST_TAIL = 40
_LEAST_TAIL = 4
_LEAST_SCALE = 0.01
_QUIET = 12
"""Peaks of which the lowest is what any episode reaches."""


class Returns:
    """Peaks, and the time that was watched."""

    def __init__(self) -> None:
        self.watched_days = 0.0
        """Fading, as `episodes` does."""
        self.episodes = 0.0
        self.peaks: list[tuple[float, float]] = []
        """Beginning of the episode, and the highest score in it; the last may still grow."""
        self.open = True
        """Whether the last episode may go on."""
        self.asked_days = 0.0
        """Watched since return periods are given."""
        self.alerts: list[tuple[float, float]] = []
        """Episodes of the last weeks rarer than once a week: beginning, and `asked_days` then."""
        self._tail: _Tail | None = None

    @property
    def episode(self) -> float:
        """Return when the running episode began; 0 before the first."""
        return self.peaks[-1][0] if self.peaks else 0.0

    def watch(self, seconds: float, *, asked: bool = True) -> None:
        """Count time in which the camera could see, and whether return periods were given."""
        days = seconds / DAY_S
        self.asked_days += days * asked
        kept = 0.5 ** (days / HALF_LIFE_DAYS)
        self.watched_days = self.watched_days * kept + days
        self.episodes *= kept

    def add(self, score: float, at: float) -> None:
        """Take a score into its episode."""
        if self.open and self.peaks and 0 <= at - self.peaks[-1][0] < EPISODE_S:
            if score > self.peaks[-1][1]:
                self.peaks[-1] = (self.peaks[-1][0], score)
            return
        if self.open and self.peaks:
            self._close()
        self.peaks = [*self.peaks, (at, score)][-MOST_PEAKS:]
        self.episodes += 1
        self.open, self._tail = True, None

    def drop(self, start: float, end: float) -> None:
        """Forget the peaks of episodes that began in or reached into a span."""
        left = [p for p in self.peaks if p[0] + EPISODE_S < start or p[0] > end]
        if len(left) < len(self.peaks):
            self.open = self.open and left[-1:] == self.peaks[-1:]
            self.episodes *= len(left) / len(self.peaks)
            self.peaks, self._tail = left, None
            kept = {at for at, _ in left}
            self.alerts = [alert for alert in self.alerts if alert[0] in kept]

    def days(self, score: float) -> float:
        """Return once in how many days a score is reached, at most LONGEST_DAYS.

        Episodes before the running one are asked; 0 while there are too few.
        """
        tail = self._past()
        return 0.0 if tail is None else tail.days(score)

    def _past(self) -> _Tail | None:
        past = len(self.peaks) - self.open
        if past < _LEAST or not self.watched_days:
            return None
        if self._tail is None:
            scores = [score for _, score in self.peaks[:past]]
            spacing = self.watched_days / max(self.episodes - self.open, 1.0)
            weeks = max(_LEAST, round(_SCALE_DAYS / spacing))
            self._tail = _Tail(scores, spacing, _scale(scores[-weeks:]), self._loop())
        return self._tail

    def _loop(self) -> float:
        """Return by how much longer return periods are for the alerts that are missing."""
        self.alerts = [alert for alert in self.alerts if self.asked_days - alert[1] < _LOOP_DAYS]
        wished = min(self.asked_days, _LOOP_DAYS) / _ALERT_DAYS
        longer = (wished + _LOOP_PRIOR) / (len(self.alerts) + _LOOP_PRIOR)
        return min(max(longer, 1 / _LOOP_MOST), _LOOP_MOST)

    def _close(self) -> None:
        """End the running episode."""
        tail, (at, score) = self._past(), self.peaks[-1]
        if tail is None:
            return
        level = tail.level(_ALERT_DAYS)
        if self.asked_days and score >= level:
            self.alerts = [*self.alerts, (at, self.asked_days)][-MOST_ALERTS:]
        self.peaks[-1] = (at, min(score, level + min(_CAPPED_SCALES * tail.scale, _MOST_STEP)))


class _Tail:
    """What the past peaks say of a score: `days` and `level` are inverse to each other."""

    def __init__(self, peaks: Sequence[float], spacing: float, scale: float, longer: float) -> None:
        """Take past peaks, the newest last; `spacing` is from one to the next, in days."""
        self._spacing, self.scale, self._longer = spacing, scale, longer
        back = max(1, int(len(peaks) * _LOOKED_BACK))
        self._levels = [min(peaks[-_QUIET:])]
        """The highest of the last n peaks, by n; at 0 what any episode reaches."""
        for number in range(1, back + 1):
            self._levels.append(max(self._levels[-1], peaks[-number]))

    def days(self, score: float) -> float:
        """Return once in how many days a score is reached."""
        return min(_bent(self._straight_days(score), self._longer), LONGEST_DAYS)

    def level(self, days: float) -> float:
        """Return the score that is reached once in so many days."""
        place = max(_straight(days, self._longer) / self._spacing - 1, 0.0)
        levels = self._levels
        if place >= len(levels) - 1:
            return levels[-1] + self.scale * math.log((place + 1) / len(levels))
        below = int(place)
        return levels[below] + (place - below) * (levels[below + 1] - levels[below])

    def _straight_days(self, score: float) -> float:
        levels, below = self._levels, bisect_right(self._levels, score)
        if below == 0:
            return self._spacing / 2
        over = score - levels[below - 1]
        if below < len(levels):
            return (below + over / (levels[below] - levels[below - 1])) * self._spacing
        most = math.log(max(LONGEST_DAYS * _LOOP_MOST / (below * self._spacing), 1.0))
        return below * self._spacing * math.exp(min(over / self.scale, most))


def _bent(days: float, longer: float) -> float:
    """Return days as the loop has them: up to one as they are, from a week on `longer`."""
    knee = _ALERT_DAYS / longer
    if days <= 1 or days >= knee:
        return days if days <= 1 else days * longer
    return float(days ** (math.log(_ALERT_DAYS) / math.log(knee)))


def _straight(days: float, longer: float) -> float:
    """Return the days that `_bent` makes these of."""
    if days <= 1 or days >= _ALERT_DAYS:
        return days if days <= 1 else days / longer
    return float(days ** (math.log(_ALERT_DAYS / longer) / math.log(_ALERT_DAYS)))


def _scale(peaks: Sequence[float]) -> float:
    """Return how much higher a score is that is e times rarer."""
    ranked = sorted(peaks, reverse=True)
    count = min(max(_LEAST_TAIL, round(_SHARE * len(ranked))), _MOST_TAIL, len(ranked))
    level, tail = ranked[count - 1], ranked[: count - 1]
    middle = (tail[len(tail) // 2] - level) / math.log(2)
    mean = math.fsum(score - level for score in tail) / len(tail)
    return max(min(middle, mean), _LEAST_SCALE)
