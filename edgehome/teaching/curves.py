"""What a number of examples gives: lessons drawn from labelled clips, and tests on the others.

A draw takes examples of the activity in one place and as many clips of daily life there (at most
half of those), and judges by the rest of that place's clips, each by its highest window. The
general negatives are never of that place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.heads.measures import RESAMPLES
from edgehome.teaching.general import General
from edgehome.teaching.learner import WINDOW_S, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Windows = NDArray[np.float32]
    Numbers = NDArray[np.float64]

LEFT = 2
"""Clips that show the activity, and of those that do not, which a draw must leave for the test."""
_DIGITS = 4
_STRIDE = 5
"""Every how many frames a window of another place teaches; its neighbours are nearly the same."""


@dataclass(frozen=True, eq=False)
class Watched:
    """A labelled clip as mean embeddings of windows."""

    windows: Windows
    """All, (windows, width)."""
    shown: Windows | None
    """Those in which it shows the activity; None where it does not."""
    place: str
    group: str
    calm: bool = True
    """Whether it is normal, where it does not show it; else it is in no draw."""


@dataclass(frozen=True, eq=False)
class Draw:
    """Places of clips in their list."""

    place: str
    yes: tuple[int, ...]
    no: tuple[int, ...]
    tests: tuple[int, ...]


def draws_of(
    clips: Sequence[Watched], examples: int, count: int, seed: int = 0, *, apart: bool = False
) -> list[Draw]:
    """Return `count` draws, from all places that have enough clips in turn; none without one.

    `apart`: of groups of which something is shown nothing is judged.
    """
    chance = np.random.default_rng([seed, examples])
    enough = []
    for place in sorted({clip.place for clip in clips}):
        mine = [i for i, clip in enumerate(clips) if clip.place == place]
        yes = [i for i in mine if clips[i].shown is not None]
        no = [i for i in mine if clips[i].shown is None and clips[i].calm]
        if len(yes) >= examples + LEFT and len(no) >= LEFT:
            enough.append((place, yes, no))
    drawn = []
    for number in range(count if enough else 0):
        place, yes, no = enough[number % len(enough)]
        yes, no = chance.permutation(yes).tolist(), chance.permutation(no).tolist()
        calm = min(examples, len(no) // 2)
        shown = {clips[i].group for i in (*yes[:examples], *no[:calm])} if apart else set()
        tests = sorted(i for i in yes[examples:] + no[calm:] if clips[i].group not in shown)
        drawn.append(Draw(place, tuple(yes[:examples]), tuple(no[:calm]), tuple(tests)))
    return drawn


def elsewhere(clips: Sequence[Watched], place: str) -> General | None:
    """Return general negatives made of the clips of other places; None without any."""
    judged = {clip.group for clip in clips if clip.place == place}
    away = [clip for clip in clips if clip.place != place and clip.group not in judged]
    others = [clip.windows[::_STRIDE] for clip in away if clip.shown is None]
    if not others:
        return None
    number = np.repeat(np.arange(len(others)), [len(windows) for windows in others])
    return General("", WINDOW_S, np.concatenate(others), number, "clips of other places")


def point(
    clips: Sequence[Watched], draws: Sequence[Draw], generals: Mapping[str, General | None]
) -> dict[str, Any]:
    """Return the figures of draws with one number of examples; `generals` are those by place.

    `auc` is the mean over draws of the area under the ROC curve on the rest of the place,
    `others` that on the clips of groups of which nothing was shown; each with the 95 % interval of
    groups drawn anew, where that can be told.
    """
    scores = np.full((len(draws), len(clips)), np.nan)
    for row, draw in enumerate(draws):
        yes = [shown for i in draw.yes if (shown := clips[i].shown) is not None]
        no = [clips[i].windows for i in draw.no]
        learnt = fit(yes, no, generals[draw.place])
        for i in draw.tests:
            scores[row, i] = learnt(clips[i].windows).max()
    positive = np.array([clip.shown is not None for clip in clips])
    groups = [clip.group for clip in clips]
    apart = other_groups(scores, [(*draw.yes, *draw.no) for draw in draws], groups)
    each = _areas(scores, positive, np.ones((1, len(clips))))[:, 0]
    return {
        "examples": len(draws[0].yes),
        "normal": [min(len(d.no) for d in draws), max(len(d.no) for d in draws)],
        "draws": len(draws),
        "places": len({draw.place for draw in draws}),
        "worst": None if np.isnan(each).all() else round(float(np.nanmin(each)), _DIGITS),
        "judged": round(float(np.mean([len(draw.tests) for draw in draws])), 1),
        **told("auc", scores, positive, groups),
        **told("others", apart, positive, groups),
    }


def other_groups(scores: Numbers, shown: Sequence[Sequence[int]], groups: Sequence[str]) -> Numbers:
    """Return scores, (draws, clips), less those of groups of which a draw has shown something."""
    apart = scores.copy()
    for row, clips in enumerate(shown):
        seen = {groups[i] for i in clips}
        apart[row, [i for i, group in enumerate(groups) if group in seen]] = np.nan
    return apart


def told(
    name: str, scores: Numbers, positive: NDArray[np.bool_], groups: Sequence[str]
) -> dict[str, Any]:
    """Return the mean over draws and its interval; `scores` are (draws, clips), NaN: not tested.

    There is an interval where two groups have what shows the activity, and two what does not.
    """
    tested = np.flatnonzero(~np.isnan(scores).all(axis=0))
    names, number = np.unique([groups[i] for i in tested.tolist()], return_inverse=True)
    scores, positive = scores[:, tested], positive[tested]
    areas = _areas(scores, positive, np.ones((1, len(tested))))
    draws = int((~np.isnan(areas)).sum())
    mean = _mean(scores, positive, np.ones((1, len(tested))))[0] if draws else np.nan
    between = None
    kinds = [len(np.unique(number[kind])) for kind in (positive, ~positive)]
    if draws and min(kinds) > 1:
        picks = np.random.default_rng(0).integers(len(names), size=(RESAMPLES, len(names)))
        times = np.stack([np.bincount(pick, minlength=len(names)) for pick in picks])
        means = _mean(scores, positive, times[:, number])
        means = means[~np.isnan(means)]
        if len(means) >= RESAMPLES / 2:
            between = [round(float(end), _DIGITS) for end in np.percentile(means, (2.5, 97.5))]
    return {
        name: None if np.isnan(mean) else round(float(mean), _DIGITS),
        f"{name}_interval": between,
        f"{name}_groups": len(names),
        f"{name}_draws": draws,
    }


def _mean(scores: Numbers, positive: NDArray[np.bool_], times: NDArray[Any]) -> Numbers:
    """Return the mean area of the draws that tell, (resamples,); NaN where none does."""
    areas = _areas(scores, positive, times)
    told = ~np.isnan(areas)
    totals: Numbers = np.where(told, areas, 0.0).sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean: Numbers = totals / told.sum(axis=0)
    return mean


def _areas(scores: Numbers, positive: NDArray[np.bool_], times: NDArray[Any]) -> Numbers:
    """Return the area under the ROC curve of each draw, (draws, resamples).

    `times` says how often each clip counts in a resample, (resamples, clips). NaN where a draw
    has no clip of either kind in it.
    """
    areas = np.full((len(scores), len(times)), np.nan)
    for row, mine in enumerate(scores):
        told = ~np.isnan(mine)
        hits, misses = np.flatnonzero(told & positive), np.flatnonzero(told & ~positive)
        above = mine[hits][:, None] - mine[misses]
        wins = (above > 0) + 0.5 * (above == 0)
        right = (times[:, hits] @ wins * times[:, misses]).sum(axis=1)
        pairs = times[:, hits].sum(axis=1) * times[:, misses].sum(axis=1)
        with np.errstate(invalid="ignore"):
            areas[row] = right / pairs
    return areas
