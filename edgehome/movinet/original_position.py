"""The code of a frame's place in time, in an original graph (A3 to A5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgehome.movinet.original_layers import only, require, split
from edgehome.recognizer import tflite_file as tflite

if TYPE_CHECKING:
    from edgehome.movinet.original_graph import OriginalGraph


def read_position(graph: OriginalGraph, value: int, width: int) -> tuple[int, float | None]:
    """Return two means of `width` numbers together with their code added, and the code's factor;
    or the value as it is, and None.

    Raises ModelError (`model_refused`) where something else than the code is added.
    """
    adding = only(graph.users(value), "what follows a gate's two means")
    if adding.code != tflite.ADD:
        return value, None
    others = [graph.value(i) for i in adding.inputs if i >= 0 and graph.value(i) != value]
    scaled = graph.maker(others[0]) if others else None
    parts = split(graph, scaled) if scaled and scaled.code == tflite.MUL else None
    require(parts is not None, "something else than a code with its factor is added to two means")
    code, factor = parts or (value, -1)
    joined = graph.maker(code)
    halves = [graph.maker(graph.value(i)) for i in joined.inputs] if joined else []
    require(
        [half.code for half in halves if half] == [tflite.SIN, tflite.COS],
        "a code of the place in time is not sines, then cosines",
    )
    for half in halves:
        _check_angles(graph, graph.value(half.inputs[0]) if half else value, width)
    return adding.outputs[0], graph.number(factor)


def _check_angles(graph: OriginalGraph, value: int, width: int) -> None:
    """Check that every other one of the place times 10000^(-2i/width) is taken."""
    sliced = graph.maker(value)
    product = graph.maker(graph.value(sliced.inputs[0])) if sliced else None
    parts = split(graph, product) if product and product.code == tflite.MUL else None
    require(parts is not None, "the angles of a code of the place in time are missing")
    angles = graph.channels(parts[1], width) if parts else np.zeros(width)
    expected = 10_000.0 ** (-2 * (np.arange(width) // 2) / width)
    require(
        bool(np.allclose(angles, expected, rtol=0.01, atol=1e-6)),
        "the angles of a code of the place in time are not 10000^(-2i/width)",
    )
