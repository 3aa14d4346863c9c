"""One layer of an original graph: its kernel with all that can be folded in, and its activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgehome.movinet.weights import Weight
from edgehome.recognizer import tflite_file as tflite
from edgehome.recognizer.tflite_file import refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edgehome.movinet.original_graph import OriginalGraph
    from edgehome.recognizer.tflite_file import Operator, Window

    Array = NDArray[np.float32]

_LAYERS = {tflite.CONV_2D, tflite.DEPTHWISE_CONV_2D, tflite.FULLY_CONNECTED}
_SIMPLE = {tflite.HARD_SWISH: "hard_swish", tflite.RELU6: "relu6", tflite.RELU: "relu"}


@dataclass(frozen=True, slots=True)
class Step:
    """A convolution or dense layer as it stands in the file."""

    code: int
    weight: Weight
    """Kernel as stored: (out, height, width, in), (1, height, width, out) for a depthwise one, or
    (out, in) for a dense one."""
    activation: str
    """`none`, `relu6`, `hard_swish`, `swish`, or another that no stream MoViNet has."""
    value: int
    """What it gives, after the activation."""
    window: Window | None
    users: tuple[Operator, ...]
    """Who uses the value."""


def require(condition: bool, why: str) -> None:  # noqa: FBT001
    """Raise ModelError (`model_refused`) with what was found where a MoViNet has something else."""
    if not condition:
        raise refused(f"it is not a stream MoViNet as Google's tools write it: {why}")


def only(users: Sequence[Operator], what: str) -> Operator:
    """Return the one operator that there is; raises ModelError where there are none or more."""
    require(len(users) == 1, f"{what} was expected, {len(users)} operators found")
    return users[0]


def read_step(graph: OriginalGraph, operator: Operator) -> Step:
    """Return the layer that an operator begins, with the factors and offsets that follow it.

    Raises ModelError (`model_refused`).
    """
    if operator.code not in _LAYERS or len(operator.inputs) < 2 or operator.inputs[1] < 0:
        raise refused("a convolution was expected where its graph has something else")
    kernel = graph.constant(operator.inputs[1])
    axis = kernel.ndim - 1 if operator.code == tflite.DEPTHWISE_CONV_2D else 0
    if kernel.ndim != (2 if operator.code == tflite.FULLY_CONNECTED else 4) or not kernel.size:
        raise refused(f"a kernel has the shape {kernel.shape}")
    width = kernel.shape[axis]
    bias = np.zeros(width, np.float32)
    if len(operator.inputs) > 2 and operator.inputs[2] >= 0:
        bias = graph.channels(operator.inputs[2], width)
    value, activation = operator.outputs[0], operator.activation
    if activation == "none":
        factor, offset, value, activation = _constants_after(graph, value, width)
        across = [-1 if position == axis else 1 for position in range(kernel.ndim)]
        kernel, bias = kernel * factor.reshape(across), bias * factor + offset
    if activation == "none":
        activation, value = _activation_after(graph, value)
    users = tuple(graph.users(value))
    return Step(operator.code, Weight(kernel, bias), activation, value, operator.window, users)


def split(graph: OriginalGraph, operator: Operator) -> tuple[int, int] | None:
    """Return the value and the constant's tensor that a two-handed operator combines, if so."""
    if len(operator.inputs) != 2 or min(operator.inputs) < 0:
        return None
    first, second = operator.inputs
    if graph.is_constant(second) and not graph.is_constant(first):
        return graph.value(first), second
    if operator.code in {tflite.ADD, tflite.MUL} and graph.is_constant(first):
        return graph.value(second), first
    return None


def _constants_after(graph: OriginalGraph, value: int, width: int) -> tuple[Array, Array, int, str]:
    """Return factor, offset, what comes after them, and the activation fused with the last."""
    factor, offset = np.ones(width, np.float32), np.zeros(width, np.float32)
    while len(users := graph.users(value)) == 1:
        operator, parts = users[0], split(graph, users[0])
        if operator.code not in {tflite.ADD, tflite.SUB, tflite.MUL, tflite.DIV} or not parts:
            break
        constant = graph.channels(parts[1], width)
        if operator.code in {tflite.ADD, tflite.SUB}:
            offset = offset + (constant if operator.code == tflite.ADD else -constant)
        else:
            scale = constant if operator.code == tflite.MUL else _inverse(constant)
            factor, offset = factor * scale, offset * scale
        value = operator.outputs[0]
        if operator.activation != "none":
            return factor, offset, value, operator.activation
    return factor, offset, value, "none"


def _inverse(numbers: Array) -> Array:
    if not numbers.all():
        raise refused("it divides by zero")
    return np.float32(1) / numbers


def _activation_after(graph: OriginalGraph, value: int) -> tuple[str, int]:
    """Return the activation that is an operator of its own, and what it gives."""
    users = graph.users(value)
    if len(users) == 1 and users[0].code in _SIMPLE:
        return _SIMPLE[users[0].code], users[0].outputs[0]
    sigmoids = [user for user in users if user.code == tflite.LOGISTIC]
    if len(users) == 2 and sigmoids:
        product = next(user for user in users if user is not sigmoids[0])
        if product.code == tflite.MUL and sigmoids[0].outputs[0] in map(
            graph.value, product.inputs
        ):
            return "swish", product.outputs[0]
    return "none", value
