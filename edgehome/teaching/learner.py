"""Learning an activity from examples of one home and general negatives of others.

The loss is that of logistic regression: log(1 + exp(-sign * score)), where the examples of the
activity weigh as much as all negatives, and the negatives of this home as much as the general ones,
however many there are of each. The regulariser is half the squared weights over the loss times
STRENGTH. STRENGTH was chosen once, by validation across sources: from a tenth to ten times of it
makes no difference, and a handful of examples cannot tell a better one
(docs/reference/teaching.md). An example shows the activity somewhere, not everywhere: it is first
taken whole, and then twice again by the SHARE of its windows that are most like it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgehome.heads.statistics import clip_statistics
from edgehome.heads.training import Linear, regress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgehome.teaching.general import General
    from edgehome.teaching.lesson import Example

    Windows = NDArray[np.float32]

WINDOW_S = 3.0
"""Seconds that a taught head looks at. 2 and 5 do no better."""
STATISTICS = ("mean",)
"""With `max` and `deviation` it is no better on filmed clips, and three times as large."""
STRENGTH = 0.1
SHARE = 0.25
"""Part of an example's windows that is taken to show the activity, at least one."""
HOME = 0.5
"""Weight of this home's negatives among all, where there are general ones."""
_ROUNDS = 2
_LEAST_SCALE = 1e-3


def windows_of(example: Example, rate: float) -> Windows:
    """Return the mean embeddings of an example's windows, (windows, width), at least one."""
    return windows_in(example.embeddings, rate)


def windows_in(embeddings: Windows, rate: float) -> Windows:
    """Return the means over full windows, (windows, width); over all where there is none."""
    frames = max(1, round(WINDOW_S * rate))
    means = clip_statistics(embeddings, frames=frames, kinds=STATISTICS)
    return means[frames - 1 :] if len(means) >= frames else means[-1:]


def fit(
    yes: Sequence[Windows],
    no: Sequence[Windows],
    general: General | None,
    *,
    without: NDArray[np.bool_] | None = None,
    counts: Sequence[float] | None = None,
    strength: float = STRENGTH,
    share: float = SHARE,
) -> Linear:
    """Return what tells the examples `yes` from `no` and from general negatives.

    Each example is its windows, (windows, width). `without` are general negatives to leave out,
    (windows of `general`,). `counts` says how much each of `no` counts beside the others; they are
    all alike without. There must be an example of the activity, and a negative of some kind.
    """
    center, scale = _standard(no, general)
    rows, weights = [*yes, *no], [*_shared(yes, 0.5)]
    home = 1.0 if general is None else HOME
    weights += _shared(no, 0.5 * home, counts)
    if general is not None:
        kept = general.windows if without is None else general.windows[~without]
        clips = general.clip if without is None else general.clip[~without]
        rows.append(kept)
        each = 1.0 / np.bincount(clips)[clips]
        weights.append(each * (0.5 * (1 - home if no else 1.0) / each.sum()))
    inputs = np.asarray((np.concatenate(rows) - center) / scale, np.float32)
    weight = np.concatenate(weights)
    shown = sum(map(len, yes))
    positive = np.arange(len(inputs)) < shown
    learnt = regress(inputs, positive, weight, strength)
    example = np.repeat(np.arange(len(yes)), [len(one) for one in yes])
    for _ in range(_ROUNDS if share < 1 else 0):
        best = _foremost(inputs[:shown] @ learnt[:-1].astype(np.float32), example, share)
        weight[:shown] = best * 0.5 / len(yes) / np.bincount(example, best)[example]
        learnt = regress(inputs, positive, weight, strength, learnt)
    return Linear(center, scale, learnt[:-1].astype(np.float32), float(learnt[-1]))


def _standard(no: Sequence[Windows], general: General | None) -> tuple[Windows, Windows]:
    if general is not None:
        return general.center, general.scale
    rows = np.concatenate(no)
    return rows.mean(axis=0), rows.std(axis=0).clip(_LEAST_SCALE)


def _shared(
    examples: Sequence[Windows], total: float, counts: Sequence[float] | None = None
) -> list[NDArray[np.float64]]:
    """Return weights that give each example what it counts, and each window of one the same."""
    counts = [1.0] * len(examples) if counts is None else counts
    each = total / max(sum(counts), _LEAST_SCALE)
    return [np.full(len(e), each * c / len(e)) for e, c in zip(examples, counts, strict=True)]


def _foremost(
    scores: NDArray[np.float32], example: NDArray[np.int64], share: float
) -> NDArray[np.float64]:
    """Return 1 for windows among the highest `share` of their example, at least one, else 0."""
    chosen = np.zeros(len(scores))
    for number in range(int(example[-1]) + 1):
        mine = np.flatnonzero(example == number)
        count = max(1, round(share * len(mine)))
        chosen[mine[np.argsort(-scores[mine], kind="stable")[:count]]] = 1.0
    return chosen
