"""From scores to onsets and offsets: smoothing and two thresholds.

Pure: time comes with the scores, nothing is read from a clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from edgehome.config.types import Activity, Rule
from edgehome.types import Event, Scores

GAP_S = 2.0
"""Seconds without a frame after which what was seen before says nothing of now."""


@dataclass(frozen=True, slots=True)
class Watch:
    """An activity with the two thresholds at which it begins and ends."""

    activity: Activity
    above: float
    """Smoothed score of the onset, 0-1."""
    below: float
    """Smoothed score of the offset, 0-1."""
    window_s: float | None = None
    """The look back that is asked for; None for the recogniser's own."""

    @classmethod
    def of(cls, rule: Rule) -> Watch:
        """Return what a rule watches."""
        return cls(rule.when, rule.above, rule.below, rule.window_s)


@dataclass(frozen=True, slots=True)
class Level:
    """How an activity stands at a moment."""

    score: float
    """Smoothed, 0-1."""
    active: bool
    """Between its onset and its offset."""


@dataclass(frozen=True, slots=True)
class Moment:
    """All that the rules are told of one frame."""

    time_s: float
    """Seconds on the source's monotonic clock."""
    at: datetime
    """Wall clock with zone."""
    levels: Mapping[Watch, Level]
    events: tuple[Event, ...]
    gap: bool
    """Frames are missing before this one: nothing can be said to have lasted across."""


class _Smoother:
    """One activity's smoothed score; it starts from zero so that one frame cannot be an onset."""

    def __init__(self, watch: Watch, smoothing_s: float) -> None:
        self.watch = watch
        self._smoothing_s = smoothing_s
        self._score = 0.0
        self._active = False

    def update(self, scores: Scores, elapsed_s: float) -> tuple[Level, Event | None]:
        raw = group_score(scores, self.watch.activity, self.watch.window_s)
        weight = 1 - math.exp(-elapsed_s / self._smoothing_s) if self._smoothing_s else 1.0
        self._score += weight * (raw - self._score)
        watch = self.watch
        threshold = watch.below if self._active else watch.above
        active = self._score > watch.below if self._active else self._score >= watch.above
        event = None
        if active != self._active:
            event = Event(
                time_s=scores.time_s,
                at=scores.at,
                activity=self.watch.activity.name,
                edge="onset" if active else "offset",
                score=self._score,
                threshold=threshold,
            )
        self._active = active
        return Level(self._score, active), event

    def forget(self) -> None:
        self._score = 0.0


class Events:
    """Follow every watched activity from frame to frame."""

    def __init__(self, watches: Iterable[Watch], *, smoothing_s: float, period_s: float) -> None:
        """Take the time constant and the time between two frames, both in seconds."""
        self._smoothers = [_Smoother(watch, smoothing_s) for watch in dict.fromkeys(watches)]
        self._period_s = period_s
        self._last_s: float | None = None

    def update(self, scores: Scores) -> Moment:
        """Return how every activity stands after this frame, and what began or ended."""
        elapsed_s = self._period_s if self._last_s is None else scores.time_s - self._last_s
        gap = self._last_s is not None and not 0 <= elapsed_s <= GAP_S
        if gap:
            elapsed_s = self._period_s
            for smoother in self._smoothers:
                smoother.forget()
        self._last_s = scores.time_s
        levels: dict[Watch, Level] = {}
        events: list[Event] = []
        for smoother in self._smoothers:
            levels[smoother.watch], event = smoother.update(scores, elapsed_s)
            if event:
                events.append(event)
        return Moment(scores.time_s, scores.at, levels, tuple(events), gap)


def group_score(scores: Scores, activity: Activity, window_s: float | None = None) -> float:
    """Return the probability, 0-1, that any of the activity's labels is happening.

    The labels of one head exclude each other (softmax), so their probabilities add up. Over a
    window of its own a label is called `label@3s`; a label without one, such as that of a small
    head, which has its own look back, is taken as it is.
    """
    suffix = f"@{window_s:g}s" if window_s else ""
    found = scores.probabilities
    values = (found.get(f"{name}{suffix}", found.get(name, 0.0)) for name in activity.labels)
    return min(1.0, sum(values))
