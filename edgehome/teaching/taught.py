"""`teach`: from a lesson to a head that says how good it is, or why it is too early."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.heads.head import Head
from edgehome.heads.measures import auc
from edgehome.heads.selection import calibrate
from edgehome.teaching.honesty import (
    HeldOut,
    Tail,
    hold_out,
    most_alarms,
    told_apart,
    wilson,
    worse_tail,
)
from edgehome.teaching.learner import (
    HOME,
    SHARE,
    STATISTICS,
    STRENGTH,
    WINDOW_S,
    fit,
    windows_of,
)
from edgehome.teaching.words import (
    NEEDED_ALONE_S,
    NEEDED_EXAMPLES,
    NEEDED_NORMAL_S,
    card_texts,
    needs,
    sentence,
)
from edgehome.types import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgehome.heads.training import Linear
    from edgehome.teaching.general import General
    from edgehome.teaching.learner import Windows
    from edgehome.teaching.lesson import Lesson

ALARMS_A_DAY = 1.0
MOVING_S_A_DAY = 7200.0
"""Seconds a day in which something moves, and so the model looks, where nobody has measured it."""
FEEDBACK = "feedback"
"""The source of an example that is an alert's window, judged to be normal."""
MOST_INSISTED = 64.0
_LEAST, _MOST = 0.05, 0.995


@dataclass(frozen=True, slots=True)
class Wish:
    """What a home asks of a taught activity."""

    alarms_a_day: float = ALARMS_A_DAY
    """False alarms, above 0."""
    moving_s_a_day: float = MOVING_S_A_DAY


@dataclass(frozen=True, slots=True)
class Figures:
    """What held-out examples say of a taught activity."""

    examples: int
    normal_s: float
    """Seconds of normal shown here."""
    found: int
    """Of the examples, at the threshold."""
    found_interval: tuple[float, float]
    """95 % (Wilson), of 1."""
    auc: float
    """How often an example scores above a normal one or a general clip."""
    alarms_a_day: float
    """False ones, reckoned beyond what was seen."""
    alarms_interval: tuple[float, float]
    """95 %: from what is reckoned to the most that the seconds shown cannot rule out."""
    distinct: bool
    """Whether it differs from normal by more than chance would."""
    occasions: int
    """On so many it was shown: what is of one cannot be held out as a whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Taught:
    """What was learnt of a lesson, or what is missing."""

    missing: Problem | None
    """`lesson_short` while it is too early; then there are neither head nor figures."""
    head: Head | None
    figures: Figures | None
    says: str
    """How good it is, in words; or what is missing."""


def teach(lesson: Lesson, general: General | None, wish: Wish | None = None) -> Taught:
    """Return what a lesson teaches; the same lesson gives the same head.

    `general` are the model's general negatives, or None for a model without. Those of another
    space of embeddings than the lesson's are a fault of the caller: ValueError.
    """
    wish = wish or Wish()
    if general is not None and general.embedding != lesson.embedding:
        raise ValueError(f"{general.embedding} is not the space of {lesson.name}")
    missing = _missing(lesson, general)
    if missing:
        return Taught(missing, None, None, missing.message)
    shown = sorted(lesson.shown, key=lambda example: not example.shows)
    windows = [windows_of(example, lesson.rate) for example in shown]
    count = sum(example.shows for example in shown)
    yes, no = windows[:count], windows[count:]
    judged = [example.source == FEEDBACK for example in shown[count:]]
    occasions = [example.occasion for example in shown]
    counts = _counts(yes, no, judged, general)
    held = hold_out(yes, no, general, occasions, counts)
    slope, offset = _calibrated(held)
    here, day = held.pieces(lesson.rate), wish.moving_s_a_day / WINDOW_S
    tail = worse_tail(here, held.general, wish.alarms_a_day, day)
    level = _level(held, tail, wish, -offset / slope)
    figures = _figures(lesson, held, tail, level, wish)
    says = sentence(lesson.name, figures)
    threshold = min(max(_sigmoid(slope * level + offset), _LEAST), _MOST)
    learnt = fit(yes, no, general, counts=counts)
    head = _head(lesson, learnt, (slope, offset), threshold, _card(figures, says))
    return Taught(None, head, figures, says)


def _counts(
    yes: Sequence[Windows],
    no: Sequence[Windows],
    judged: Sequence[bool],
    general: General | None,
) -> list[float]:
    """Return how much each normal example counts: a judged false alert up to MOST_INSISTED.

    It is insisted on while it scores a third or more of the way from what is normal here otherwise
    to what was shown; one example among a hundred would change next to nothing.
    """
    counts = [1.0] * len(no)
    calm = [one for one, alert in zip(no, judged, strict=True) if not alert]
    while any(judged) and max(counts) < MOST_INSISTED:
        learnt = fit(yes, no, general, counts=counts)
        shown, normal = (
            float(np.median([learnt(one).max() for one in group])) for group in (yes, calm or no)
        )
        high = [
            alert and float(learnt(one).max()) > normal + (shown - normal) / 3
            for one, alert in zip(no, judged, strict=True)
        ]
        if not any(high):
            break
        counts = [4 * c if more else c for c, more in zip(counts, high, strict=True)]
    return counts


def _missing(lesson: Lesson, general: General | None) -> Problem | None:
    """Return what must still be shown."""
    examples = sum(example.shows for example in lesson.shown)
    more = NEEDED_EXAMPLES - examples
    wanted = NEEDED_NORMAL_S if general is not None else NEEDED_ALONE_S
    seconds = wanted - _normal_s(lesson)
    if more <= 0 and seconds <= 0:
        return None
    return Problem("lesson_short", *needs(lesson.name, max(more, 0), max(seconds, 0.0)))


def _normal_s(lesson: Lesson) -> float:
    return sum(len(e.codes) for e in lesson.shown if not e.shows) / lesson.rate


def _calibrated(held: HeldOut) -> tuple[float, float]:
    """Return slope and offset: as if the activity were as likely as not.

    The examples count as much as the negatives together, and these as much here as elsewhere.
    Platt's targets keep few examples from being taken for certain.
    """
    total = float(len(held.yes))
    here, away = len(held.no), len(held.general)
    home = 1.0 if not away else HOME
    weights = np.concatenate(
        [
            np.ones(len(held.yes)),
            np.full(here, total * home / max(here, 1)),
            np.full(away, total * (1 - home) / max(away, 1)),
        ]
    )
    scores = np.concatenate([held.yes, held.negatives])
    return calibrate(scores, np.arange(len(scores)) < len(held.yes), weights)


def _level(held: HeldOut, tail: Tail, wish: Wish, even: float) -> float:
    """Return the score from which the activity is said to be there.

    That which normal reaches as often as is wished, and where it is at least as likely as not
    (`even`). An activity that differs from normal is found at least every other time all the
    same: what that costs in false alarms is said.
    """
    level = max(tail.score(wish.alarms_a_day, wish.moving_s_a_day / WINDOW_S), even)
    if not told_apart(held):
        return level
    half = float(np.sort(held.yes)[(len(held.yes) - 1) // 2])
    return min(level, half)


def _figures(lesson: Lesson, held: HeldOut, tail: Tail, level: float, wish: Wish) -> Figures:
    pieces = wish.moving_s_a_day / WINDOW_S
    found = int((held.yes >= level).sum())
    scores = np.concatenate([held.yes, held.negatives])
    low, high = tail.between(level, pieces)
    normal_s = _normal_s(lesson)
    seen = int((held.pieces(lesson.rate) >= level).sum())
    high = max(high, most_alarms(seen, normal_s, wish.moving_s_a_day))
    return Figures(
        examples=len(held.yes),
        normal_s=normal_s,
        found=found,
        found_interval=wilson(found, len(held.yes)),
        auc=auc(scores, np.arange(len(scores)) < len(held.yes)),
        alarms_a_day=tail.rate(level, pieces),
        alarms_interval=(low, high),
        distinct=told_apart(held),
        occasions=len({example.occasion for example in lesson.shown if example.shows}),
    )


def _card(figures: Figures, says: str) -> dict[str, Any]:
    numbers = {key: _rounded(value) for key, value in asdict(figures).items()}
    return {**card_texts(figures, says), "figures": numbers}


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return round(value, 4)
    return [round(end, 4) for end in value] if isinstance(value, tuple) else value


def _head(
    lesson: Lesson,
    learnt: Linear,
    calibration: tuple[float, float],
    threshold: float,
    card: dict[str, Any],
) -> Head:
    made = f"version {lesson.version}; strength {STRENGTH:g}, share {SHARE:g}"
    return Head(
        name=lesson.name,
        embedding=lesson.embedding,
        window_s=WINDOW_S,
        statistics=STATISTICS,
        center=learnt.center,
        scale=learnt.scale,
        weights=learnt.weights,
        bias=learnt.bias,
        slope=calibration[0],
        offset=calibration[1],
        threshold=threshold,
        card={**card, "trained_on": f"{card['trained_on']}; {made}"},
    )


def _sigmoid(value: float) -> float:
    return 0.5 + 0.5 * math.tanh(0.5 * value)
