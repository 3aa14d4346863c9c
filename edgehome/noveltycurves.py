"""`edgehome evaluate --novelty`: how unusual an activity is to who has seen only normal clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.clips import ClipsError, LabelledClip
from edgehome.footage import watch_clip
from edgehome.novelty.normal import AVERAGED, Key, Normal
from edgehome.novelty.windows import FRAMES
from edgehome.novelty.windows import Windows as Recent
from edgehome.recognizer.recognizer import Recognizer
from edgehome.teachcurves import Plan, Progress
from edgehome.teaching.curves import told
from edgehome.types import CameraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Windows = NDArray[np.float32]

SHARES = (0.125, 0.25, 0.5)
"""Of a place's normal clips, how many are seen before the rest is judged."""
NORMAL = "normal"
_LEAST = 4
_SCENE_S = 60.0
_NAMES = {"seen": "knows nothing but normal clips of the place"}
_DIGITS = 4

__all__ = ["Plan", "curves", "render"]


def curves(
    clips: Sequence[LabelledClip], model: Path, plan: Plan, *, progress: Progress = lambda _: None
) -> tuple[dict[str, Any], list[CameraError]]:
    """Return the curves, ready for JSON, and what was wrong with clips that could not be read.

    Normal is what is labelled so. Raises ModelError (`model_no_embedding`), and ClipsError
    (`clips_few`) where no place has enough normal clips and one that is not.
    """
    kept = [c for c in clips if NORMAL in c.labels or (c.labels and plan.label in {"", *c.labels})]
    with Recognizer(model) as recognizer:
        rate = recognizer.manifest.rate
        seen, windows, failures = _watch(recognizer, kept, progress)
    labels = {name for clip in seen for name in clip.labels} - {NORMAL}
    found = {}
    for label in sorted(labels if not plan.label else {plan.label}):
        points = [
            _point(seen, windows, label, share=share, plan=plan, rate=rate) for share in SHARES
        ]
        if any(points):
            found[label] = {"seen": [point for point in points if point]}
        progress(label)
    progress("")
    if not found:
        raise _few(plan)
    return {
        "model": model.name,
        "place": plan.place,
        "by": "minutes of normal seen",
        "clips": len(seen),
        "unreadable": [str(error) for error in failures],
        "general": dict(_NAMES),
        "labels": found,
    }, failures


def _watch(
    recognizer: Recognizer, clips: Sequence[LabelledClip], progress: Progress
) -> tuple[list[LabelledClip], list[Windows], list[CameraError]]:
    seen, windows, failures = [], [], []
    for number, clip in enumerate(clips, 1):
        progress(f"{number} of {len(clips)}: {clip.path.name}")
        try:
            windows.append(_windows(watch_clip(recognizer, clip.path).embeddings))
        except CameraError as error:
            failures.append(error)
            continue
        seen.append(clip)
    return seen, windows, failures


def _windows(embeddings: Windows) -> Windows:
    """Return a clip's windows as a camera sees them, (windows, width)."""
    recent = Recent(embeddings.shape[1])
    rows = [recent.add(row) for row in embeddings]
    return np.stack(rows[min(FRAMES, len(rows)) - 1 :])


def _point(
    clips: Sequence[LabelledClip],
    windows: Sequence[Windows],
    label: str,
    *,
    share: float,
    plan: Plan,
    rate: float,
) -> dict[str, Any]:
    """Return the figures of draws that see a share of the normal clips; nothing without enough."""
    homes = [clip.source if plan.place == "source" else clip.group for clip in clips]
    shows = np.array([label in clip.labels for clip in clips])
    normal = np.array([NORMAL in clip.labels for clip in clips]) & ~shows
    places = [
        place
        for place in sorted(set(homes))
        if _count(homes, place, normal) >= _LEAST and _count(homes, place, shows)
    ]
    if not places:
        return {}
    chance = np.random.default_rng(round(share * 1000))
    scores = np.full((plan.draws, len(clips)), np.nan)
    minutes = []
    for draw in range(plan.draws):
        mine = np.array([home == places[draw % len(places)] for home in homes])
        calm = chance.permutation(np.flatnonzero(mine & normal)).tolist()
        taken = calm[: max(1, round(share * len(calm)))]
        minutes.append(sum(len(windows[i]) for i in taken) / rate / 60)
        home = _learnt([windows[i] for i in taken], rate)
        for i in [*np.flatnonzero(mine & shows).tolist(), *calm[len(taken) :]]:
            scores[draw, i] = highest(home, windows[i])
    return {
        "examples": round(float(np.mean(minutes)), 2),
        "share": share,
        "draws": plan.draws,
        "places": len(places),
        "worst": _worst(scores, shows),
        **told("auc", scores, shows, [clip.group for clip in clips]),
    }


def _count(homes: Sequence[str], place: str, kind: NDArray[np.bool_]) -> int:
    return sum(
        1 for home, right in zip(homes, kind.tolist(), strict=True) if right and home == place
    )


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
    """Return a clip's highest distance, averaged as a camera's is; 0 while nothing is known."""
    distances = np.array([normal.distance(window).distance for window in windows])
    count = min(AVERAGED, len(distances))
    return float(np.convolve(distances, np.ones(count) / count, "valid").max())


def _worst(scores: NDArray[np.float64], shows: NDArray[np.bool_]) -> float:
    means = [
        told("auc", scores[row : row + 1], shows, ["" for _ in shows])["auc"]
        for row in range(len(scores))
    ]
    return round(min((mean for mean in means if mean is not None), default=float("nan")), _DIGITS)


def _few(plan: Plan) -> ClipsError:
    return ClipsError(
        "clips_few",
        f"No {plan.place} has {_LEAST} clips that are labelled {NORMAL} and one of "
        f"{plan.label or 'anything else'}.",
        "Take another --label or --place.",
    )


def render(result: Mapping[str, Any]) -> str:
    """Return the curves for a person."""
    lines = [f"{result['model']}: {result['clips']} clips, a home is one {result['place']}"]
    for label, found in result["labels"].items():
        lines.append(f"{label}, never seen, against the rest of the place's normal clips")
        for one in found["seen"]:
            value, between = one["auc"], one["auc_interval"]
            said = "unknown" if value is None else f"AUC {value:.3f}"
            sure = f" ({between[0]:.3f} to {between[1]:.3f})" if between else ""
            seen, worst = one["examples"], one["worst"]
            lines.append(f"  {seen:5.2f} minutes of normal: {said}{sure}  worst {worst:.3f}")
    lines.append("Mean of the draws; in brackets the 95 % interval, groups drawn anew.")
    return "\n".join(lines)
