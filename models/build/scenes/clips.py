"""The clips and frames in the box: rendered on reserved seeds, written small, with their labels."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import av
import numpy as np

from models.build.scenes import RESERVED, Clip, Labels, render

if TYPE_CHECKING:
    from numpy.typing import NDArray

RATE: Final = 10
SIZE: Final = 256
"""Pixels on a side; a node's centre crop scales it to its model's size as it does any video."""
SECONDS: Final = 8
COLUMNS: Final = (
    "path", "labels", "segments", "seconds", "source", "licence", "group", "split",
)  # fmt: skip

FRAMES: Final = range(14, 26)
"""Which frames of a scene at FRAMES_RATE the self-test sees: by then something happens."""
FRAMES_RATE: Final = 5.0
FRAMES_OF: Final = (
    ("room", "day", "walk"), ("room", "night", "fall"), ("room", "infrared", "fight"),
    ("porch", "infrared", "walk"), ("porch", "day", "fall"), ("porch", "night", "fight"),
)  # fmt: skip


@dataclass(frozen=True)
class Boxed:
    """One clip in the box."""

    place: str
    light: str
    kind: str
    seed: int
    """Counted from the first reserved seed."""

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.place}-{self.light}-{self.kind}.mp4"


_SEEDS: Final = {
    ("room", "day"): (2, 3, 0, 9),
    ("room", "night"): (0, 3, 1, 1),
    ("room", "infrared"): (1, 1, 0, 6),
    ("porch", "day"): (0, 2, 2, 2),
    ("porch", "night"): (0, 3, 3, 1),
    ("porch", "infrared"): (1, 1, 0, 2),
}
"""For each place and light the seeds of empty, walk, fall and fight: chosen by looking at them."""

BOXED: Final = tuple(
    Boxed(place, light, kind, seed)
    for (place, light), seeds in _SEEDS.items()
    for kind, seed in zip(("empty", "walk", "fall", "fight"), seeds, strict=True)
)


def write_all(folder: Path) -> int:
    """Write every clip, clips.csv and the README into `folder`; return their bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, boxed in enumerate(BOXED):
        clip, labels = render(
            boxed.kind, RESERVED.start + boxed.seed, frames=RATE * SECONDS, rate=RATE, size=SIZE,
            place=boxed.place, light=boxed.light,
        )  # fmt: skip
        write_video(folder / boxed.name, clip)
        rows.append(row(boxed, labels))
        size = (folder / boxed.name).stat().st_size
        print(f"{number + 1}/{len(BOXED)} {boxed.name}: {size} bytes", file=sys.stderr)
    with (folder / "clips.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    (folder / "README.md").write_text(README, encoding="utf-8")
    return sum(path.stat().st_size for path in folder.iterdir())


def row(boxed: Boxed, labels: Labels) -> dict[str, str]:
    """Return a clip's row of clips.csv; a clip in which nothing is wrong is `normal`."""
    names = [name for name in ("fall", "fighting") if labels[name].any()]
    return {
        "path": boxed.name,
        "labels": " ".join(names) or "normal",
        "segments": "; ".join(segments(labels)),
        "seconds": f"{SECONDS:.1f}",
        "source": "rendered by edgehome",
        "licence": "Apache-2.0",
        "group": f"rendered-{boxed.place}-{boxed.kind}-{boxed.seed}",
        "split": "val",
    }


def segments(labels: Labels) -> Iterable[str]:
    """Yield the spans in which each label holds: `fall[2.1 to 8.0]`, in seconds."""
    for name, flags in labels.items():
        edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
        for since, until in edges.reshape(-1, 2):
            yield f"{name}[{since / RATE:.1f} to {until / RATE:.1f}]"


def write_video(path: Path, clip: Clip) -> None:
    """Write a clip as H.264 in MP4, which every player reads."""
    options = {"crf": "29", "preset": "veryslow", "g": "80", "threads": "1"}
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as file:
        stream = file.add_stream("libx264", rate=RATE, options=options)
        stream.height, stream.width = clip.shape[1:3]
        stream.pix_fmt = "yuv420p"
        for picture in clip:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())


def frames() -> NDArray[np.uint8]:
    """Return frames for a self-test, uint8 RGB (scenes, frames, 172, 172, 3), 5 a second.

    Brightness is in steps of 8, which halves the file and leaves a recogniser all it needs.
    """
    made = [
        render(
            boxed.kind, RESERVED.start + boxed.seed, frames=FRAMES.stop, rate=FRAMES_RATE,
            place=boxed.place, light=boxed.light, quiet=True,
        )[0][FRAMES.start :]
        for boxed in BOXED
        if (boxed.place, boxed.light, boxed.kind) in FRAMES_OF
    ]  # fmt: skip
    return np.stack(made) & np.uint8(0xF8)


def write_frames(path: Path, pictures: NDArray[np.uint8]) -> None:
    """Write frames as `edgehome.models.frames` reads them.

    That is their first pictures and the changes since the one before, modulo 256.
    """
    np.savez_compressed(path, first=pictures[:, 0], change=np.diff(pictures, axis=1))


README: Final = """# Clips

Nothing here was filmed: every clip is rendered by `python -m models.build.scenes`. They are for the
demo and the tests. How well a model sees real people they cannot show.

`clips.csv` says what happens in each and when; its columns are those that `edgehome evaluate`
reads. Their seeds are reserved: no model is trained on them.

    python -m models.build.scenes clips

The pictures of the self-test, `edgehome/models/frames.npz`, are of the same scenes:

    python -m models.build.scenes frames
"""
