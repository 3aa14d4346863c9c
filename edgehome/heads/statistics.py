"""What a head sees of a window of embeddings: a few statistics of each component."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Reduce = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _mean(window: NDArray[np.float32]) -> NDArray[np.float32]:
    mean: NDArray[np.float32] = np.add.reduce(window, axis=-2) / np.float32(window.shape[-2])
    return mean


def _greatest(window: NDArray[np.float32]) -> NDArray[np.float32]:
    greatest: NDArray[np.float32] = np.maximum.reduce(window, axis=-2)
    return greatest


def _deviation(window: NDArray[np.float32]) -> NDArray[np.float32]:
    away = window - _mean(window)[..., np.newaxis, :]
    squares = np.einsum("...ij,...ij->...j", away, away)  # a third of the time of numpy's own std
    deviation: NDArray[np.float32] = np.sqrt(squares / np.float32(window.shape[-2]))
    return deviation


STATISTICS: Mapping[str, Reduce] = {"mean": _mean, "max": _greatest, "deviation": _deviation}
"""Over the frames of a window, (..., frames, width) to (..., width). `deviation` is that of the
population: the root of the mean squared distance from the mean."""


def statistics_of(windows: NDArray[np.float32], kinds: Sequence[str]) -> NDArray[np.float32]:
    """Return the statistics of windows, (..., frames, width), one kind after the other.

    The result is (..., len(kinds) * width).
    """
    return np.concatenate([STATISTICS[kind](windows) for kind in kinds], axis=-1)


def clip_statistics(
    embeddings: NDArray[np.float32], *, frames: int, kinds: Sequence[str]
) -> NDArray[np.float32]:
    """Return the statistics after each frame of a clip, (clip's frames, len(kinds) * width).

    The same as WindowStatistics gives for `embeddings`, (clip's frames, width), one by one.
    """
    windows = (embeddings[max(0, end - frames) : end] for end in range(1, len(embeddings) + 1))
    rows = [statistics_of(window, kinds) for window in windows]
    return np.stack(rows) if rows else np.empty((0, len(kinds) * embeddings.shape[1]), np.float32)


class WindowStatistics:
    """The statistics of the last `frames` embeddings, or of all while there are fewer.

    Every embedding is written twice into a ring of double length, so that the window always lies
    in one piece and in the order of time. The statistics are made anew for every frame: nothing
    can drift, and 15 frames of 480 numbers take some tens of microseconds.
    """

    def __init__(self, *, frames: int, width: int, kinds: Sequence[str]) -> None:
        self._ring = np.zeros((2 * frames, width), np.float32)
        self._kinds = tuple(kinds)
        self._frames = frames
        self._seen = 0

    @property
    def filled(self) -> float:
        """Return how much of the window there is yet, 0-1; below 1 the head is warming up."""
        return min(self._seen / self._frames, 1.0)

    def add(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a frame's embedding, (width,); return the statistics, (len(kinds) * width,)."""
        place = self._seen % self._frames
        self._ring[place] = self._ring[place + self._frames] = embedding
        self._seen += 1
        if self._seen < self._frames:
            return statistics_of(self._ring[: self._seen], self._kinds)
        return statistics_of(self._ring[place + 1 : place + 1 + self._frames], self._kinds)

    def clear(self) -> None:
        """Forget every frame, as after a gap."""
        self._seen = 0
