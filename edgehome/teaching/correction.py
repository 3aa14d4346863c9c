"""The file of a correction: alerts' windows that were judged as not suspicious.

A lesson's file (`lessonfile`) whose examples are those windows, all of them normal; in place of a
head it has `correction`, what the recogniser lowers a label by (edgehome.recognizer.corrections).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.heads.statistics import clip_statistics
from edgehome.teaching.lessonfile import encode_lesson
from edgehome.types import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgehome.teaching.general import General
    from edgehome.teaching.lesson import Lesson

KEY = "correction"
MOST_ALERTS = 8
"""Judged at most: each takes some of the label away."""
MOMENTS = 6
"""Of an alert's window."""


def asked_of(data: bytes | None, changes: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return label and level where changes, or the file before, are of a correction."""
    before = json.loads(data).get(KEY) if data else None
    asked = {key: before[key] for key in ("label", "level")} if before else None
    for change in changes:
        if "level" in change:
            level = min(change["level"], asked["level"]) if asked else change["level"]
            asked = {"label": change["label"], "level": level}
    return asked


def refused(lesson: Lesson, general: General | None, label: str) -> Problem | None:
    """Return why no further alert can be judged, if so."""
    if general is None:
        return Problem(
            "correction_impossible",
            f"This model ({lesson.embedding}) has no general negatives, so alerts of {label} "
            "cannot be corrected.",
            "Raise the rule's `above`, or add what tells the two apart to it (`none:`).",
        )
    if len(lesson.shown) > MOST_ALERTS:
        return Problem(
            "correction_bound",
            f"{MOST_ALERTS} alerts of {label} were judged as not suspicious already; more would "
            "hide true ones.",
            "Raise the rule's `above`, or teach the activity anew at home.",
        )
    return None


def encode_correction(lesson: Lesson, general: General, asked: Mapping[str, Any]) -> bytes:
    """Return the file's content; `asked` has label and level."""
    windows = [moments_of(e.embeddings, lesson.rate, general.window_s) for e in lesson.shown]
    moments = (np.concatenate(windows) - general.center) / general.scale
    fields = json.loads(encode_lesson(lesson, None))
    count = len(windows)
    said = (
        f"{count} alert{'' if count == 1 else 's'} judged as not suspicious; what looks like "
        f"{'it' if count == 1 else 'them'} stays below {asked['level']:.2g}"
    )
    fields = {
        "name": lesson.name,
        "embedding": lesson.embedding,
        "card": {"description": said},
        KEY: {
            **asked,
            "center": _text(general.center),
            "scale": _text(general.scale),
            "moments": _text(moments),
        },
        **fields,
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def moments_of(
    embeddings: NDArray[np.float32], rate: float, window_s: float
) -> NDArray[np.float32]:
    """Return means of some full windows, evenly over what was seen, (moments, width)."""
    frames = max(1, round(window_s * rate))
    means = clip_statistics(embeddings, frames=frames, kinds=("mean",))
    full = means[min(frames, len(means)) - 1 :]
    places = np.unique(np.linspace(0, len(full) - 1, MOMENTS).round().astype(int))
    return np.asarray(full[places], np.float32)


def _text(numbers: NDArray[np.float32]) -> str:
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()
