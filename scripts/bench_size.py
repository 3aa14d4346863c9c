"""How the best score of an activity falls when people are smaller in the picture.

Each rendered clip runs through the model in the box as it is, and shrunk into the middle of the
picture, whose border then repeats its edge. Prints a table in Markdown: in how many clips the score
reached 0.5, and the mean of the best scores.

    python scripts/bench_size.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome.recognizer.recognizer import Recognizer  # noqa: E402
from edgehome.types import Delegate, Frame  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLIPS = ROOT / "models" / "clips"
MODEL = ROOT / "models" / "edgehome-a0.tflite"
SIZE, RATE, THRESHOLD = 172, 5.0, 0.5
SHARES = (1.0, 0.75, 0.5, 0.35, 0.25)
QUESTIONS = (("fall", "fall"), ("fight", "fighting"), ("walk", "person"))
"""What happens in the clips, and the label that is to tell of it."""


def frames(clip: Path, share: float) -> Iterator[Frame]:
    """Yield a clip's frames at RATE, the picture shrunk to a share of its side."""
    side = round(SIZE * share / 2) * 2
    before = (SIZE - side) // 2
    border = (before, SIZE - side - before)
    due_s = 0.0
    with av.open(str(clip)) as container:
        for picture in container.decode(video=0):
            if picture.time is None or picture.time < due_s - 1e-6:
                continue
            due_s += 1 / RATE
            shrunk = picture.reformat(side, side, "rgb24", interpolation="AREA").to_ndarray()
            image: NDArray[np.uint8] = np.pad(shrunk, (border, border, (0, 0)), mode="edge")
            yield Frame(picture.time, datetime.now(UTC), np.ascontiguousarray(image))


def best(recognizer: Recognizer, clip: Path, share: float, place: int) -> float:
    """Return the highest score that a clip gets."""
    recognizer.reset()
    return max(float(recognizer.step(frame)[place]) for frame in frames(clip, share))


def main() -> int:
    """Print the table."""
    print("| in the picture | " + " | ".join(label for _, label in QUESTIONS) + " |")
    print("|---|" + "---|" * len(QUESTIONS))
    with Recognizer(MODEL, threads=1, delegate=Delegate.CPU, window_s=10.0) as recognizer:
        for share in SHARES:
            cells = []
            for what, label in QUESTIONS:
                place = recognizer.labels.index(label)
                clips = sorted(CLIPS.glob(f"*-{what}.mp4"))
                scores = [best(recognizer, clip, share, place) for clip in clips]
                found = sum(score >= THRESHOLD for score in scores)
                cells.append(f"{found} of {len(scores)} ({np.mean(scores):.2f})")
            print(f"| {share:.0%} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
