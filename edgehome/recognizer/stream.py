"""Drives a compiled file one frame at a time: the picture in, the states carried, means out."""

from __future__ import annotations

import ctypes
from functools import partial
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

    Tensors are reached in the runtime's own memory (`_memory`): taking a view of each for every
    frame cost as much again as copying what is in them (scripts/pipe_overhead.py).

    A state is carried by moving its frames up by one and copying the newest behind them: 0.67 MB
    for an A0 in int8. LiteRT's CompiledModel, which could swap buffers instead, was measured at
    the same speed within noise, and crashed on truncated files.
    """

    def __init__(self, interpreter: Any, graph: TfliteFile, interface: Interface) -> None:  # noqa: ANN401
        self._interpreter = interpreter
        self._interface = interface
        memory = partial(_memory, interpreter)
        self._image = memory(interface.image)[0].view(np.uint8)
        self._states = [
            (memory(state.past).reshape(-1), memory(state.newest).reshape(-1))
            for state in interface.states
        ]
        self._carried = [_halves(past, newest) for past, newest in self._states]
        self._zeros = [
            (graph.tensors[state.past].zero_point or (0,))[0] for state in interface.states
        ]
        self._means = [memory(mean.now).reshape(-1) for mean in interface.means]
        self._inverse = None if interface.inverse is None else memory(interface.inverse)
        self._positions = [memory(index).reshape(-1) for index in interface.positions]
        ends = np.cumsum([0, *(mean.width for mean in interface.means)]).tolist()
        parts = [slice(*ends) for ends in pairwise(ends)]
        self._sums = [
            (memory(mean.earlier).reshape(-1), part)
            for mean, part in zip(interface.means, parts, strict=True)
            if mean.earlier is not None
        ]
        self.width = int(ends[-1])
        """Numbers in all means together."""
        self.classes = interface.classes
        """Labels of the model's own classifier; 0: it has none."""

    @property
    def carried_bytes(self) -> int:
        """Return the bytes of state that are moved from frame to frame."""
        return sum(past.nbytes for past, _newest in self._states)

    def forget(self) -> None:
        """Set every state to what it was before the first frame."""
        for (past, _newest), zero in zip(self._states, self._zeros, strict=True):
            past[:] = zero

    def step(
        self, image: NDArray[np.uint8], earlier: NDArray[np.float64], inverse: float, place: int
    ) -> NDArray[np.float32]:
        """Run one frame, uint8 RGB (size, size, 3), and carry the states to the next.

        `earlier` are the sums of the window's earlier frames, (width,), `inverse` is one over
        their number with this one, and `place` this one's place in the window, from 0. Returns
        this frame's part of each mean, (width,), the embedding first.
        """
        np.bitwise_xor(image, _FLIP, out=self._image)
        for given, part in self._sums:
            given[:] = earlier[part]
        if self._inverse is not None:
            self._inverse[...] = inverse
        for position in self._positions:
            position[:] = _code(position.size, place)
        self._interpreter.invoke()
        for earlier_frames, later_frames, last_frame, newest in self._carried:
            earlier_frames[:] = later_frames
            last_frame[:] = newest
        return np.concatenate(self._means)

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


def _memory(interpreter: Any, index: int) -> NDArray[Any]:  # noqa: ANN401
    """Return a tensor in the runtime's own memory.

    A view that `interpreter.tensor` gives must not be kept: while one lives, `invoke()` raises
    RuntimeError, for fear that memory moves. It moves only when tensors are allocated anew, which
    happens once, before this: no shape of a compiled graph depends on what is in it. The array
    does not keep the interpreter alive: whoever holds one must hold the other.
    """
    view = interpreter.tensor(index)()
    raw = (ctypes.c_uint8 * view.nbytes).from_address(view.ctypes.data)
    return np.frombuffer(raw, view.dtype).reshape(view.shape)


def _halves(past: NDArray[Any], newest: NDArray[Any]) -> tuple[NDArray[Any], ...]:
    """Return what is copied when a frame is over, target before source, twice; all flat.

    Of arrays that overlap, numpy copies only flat ones without a copy in between.
    """
    size = len(newest)
    return past[:-size], past[size:], past[-size:], newest
