"""How good a model's labels and heads are on labelled clips, and how sure that is.

A clip is judged by the highest probability of its full windows, or, where it is shorter than a
window, of all of it. An alarm is a probability that reaches a threshold from below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.clips import ClipsError, LabelledClip
from edgehome.footage import watch_clip
from edgehome.heads.head import read_head
from edgehome.heads.measures import (
    Alarms,
    auc,
    average_precision,
    calibration_error,
    count_alarms,
    interval,
)
from edgehome.heads.names import heads_beside
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import CameraError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Measure = Callable[[NDArray[np.int64]], float]

WINDOW_S = 10.0
"""Over which the model's own labels are pooled."""
_DIGITS = 4
_NAMES = {
    "auc": "AUC",
    "average_precision": "average precision",
    "recall": "recall",
    "calibration_error": "expected calibration error",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """A clip and what the model said of it."""

    clip: LabelledClip
    probabilities: Mapping[str, NDArray[np.float64]]
    """Of its full windows by label, (windows,), at least one."""

    def highest(self, label: str) -> float:
        """Return the highest probability of a label."""
        return float(self.probabilities[label].max())


def evaluate(
    clips: Sequence[LabelledClip],
    model: Path,
    *,
    alarms_an_hour: float = 1.0,
    threads: int = 2,
    rate: float = 0.0,
    progress: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, Any], list[CameraError]]:
    """Return the figures, ready for JSON, and what was wrong with clips that could not be read.

    Clips without a label are left out: nobody says what they do not show. `rate` is in frames a
    second; 0: the one that the model was trained at. Raises ModelError, and
    ClipsError (`labels_unknown`) where the model tells none of the labels.
    """
    clips = [clip for clip in clips if clip.labels]
    with Recognizer(model, threads=threads, window_s=WINDOW_S) as recognizer:
        rate = rate or recognizer.manifest.rate
        recognizer.set_rate(rate)
        frames = dict.fromkeys(_labels(clips, recognizer.labels), WINDOW_S * rate)
        for name, path in heads_beside(model, recognizer.manifest.embedding):
            if name in frames:
                frames[name] = read_head(path).window_s * rate
        seen, failures = _watch(recognizer, clips, frames, rate, progress)
    result = {
        "model": model.name,
        "rate": rate,
        "clips": [
            {
                "path": str(one.clip.path),
                "labels": sorted(one.clip.labels),
                "highest": {label: round(one.highest(label), _DIGITS) for label in frames},
            }
            for one in seen
        ],
        "unreadable": [str(error) for error in failures],
        "labels": {label: judge(seen, label, rate, alarms_an_hour) for label in frames},
    }
    return result, failures


def _watch(
    recognizer: Recognizer,
    clips: Sequence[LabelledClip],
    frames: Mapping[str, float],
    rate: float,
    progress: Callable[[str], None],
) -> tuple[list[Seen], list[CameraError]]:
    """Return what is said of the clips; `frames` are those in the window of each label."""
    seen, failures = [], []
    places = [(label, recognizer.labels.index(label), window) for label, window in frames.items()]
    for number, clip in enumerate(clips, 1):
        progress(f"{number} of {len(clips)}: {clip.path.name}")
        try:
            said = watch_clip(recognizer, clip.path, rate=rate).probabilities
        except CameraError as error:
            failures.append(error)
            continue
        full = {label: _full(said[:, place], window) for label, place, window in places}
        seen.append(Seen(clip, full))
    progress("")
    return seen, failures


def judge(seen: Sequence[Seen], label: str, rate: float, alarms_an_hour: float) -> dict[str, Any]:
    """Return the figures of one label at `rate` frames a second, each with its interval.

    A figure is None where the clips cannot give it, an interval where there are not two groups of
    each kind: groups, not clips, are what is drawn for it.
    """
    positive = np.array([label in one.clip.labels for one in seen], bool)
    groups = [one.clip.group for one in seen]
    sources = [len({g for g, p in zip(groups, positive, strict=True) if p == s}) for s in (1, 0)]
    negatives = [one.probabilities[label] for one in seen if label not in one.clip.labels]
    found: dict[str, Any] = {
        "positives": int(positive.sum()),
        "negatives": int((~positive).sum()),
        "positive_groups": sources[0],
        "negative_groups": sources[1],
        "negative_hours": round(sum(map(len, negatives)) / (3600 * rate), _DIGITS),
        "alarms_an_hour": alarms_an_hour,
    }
    scores = np.array([one.highest(label) for one in seen])
    alarms = count_alarms(negatives, np.append(scores, 1.0), frames_an_hour=3600 * rate)
    rows = np.arange(len(seen))
    for name, measure in _measures(scores, positive, alarms, alarms_an_hour).items():
        value = measure(rows) if len(rows) else float("nan")
        between = interval(measure, groups) if min(sources) > 1 else None
        found[name] = None if np.isnan(value) else round(value, _DIGITS)
        found[f"{name}_interval"] = between and [round(end, _DIGITS) for end in between]
    return found


def _measures(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], alarms: Alarms, alarms_an_hour: float
) -> dict[str, Measure]:
    """Return the measures of any rows; `alarms` are those of the negatives, in their order."""
    row_of = np.cumsum(~positive) - 1

    def recall(rows: NDArray[np.int64]) -> float:
        if positive[rows].all() or not positive[rows].any():
            return float("nan")
        threshold = alarms.threshold(alarms_an_hour, row_of[rows[~positive[rows]]])
        return float((scores[rows[positive[rows]]] >= threshold).mean())

    return {
        "auc": lambda rows: auc(scores[rows], positive[rows]),
        "average_precision": lambda rows: average_precision(scores[rows], positive[rows]),
        "recall": recall,
        "calibration_error": lambda rows: calibration_error(scores[rows], positive[rows]),
    }


def render(result: Mapping[str, Any]) -> str:
    """Return the figures for a person."""
    lines = [f"{result['model']}: {len(result['clips'])} clips"]
    for label, found in result["labels"].items():
        lines.append(
            f"{label}: {found['positives']} clips of {found['positive_groups']} groups show it, "
            f"{found['negatives']} of {found['negative_groups']} do not"
        )
        for name, words in _NAMES.items():
            value, between = found[name], found[f"{name}_interval"]
            said = "unknown" if value is None else f"{value:.3f}"
            sure = f"  ({between[0]:.3f} to {between[1]:.3f})" if between else ""
            lines.append(f"  {words:27}{said}{sure}{_remark(name, found)}")
    lines.append("In brackets: 95 % intervals, groups drawn anew; none with less than two groups.")
    return "\n".join(lines)


def _remark(name: str, found: Mapping[str, Any]) -> str:
    if name != "recall" or not found["negative_hours"]:
        return ""
    wished, hours = found["alarms_an_hour"], found["negative_hours"]
    remark = f"  at {wished:g} false alarms an hour"
    if wished * hours < 1:
        remark += f": none in these {60 * hours:.1f} minutes, too few to tell {wished:g} an hour"
    return remark


def _labels(clips: Sequence[LabelledClip], told: Sequence[str]) -> list[str]:
    asked = sorted({label for clip in clips for label in clip.labels})
    labels = [label for label in asked if label in told]
    if labels:
        return labels
    few = ", ".join(told[-5:]) or "none"
    raise ClipsError(
        "labels_unknown",
        f"The model tells none of the clips' labels ({', '.join(asked) or 'none'}).",
        f"Among its own are: {few}. A head for a new label goes into the folder heads beside it.",
    )


def _full(said: NDArray[np.float32], frames: float) -> NDArray[np.float64]:
    first = min(max(1, round(frames)), len(said)) - 1
    return said[first:].astype(np.float64)
