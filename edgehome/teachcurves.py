"""`edgehome evaluate --teach`: what a handful of examples teaches, on labelled clips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgehome.clips import ClipsError, LabelledClip
from edgehome.footage import watch_clip
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

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drawn."""

    examples: tuple[int, ...]
    """Numbers of examples, rising."""
    draws: int
    """Of each."""
    label: str
    """The activity; empty: each that enough clips show."""
    place: str
    """What a home is: clips of one `source`, or of one `group`."""


Embedded = tuple[LabelledClip, "NDArray[np.float32]"]


def curves(
    clips: Sequence[LabelledClip], model: Path, plan: Plan, *, progress: Progress = lambda _: None
) -> tuple[dict[str, Any], list[CameraError]]:
    """Return the curves, ready for JSON, and what was wrong with clips that could not be read.

    Clips without a label are left out. Raises ModelError (`model_no_embedding`), and ClipsError
    (`clips_few`) where no place has enough clips for the smallest number of examples.
    """
    clips = [clip for clip in clips if clip.labels]
    labels = [plan.label] if plan.label else sorted({name for c in clips for name in c.labels})
    with Recognizer(model) as recognizer:
        rate, space = recognizer.manifest.rate, recognizer.manifest.embedding
        seen, failures = _watch(recognizer, clips, progress)
    try:
        shipped: General | None = shipped_general(space)
    except ModelError:  # none for this space: the curve is left out, and that is said
        shipped = None
    found = {}
    for label in labels:
        watched = [_of(clip, embeddings, label, plan.place, rate) for clip, embeddings in seen]
        of_label = _curves(watched, plan, shipped, progress)
        if of_label:
            found[label] = of_label
    progress("")
    if not found:
        raise _few(labels, plan)
    return {
        "model": model.name,
        "place": plan.place,
        "clips": len(seen),
        "unreadable": [str(error) for error in failures],
        "general": {
            name: words
            for name, words in GENERALS.items()
            if any(name in of_label for of_label in found.values())
        },
        "labels": found,
    }, failures


def _watch(
    recognizer: Recognizer, clips: Sequence[LabelledClip], progress: Progress
) -> tuple[list[Embedded], list[CameraError]]:
    seen, failures = [], []
    for number, clip in enumerate(clips, 1):
        progress(f"{number} of {len(clips)}: {clip.path.name}")
        try:
            seen.append((clip, watch_clip(recognizer, clip.path).embeddings))
        except CameraError as error:
            failures.append(error)
    return seen, failures


def _of(
    clip: LabelledClip, embeddings: NDArray[np.float32], label: str, place: str, rate: float
) -> Watched:
    """Return a clip as windows, and those of the seconds in which it is said to show the label."""
    shown = None
    if label in clip.labels:
        spans = [(start, end) for start, end, shows in clip.stretches(label) if shows]
        start_s, end_s = min(start for start, _ in spans), max(end for _, end in spans)
        first = min(int(start_s * rate), len(embeddings) - 1)
        last = max(int(min(end_s * rate, len(embeddings))) + 1, first + 1)
        shown = windows_in(embeddings[first:last], rate)
    home = clip.source if place == "source" else clip.group
    return Watched(windows_in(embeddings, rate), shown, home or clip.group, clip.group)


def _curves(
    clips: Sequence[Watched], plan: Plan, shipped: General | None, progress: Progress
) -> dict[str, list[dict[str, Any]]]:
    """Return the points of each kind of general negatives; nothing where no place has enough."""
    found: dict[str, list[dict[str, Any]]] = {}
    for examples in plan.examples:
        draws = draws_of(clips, examples, plan.draws)
        for name in GENERALS if draws else ():
            generals = _generals(name, clips, draws, shipped)
            if name != "none" and None in generals.values():
                continue
            progress(f"{examples} examples, {GENERALS[name]}")
            found.setdefault(name, []).append(point(clips, draws, generals))
    return found


def _generals(
    name: str, clips: Sequence[Watched], draws: Sequence[Draw], shipped: General | None
) -> dict[str, General | None]:
    places = {draw.place for draw in draws}
    if name == "clips":
        return {place: elsewhere(clips, place) for place in places}
    return dict.fromkeys(places, shipped if name == "shipped" else None)


def _few(labels: Sequence[str], plan: Plan) -> ClipsError:
    least = plan.examples[0]
    return ClipsError(
        "clips_few",
        f"No {plan.place} has {least + LEFT} clips that show {' or '.join(labels)} and {LEFT} "
        f"others, so {least} cannot be drawn and the rest judged.",
        "Draw fewer, or take another --label or --place.",
    )


def render(result: Mapping[str, Any]) -> str:
    """Return the curves for a person."""
    lines = [f"{result['model']}: {result['clips']} clips, a home is one {result['place']}"]
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
    return (
        f"{one['examples']:2} examples: {_figure(one, 'auc')}  worst {one['worst']:.3f}  "
        f"other groups {_figure(one, 'others')}"
    )


def _figure(one: Mapping[str, Any], name: str) -> str:
    value, between = one[name], one[f"{name}_interval"]
    if value is None:
        return "unknown"
    sure = f" ({between[0]:.3f} to {between[1]:.3f})" if between else ""
    return f"{value:.3f}{sure}"
