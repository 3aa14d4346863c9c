"""Pooling for a camera that never ends: over a window, not over all that was ever seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edgehome.recognizer.head import Head

    Function = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class WindowMean:
    """The mean of the last `frames` embeddings, or of all while there are fewer.

    A ring of float32 beside a float64 sum that a frame enters and the oldest leaves: the same
    work for every frame whatever the window. Once in a turn of the ring the sum is made anew, so
    no rounding adds up over months.
    """

    def __init__(self, *, frames: int, width: int) -> None:
        self._ring = np.zeros((frames, width), np.float32)
        self._sum = np.zeros(width, np.float64)
        self._next = 0
        self._seen = 0

    def add(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take one embedding, (width,), and return the mean, (width,)."""
        self._sum += embedding
        self._sum -= self._ring[self._next]
        self._ring[self._next] = embedding
        self._next += 1
        if self._next == len(self._ring):
            self._next = 0
            np.sum(self._ring, axis=0, dtype=np.float64, out=self._sum)
        self._seen = min(self._seen + 1, len(self._ring))
        return (self._sum / self._seen).astype(np.float32)

    def clear(self) -> None:
        """Forget every frame."""
        self._ring[:] = 0
        self._sum[:] = 0
        self._next = self._seen = 0


class WindowPooling:
    """Pools outside the graph: embeddings in, the head's word on their mean out."""

    def __init__(self, *, head: Head, finish: Function, frames: int) -> None:
        self._head = head
        self._finish = finish
        self._mean = WindowMean(frames=frames, width=head.width)

    def add(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a frame's embedding, (width,), and return probabilities, (labels,)."""
        return self._finish(self._head(self._mean.add(embedding)))

    def clear(self) -> None:
        """Forget every frame."""
        self._mean.clear()


class ResetPooling:
    """Smooths the word of a model whose own sums are set to zero every `frames` frames.

    Just after that the model's word rests on one frame. So it counts for as many frames as it
    rests on, and what it said at the end of the turn before counts for the rest of the window.
    """

    def __init__(self, *, finish: Function, frames: int) -> None:
        self._finish = finish
        self._frames = frames
        self._seen = 0
        self._now: NDArray[np.float32] | None = None
        self._before: NDArray[np.float32] | None = None

    def add(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the model's output for a frame, (labels,), and return probabilities, (labels,)."""
        if self._seen == self._frames:
            self._before = self._now
            self._seen = 0
        self._seen += 1
        self._now = self._finish(logits)
        if self._before is None:
            return self._now
        share = np.float32(self._seen / self._frames)
        return share * self._now + (1 - share) * self._before

    def clear(self) -> None:
        """Forget every frame."""
        self._seen = 0
        self._now = self._before = None
