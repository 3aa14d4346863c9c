"""How good scores are: ranking, false alarms, honesty of probabilities; and how sure that is.

Scores are (n,), `positive` is bool (n,). Ties are counted as the definitions have it: a tied pair
is half right, and tied scores are reached by one threshold all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Truth = NDArray[np.bool_]

BINS = 10
RESAMPLES = 1000


def auc(scores: Numbers, positive: Truth) -> float:
    """Return the area under the ROC curve: how often a positive scores above a negative.

    NaN where one of the two is missing.
    """
    hits = int(positive.sum())
    misses = len(positive) - hits
    if not hits or not misses:
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return float((ranks[inverse][positive].sum() - hits * (hits + 1) / 2) / (hits * misses))


def average_precision(scores: Numbers, positive: Truth) -> float:
    """Return the precision at each threshold, weighted by the recall it adds; NaN as `auc`."""
    if positive.all() or not positive.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(positive[order])[last]
    added = np.diff(hits, prepend=0)
    return float((hits / (last + 1) * added).sum() / hits[-1])


def calibration_error(probabilities: Numbers, positive: Truth) -> float:
    """Return the expected calibration error over BINS bins of equal width (Guo et al. 2017)."""
    bins = np.minimum((probabilities * BINS).astype(int), BINS - 1)
    gap = np.bincount(bins, probabilities - positive, minlength=BINS)
    return float(np.abs(gap).sum() / len(positive)) if len(positive) else float("nan")


@dataclass(frozen=True, slots=True)
class Alarms:
    """How often each clip would have raised a false alarm, by threshold."""

    thresholds: Numbers
    """Falling, (t,)."""
    counts: NDArray[np.int64]
    """Onsets in each clip, (clips, t): frames at or above it whose predecessor was below."""
    hours: Numbers
    """Length of each clip, (clips,)."""

    def threshold(self, rate: float, rows: NDArray[np.int64] | None = None) -> float:
        """Return the lowest threshold with at most `rate` alarms an hour, it and all above it.

        `rows`, the clips to count, with repetition; all without. Infinity where there is none.
        """
        counts = self.counts if rows is None else self.counts[rows]
        hours = self.hours if rows is None else self.hours[rows]
        good = counts.sum(axis=0) <= rate * hours.sum()
        number = len(good) if good.all() else int(np.argmin(good))
        return float(self.thresholds[number - 1]) if number else float("inf")


def count_alarms(clips: Sequence[Numbers], candidates: Numbers, *, frames_an_hour: float) -> Alarms:
    """Count the false alarms of negative clips, each its probabilities frame by frame."""
    thresholds = np.unique(candidates)[::-1]
    counts = np.zeros((len(clips), len(thresholds)), np.int64)
    for row, clip in enumerate(clips):
        above = clip[:, None] >= thresholds
        counts[row] = above[0] + (above[1:] & ~above[:-1]).sum(axis=0) if len(clip) else 0
    return Alarms(thresholds, counts, np.array([len(clip) / frames_an_hour for clip in clips]))


def interval(
    measure: Callable[[NDArray[np.int64]], float], groups: Sequence[str], *, seed: int = 0
) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval of a measure of rows, (2.5 %, 97.5 %).

    Groups are drawn with replacement, each with all its rows: footage of one source is one draw,
    however many clips it was cut into. None with fewer than two groups, or where more than half of
    the draws leave the measure undefined (NaN).
    """
    rows_of: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        rows_of.setdefault(group, []).append(row)
    members = [np.array(rows) for rows in rows_of.values()]
    if len(members) < 2:
        return None
    draws = np.random.default_rng(seed)
    picks = draws.integers(len(members), size=(RESAMPLES, len(members)))
    values = np.array([measure(np.concatenate([members[i] for i in pick])) for pick in picks])
    values = values[~np.isnan(values)]
    if len(values) < RESAMPLES / 2:
        return None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)
