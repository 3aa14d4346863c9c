"""Choosing how a head is made, by validation across groups, and what its scores mean.

Nothing here looks at footage that a head was taught with: every score that a recipe is judged by,
that probabilities are fitted to or that a threshold is taken from, comes from a head that has seen
no clip of that group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.heads.head import Head
from edgehome.heads.measures import auc, calibration_error, count_alarms
from edgehome.heads.statistics import clip_statistics
from edgehome.heads.training import Examples, Recipe, highest, teach

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 6
_SEEDS = (0, 1)
"""Ways of dividing the groups into folds, whose results are averaged."""
_STRIDE = 3
"""Every how many frames a window teaches; its neighbours are nearly the same."""

RECIPES = tuple(
    Recipe(statistics, window_s, strength, places, share)
    for statistics, window_s, places, share, strength in product(
        (("mean",), ("mean", "max", "deviation")),
        (3.0, 5.0),
        (0.0, 3.0),
        (1.0, 0.5),
        (0.01, 0.03, 0.1, 0.3),
    )
)


@dataclass(frozen=True, slots=True)
class Taught:
    """A clip to teach with, as one backbone saw it."""

    views: Sequence[NDArray[np.float32]]
    """Embeddings, (frames, width) each: the clip itself first, then what varies it."""
    stretches: Sequence[tuple[float, float, bool]]
    """Times in seconds, (from, to), and whether they show the activity."""
    group: str
    judged: bool = True
    """Whether a head is judged by it too; what was rendered only teaches."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What validation says of a recipe."""

    recipe: Recipe
    auc: float
    """Of the highest score of each stretch; the mean of several divisions into folds."""


@dataclass(frozen=True, slots=True)
class Windows:
    """The windows of all clips, of which some teach and some are judged by."""

    examples: Examples
    teaching: NDArray[np.bool_]
    """Every third of every view, (windows,)."""
    judged: NDArray[np.bool_]
    """All of the clips themselves, none of what varies them or only teaches, (windows,)."""

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Return whether they show the activity, of the stretches that are judged by."""
        return self.examples.positive[self._told]

    @property
    def _told(self) -> NDArray[np.int64]:
        return np.unique(self.examples.stretch[self.judged])

    def best(self, scores: NDArray[Any]) -> NDArray[np.float64]:
        """Return the highest of the windows' scores in each stretch that is judged by."""
        stretch, count = self.examples.stretch[self.judged], len(self.examples.positive)
        return highest(scores[self.judged], stretch, count)[self._told]

    def negatives(self, scores: NDArray[Any]) -> list[NDArray[Any]]:
        """Return the scores in each stretch that is judged by and does not show the activity."""
        rows = [row for row in self._told.tolist() if not self.examples.positive[row]]
        return [scores[self.judged & (self.examples.stretch == row)] for row in rows]


def windows_of(clips: Sequence[Taught], recipe: Recipe, rate: float) -> Windows:
    """Return the windows of clips at `rate` frames a second, each by the frame that ends it.

    Full windows count; where a stretch has none, the one that had grown longest by its end.
    """
    frames = max(1, round(recipe.window_s * rate))
    numbers = {name: number for number, name in enumerate(sorted({c.group for c in clips}))}
    features: list[NDArray[np.float32]] = []
    rows: list[tuple[int, bool, bool]] = []
    stretches: list[tuple[bool, int]] = []
    for clip in clips:
        views = [clip_statistics(v, frames=frames, kinds=recipe.statistics) for v in clip.views]
        for start_s, end_s, shows in clip.stretches:
            chosen = [_ending(len(v), frames, start_s * rate, end_s * rate) for v in views]
            if not len(chosen[0]):
                continue
            for number, (view, mine) in enumerate(zip(views, chosen, strict=True)):
                features.append(view[mine])
                told = clip.judged and number == 0
                rows += [(len(stretches), i % _STRIDE == 0, told) for i in range(len(mine))]
            stretches.append((shows, numbers[clip.group]))
    stretch, teaching, judged = (np.array(column) for column in zip(*rows, strict=True))
    positive, group = (np.array(column) for column in zip(*stretches, strict=True))
    examples = Examples(np.concatenate(features), stretch, positive, group)
    return Windows(examples, teaching, judged)


def _ending(length: int, frames: int, start: float, end: float) -> list[int]:
    inside = [number for number in range(length) if start <= number <= end]
    return [number for number in inside if number >= frames - 1] or inside[-1:]


def folds_of(examples: Examples, count: int, seed: int) -> NDArray[np.int64]:
    """Return a fold for each stretch, (stretches,), one for all of a group.

    Large groups go first, each to the fold that it makes least uneven, positives and negatives.
    """
    draws = np.random.default_rng(seed)
    sizes = {
        group: np.array([(examples.positive[mine] == side).sum() for side in (True, False)])
        for group in np.unique(examples.group)
        if (mine := examples.group == group).any()
    }
    loads = np.zeros((count, 2))
    total = np.maximum(sum(sizes.values()), 1)
    folds = np.zeros(len(examples.group), np.int64)
    shuffled = draws.permutation(list(sizes))
    for group in sorted(shuffled, key=lambda name: -sizes[name].sum()):
        after = ((loads + sizes[group]) / total) ** 2 - (loads / total) ** 2
        fold = int(np.argmin(after.sum(axis=1) + draws.random(count) * 0.01))
        loads[fold] += sizes[group]
        folds[examples.group == group] = fold
    return folds


def unseen_scores(windows: Windows, recipe: Recipe, seed: int) -> NDArray[np.float32]:
    """Return each window's score by a head that was taught without its group, (windows,)."""
    examples = windows.examples
    scores = np.zeros(len(examples.features), np.float32)
    folds = folds_of(examples, FOLDS, seed)[examples.stretch]
    for fold in np.unique(folds):
        mine = folds == fold
        scores[mine] = teach(examples.of(windows.teaching & ~mine), recipe)(examples.features[mine])
    return scores


def judge(windows: Windows, recipe: Recipe) -> Judged:
    """Return what validation across groups says of a recipe."""
    values = []
    for seed in _SEEDS:
        best = windows.best(unseen_scores(windows, recipe, seed))
        values.append(auc(best, windows.positive))
    return Judged(recipe, float(np.mean(values)))


def choose(
    clips: Sequence[Taught],
    rate: float,
    *,
    recipes: Iterable[Recipe] = RECIPES,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Judged]:
    """Return what validation says of all recipes, the best first.

    Of equals to the third digit the earlier one: a thousandth is far below what chance does.
    """
    judged = []
    made: tuple[object, Windows] | None = None
    for recipe in recipes:
        key = (recipe.statistics, recipe.window_s)
        if made is None or made[0] != key:
            made = (key, windows_of(clips, recipe, rate))
        judged.append(judge(made[1], recipe))
        progress(f"recipe {len(judged)}: AUC {judged[-1].auc:.4f}")
    return sorted(judged, key=lambda one: -round(one.auc, 3))


def make_head(
    clips: Sequence[Taught],
    recipe: Recipe,
    *,
    rate: float,
    name: str,
    embedding: str,
    alarms_an_hour: float,
    card: Mapping[str, Any],
) -> Head:
    """Return a head taught with all clips, its calibration and threshold from unseen groups.

    The threshold is the lowest that raises at most `alarms_an_hour` on the negatives, or one
    alarm in all of them where they are too short to tell such a rate; never below 1/2, where the
    label is likelier not there. What validation across groups says is added to the card.
    """
    windows = windows_of(clips, recipe, rate)
    scores = unseen_scores(windows, recipe, _SEEDS[0])
    slope, offset = calibrate(windows.best(scores), windows.positive)
    sure = _sigmoid(slope * scores + offset)
    threshold, figures = _validated(windows, sure, rate, alarms_an_hour)
    learnt = teach(windows.examples.of(windows.teaching), recipe)
    return Head(
        name=name,
        embedding=embedding,
        window_s=recipe.window_s,
        statistics=recipe.statistics,
        center=learnt.center,
        scale=learnt.scale,
        weights=learnt.weights,
        bias=learnt.bias,
        slope=slope,
        offset=offset,
        threshold=threshold,
        card={**card, "figures": figures},
    )


def _validated(
    windows: Windows, sure: NDArray[np.float64], rate: float, alarms_an_hour: float
) -> tuple[float, dict[str, Any]]:
    """Return the threshold, and figures for the card, of windows' probabilities, (windows,)."""
    positive, best = windows.positive, windows.best(sure)
    alarms = count_alarms(windows.negatives(sure), np.append(best, 1.0), frames_an_hour=3600 * rate)
    hours = float(alarms.hours.sum())
    allowed = max(alarms_an_hour, 1 / hours)
    threshold = float(np.clip(alarms.threshold(allowed), 0.5, 1.0))
    return threshold, {
        "auc": round(auc(best, positive), 4),
        "calibration_error": round(calibration_error(best, positive), 4),
        "recall": round(float((best[positive] >= threshold).mean()), 4),
        "alarms_an_hour": round(allowed, 2),
        "positives": int(positive.sum()),
        "negatives": int((~positive).sum()),
        "negative_hours": round(hours, 4),
        "how": f"{FOLDS}-fold validation across groups, highest window of each stretch",
    }


def calibrate(
    scores: NDArray[np.float64],
    positive: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
) -> tuple[float, float]:
    """Return slope and offset that make sigmoid(slope * score + offset) a probability.

    Platt scaling (Platt 1999) with his smoothed targets, by Newton's method; a slope that would
    turn the ranking round becomes a small one. A score counts `weights` times, once without.
    """
    weight = np.ones(len(scores)) if weights is None else weights
    hits, misses = weight[positive].sum(), weight[~positive].sum()
    targets = np.where(positive, (hits + 1) / (hits + 2), 1 / (misses + 2))
    inputs = np.stack([scores, np.ones_like(scores)], axis=1)
    center = np.array([0.0, np.log((hits + 1) / (misses + 1))])
    point = center.copy()
    for _ in range(50):
        sure = _sigmoid(inputs @ point)
        curve = (inputs * (weight * sure * (1 - sure))[:, None]).T @ inputs + 1e-6 * np.eye(2)
        step = np.linalg.solve(curve, inputs.T @ (weight * (sure - targets)))
        point -= np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-9:
            break
    return max(float(point[0]), 1e-3), float(point[1])


def _sigmoid(scores: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * scores), np.float64)
