"""Which clips of a list are drawn for the curves: what shows an activity, what is normal, where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgehome.clips import ClipsError, LabelledClip
from edgehome.footage import watch_clip
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import CameraError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Progress = Callable[[str], None]
SOURCE, GROUP, LIST = "source", "group", "list"
PLACES = (SOURCE, GROUP, LIST)
"""What is taken for one home: clips of a source, of a group, or all of the list."""
LEAST_DRAWS = 3
"""Fewer than that tell nothing of clips of other groups."""


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
    """One of PLACES."""
    normal: tuple[str, ...] = ("normal",)
    """Labels of what is normal."""

    def home(self, clip: LabelledClip) -> str:
        """Return the home that a clip is of."""
        if self.place == LIST:
            return "the list"
        return clip.source if self.place == SOURCE else clip.group

    def is_normal(self, clip: LabelledClip) -> bool:
        """Say whether a clip is labelled as normal."""
        names = {name.casefold() for name in self.normal}
        return any(label.casefold() in names for label in clip.labels)

    def labels(self, clips: Sequence[LabelledClip]) -> list[str]:
        """Return the activities that are asked for. Raises ClipsError (`clips_label`)."""
        normal = {name.casefold() for name in self.normal}
        known = sorted({name for clip in clips for name in clip.labels})
        if not self.label:
            return [name for name in known if name.casefold() not in normal]
        found = [name for name in known if name.casefold() == self.label.casefold()]
        if not found:
            raise ClipsError(
                "clips_label",
                f"No clip shows {self.label!r}; the list's labels are: {', '.join(known)[:300]}.",
                "Take one of them as --label.",
            )
        return [self.label] if self.label in found else found[:1]


@dataclass(frozen=True, eq=False)
class Seen:
    """Clips that could be read, each with its embeddings, (frames, width)."""

    clips: list[LabelledClip]
    embeddings: list[NDArray[np.float32]]
    failures: list[CameraError]

    def calm(self, plan: Plan, label: str) -> list[bool]:
        """Return of each clip whether it is normal beside an activity.

        Where the list names nothing normal, that is all that does not show the activity.
        """
        named = [plan.is_normal(clip) for clip in self.clips]
        return [
            label not in clip.labels and (normal or not any(named))
            for clip, normal in zip(self.clips, named, strict=True)
        ]

    def notes(self, plan: Plan, unlabelled: int) -> list[str]:
        """Return what is to be known of how the list was read."""
        found = []
        if not any(plan.is_normal(clip) for clip in self.clips):
            found.append(
                f"no clip is labelled {' or '.join(plan.normal)}: all that do not show the "
                "activity are taken for normal (--normal says which are)"
            )
        if unlabelled:
            found.append(f"{unlabelled} clips without a label are left out")
        return found

    def others(self, plan: Plan, label: str) -> list[str]:
        """Return what is to be known of the clips of other activities."""
        calm = self.calm(plan, label)
        left = sum(
            label not in clip.labels and not normal
            for clip, normal in zip(self.clips, calm, strict=True)
        )
        return [f"{label}: {left} clips of other activities are left out"] if left else []


def watch(clips: Sequence[LabelledClip], recognizer: Recognizer, progress: Progress) -> Seen:
    """Return all clips that have a label and can be read.

    Raises ClipsError (`clips_unreadable`) where none can.
    """
    seen = Seen([], [], [])
    for number, clip in enumerate(clips, 1):
        progress(f"{number} of {len(clips)}: {clip.path.name}")
        try:
            embeddings = watch_clip(recognizer, clip.path).embeddings
        except CameraError as error:
            seen.failures.append(error)
            continue
        seen.clips.append(clip)
        seen.embeddings.append(embeddings)
    if clips and not seen.clips:
        progress("")
        raise ClipsError(
            "clips_unreadable",
            f"None of the list's {len(clips)} clips can be read, the first: "
            f"{seen.failures[0].problem.message}",
            "Say where they lie with --folder, or mend the paths: they are relative to the list.",
        )
    return seen


def few(plan: Plan, seen: Seen, wanted: str, unlabelled: int) -> ClipsError:
    """Return what is told where no home has enough clips."""
    counts = Counter(name for clip in seen.clips for name in clip.labels)
    there = ", ".join(f"{count} {name}" for name, count in counts.most_common(12)) or "none"
    homes = len({plan.home(clip) for clip in seen.clips})
    unread = f" {unlabelled} have no label." if unlabelled else ""
    if seen.failures:
        unread += f" {len(seen.failures)} could not be read: {seen.failures[0].problem.message}"
    where = "The list has not" if plan.place == LIST else f"No {plan.place} of {homes} has"
    return ClipsError(
        "clips_few",
        f"{where} {wanted}. There are: {there}.{unread}",
        "Draw fewer, or take another --label, --normal or --place (list: all of it as one home).",
    )


def header(result: Mapping[str, Any]) -> list[str]:
    """Return the first lines for a person."""
    place = "the whole list" if result["place"] == LIST else f"one {result['place']}"
    count = f", {result['homes']} of them" if result["place"] != LIST else ""
    return [
        f"{result['model']}: {result['clips']} clips, a home is {place}{count}",
        *(f"note: {note}" for note in result["notes"]),
    ]


def head_of(
    model: Path, plan: Plan, seen: Seen, unlabelled: int, notes: Sequence[str] = ()
) -> dict[str, Any]:
    """Return what a result says of its list, ready for JSON."""
    return {
        "model": model.name,
        "place": plan.place,
        "homes": len({plan.home(clip) for clip in seen.clips}),
        "clips": len(seen.clips),
        "unreadable": [str(error) for error in seen.failures],
        "notes": [*seen.notes(plan, unlabelled), *notes],
    }


def basis(one: Mapping[str, Any]) -> str:
    """Return what a figure rests on."""
    homes = one["places"]
    return f"({homes} home{'' if homes == 1 else 's'}, {one['judged']:g} clips judged a draw)"


def figure(one: Mapping[str, Any], name: str, least: int = 1) -> str:
    """Return a figure with its interval; `unknown` where fewer than `least` draws tell it."""
    value, between, draws = one[name], one[f"{name}_interval"], one[f"{name}_draws"]
    if value is None or draws < least:
        tell = "draw tells" if draws == 1 else "draws tell"
        return f"unknown ({draws} {tell})" if draws else "unknown"
    sure = f" ({between[0]:.3f} to {between[1]:.3f})" if between else " (no interval: few groups)"
    return f"{value:.3f}{sure}"
