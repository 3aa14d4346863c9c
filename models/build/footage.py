"""Labelled clips, decoded once: every frame of a clip as one array in a file of its own."""

from __future__ import annotations

import csv
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

LINES = 208
"""Height at which frames are kept: more than the network's 172, so that crops are sharp."""
WIDEST = 2.0
"""Width over height beyond which the sides are left out; the network sees a square."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip's frames and what its list says of it."""

    path: str
    labels: frozenset[str]
    group: str
    frames: NDArray[np.uint8]
    """(frames, LINES, width, 3), at the clip's own rate."""
    rate: float
    """Frames a second."""


def read_clips(listing: Path, split: str, cache: Path) -> Iterator[Clip]:
    """Yield the clips of a split; each is decoded at its first use and kept under `cache`."""
    with listing.open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["split"] == split]
    cache.mkdir(parents=True, exist_ok=True)
    for row in rows:
        kept = cache / (row["path"].replace("/", "_") + ".npy")
        rate_file = kept.with_suffix(".rate")
        if not rate_file.exists():
            rate = _decode(listing.parent / row["path"], kept)
            rate_file.write_text(str(rate), encoding="ascii")
        yield Clip(
            path=row["path"],
            labels=frozenset(row["labels"].replace(";", " ").split()),
            group=row["group"],
            frames=np.load(kept, mmap_mode="r"),
            rate=float(rate_file.read_text(encoding="ascii")),
        )


def _decode(path: Path, kept: Path) -> float:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        rate = float(stream.average_rate or 10)
        pictures = [_scaled(picture) for picture in container.decode(stream)]
    np.save(kept, np.stack(pictures))
    return rate


def _scaled(picture: av.VideoFrame) -> NDArray[np.uint8]:
    width = round(picture.width * LINES / picture.height)
    made = picture.to_ndarray(width=width, height=LINES, format="rgb24", interpolation="AREA")
    image = made.astype(np.uint8, copy=False)
    spare = max(0, width - round(WIDEST * LINES))
    return image[:, spare // 2 : width - (spare - spare // 2)]
