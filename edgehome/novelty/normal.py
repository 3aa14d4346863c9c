"""The model of normal of one camera: embeddings in, return periods out, frame by frame.

The distance of a window (`windows`) from normal is averaged over the last ten, and its logarithm
held against what is typical here; an hour at which nothing like it comes adds to it. What is seen
is learnt two minutes later, so that an alert can hold it back.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgehome.novelty.directions import NOTHING, Directions, Score
from edgehome.novelty.evidence import evidence_of
from edgehome.novelty.hours import surprise
from edgehome.novelty.moments import Moments, Near
from edgehome.novelty.returns import Returns
from edgehome.novelty.windows import FRAMES, Windows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

AVERAGED = 10
"""Windows whose distances are averaged: two seconds at five frames a second."""
DELAY_S = 120.0
"""After which a window is learnt."""
LEARNING_DAYS = 3.0
LEARNING_WINDOWS = 600
WARMING_DAYS = 1.0
"""Peaks of the first day are those of a model that knows next to nothing: they do not count."""
HOUR_WEIGHT = 0.15
_GAP_S = 2.0
_MOST_PENDING = 400
MOST_HELD = 1000
MOST_SPANS = 64
_MOST_JUDGED = 8
_SLOWEST = 1 / 20_000
_SLOWEST_TYPICAL = 1 / 2000
_EXPECT_S = 60.0
_MOST_AWAY = 0.5
_FEW = 30


@dataclass(frozen=True, slots=True)
class Key:
    """What a model of normal belongs to; another one begins anew."""

    model: str
    """SHA-256 of the recogniser's model, in hexadecimal digits."""
    position: str
    """The camera's, as the caller names it."""


@dataclass(frozen=True, slots=True)
class Unusual:
    """How unusual the last moments are."""

    days: float
    """Once in so many days; 0 while learning, and in the first moments after a pause."""
    score: float
    """Logarithm of the distance over what is typical here, and the hour's surprise."""
    distance: float
    left: float
    """Share of the distance's square in directions that are not known here, 0-1."""
    hour: float
    """Surprise of the hour, 0 and above."""
    near: Near
    episode: float = 0.0
    """Beginning of the episode, seconds of the wall clock: a rule fires once in each."""


@dataclass(frozen=True, slots=True)
class Window:
    """A window that waits to be learnt."""

    vector: Vector
    at: float
    hour: float


@dataclass(slots=True)
class Totals:
    """What is counted since the model of normal began."""

    windows: int = 0
    watched_days: float = 0.0
    typical: float = 0.0
    """Mean logarithm of the distance."""
    scored: int = 0
    motion: float = 0.0
    """Mean share of the picture that moves, 0-1."""


@dataclass(slots=True)
class _Running:
    distances: deque[float] = field(default_factory=lambda: deque(maxlen=AVERAGED))
    at: float = float("-inf")
    expected: float = float("-inf")
    number: int = 0


class Normal:
    """What is normal before one camera. `width` is that of an embedding."""

    def __init__(self, key: Key, width: int) -> None:
        self.key = key
        self.width = width
        self.moments = Moments(width)
        self.directions = Directions(width)
        self.returns = Returns()
        self.totals = Totals()
        self._running = _Running()
        self._windows = Windows(width)
        self._pending: deque[Window] = deque()
        self.held: deque[Window] = deque(maxlen=MOST_HELD)
        """Held back, until they are judged."""
        self.spans: list[tuple[float, float]] = []
        self.judged: deque[tuple[float, float]] = deque(maxlen=_MOST_JUDGED)
        """Spans of which windows may still come that count as normal at once."""

    @property
    def learnt(self) -> float:
        """Return how much of the learning is done, 0-1; at 1 return periods are given."""
        totals = self.totals
        shares = (
            totals.watched_days / LEARNING_DAYS,
            totals.windows / LEARNING_WINDOWS,
            self.moments.place_days / LEARNING_DAYS,
        )
        return min(1.0, *shares)

    def watch(self, seconds: float) -> None:
        """Count time in which the camera could see, still or not."""
        self.totals.watched_days += seconds / 86_400
        if self.totals.watched_days > WARMING_DAYS:
            self.returns.watch(seconds, asked=self.learnt >= 1)

    def step(self, embedding: Vector, at: float, hour: float, motion: float = 0.0) -> Unusual:
        """Take the embedding of a frame with motion, (width,); `hour` is local, 0-24.

        `motion` is the share of the picture that moves, 0-1. Frames of a covered, moved or dark
        camera must not come here.
        """
        running, totals = self._running, self.totals
        if not 0 <= at - running.at <= _GAP_S:
            self._windows.clear()
            running.distances.clear()
        running.at = at
        running.number += 1
        totals.motion += (motion - totals.motion) * max(1 / running.number, _SLOWEST)
        window = self._windows.add(embedding)
        found = self._judge(window, at, hour)
        if self._windows.full and running.number % FRAMES == 0:
            self._pending.append(Window(window, at, hour))
        self._learn_due(at)
        self.directions.step(self.moments.trusted, self.moments.scatter)
        return found

    def hold_back(self, start: float, end: float) -> None:
        """Leave out the windows of a span, an alert's, until it is judged."""
        self.spans = [*self.spans, (start, end)][-MOST_SPANS:]

    def release(self, start: float, end: float) -> None:
        """Learn the windows of a span, those to come too: it was judged to be normal."""
        self.judged.append((start, end))
        normal = [w for w in (*self.held, *self._pending) if start <= w.at <= end]
        self._pending = deque(w for w in self._pending if not start <= w.at <= end)
        self.drop(start, end, peaks=False)
        for window in normal:
            self._learn(window, judged=True)

    def drop(self, start: float, end: float, *, peaks: bool = True) -> None:
        """Forget the windows of a span that were held back, and its peaks: it was no normal."""
        self.spans = [span for span in self.spans if span[1] < start or span[0] > end]
        left = [window for window in self.held if not start <= window.at <= end]
        self.held = deque(left, maxlen=MOST_HELD)
        if peaks:
            waiting = [window for window in self._pending if not start <= window.at <= end]
            self._pending = deque(waiting)
            self.returns.drop(start, end)

    def evidence(
        self,
        found: Unusual,
        hour: float,
        motion: float,
        scores: Mapping[str, float],
        taught: Mapping[str, float],
    ) -> dict[str, Any]:
        """Return what a moment resembles and what differs, ready for JSON.

        `scores` and `taught` are the model's labels and the home's own activities, 0-1.
        """
        distinct = {"hour": found.hour, "left": found.left}
        between = (motion, self.totals.motion)
        return evidence_of(
            self.moments, found.near, distinct, hour, motion=between, scores=scores, taught=taught
        )

    def flush(self) -> None:
        """Learn what waits, but for what is held back; at a stop."""
        while self._pending:
            self._learn_first()

    def settle(self) -> None:
        """Bring the directions up to date at once; takes tens of milliseconds."""
        self.directions.settle(self.moments.trusted, self.moments.scatter)

    def distance(self, window: Vector) -> Score:
        """Return how far a window lies from normal, (width,); nothing is learnt of it."""
        return self.directions.score(window)

    def learn(self, window: Vector, at: float, hour: float) -> None:
        """Learn a window, (width,), at once."""
        self._learn(Window(window, at, hour))

    def _judge(self, window: Vector, at: float, hour: float) -> Unusual:
        running, totals = self._running, self.totals
        near = self.moments.look(window)
        score = self.directions.score(window)
        if score is NOTHING:
            return Unusual(0.0, 0.0, 0.0, 0.0, 0.0, near)
        running.distances.append(score.distance)
        mean = math.fsum(running.distances) / len(running.distances)
        logarithm = math.log(max(mean, 1e-6))
        self._expect(logarithm, at)
        strange = surprise(self.moments, near, hour)
        total = logarithm - totals.typical + HOUR_WEIGHT * strange
        if self.moments.was_judged(near):  # a moment of hundreds hardly bends the distance
            total = min(total, 0.0)
        days = 0.0
        if len(running.distances) == AVERAGED and totals.watched_days > WARMING_DAYS:
            self.returns.add(total, at)
            days = self.returns.days(total) if self.learnt >= 1 else 0.0
        return Unusual(days, total, mean, score.left, strange, near, self.returns.episode)

    def _expect(self, logarithm: float, at: float) -> None:
        """Learn how far is typical: once a minute and a little, for an evening must not tell."""
        running, totals = self._running, self.totals
        if 0 <= at - running.expected < _EXPECT_S:
            return
        running.expected = at
        totals.scored += 1
        away = logarithm - totals.typical
        if totals.scored > _FEW:
            away = min(max(away, -_MOST_AWAY), _MOST_AWAY)
        totals.typical += away * max(1 / totals.scored, _SLOWEST_TYPICAL)

    def _learn_due(self, at: float) -> None:
        for _ in range(2):  # a few at a time, whatever the pause has left
            late = len(self._pending) > _MOST_PENDING
            if not self._pending or (at - self._pending[0].at < DELAY_S and not late):
                return
            self._learn_first()

    def _learn_first(self) -> None:
        window = self._pending.popleft()
        if any(start <= window.at <= end for start, end in self.spans):
            self.held.append(window)
        else:
            judged = any(start <= window.at <= end for start, end in self.judged)
            self._learn(window, judged=judged)

    def _learn(self, window: Window, *, judged: bool = False) -> None:
        self.totals.windows += 1
        self.moments.learn(window.vector, window.at, window.hour, judged=judged)
