"""What is looked at: a window of three frames, less most of what the last seconds showed.

A camera's embedding is mostly of what always stands there, and of its light. Three quarters of
the mean of the last ten seconds are taken off, so that what changes weighs more than where it is.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

FRAMES = 3
"""Of a window."""
RECENT = 50
"""Frames whose mean is taken off."""
OFF = 0.75


class Windows:
    """The last frames' embeddings, (width,) each."""

    def __init__(self, width: int) -> None:
        self._recent: deque[Vector] = deque(maxlen=RECENT)
        self._sum = np.zeros(width, np.float64)

    @property
    def full(self) -> bool:
        """Return whether there are enough frames for a window."""
        return len(self._recent) >= FRAMES

    def clear(self) -> None:
        """Forget all frames."""
        self._recent.clear()
        self._sum[:] = 0

    def add(self, embedding: Vector) -> Vector:
        """Take a frame's embedding; return the window that ends with it, (width,)."""
        if len(self._recent) == RECENT:
            self._sum -= self._recent[0]
        self._sum += embedding
        self._recent.append(embedding)
        count = min(FRAMES, len(self._recent))
        newest = np.add.reduce([self._recent[-1 - i] for i in range(count)]) / np.float32(count)
        window: Vector = (newest - self._sum * (OFF / len(self._recent))).astype(np.float32)
        return window
