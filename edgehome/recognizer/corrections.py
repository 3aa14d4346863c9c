"""What this home judged as not suspicious lowers a label's probability where it looks alike.

A correction is a few moments: means of a window's embeddings, whitened. The closer what is seen is
to one of them, the further the label's logit is pulled down to just below the level that the rule
asks for; far from them all nothing changes. The exemplar form of a passive-aggressive update
(Crammer et al., Online Passive-Aggressive Algorithms, JMLR 7, 2006): a judged window ends below
the level, what already is below it stays, and the kernel bounds where anything changes.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.recognizer.pooling import Window
from edgehome.types import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEY = "correction"
"""In a file, in place of a head's weights."""
WINDOW_S = 3.0
MARGIN = 0.5
"""Logits below the level."""
DEPTH = 9.0
"""Logits that a correction takes away at most: what is seen more clearly fires all the same."""
WIDTH = 0.5
"""Squared width of the kernel, in squared distances of the moment from the general mean."""
ALIKE = 0.85
"""Of the kernel: what is so like a moment is taken for it, for the same never comes twice."""
NEAR, ENDS = 0.9, 0.6
"""From which likeness on an activity is to end, and the part of its level at which it has."""
_FAR = math.exp(-1 / WIDTH)
"""The kernel between two scenes that have nothing in common but the general mean."""
_CERTAIN = 1e-6


@dataclass(frozen=True, eq=False)
class Correction:
    """Of one label."""

    label: str
    embedding: str
    """The space of embeddings."""
    level: float
    """The probability that what looks like the moments stays below, 0-1."""
    center: NDArray[np.float32]
    """(width,), and likewise."""
    scale: NDArray[np.float32]
    moments: NDArray[np.float32]
    """Whitened by centre and scale, (moments, width)."""


def correction_of(fields: Mapping[str, Any]) -> Correction:
    """Return the correction in a file's JSON object. Raises ModelError (`correction_invalid`)."""
    try:
        its = fields[KEY]
        center, scale, moments = (_numbers(its[key]) for key in ("center", "scale", "moments"))
        moments = moments.reshape(-1, len(center))
        level = float(its["level"])
        if len(scale) != len(center) or not (scale > 0).all() or not 0 < level < 1:
            raise ValueError("its numbers do not fit")  # noqa: TRY301 - one place says it
        label, embedding = str(its["label"]), str(fields["embedding"])
        return Correction(label, embedding, level, center, scale, moments)
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        raise ModelError(
            "correction_invalid",
            f"What was judged as not suspicious cannot be used: {error!r}."[:300],
            "Judge the next false alert anew.",
        ) from error


class Corrections:
    """All corrections at work on one recogniser's probabilities."""

    def __init__(
        self,
        corrections: Sequence[Correction],
        labels: Sequence[str],
        *,
        rate: float,
        recent: Sequence[NDArray[np.float32]] = (),
    ) -> None:
        """Take the labels of all probabilities, and frames a second; `recent`: newest last.

        A correction of a label that is not there is left out, and so is one whose embeddings have
        another width. A model's own label is corrected over all its windows (`label@3s`).
        """
        places: dict[str, list[int]] = {}
        for place, label in enumerate(labels):
            places.setdefault(label.partition("@")[0], []).append(place)
        self._all = [
            (one, _squares(one.moments), places[one.label])
            for one in corrections
            if one.label in places
        ]
        self._width = 0  # until there is an embedding
        self.set_rate(rate)
        for embedding in recent:
            self._add(embedding)

    def set_rate(self, rate: float) -> None:
        """Take other frames a second; the window begins anew."""
        self._frames = max(1, round(WINDOW_S * rate))
        self._window = Window(frames=self._frames, width=self._width)

    def clear(self) -> None:
        """Forget every frame."""
        self._window.clear()

    def lower(
        self, probabilities: NDArray[np.float32], embedding: NDArray[np.float32] | None
    ) -> NDArray[np.float32]:
        """Return the probabilities, lower where what is seen was judged as normal."""
        if embedding is None or not self._all:
            return probabilities
        self._add(embedding)
        mean = self._window.last(self._frames)
        lowered = probabilities.copy()
        for one, squares, places in self._all:
            share = likeness((mean - one.center) / one.scale, one.moments, squares)
            for place in places:
                lowered[place] = pulled(float(lowered[place]), one.level, share)
        return lowered

    def _add(self, embedding: NDArray[np.float32]) -> None:
        if len(embedding) != self._width:
            self._width = len(embedding)
            self._window = Window(frames=self._frames, width=self._width)
            self._all = [one for one in self._all if len(one[0].center) == self._width]
        self._window.add(embedding)


def pulled(probability: float, level: float, share: float) -> float:
    """Return a probability pulled down towards the level by a share of the way, 0-1."""
    before = _logit(probability)
    after = lowered(before, _logit(level), share)
    return probability if after == before else _sigmoid(after)


def lowered(logit: float, level: float, share: float) -> float:
    """Return a logit pulled down; `level` is a logit too.

    What is all but a judged moment is pulled to where a rule's activity is over (two thirds of
    its level, where nobody says another), so that an alert which goes on ends.
    """
    target = level - MARGIN
    over = _logit(ENDS * _sigmoid(level))
    near = max(share - NEAR, 0.0) / (1 - NEAR)
    target -= near * max(target - over, 0.0)
    return logit - min(max(share * (logit - target), 0.0), DEPTH)


def likeness(
    seen: NDArray[np.float32], moments: NDArray[np.float32], squares: NDArray[np.float32]
) -> float:
    """Return how much something seen, (width,), is like the nearest moment, 0-1."""
    away = moments - seen
    distances = np.einsum("ij,ij->i", away, away)
    kernel = float(np.exp(-distances / (2 * WIDTH * squares)).max(initial=0.0))
    return min(max(kernel - _FAR, 0.0) / (1 - _FAR) / ALIKE, 1.0)


def _squares(moments: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return each moment's squared distance from the mean, at least that of a general window."""
    squares = np.einsum("ij,ij->i", moments, moments)
    return np.asarray(np.maximum(squares, moments.shape[1]), np.float32)


def _numbers(text: str) -> NDArray[np.float32]:
    numbers = np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    if not len(numbers) or not np.isfinite(numbers).all():
        raise ValueError("numbers that are none")
    return numbers


def _logit(probability: float) -> float:
    share = min(max(probability, _CERTAIN), 1 - _CERTAIN)
    return math.log(share / (1 - share))


def _sigmoid(logit: float) -> float:
    return 0.5 + 0.5 * math.tanh(0.5 * logit)
