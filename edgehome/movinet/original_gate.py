"""Squeeze-excite of an original graph: two means, two small convolutions, a factor a channel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgehome.movinet.original_head import mean_over_time, spatial_mean
from edgehome.movinet.original_layers import Step, only, read_step, require, split
from edgehome.movinet.original_position import read_position
from edgehome.recognizer import tflite_file as tflite

if TYPE_CHECKING:
    from edgehome.movinet.original_graph import OriginalGraph
    from edgehome.recognizer.tflite_file import Operator


@dataclass(frozen=True, slots=True)
class Gate:
    """What was found of a gate."""

    squeeze: Step
    excite: Step
    sixth: float
    """What the ReLU6 after `excite` is multiplied with."""
    position: float | None
    """What the code of the place in time is multiplied with; None where there is no code."""
    gated: int
    """The value that goes on to the projection."""


def read_gate(graph: OriginalGraph, value: int, users: tuple[Operator, ...], width: int) -> Gate:
    """Return the gate on a value with that many channels, given who uses it.

    Raises ModelError (`model_refused`) where the graph is built otherwise.
    """
    products = [user for user in users if user.code == tflite.MUL]
    means = [user for user in users if user.code in {tflite.MEAN, tflite.SUM}]
    product = only(products, "a gate's product")
    require(len(users) == 2, "a gated value goes elsewhere too")
    mean = spatial_mean(graph, only(means, "a gate's mean over the frame"), value)
    adding = [user for user in graph.users(mean) if user.code == tflite.ADD]
    average = mean_over_time(graph, only(adding, "a gate's sum over frames"), mean)
    joined = only(graph.users(average), "joining a gate's two means")
    require(
        joined.code == tflite.CONCATENATION
        and [graph.value(i) for i in joined.inputs if i >= 0] == [average, mean],
        "a gate does not join the mean of all frames and that of the newest one",
    )
    both, position = read_position(graph, joined.outputs[0], 2 * width)
    squeeze = read_step(graph, only(graph.users(both), "a gate's first convolution"))
    excite = read_step(graph, only(squeeze.users, "a gate's second convolution"))
    reduced = len(squeeze.weight.bias)
    shapes = squeeze.weight.kernel.shape, excite.weight.kernel.shape
    require(
        shapes == ((reduced, 1, 1, 2 * width), (width, 1, 1, reduced)),
        f"a gate's kernels have the shapes {shapes[0]} and {shapes[1]}",
    )
    gate, sixth = _sixth(graph, excite)
    require(
        {graph.value(i) for i in product.inputs if i >= 0} == {gate, value}
        and product.activation == "none",
        "a gate's product is not that of the gate and the value",
    )
    return Gate(squeeze, excite, sixth, position, product.outputs[0])


def _sixth(graph: OriginalGraph, excite: Step) -> tuple[int, float]:
    """Return the gate's value and what its ReLU6 is multiplied with."""
    require(excite.activation == "relu6", "its gates are no hard sigmoids (relu6, then a sixth)")
    scaled = only(excite.users, "the sixth after a gate's ReLU6")
    parts = split(graph, scaled)
    require(
        scaled.code == tflite.MUL and scaled.activation == "none", "a gate is without its sixth"
    )
    sixth = graph.number(parts[1]) if parts else 0.0
    require(abs(6 * sixth - 1) < 0.01, f"a gate's ReLU6 is multiplied with {sixth:.4f}, not 1/6")
    return scaled.outputs[0], sixth
