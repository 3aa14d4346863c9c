"""Drives a compiled file one frame at a time: the picture in, the states carried, means out."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgehome.recognizer.compiled import Interface
    from edgehome.recognizer.tflite_file import TfliteFile

_FLIP = np.uint8(0x80)


class StreamModel:
    """A compiled file in an interpreter, with its states.

    Tensors are reached by `interpreter.tensor(index)`, which gives a view of the runtime's own
    buffer when it is called. Such a view must not be kept: while one lives, `invoke()` raises
    RuntimeError. So each is taken anew for every frame and dropped at once, which costs about a
    microsecond; copies between addresses taken once would save 1 % of a step and be unsafe.

    A state is carried by moving its frames up by one and copying the newest behind them: 0.67 MB
    for an A0 in int8. LiteRT's CompiledModel, which could swap buffers instead, was measured at
    the same speed within noise, and crashed on truncated files.
    """

    def __init__(self, interpreter: Any, graph: TfliteFile, interface: Interface) -> None:  # noqa: ANN401
        self._interpreter = interpreter
        self._interface = interface
        self._image = interpreter.tensor(interface.image)
        self._states = [
            (interpreter.tensor(state.past), interpreter.tensor(state.newest))
            for state in interface.states
        ]
        self._zeros = [
            (graph.tensors[state.past].zero_point or (0,))[0] for state in interface.states
        ]
        self._means = [interpreter.tensor(mean.now) for mean in interface.means]
        self._sums = [
            interpreter.tensor(mean.earlier) if mean.earlier is not None else None
            for mean in interface.means
        ]
        self._positions = [interpreter.tensor(index) for index in interface.positions]
        ends = np.cumsum([0, *(mean.width for mean in interface.means)]).tolist()
        self._parts = [slice(*ends) for ends in pairwise(ends)]
        self.width = int(ends[-1])
        """Numbers in all means together."""
        self.classes = interface.classes
        """Labels of the model's own classifier; 0: it has none."""

    @property
    def carried_bytes(self) -> int:
        """Return the bytes of state that are moved from frame to frame."""
        return sum(past().nbytes for past, _newest in self._states)

    def forget(self) -> None:
        """Set every state to what it was before the first frame."""
        for (past, _newest), zero in zip(self._states, self._zeros, strict=True):
            past()[...] = zero

    def step(
        self, image: NDArray[np.uint8], earlier: NDArray[np.float64], inverse: float, place: int
    ) -> NDArray[np.float32]:
        """Run one frame, uint8 RGB (size, size, 3), and carry the states to the next.

        `earlier` are the sums of the window's earlier frames, (width,), `inverse` is one over
        their number with this one, and `place` this one's place in the window, from 0. Returns
        this frame's part of each mean, (width,), the embedding first.
        """
        np.bitwise_xor(image, _FLIP, out=self._image()[0].view(np.uint8))
        for given, part in zip(self._sums, self._parts, strict=True):
            if given is not None:
                given().reshape(-1)[:] = earlier[part]
        if self._interface.inverse is not None:
            self._interpreter.tensor(self._interface.inverse)()[...] = inverse
        for position in self._positions:
            position()[...] = _code(position().shape[-1], place)
        self._interpreter.invoke()
        for past, newest in self._states:
            _carry(past().reshape(-1), newest().reshape(-1))
        return np.concatenate([mean().reshape(-1) for mean in self._means])

    def logits(self) -> NDArray[np.float32]:
        """Return the last logits of the model's own classifier, (classes,), as a copy."""
        assert self._interface.logits is not None  # noqa: S101  (the caller has looked)
        values: NDArray[np.float32] = self._interpreter.get_tensor(self._interface.logits)
        return values.reshape(-1)


def _code(width: int, place: int) -> NDArray[np.float32]:
    """Return the code of a place in time, (width,), as `movinet.weights` has it."""
    half = width // 2
    angles = place / 10000.0 ** (2 * np.arange(half) / width)
    return np.concatenate([np.sin(angles), np.cos(angles)]).astype(np.float32)


def _carry(past: NDArray[Any], newest: NDArray[Any]) -> None:
    """Move every frame of `past` one place up, and put the newest last; both flat.

    Of arrays that overlap, numpy copies only flat ones without a copy in between.
    """
    size = len(newest)
    past[:-size] = past[size:]
    past[-size:] = newest
