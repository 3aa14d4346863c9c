"""One stream model at work: a frame in, logits of every label out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgehome.recognizer.head_groups import Heads
from edgehome.recognizer.pooling import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgehome.heads.head import Head
    from edgehome.recognizer.classifier import Classifier
    from edgehome.recognizer.stream import StreamModel


class Member:
    """A stream model with its windows: the one member, or one of several, of an ensemble."""

    def __init__(
        self,
        model: StreamModel,
        *,
        rate: float,
        width: int,
        window_s: float,
        shorter_s: Sequence[float],
        classifier: Classifier | None,
        heads: Sequence[Head],
    ) -> None:
        """Take the frames a second of this member, and the numbers in an embedding.

        `classifier` is the model's own, outside its graph, for the windows in `shorter_s`.
        """
        self.model = model
        self._width = width
        self._window_s = window_s
        self._classifier = classifier
        self._shorter_s = tuple(shorter_s)
        self._chosen_heads = tuple(heads)
        self._taught_heads: tuple[Head, ...] = ()
        self.embedding: NDArray[np.float32] | None = None
        """Of the last frame, (width,)."""
        self.set_rate(rate)

    def set_rate(self, rate: float) -> None:
        """Take other frames a second: the windows are made anew, and last as long as before."""
        self._window = Window(frames=max(1, round(self._window_s * rate)), width=self.model.width)
        self._shorter = [max(1, round(seconds * rate)) for seconds in self._shorter_s]
        self._heads = Heads(self._chosen_heads, rate=rate, width=self._width)
        self._taught = Heads(self._taught_heads, rate=rate, width=self._width)
        self._rate = rate

    def set_taught(self, heads: Sequence[Head], recent: Sequence[NDArray[np.float32]]) -> None:
        """Take these heads beside its own; their windows begin with `recent` embeddings."""
        self._taught_heads = tuple(heads)
        self._taught = Heads(self._taught_heads, rate=self._rate, width=self._width)
        for embedding in recent:
            self._taught.add(embedding)

    @property
    def warm(self) -> float:
        """Return how much of the window has been seen, 0-1."""
        return self._window.seen / self._window.frames

    @property
    def look_back(self) -> int:
        """Return the frames of the longest window, its own or a head's."""
        return max(self._window.frames, self._heads.frames, self._taught.frames)

    def step(self, image: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Return logits: of the model's own labels, window by window, and last of the heads."""
        window = self._window
        parts = self.model.step(image, window.earlier, window.inverse, window.place)
        window.add(parts)
        self.embedding = embedding = parts[: self._width]
        logits = []
        if self.model.classes:
            logits.append(self.model.logits())
        if self._classifier is not None:
            means = [window.last(frames)[: self._width] for frames in self._shorter]
            logits += [self._classifier(mean) for mean in means]
        return [*logits, np.append(self._heads.add(embedding), self._taught.add(embedding))]

    def clear(self) -> None:
        """Forget every frame."""
        self.model.forget()
        self._window.clear()
        self._heads.clear()
        self._taught.clear()
        self.embedding = None
