"""How good a taught activity is: held-out scores, and what they say of hits and false alarms.

Every score here is of a head that has seen neither the example, nor others of its occasion, nor
the general clip that it is held against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgehome.heads.measures import auc
from edgehome.teaching.learner import WINDOW_S, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgehome.teaching.general import General

    Numbers = NDArray[np.float64]
    Windows = NDArray[np.float32]

MOST_FOLDS = 12
"""Up to so many occasions each is left out alone; of more, some together."""
LEAST_FOLDS = 4
ENOUGH_PIECES = 10
"""Of this home's normal, for a tail of its own."""
LEAST_RIGHT = 0.75
"""Pairs of an example and a normal one in which the example must score higher."""
_SURE = 1.959964
"""Standard deviations on either side that hold 95 %."""
_ABOVE = 1.644854
"""Above so many there are 5 %."""
_TAIL = 0.2
"""Part of the normal pieces, the highest, by which rarer ones are reckoned."""
_LEAST_STEEP = 1e-3


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Scores by heads that had not seen what they score."""

    yes: Numbers
    """Highest of each example of the activity, (examples,)."""
    no: tuple[Numbers, ...]
    """Of this home's normal: the windows' of each example."""
    general: Numbers
    """Highest of each general clip, (clips,)."""

    @property
    def normal(self) -> Numbers:
        """Return the highest of each of this home's normal examples."""
        return np.array([scores.max() for scores in self.no])

    @property
    def negatives(self) -> Numbers:
        """Return the highest of each normal example and of each general clip."""
        return np.concatenate([self.normal, self.general])

    def pieces(self, rate: float) -> Numbers:
        """Return the highest of every window's length of this home's normal, at `rate`."""
        frames = max(1, round(WINDOW_S * rate))
        found = [
            scores[begin : begin + frames].max()
            for scores in self.no
            for begin in range(0, len(scores), frames)
        ]
        return np.array(found, np.float64)


def hold_out(
    yes: Sequence[Windows],
    no: Sequence[Windows],
    general: General | None,
    occasions: Sequence[str],
    counts: Sequence[float] | None = None,
) -> HeldOut:
    """Return held-out scores; `occasions` are those of `yes` and then of `no`.

    `counts` says how much each of `no` counts beside the others.

    All of an occasion is left out together. Where all examples of the activity are of one, each
    is left out by itself: the figures flatter then.
    """
    counts = [1.0] * len(no) if counts is None else counts
    fold, folds = _folds(occasions, len(yes))
    clip_fold = np.zeros(0, np.int64) if general is None else general.clip % folds
    best = np.full(len(yes), -np.inf)
    normal: list[Numbers] = [np.zeros(0)] * len(no)
    elsewhere = np.full(0 if general is None else int(general.clip.max()) + 1, -np.inf)
    for number in range(folds):
        mine = [i for i, f in enumerate(fold) if f == number]
        shown = [one for i, one in enumerate(yes) if i not in mine]
        calm = [i for i in range(len(no)) if i + len(yes) not in mine] or range(len(no))
        learnt = fit(
            shown,
            [no[i] for i in calm],
            general,
            without=clip_fold == number,
            counts=[counts[i] for i in calm],
        )
        for i in mine:
            if i < len(yes):
                best[i] = learnt(yes[i]).max()
            else:
                normal[i - len(yes)] = learnt(no[i - len(yes)]).astype(np.float64)
        if general is not None:
            rows = clip_fold == number
            np.maximum.at(elsewhere, general.clip[rows], learnt(general.windows[rows]))
    return HeldOut(best, tuple(normal), elsewhere)


def _folds(occasions: Sequence[str], shown: int) -> tuple[list[int], int]:
    """Return a fold for each example, and how many folds there are."""
    names = list(occasions)
    if len(set(names[:shown])) < 2:
        names[:shown] = [f"\0{number}" for number in range(shown)]
    of_yes = list(dict.fromkeys(names[:shown]))
    of_no = [name for name in dict.fromkeys(names[shown:]) if name not in of_yes]
    folds = min(MOST_FOLDS, max(len(of_yes), len(of_no), LEAST_FOLDS))
    fold = {name: i % folds for group in (of_yes, of_no) for i, name in enumerate(group)}
    return [fold[name] for name in names], folds


def told_apart(held: HeldOut) -> bool:
    """Return whether the activity scores higher than normal does.

    Than all negatives by more than chance would, by the rank-sum test at 5 %, one-sided (Mann and
    Whitney 1947); and than this home's normal in LEAST_RIGHT of all pairs.
    """
    hits, others = len(held.yes), held.negatives
    chance = math.sqrt((hits + len(others) + 1) / (12 * hits * max(len(others), 1)))
    if not len(others) or _right(held.yes, others) < min(0.5 + _ABOVE * chance, 1.0):
        return False
    return not held.no or _right(held.yes, held.normal) >= LEAST_RIGHT


def _right(yes: Numbers, no: Numbers) -> float:
    return auc(np.concatenate([yes, no]), np.arange(len(yes) + len(no)) < len(yes))


@dataclass(frozen=True, slots=True)
class Tail:
    """How rare high scores of normal pieces are: exponential above a level.

    The pieces of some minutes cannot show what happens once a day; that their scores fall off
    above `level` as they do just above it is an assumption.
    """

    level: float
    share: float
    """Part of the pieces above `level`."""
    mean: float
    """By which those are above it."""
    count: int
    """How many those are."""

    def rate(self, score: float, pieces: float, *, doubts: float = 0.0) -> float:
        """Return how many of so many pieces reach a score, with the mean off by `doubts`."""
        mean = self.mean * math.exp(doubts / math.sqrt(self.count))
        return pieces * self.share * math.exp(-max(score - self.level, 0.0) / mean)

    def between(self, score: float, pieces: float) -> tuple[float, float]:
        """Return the 95 % interval of `rate`, the assumption granted."""
        low, high = (self.rate(score, pieces, doubts=sign * _SURE) for sign in (-1.0, 1.0))
        return low, high

    def score(self, rate: float, pieces: float) -> float:
        """Return the score that `rate` of so many pieces reach."""
        return self.level + self.mean * math.log(max(pieces * self.share / rate, 1.0))


def tail_of(pieces: Numbers) -> Tail:
    """Return the tail of normal pieces' scores, (pieces,), at least one."""
    ordered = np.sort(pieces)
    count = max(1, math.ceil(_TAIL * len(ordered)))
    level = float(ordered[-count - 1]) if count < len(ordered) else float(ordered[0])
    mean = max(float(np.mean(ordered[-count:] - level)), _LEAST_STEEP)
    return Tail(level, count / len(ordered), mean, count)


def worse_tail(here: Numbers, away: Numbers, wished: float, pieces: float) -> Tail:
    """Return the tail by which more rare alarms are to be feared.

    That of all pieces, or of this home's alone where these are enough: a home with much that is
    like the activity must not be hidden by quiet places elsewhere.
    """
    tails = [tail_of(np.concatenate([here, away]))]
    if len(here) >= ENOUGH_PIECES:
        tails.append(tail_of(here))
    return max(tails, key=lambda tail: tail.score(wished, pieces))


def most_alarms(seen: int, seconds: float, of: float) -> float:
    """Return the upper 95 % limit of events in `of` seconds when so many were `seen` in some.

    Poisson's, nearly: 3 where none was seen (the rule of three).
    """
    return (seen + 2 * math.sqrt(seen) + 3) * of / seconds if seconds else math.inf


def wilson(found: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927)."""
    share, square = found / of, _SURE**2
    middle = share + square / (2 * of)
    away = _SURE * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return max(0.0, (middle - away) / (1 + square / of)), min(
        1.0, (middle + away) / (1 + square / of)
    )
