"""Means over a sliding window, for a camera that never ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Window:
    """The last `frames` vectors, and the sum of all but the one that leaves next.

    A ring of float32 beside a float64 sum that a frame enters and the oldest leaves: the same
    work for every frame whatever the window. Once in a turn of the ring the sum is made anew, so
    no rounding adds up over months.
    """

    def __init__(self, *, frames: int, width: int) -> None:
        self._ring = np.zeros((frames, width), np.float32)
        self._next = 0
        self.earlier = np.zeros(width, np.float64)
        """Sum of the vectors that will share the window with the next, (width,); changes with
        `add`."""
        self.seen = 0
        """Vectors in the window."""

    @property
    def frames(self) -> int:
        """Return how many vectors the window can hold."""
        return len(self._ring)

    @property
    def inverse(self) -> float:
        """Return one over the number of vectors in the window once the next is in."""
        return 1.0 / min(self.seen + 1, self.frames)

    @property
    def place(self) -> int:
        """Return the next vector's place in the window, from 0."""
        return min(self.seen, self.frames - 1)

    def add(self, vector: NDArray[np.float32]) -> None:
        """Take one vector, (width,); the oldest leaves a full window."""
        self._ring[self._next] = vector
        self.earlier += vector
        self._next += 1
        if self._next == self.frames:
            self._next = 0
            np.sum(self._ring, axis=0, dtype=np.float64, out=self.earlier)
        self.earlier -= self._ring[self._next]
        self.seen = min(self.seen + 1, self.frames)

    def last(self, frames: int) -> NDArray[np.float32]:
        """Return the mean of the last `frames` vectors, or of all while there are fewer."""
        count = min(frames, self.seen)
        at = np.arange(self._next - count, self._next)
        mean: NDArray[np.float64] = self._ring[at].mean(axis=0, dtype=np.float64)
        return mean.astype(np.float32)

    def clear(self) -> None:
        """Forget every vector."""
        self._ring[:] = 0
        self.earlier[:] = 0
        self._next = self.seen = 0
