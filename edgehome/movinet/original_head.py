"""The end of an original graph: last convolution, means over space and time, two dense layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgehome.movinet.original_layers import only, read_step, require, split
from edgehome.movinet.weights import Weight
from edgehome.recognizer import tflite_file as tflite

if TYPE_CHECKING:
    from edgehome.movinet.original_graph import OriginalGraph
    from edgehome.movinet.original_layers import Step
    from edgehome.recognizer.tflite_file import Operator


@dataclass(frozen=True, slots=True)
class Head:
    """What was found of the head."""

    project: Step
    embedding: int
    """The value that is one frame's embedding."""
    hidden: Step
    logits: Step


def read_head(graph: OriginalGraph, value: int, given: int) -> Head:
    """Return the head that begins at the last block's sum.

    Raises ModelError (`model_refused`) where the graph is built otherwise.
    """
    project = read_step(graph, only(graph.users(value), "the head's convolution"))
    shape = project.weight.kernel.shape
    require(shape[1:] == (1, 1, given), f"the head's kernel has the shape {shape}")
    embedding = spatial_mean(graph, only(project.users, "the mean over a frame"), project.value)
    mean = mean_over_time(graph, only(graph.users(embedding), "the sum over frames"), embedding)
    hidden = _dense(read_step(graph, only(graph.users(mean), "the hidden layer")), shape[0])
    width = len(hidden.weight.bias)
    logits = _dense(read_step(graph, only(hidden.users, "the layer of labels")), width)
    require(
        logits.activation == "none" and not logits.users and logits.value in graph.outputs,
        "it does not end in the logits of its labels",
    )
    return Head(project, embedding, hidden, logits)


def _dense(step: Step, given: int) -> Step:
    """Check a layer over pooled values, which the converter writes as 1x1 or as dense."""
    shape = step.weight.kernel.shape
    require(
        step.code in {tflite.CONV_2D, tflite.FULLY_CONNECTED}
        and shape[1:] in {(1, 1, given), (given,)},
        f"a dense kernel has the shape {shape}, not {given} numbers for each output",
    )
    return step


def flat(step: Step) -> Weight:
    """Return a dense layer's numbers, the kernel as (out, in)."""
    return Weight(step.weight.kernel.reshape(len(step.weight.bias), -1), step.weight.bias)


def spatial_mean(graph: OriginalGraph, operator: Operator, value: int) -> int:
    """Return the mean over a frame of a value, given who uses it: a MEAN, or a SUM and its factor.

    Raises ModelError (`model_refused`).
    """
    if operator.code == tflite.MEAN:
        return operator.outputs[0]
    require(operator.code == tflite.SUM, "the mean over a frame is not one")
    shape = [size for size in graph.shape(value) if size > 1][:-1]
    scaled = only(graph.users(operator.outputs[0]), "the factor of a mean")
    parts = split(graph, scaled)
    require(
        parts is not None and scaled.code in {tflite.MUL, tflite.DIV}, "a mean is without factor"
    )
    factor = graph.number(parts[1]) if parts else 0.0
    factor = factor if scaled.code == tflite.MUL or not factor else 1 / factor
    area = math.prod(shape)
    require(abs(factor * area - 1) < 0.01, f"a mean over {area} places has the factor {factor:.5f}")
    return scaled.outputs[0]


def mean_over_time(graph: OriginalGraph, operator: Operator, value: int) -> int:
    """Return the mean over all frames so far, given who adds the frame's value to their sum.

    Raises ModelError (`model_refused`).
    """
    others = {graph.value(i) for i in operator.inputs if i >= 0} - {value}
    require(
        operator.code == tflite.ADD and len(others) == 1 and others <= graph.inputs,
        "a mean over time does not begin with a sum kept from frame to frame",
    )
    users = [user for user in graph.users(operator.outputs[0]) if user.code == tflite.DIV]
    divided = only(users, "the division by the number of frames")
    require(
        graph.value(divided.inputs[0]) == operator.outputs[0],
        "the sum over frames is not divided by their number",
    )
    return divided.outputs[0]
