"""Whether what was judged as not suspicious is silent when the very same comes again.

    python scripts/correction_again.py CLIPS.csv --model FILE [--above 0.5]

Every clip of a label that its head finds stands for a false alert, however clearly it was seen:
judged from its onset until 5 s after it, as in the node. Then the clip comes again, twice, with
frames that fall between those judged; counted is where the smoothed score reaches `above` once
more, after the first 3 s, in which a camera that has just begun sees no whole window.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome.camera import open_clip  # noqa: E402
from edgehome.clips import read_clips  # noqa: E402
from edgehome.corrections import AFTER_S, too_clear  # noqa: E402
from edgehome.recognizer.corrections import WINDOW_S, Correction, Corrections  # noqa: E402
from edgehome.recognizer.recognizer import Recognizer  # noqa: E402
from edgehome.teaching.correction import moments_of  # noqa: E402
from edgehome.teaching.general import General, shipped_general  # noqa: E402

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
Rows = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def watch(recognizer: Recognizer, clip: Path, first: int) -> tuple[Rows, Rows]:
    """Return probabilities and embeddings of a clip that comes twice, from a frame on."""
    recognizer.reset()
    size, rate = recognizer.manifest.size, recognizer.manifest.rate
    frames = []
    for _ in range(2):
        with open_clip(clip, size=size, rate=rate, start=BEGIN) as opened:
            frames += list(opened.frames())
    seen, rows = [], []
    for number, frame in enumerate(frames[first:]):
        seen.append(recognizer.step(replace(frame, time_s=number / rate)).copy())
        if recognizer.embedding is not None:
            rows.append(recognizer.embedding.copy())
    return np.array(seen), np.array(rows)


def smoothed(scores: Rows, frames: int) -> Rows:
    """Return the mean of the last frames, as the events take it."""
    return np.array([scores[max(0, n - frames + 1) : n + 1].mean() for n in range(len(scores))])


def again(
    recognizer: Recognizer, general: General, clip: Path, label: str, above: float
) -> tuple[bool, bool] | None:
    """Return whether a judged clip fires again, and whether it was said that it would.

    None where the label is not found in it.
    """
    rate, place = recognizer.manifest.rate, recognizer.labels.index(label)
    second, window = round(rate), round(WINDOW_S * rate)
    (before, rows), (after, others) = (watch(recognizer, clip, first) for first in (0, 1))
    found = np.flatnonzero(smoothed(before[:, place], second) >= above)
    if not len(found):
        return None
    span = slice(max(0, int(found[0]) - window), int(found[0]) + round(AFTER_S * rate) + 1)
    moments = (moments_of(rows[span], rate, WINDOW_S) - general.center) / general.scale
    made = Correction(label, "", above, general.center, general.scale, moments)
    lowered = Corrections([made], recognizer.labels, rate=rate)
    told = [lowered.lower(*one)[place] for one in zip(after, others, strict=True)]
    fires = smoothed(np.array(told), second)[window:].max(initial=0.0) >= above
    return bool(fires), too_clear(label, float(before[span, place].max()), above) is not None


def main() -> None:
    """Measure both labels."""
    parser = argparse.ArgumentParser(description="Whether a judged scene is silent afterwards.")
    parser.add_argument("clips", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--above", type=float, default=0.5)
    options = parser.parse_args()
    with Recognizer(options.model) as recognizer:
        general = shipped_general(recognizer.manifest.embedding)
        for label in ("fall", "fighting"):
            clips = [clip.path for clip in read_clips(options.clips) if label in clip.labels]
            tried = [again(recognizer, general, c, label, options.above) for c in clips]
            found = [one for one in tried if one]
            fires = sum(one[0] for one in found)
            unsaid = sum(one[0] and not one[1] for one in found)
            print(
                f"{label}: {len(found)} of {len(clips)} found and judged; {fires} fire again, "
                f"{unsaid} of them without a word that they were too clear",
                flush=True,
            )


if __name__ == "__main__":
    main()
