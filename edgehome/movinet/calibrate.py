"""Ranges of a network's activations, which int8 needs: measured on frames, or an original's.

The extremes are rare, and int8 errs least in a range that is narrower: what lies outside is stored
as its nearest end. On Kinetics' A0 and 13 clips, logits correlate with float32 to 0.9983 with the
extremes that Google's file states, and to 0.9990 with three quarters of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from edgehome.movinet.architecture import Architecture
from edgehome.movinet.compiler import EXPOSED, compile_movinet
from edgehome.movinet.quantize import activation_scale, dequantize, quantize
from edgehome.movinet.weights import Ranges, Weights
from edgehome.recognizer.compiled import read_interface
from edgehome.recognizer.litert import open_interpreter
from edgehome.recognizer.pooling import Window
from edgehome.recognizer.stream import StreamModel
from edgehome.recognizer.tflite_file import TfliteFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIGHTER = 0.75
_PARTS = np.linspace(0.4, 1.0, 31)  # of the extremes, that are tried
_SAMPLES = 256  # values of an activation that are kept of a frame
_WINDOW = 50  # frames over which means over time are taken


def tightened(ranges: Ranges) -> Ranges:
    """Return three quarters of every range that no activation function ends at zero."""
    return {
        name: (_TIGHTER * low, _TIGHTER * high) if low < 0 else (low, high)
        for name, (low, high) in ranges.items()
    }


def measure_ranges(
    architecture: Architecture,
    weights: Weights,
    streams: Iterable[Iterable[NDArray[np.uint8]]],
) -> Ranges:
    """Return the ranges in which int8 errs least, by running the network in float32.

    Streams are of RGB pictures (size, size, 3); some hundred pictures are enough, for a kilobyte
    of each activation is kept of every one.
    """
    data = compile_movinet(architecture, weights, {}, precision="float32", form="cpu", expose=True)
    graph = TfliteFile(data)
    outputs = {
        name.removeprefix(EXPOSED): index
        for name, index in graph.signatures[0].outputs.items()
        if name.startswith(EXPOSED)
    }
    interpreter = open_interpreter(data, threads=1)
    model = StreamModel(interpreter, graph, read_interface(graph))
    window = Window(frames=_WINDOW, width=model.width)
    seen: dict[str, _Seen] = defaultdict(_Seen)
    for stream in streams:
        model.forget()
        window.clear()
        for picture in stream:
            place = min(window.seen, _WINDOW - 1)
            window.add(model.step(picture, window.earlier, window.inverse, place))
            for name, index in outputs.items():
                seen[name].add(interpreter.get_tensor(index))
    return {name: one.range() for name, one in seen.items()}


class _Seen:
    """What an activation was."""

    def __init__(self) -> None:
        self._low = self._high = 0.0
        self._samples: list[NDArray[np.float32]] = []

    def add(self, values: NDArray[np.float32]) -> None:
        """Take one frame's values."""
        self._low = min(self._low, float(values.min()))
        self._high = max(self._high, float(values.max()))
        # An odd stride, so that all channels have their turn.
        stride = -(-values.size // _SAMPLES) | 1
        self._samples.append(values.reshape(-1)[::stride].copy())

    def range(self) -> tuple[float, float]:
        """Return the part of the extremes with the least square error."""
        samples = np.concatenate(self._samples)
        errors = [_error(samples, part * self._low, part * self._high) for part in _PARTS]
        part = float(_PARTS[int(np.argmin(errors))])
        return part * self._low, part * self._high


def _error(values: NDArray[np.float32], low: float, high: float) -> float:
    scale = activation_scale(low, high)
    return float(np.mean((values - dequantize(quantize(values, scale), scale)) ** 2))
