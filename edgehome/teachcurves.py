"""`edgehome evaluate --teach`: what a handful of examples teaches, on labelled clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgehome.clips import LabelledClip
from edgehome.drawnclips import (
    LEAST_DRAWS,
    LIST,
    Plan,
    Progress,
    Seen,
    basis,
    few,
    figure,
    head_of,
    header,
    watch,
)
from edgehome.recognizer.recognizer import Recognizer
from edgehome.teaching.curves import LEFT, Draw, Watched, draws_of, elsewhere, point
from edgehome.teaching.general import General, shipped_general
from edgehome.teaching.learner import windows_in
from edgehome.types import CameraError, ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

GENERALS: Mapping[str, str] = {
    "shipped": "with the general negatives that edgehome brings: what a home gets",
    "clips": "with the list's clips of other places as general negatives",
    "none": "without general negatives",
}


def curves(
    clips: Sequence[LabelledClip], model: Path, plan: Plan, *, progress: Progress = lambda _: None
) -> tuple[dict[str, Any], list[CameraError]]:
    """Return the curves, ready for JSON, and what was wrong with clips that could not be read.

    Clips without a label are left out. Raises ModelError (`model_no_embedding`), and ClipsError:
    `clips_label`, `clips_unreadable`, and `clips_few` where no home has enough clips for the
    smallest number of examples.
    """
    kept = [clip for clip in clips if clip.labels]
    labels = plan.labels(kept)
    with Recognizer(model) as recognizer:
        rate, space = recognizer.manifest.rate, recognizer.manifest.embedding
        seen = watch(kept, recognizer, progress)
    shipped = _shipped(space)
    found, notes = {}, []
    for label in labels:
        watched, beyond = _watched(seen, plan, label, rate)
        of_label = _curves(watched, plan, shipped, progress)
        if of_label:
            found[label] = of_label
            notes += seen.others(plan, label) + _notes(label, of_label, plan, beyond)
        else:
            notes.append(f"{label}: too few clips of it, or of normal beside it, in any one home")
    progress("")
    if not found:
        least = plan.examples[0]
        which = " or ".join(labels) or "anything but what is normal"
        wanted = f"{least + LEFT} clips that show {which} and {LEFT} normal ones"
        raise few(plan, seen, wanted, len(clips) - len(kept))
    return {
        **head_of(model, plan, seen, len(clips) - len(kept), notes),
        "general": {
            name: words
            for name, words in GENERALS.items()
            if any(name in of_label for of_label in found.values())
        },
        "labels": found,
    }, seen.failures


def _shipped(space: str) -> General | None:
    """Return what edgehome brings for a space; where that is none the curve is left out."""
    try:
        return shipped_general(space)
    except ModelError:
        return None


def _watched(seen: Seen, plan: Plan, label: str, rate: float) -> tuple[list[Watched], int]:
    """Return the clips as windows, and how many have no segment within their length."""
    found, beyond = [], 0
    for clip, embeddings, calm in zip(
        seen.clips, seen.embeddings, seen.calm(plan, label), strict=True
    ):
        shown = None
        if label in clip.labels:
            part = _shown(clip, embeddings, label, rate)
            beyond += part is None
            shown = windows_in(embeddings if part is None else part, rate)
        windows = windows_in(embeddings, rate)
        found.append(Watched(windows, shown, plan.home(clip), clip.group, calm))
    return found, beyond


def _shown(
    clip: LabelledClip, embeddings: NDArray[np.float32], label: str, rate: float
) -> NDArray[np.float32] | None:
    """Return the embeddings of the seconds in which a clip is said to show the label, if any."""
    spans = [(start, end) for start, end, shows in clip.stretches(label) if shows]
    start_s = min((start for start, _ in spans), default=0.0)
    end_s = max((end for _, end in spans), default=float("inf"))
    first = int(start_s * rate)
    if first >= len(embeddings):
        return None
    last = max(int(min(end_s * rate, len(embeddings))) + 1, first + 1)
    return embeddings[first:last]


def _curves(
    clips: Sequence[Watched], plan: Plan, shipped: General | None, progress: Progress
) -> dict[str, list[dict[str, Any]]]:
    """Return the points of each kind of general negatives; nothing where no place has enough."""
    found: dict[str, list[dict[str, Any]]] = {}
    for examples in plan.examples:
        draws = draws_of(clips, examples, plan.draws, apart=plan.place == LIST)
        for name in GENERALS if draws else ():
            generals = _generals(name, clips, draws, shipped)
            if name != "none" and None in generals.values():
                continue
            progress(f"{examples} examples, {GENERALS[name]}")
            found.setdefault(name, []).append(point(clips, draws, generals))
    return found


def _notes(
    label: str, found: Mapping[str, Sequence[Mapping[str, Any]]], plan: Plan, beyond: int
) -> list[str]:
    drawn = {one["examples"] for points in found.values() for one in points}
    notes = [
        f"{label}, {examples} examples: no {plan.place} has {examples + LEFT} clips of it"
        for examples in plan.examples
        if examples not in drawn
    ]
    if beyond:
        notes.append(
            f"{label}: of {beyond} clips the segments begin after the end; all of each is shown"
        )
    return notes


def _generals(
    name: str, clips: Sequence[Watched], draws: Sequence[Draw], shipped: General | None
) -> dict[str, General | None]:
    places = {draw.place for draw in draws}
    if name == "clips":
        return {place: elsewhere(clips, place) for place in places}
    return dict.fromkeys(places, shipped if name == "shipped" else None)


def render(result: Mapping[str, Any]) -> str:
    """Return the curves for a person."""
    lines = header(result)
    for label, found in result["labels"].items():
        for name, points in found.items():
            lines.append(f"{label}, {GENERALS[name]}")
            lines += [f"  {_said(one)}" for one in points]
    lines.append(
        "AUC on the rest of the home: mean of the draws (95 % interval, groups drawn anew), worst "
        "draw; and on its groups of which nothing was shown."
    )
    return "\n".join(lines)


def _said(one: Mapping[str, Any]) -> str:
    worst = "unknown" if one["worst"] is None else f"{one['worst']:.3f}"
    return (
        f"{one['examples']:2} examples: {figure(one, 'auc')}  worst {worst}  "
        f"other groups {figure(one, 'others', LEAST_DRAWS)}  "
        f"{basis(one)}"
    )
