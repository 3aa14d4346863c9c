"""`edgehome evaluate --novelty`: how unusual an activity is to who has seen only normal clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.clips import LabelledClip
from edgehome.drawnclips import (
    LEAST_DRAWS,
    LIST,
    Plan,
    Progress,
    basis,
    few,
    figure,
    head_of,
    header,
    watch,
)
from edgehome.novelty.directions import NOTHING
from edgehome.novelty.normal import AVERAGED, Key, Normal
from edgehome.novelty.windows import FRAMES
from edgehome.novelty.windows import Windows as Recent
from edgehome.recognizer.recognizer import Recognizer
from edgehome.teaching.curves import other_groups, told
from edgehome.types import CameraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Windows = NDArray[np.float32]
    Kinds = tuple[NDArray[np.bool_], NDArray[np.bool_]]
    """Of each clip whether it shows the activity, and whether it is normal."""

SHARES = (0.125, 0.25, 0.5)
"""Of a place's normal clips, how many are seen before the rest is judged."""
_LEAST = 4
_SCENE_S = 60.0
_NAMES = {"seen": "knows nothing but normal clips of the place"}


def curves(
    clips: Sequence[LabelledClip], model: Path, plan: Plan, *, progress: Progress = lambda _: None
) -> tuple[dict[str, Any], list[CameraError]]:
    """Return the curves, ready for JSON, and what was wrong with clips that could not be read.

    Raises ModelError (`model_no_embedding`), and ClipsError: `clips_label`, `clips_unreadable`,
    and `clips_few` where no home has enough normal clips and one that is not.
    """
    kept = [clip for clip in clips if clip.labels]
    labels = plan.labels(kept)
    with Recognizer(model) as recognizer:
        rate = recognizer.manifest.rate
        seen = watch(kept, recognizer, progress)
    windows = [_windows(embeddings) for embeddings in seen.embeddings]
    found, notes = {}, []
    for label in labels:
        shows = np.array([label in clip.labels for clip in seen.clips])
        kinds = shows, np.array(seen.calm(plan, label))
        points = [
            _point(seen.clips, windows, kinds, share=share, plan=plan, rate=rate)
            for share in SHARES
        ]
        if any(points):
            found[label] = {"seen": [point for point in points if point]}
            notes += seen.others(plan, label)
        else:
            notes.append(f"{label}: too few clips of it, or of normal beside it, in any one home")
        progress(label)
    progress("")
    if not found:
        wanted = f"{_LEAST} normal clips and one of {plan.label or 'anything else'}"
        raise few(plan, seen, wanted, len(clips) - len(kept))
    return {
        **head_of(model, plan, seen, len(clips) - len(kept), notes),
        "by": "minutes of normal seen",
        "general": dict(_NAMES),
        "labels": found,
    }, seen.failures


def _windows(embeddings: Windows) -> Windows:
    """Return a clip's windows as a camera sees them, (windows, width)."""
    recent = Recent(embeddings.shape[1])
    rows = [recent.add(row) for row in embeddings]
    return np.stack(rows[min(FRAMES, len(rows)) - 1 :])


def _point(
    clips: Sequence[LabelledClip],
    windows: Sequence[Windows],
    kinds: Kinds,
    *,
    share: float,
    plan: Plan,
    rate: float,
) -> dict[str, Any]:
    """Return the figures of draws that see a share of the normal clips; nothing without enough."""
    shows, calm = kinds
    homes, groups = np.array([plan.home(c) for c in clips]), [clip.group for clip in clips]
    each = [homes == home for home in np.unique(homes)]
    enough = [m for m in each if (calm & m).sum() >= _LEAST and (shows & m).any()]
    if not enough:
        return {}
    chance = np.random.default_rng(round(share * 1000))
    scores, seen = np.full((plan.draws, len(clips)), np.nan), []
    for draw in range(plan.draws):
        mine = enough[draw % len(enough)]
        quiet = chance.permutation(np.flatnonzero(mine & calm)).tolist()
        seen.append(quiet[: max(1, round(share * len(quiet)))])
        home = _learnt([windows[i] for i in seen[-1]], rate)
        for i in [*np.flatnonzero(mine & shows).tolist(), *quiet[len(seen[-1]) :]]:
            scores[draw, i] = highest(home, windows[i])
    apart = other_groups(scores, seen, groups)
    scores = apart if plan.place == LIST else scores
    minutes = [sum(len(windows[i]) for i in taken) / rate / 60 for taken in seen]
    return {
        "examples": round(float(np.mean(minutes)), 2),
        "share": share,
        "draws": plan.draws,
        "places": len(enough),
        "judged": round(float(np.mean((~np.isnan(scores)).sum(axis=1))), 1),
        "worst": _worst(scores, shows),
        **told("auc", scores, shows, groups),
        **told("others", apart, shows, groups),
    }


def _learnt(clips: Sequence[Windows], rate: float) -> Normal:
    normal = Normal(Key("", ""), clips[0].shape[1])
    at = 0.0
    for clip in clips:
        for window in clip:
            normal.learn(window, at, 12.0)
            at += 1 / rate
        at += _SCENE_S
    normal.settle()
    return normal


def highest(normal: Normal, windows: Windows) -> float:
    """Return a clip's highest distance, averaged as a camera's is; NaN while nothing is known."""
    if normal.distance(windows[0]) is NOTHING:
        return float("nan")
    distances = np.array([normal.distance(window).distance for window in windows])
    count = min(AVERAGED, len(distances))
    return float(np.convolve(distances, np.ones(count) / count, "valid").max())


def _worst(scores: NDArray[np.float64], shows: NDArray[np.bool_]) -> float | None:
    means = [
        told("auc", scores[row : row + 1], shows, ["" for _ in shows])["auc"]
        for row in range(len(scores))
    ]
    return min((mean for mean in means if mean is not None), default=None)


def render(result: Mapping[str, Any]) -> str:
    """Return the curves for a person."""
    lines = header(result)
    for label, found in result["labels"].items():
        lines.append(f"{label}, never seen, against the rest of the place's normal clips")
        for one in found["seen"]:
            worst = "unknown" if one["worst"] is None else f"{one['worst']:.3f}"
            lines.append(
                f"  {one['examples']:5.2f} minutes of normal: AUC {figure(one, 'auc')}  worst "
                f"{worst}  other groups {figure(one, 'others', LEAST_DRAWS)}  "
                f"{basis(one)}"
            )
    lines.append(
        "Mean of the draws that knew enough; in brackets the 95 % interval, groups drawn anew; "
        "and on groups of which nothing was seen."
    )
    return "\n".join(lines)
