"""From scores to onsets and offsets: smoothing and two thresholds.

Pure: time comes as an argument, nothing is read from a clock. Work follows changes: a score is
smoothed once a frame, however many rules ask for it, and while it stays between the thresholds
next to it that costs one comparison.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from edgehome.config.conditions import Activity
from edgehome.types import Event, Scores

NEAR = 0.8
"""A score that reaches this part of `above` comes near it."""
NEAR_ENDS = 0.75
"""It is near no more at this part of `above`, or at `below` where that is less."""


class Signal(ABC):
    """What is true or false in each frame."""

    __slots__ = ("since", "value")

    def __init__(self) -> None:
        self.value = False
        self.since: datetime | None = None
        """Wall clock of the last change; None where there was none."""

    @abstractmethod
    def measure(self, clock: Any) -> float | str:  # noqa: ANN401 - the rules' own
        """Return what is told of it as evidence."""


class Level(Signal):
    """Whether a score has reached `above` and not yet fallen to `below`."""

    __slots__ = ("above", "below", "score", "told")

    def __init__(self, score: Score, above: float, below: float, *, told: bool) -> None:
        super().__init__()
        self.score = score
        self.above = above
        self.below = below
        self.told = told
        """Whether its changes are the activity's onsets and offsets."""

    def measure(self, clock: Any) -> float:  # noqa: ANN401 - the rules' own
        """Return the score, 0-1."""
        del clock
        return self.score.value


class Score:
    """One score and the levels that look at it."""

    __slots__ = ("_active", "_levels", "_quiet", "high", "low", "name", "terms", "value")

    def __init__(self, name: str, terms: tuple[tuple[str, str, float], ...] = ()) -> None:
        """Take, for each label, what to look up first, what else, and the weight."""
        self.name = name
        self.terms = terms
        self.value = 0.0
        self._levels: dict[tuple[float, float, bool], Level] = {}
        self._quiet: list[Level] = []
        """By `above`, the least last: who is next when the score rises."""
        self._active: list[Level] = []
        """By `below`, the greatest last: who is next when it falls."""
        self.low, self.high = -math.inf, math.inf
        """While the score is between these two, no level changes."""

    def level(self, above: float, below: float, *, told: bool) -> Level:
        """Return the level with these thresholds."""
        key = (above, below, told)
        if key not in self._levels:
            self._levels[key] = Level(self, above, below, told=told)
            self._arrange()
        return self._levels[key]

    def near(self, above: float, below: float) -> Level:
        """Return the level that is true where the one with these thresholds is, or nearly."""
        return self.level(NEAR * above, min(below, NEAR_ENDS * above), told=False)

    def levels(self) -> Iterable[Level]:
        """Return every level."""
        return self._levels.values()

    def cross(self, at: datetime) -> list[Level]:
        """Return the levels that the score's new value changes; each at most once."""
        value = self.value
        if value != value:  # noqa: PLR0124 - not a number: as if nothing had been seen
            value = self.value = 0.0
        quiet, active = self._quiet, self._active
        risen, fallen = [], []
        while quiet and quiet[-1].above <= value:
            level = quiet.pop()
            level.value, level.since = True, at
            risen.append(level)
        while active and active[-1].below >= value:
            level = active.pop()
            level.value, level.since = False, at
            fallen.append(level)
        active += risen
        quiet += fallen
        self._sort(active=bool(risen), quiet=bool(fallen))
        return risen + fallen

    def forget(self, at: datetime) -> list[Level]:
        """Begin from 0 again; return the levels that ended with that."""
        self.value = 0.0
        ended = self._active
        for level in ended:
            level.value, level.since = False, at
        self._arrange()
        return ended

    def restore(self, value: float, active: Mapping[Level, datetime | None]) -> None:
        """Take over a value, and the levels that it had reached since when."""
        self.value = value
        for level, since in active.items():
            level.value, level.since = True, since
        self._arrange()

    def _arrange(self) -> None:
        self._quiet = [level for level in self._levels.values() if not level.value]
        self._active = [level for level in self._levels.values() if level.value]
        self._sort(active=True, quiet=True)

    def _sort(self, *, active: bool, quiet: bool) -> None:
        if quiet and len(self._quiet) > 1:
            self._quiet.sort(key=_above, reverse=True)
        if active and len(self._active) > 1:
            self._active.sort(key=_below)
        self.high = self._quiet[-1].above if self._quiet else math.inf
        self.low = self._active[-1].below if self._active else -math.inf


class Events:
    """Every score that a rule watches, from frame to frame."""

    def __init__(self, *, smoothing_s: float) -> None:
        """Take the time constant of the smoothing in seconds; 0 smooths nothing."""
        self._smoothing_s = smoothing_s
        self._scores: dict[tuple[Activity, float | None], Score] = {}
        self._singles: list[tuple[Score, int]] = []
        """Scores of one label, with its place in a row of probabilities."""
        self._sums: list[tuple[Score, tuple[tuple[int, float], ...]]] = []
        """The others, with their labels' places and weights."""
        self._places: Mapping[str, int] | None = None
        self.motion = Score("motion")

    def score(self, activity: Activity, look_back_s: float | None) -> Score:
        """Return the score of an activity over its own or the recogniser's look back."""
        key = (activity, look_back_s)
        if key not in self._scores:
            self._scores[key] = Score(activity.name, terms_of(activity, look_back_s))
            self._places = None
        return self._scores[key]

    def scores(self) -> Mapping[tuple[Activity, float | None], Score]:
        """Return every score by what it is of; motion apart."""
        return self._scores

    def update(self, scores: Scores, elapsed_s: float) -> list[Level]:
        """Take in a frame, `elapsed_s` after the one before; return the levels that changed."""
        keep = math.exp(-elapsed_s / self._smoothing_s) if self._smoothing_s else 0.0
        weight = 1.0 - keep
        crossed = []
        found = scores.probabilities
        row = getattr(found, "row", None)
        if row is None:
            for score in self._scores.values():
                score.value = keep * score.value + weight * _sum(found.get, score.terms)
        else:
            self._take(row.tolist(), getattr(found, "places", {}), keep)
        crossed = [s for s in self._scores.values() if not s.low < s.value < s.high]
        motion = self.motion
        motion.value = scores.motion
        if not motion.low < motion.value < motion.high:
            crossed.append(motion)
        if not crossed:
            return []
        return [level for score in crossed for level in score.cross(scores.at)]

    def forget(self, at: datetime) -> list[Level]:
        """Begin every score from 0; return the levels that ended with that."""
        ended = [level for score in self._scores.values() for level in score.forget(at)]
        return ended + self.motion.forget(at)

    def _take(self, row: Sequence[float], places: Mapping[str, int], keep: float) -> None:
        """Smooth what a row of probabilities says, without a look-up by name."""
        if places is not self._places:
            self._place(places)
        weight = 1.0 - keep
        for score, place in self._singles:
            score.value = keep * score.value + weight * row[place]
        for score, terms in self._sums:
            total = 0.0
            for place, factor in terms:
                total += factor * row[place]
            if total > 1.0:  # noqa: PLR1730 - min() takes as long as all the rest
                total = 1.0
            score.value = keep * score.value + weight * total

    def _place(self, places: Mapping[str, int]) -> None:
        """Find every label's place, once for a model."""
        self._places = places
        self._singles, self._sums = [], []
        for score in self._scores.values():
            found = [
                (places.get(first, places.get(second)), weight)
                for first, second, weight in score.terms
            ]
            terms = tuple((place, weight) for place, weight in found if place is not None)
            if len(terms) == 1 and terms[0][1] == 1:
                self._singles.append((score, terms[0][0]))
            else:
                self._sums.append((score, terms))

    def strongest(self) -> tuple[str, float]:
        """Return the strongest activity that goes on and its score.

        Where none does, the name is empty and the score the highest there is.
        """
        ranked = sorted(
            (not _goes_on(score), -score.value, score.name) for score in self._scores.values()
        )
        if not ranked:
            return "", 0.0
        quiet, minus, name = ranked[0]
        return "" if quiet else name, -minus


def events_of(levels: Iterable[Level], time_s: float, at: datetime) -> tuple[Event, ...]:
    """Return the onsets and offsets among levels that changed."""
    return tuple(
        Event(
            time_s,
            at,
            level.score.name,
            "onset" if level.value else "offset",
            level.score.value,
            level.above if level.value else level.below,
        )
        for level in levels
        if level.told
    )


def terms_of(activity: Activity, look_back_s: float | None) -> tuple[tuple[str, str, float], ...]:
    """Return, for each label, what to look up first, what where that is not told, and the weight.

    Over a look back of its own a label is called `label@3s`; a label without one, such as that of
    a small head, which has its own look back, is taken as it is.
    """
    suffix = f"@{look_back_s:g}s" if look_back_s else ""
    weights = activity.weights or (1.0,) * len(activity.labels)
    return tuple(
        (f"{label}{suffix}", label, weight)
        for label, weight in zip(activity.labels, weights, strict=True)
    )


def group_score(scores: Scores, activity: Activity, look_back_s: float | None = None) -> float:
    """Return the probability, 0-1, that any of the activity's labels is happening.

    The labels of one head exclude each other (softmax), so their weighted probabilities add up.
    """
    return _sum(scores.probabilities.get, terms_of(activity, look_back_s))


def _sum(get: Callable[..., float | None], terms: tuple[tuple[str, str, float], ...]) -> float:
    total = 0.0
    for first, second, weight in terms:
        found = get(first)
        if found is None:
            found = get(second)
        if found:
            total += weight * found
    return min(total, 1.0)


def _above(level: Level) -> float:
    return level.above


def _below(level: Level) -> float:
    return level.below


def _goes_on(score: Score) -> bool:
    return any(level.told and level.value for level in score.levels())
