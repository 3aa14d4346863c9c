"""Pictures that come with edgehome, to try a model on: rendered scenes, five frames a second."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FILE = Path(__file__).with_name("frames.npz")


@lru_cache(maxsize=1)
def bundled_frames() -> NDArray[np.uint8]:
    """Return RGB pictures, uint8 (scenes, frames, height, width, 3)."""
    return read_frames(FILE)


def read_frames(path: Path) -> NDArray[np.uint8]:
    """Return the pictures in a file, each kept as its change from the one before, modulo 256."""
    with np.load(path) as stored:
        whole = np.concatenate([stored["first"][:, None], stored["change"]], axis=1)
    return np.add.accumulate(whole, axis=1, dtype=np.uint8)


def scenes(size: int) -> list[NDArray[np.uint8]]:
    """Return the scenes as (frames, size, size, 3); the nearest pixel where the size differs."""
    pictures = bundled_frames()
    rows = np.arange(size) * pictures.shape[2] // size
    return [np.ascontiguousarray(scene[:, rows][:, :, rows]) for scene in pictures]
