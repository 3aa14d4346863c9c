"""Heads at work: those that look at the same window in the same way share what they look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgehome.heads.statistics import WindowStatistics
from edgehome.recognizer.pooling import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgehome.heads.head import Head

_TOGETHER = 16
"""Heads multiplied at once: OpenBLAS threads, which spin, begin at 9,216 numbers."""


class MeanHeads:
    """Heads that see nothing but the mean of a window.

    A linear head's score of a mean is the mean of its scores, so one number a head is kept of
    every frame instead of the whole embedding: a third of the time.
    """

    def __init__(self, heads: Sequence[Head], *, frames: int) -> None:
        self.frames = frames
        self._weights = np.stack([head.slope * head.folded[0] for head in heads])
        self._weights = self._weights.astype(np.float32)
        self._offsets = np.array([head.slope * head.folded[1] + head.offset for head in heads])
        self._window = Window(frames=frames, width=len(heads))

    def add(self, embedding: NDArray[np.float32]) -> NDArray[np.float64]:
        """Take a frame's embedding, (width,); return calibrated logits, (heads,)."""
        window = self._window
        scores = self._weights @ embedding
        logits: NDArray[np.float64] = (window.earlier + scores) * window.inverse + self._offsets
        window.add(scores)
        return logits

    def clear(self) -> None:
        """Forget every frame."""
        self._window.clear()


class StatisticsHeads:
    """Heads that see more of a window than its mean."""

    def __init__(
        self, heads: Sequence[Head], *, frames: int, width: int, kinds: Sequence[str]
    ) -> None:
        self.frames = frames
        self._heads = tuple(heads)
        self._statistics = WindowStatistics(frames=frames, width=width, kinds=kinds)

    def add(self, embedding: NDArray[np.float32]) -> list[float]:
        """Take a frame's embedding, (width,); return calibrated logits, (heads,)."""
        seen = self._statistics.add(embedding)
        return [head.slope * float(head.score(seen)) + head.offset for head in self._heads]

    def clear(self) -> None:
        """Forget every frame."""
        self._statistics.clear()


class Heads:
    """All heads of a model, in the order of their labels."""

    def __init__(self, heads: Sequence[Head], *, rate: float, width: int) -> None:
        """Take the frames a second, and the numbers in an embedding."""
        self._logits = np.zeros(len(heads), np.float32)
        self._groups: list[tuple[list[int], MeanHeads | StatisticsHeads]] = []
        views: dict[tuple[int, tuple[str, ...]], list[int]] = {}
        for place, head in enumerate(heads):
            views.setdefault((head.frames(rate), head.statistics), []).append(place)
        for (frames, kinds), found in views.items():
            for begin in range(0, len(found), _TOGETHER):
                places = found[begin : begin + _TOGETHER]
                chosen = [heads[place] for place in places]
                if kinds == ("mean",):
                    self._groups.append((places, MeanHeads(chosen, frames=frames)))
                else:
                    group = StatisticsHeads(chosen, frames=frames, width=width, kinds=kinds)
                    self._groups.append((places, group))

    @property
    def frames(self) -> int:
        """Return the frames of the longest window; 0 without heads."""
        return max((group.frames for _, group in self._groups), default=0)

    def add(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take a frame's embedding, (width,); return calibrated logits, (heads,), as a copy."""
        for places, group in self._groups:
            self._logits[places] = group.add(embedding)
        return self._logits.copy()

    def clear(self) -> None:
        """Forget every frame."""
        for _, group in self._groups:
            group.clear()
