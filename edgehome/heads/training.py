"""Teaching a head: logistic regression on statistics, from clips that say what they show.

A stretch of a clip that is said to show an activity need not show it in every window, so the head
is first taught with all of them and then again with those that it finds most like it (multiple
instances). Directions in which places differ, and not what happens there, can be held back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ITERATIONS = 100
_MEMORY = 10
"""Pairs of steps and gradients by which L-BFGS knows the curvature."""
_FLAT = 1e-4
"""Largest gradient, as a part of that at the start, at which it ends."""
_LEAST_SCALE = 1e-3
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a head is made."""

    statistics: tuple[str, ...] = ("mean", "max", "deviation")
    window_s: float = 3.0
    strength: float = 0.01
    """Weight of the examples against the regulariser, half the squared weights: C of others."""
    places: float = 0.0
    """How much more the regulariser holds back directions in which places differ; 0: not."""
    share: float = 1.0
    """Part of the windows of a positive stretch that is taken to show it; 1: all."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Windows with their statistics, in stretches that are labelled as a whole."""

    features: NDArray[np.float32]
    """(windows, features)."""
    stretch: NDArray[np.int64]
    """Which stretch each window lies in, (windows,)."""
    positive: NDArray[np.bool_]
    """Whether a stretch shows the activity, (stretches,)."""
    group: NDArray[np.int64]
    """Footage that a stretch belongs to, (stretches,)."""

    def of(self, rows: NDArray[np.bool_]) -> Examples:
        """Return some of the windows, (windows,)."""
        return Examples(self.features[rows], self.stretch[rows], self.positive, self.group)


@dataclass(frozen=True, slots=True)
class Linear:
    """What has been learnt: score = (features - center) / scale . weights + bias."""

    center: NDArray[np.float32]
    scale: NDArray[np.float32]
    weights: NDArray[np.float32]
    bias: float

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the scores of features (windows, features)."""
        return np.asarray(
            (features - self.center) / self.scale @ self.weights + self.bias, np.float32
        )


def teach(examples: Examples, recipe: Recipe) -> Linear:
    """Return what `recipe` learns from examples, of which some are positive and some not.

    Every stretch weighs the same, however long, and positives as much as negatives in all.
    """
    center: NDArray[np.float32] = examples.features.mean(axis=0, dtype=np.float32)
    scale = np.asarray(examples.features.std(axis=0).clip(_LEAST_SCALE), np.float32)
    inputs = np.asarray((examples.features - center) / scale, np.float32)
    back = None
    if recipe.places:
        back = _holding_back(inputs, examples, recipe.places)
        inputs = _through(inputs, back)
    positive = examples.positive[examples.stretch]
    used = np.ones(len(inputs), bool)
    learnt = regress(inputs, positive, _weights(examples, used), recipe.strength)
    for _ in range(_ROUNDS if recipe.share < 1 else 0):
        scores = inputs @ learnt[:-1].astype(np.float32)
        used = ~positive | foremost(scores, examples.stretch, recipe.share)
        weights = _weights(examples, used)[used]
        learnt = regress(inputs[used], positive[used], weights, recipe.strength, learnt)
    direction: NDArray[np.float32] = learnt[:-1].astype(np.float32)
    if back is not None:
        direction = _through(direction[None], back)[0]
    return Linear(center, scale, direction, float(learnt[-1]))


def highest(scores: NDArray[Any], stretch: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return the highest score in each of `count` stretches; minus infinity without windows."""
    best = np.full(count, -np.inf)
    np.maximum.at(best, stretch, scores)
    return best


def _weights(examples: Examples, used: NDArray[np.bool_]) -> NDArray[np.float64]:
    counts = np.bincount(examples.stretch[used], minlength=len(examples.positive))
    weights = np.where(used, 1.0 / np.maximum(counts, 1)[examples.stretch], 0.0)
    positive = examples.positive[examples.stretch]
    total = weights.sum()
    for side in (positive, ~positive):
        weights[side] *= total / 2 / weights[side].sum()
    return weights


def foremost(
    scores: NDArray[np.float32], stretch: NDArray[np.int64], share: float
) -> NDArray[np.bool_]:
    """Return whether a window is among the highest `share` of its stretch, at least one."""
    order = np.lexsort((-scores, stretch))
    counts = np.bincount(stretch)
    first = np.cumsum(counts) - counts
    places = np.empty(len(scores), np.int64)
    places[order] = np.arange(len(scores)) - first[stretch[order]]
    kept: NDArray[np.bool_] = places < np.maximum(1, np.round(share * counts))[stretch]
    return kept


def _holding_back(
    inputs: NDArray[np.float32], examples: Examples, amount: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return directions in which places differ, (n, features), and what to multiply them by.

    Within-class covariance normalisation, as speaker recognition has it (Hatch et al. 2006): the
    means of every place, for positives and negatives apart, about the mean of all such places.
    """
    counts = np.bincount(examples.stretch, minlength=len(examples.positive))
    means = np.zeros((len(counts), inputs.shape[1]), np.float32)
    np.add.at(means, examples.stretch, inputs)
    means *= (1 / np.maximum(counts, 1)[:, None]).astype(np.float32)
    away = []
    for side in (True, False):
        mine = (counts > 0) & (examples.positive == side)
        overall = means[mine].mean(axis=0)
        away += [
            means[mine & (examples.group == group)].mean(axis=0) - overall
            for group in np.unique(examples.group[mine])
        ]
    _, values, directions = np.linalg.svd(np.stack(away), full_matrices=False)
    spread = values**2 / max(float((values**2).mean()), 1e-12)
    return directions, (1 / np.sqrt(1 + amount * spread) - 1).astype(np.float32)


def _through(
    rows: NDArray[np.float32], back: tuple[NDArray[np.float32], NDArray[np.float32]]
) -> NDArray[np.float32]:
    directions, factors = back
    return np.asarray(rows + (rows @ directions.T * factors) @ directions, np.float32)


def regress(
    inputs: NDArray[np.float32],
    positive: NDArray[np.bool_],
    weights: NDArray[np.float64],
    strength: float,
    start: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Return weights and bias, (features + 1,), of an L2-regularised logistic regression.

    Minimises |w|^2 / 2 + strength * sum(weights * log(1 + exp(-sign * (inputs . w + b)))) by
    L-BFGS (Nocedal and Wright, Numerical Optimization, algorithm 7.4) with a backtracking search.
    """
    signs = np.where(positive, 1.0, -1.0)
    weights = strength * weights

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        return _loss(point, inputs, signs, weights)

    point = np.zeros(inputs.shape[1] + 1) if start is None else start
    value, gradient = loss(point)
    flat = _FLAT * np.abs(loss(np.zeros_like(point))[1]).max()
    past: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for _ in range(_ITERATIONS):
        if np.abs(gradient).max() <= flat:
            break
        direction = _towards(gradient, past)
        length, fall = 1.0, float(gradient @ direction)
        while (found := loss(point - length * direction))[0] > value - 1e-4 * length * fall:
            length /= 2
            if length < 1e-9:  # float32 can tell no better point
                return point
        step = -length * direction
        change = found[1] - gradient
        point, (value, gradient) = point + step, found
        if step @ change > 0:
            past = [*past[1 - _MEMORY :], (step, change)]
    return point


def _loss(
    point: NDArray[np.float64],
    inputs: NDArray[np.float32],
    signs: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> tuple[float, NDArray[np.float64]]:
    """Return what is minimised, and its gradient."""
    margins = signs * (inputs @ point[:-1].astype(np.float32) + point[-1])
    value = 0.5 * float(point[:-1] @ point[:-1]) + float(weights @ np.logaddexp(0, -margins))
    pull = -weights * signs * (0.5 - 0.5 * np.tanh(0.5 * margins))
    slope = point[:-1] + pull.astype(np.float32) @ inputs
    return value, np.append(slope, pull.sum())


def _towards(
    gradient: NDArray[np.float64], past: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> NDArray[np.float64]:
    """Return the gradient times L-BFGS's estimate of the inverse Hessian."""
    if not past:
        return gradient / max(1.0, float(np.linalg.norm(gradient)))
    direction, parts = gradient.copy(), []
    for step, change in reversed(past):
        parts.append(step @ direction / (step @ change))
        direction -= parts[-1] * change
    step, change = past[-1]
    direction *= step @ change / (change @ change)
    for (step, change), part in zip(past, reversed(parts), strict=True):
        direction += step * (part - change @ direction / (step @ change))
    return direction
