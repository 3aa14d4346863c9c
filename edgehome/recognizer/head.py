"""The classifier behind the pooling, taken out of the graph and computed in float32.

A stream MoViNet ends in: an embedding of the frame, added to a running sum, divided by the number
of frames, and a few fully connected layers. `find_head` follows the file's own graph from the sum's
input to the logits, so no tensor is named or numbered here; a graph with a step that it does not
know is refused with HeadNotFoundError rather than guessed at.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgehome.recognizer import tflite_file as tflite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from edgehome.recognizer.interface import Interface
    from edgehome.recognizer.tflite_file import Operator, TfliteFile

# Steps that leave every value where it is, but for rounding that we are glad to leave out.
_TRANSPARENT = {tflite.RESHAPE, tflite.SQUEEZE, tflite.QUANTIZE, tflite.DEQUANTIZE, tflite.CAST}
_LAYERS = {tflite.CONV_2D, tflite.FULLY_CONNECTED}
_ACTIVATIONS = {
    tflite.RELU: "relu",
    tflite.RELU6: "relu6",
    tflite.HARD_SWISH: "hard_swish",
    tflite.LOGISTIC: "sigmoid",
    tflite.SOFTMAX: "softmax",
}


_BLOCK_NUMBERS = 8192


class HeadNotFoundError(Exception):
    """Raised when a graph's end is not built as `find_head` knows it; the text says where."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A fully connected layer, an activation, or both."""

    activation: str
    weights: int | None = None
    """Tensor index; outputs first."""
    bias: int | None = None
    """Tensor index."""


@dataclass(frozen=True, slots=True)
class HeadGraph:
    """Where the head begins and what it does."""

    embedding: int
    """Index of the tensor that one frame adds to the running sum."""
    width: int
    """Numbers in an embedding."""
    layers: tuple[Layer, ...]


def identity(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the values as they are."""
    return values


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / (1 + e^-x), without overflow for any x."""
    halves: NDArray[np.float32] = np.tanh(values * np.float32(0.5)) * np.float32(0.5)
    return halves + np.float32(0.5)


def softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities that sum to 1."""
    powers: NDArray[np.float32] = np.exp(values - values.max())
    powers /= powers.sum()
    return powers


_ZERO, _HALF, _ONE, _SIX = map(np.float32, (0, 0.5, 1, 6))
_FUNCTIONS: Mapping[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "none": identity,
    "relu": lambda values: np.maximum(values, _ZERO),
    "relu6": lambda values: np.clip(values, _ZERO, _SIX),
    "hard_swish": lambda values: values * np.clip(values / _SIX + _HALF, _ZERO, _ONE),
    "swish": lambda values: values * sigmoid(values),
    "sigmoid": sigmoid,
    "softmax": softmax,
}


class Head:
    """Computes the head of a file, its weights dequantised channel by channel."""

    def __init__(self, model: TfliteFile, graph: HeadGraph) -> None:
        self.width = graph.width
        """Numbers in an embedding."""
        self._steps = [
            (*_dense(model, layer), _FUNCTIONS[layer.activation]) for layer in graph.layers
        ]

    def __call__(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the file's output, (labels,), for a mean embedding, (width,)."""
        values = embedding
        for weights, bias, function in self._steps:
            if weights is not None:
                values = (weights @ values).ravel()[: bias.size] + bias
            values = function(values)
        return values


def _dense(
    model: TfliteFile, layer: Layer
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32]]:
    """Return the weights in blocks, if there are any, and the bias, (outputs,)."""
    if layer.weights is None:
        return None, np.zeros(0, np.float32)
    weights = _real(model, layer.weights)
    bias = np.zeros(len(weights)) if layer.bias is None else _real(model, layer.bias).ravel()
    return _in_blocks(weights), bias.astype(np.float32)


def _in_blocks(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (outputs, inputs) as (blocks, rows, inputs), the last block filled with zeros.

    OpenBLAS multiplies more than 9,216 numbers in threads of its own, which wait for each other
    by spinning. With two busy cores that made a step up to five times slower (a median of 18 ms
    instead of 3 at load 4); block by block the work stays in the caller's thread.
    """
    outputs, inputs = weights.shape
    rows = min(outputs, max(1, _BLOCK_NUMBERS // inputs))
    padded = np.zeros((-(-outputs // rows) * rows, inputs), np.float32)
    padded[:outputs] = weights
    return padded.reshape(-1, rows, inputs)


def _real(model: TfliteFile, index: int) -> NDArray[np.float32]:
    """Return the real values of a weight, (outputs, inputs), where a bias has one input."""
    tensor = model.tensors[index]
    flat = np.frombuffer(model.constant(index), dtype=f"<{tensor.dtype}").astype(np.float32)
    stored = flat.reshape(tensor.shape[0], -1)
    if not tensor.scale:
        return stored
    scale = np.array(tensor.scale, np.float32)[:, np.newaxis]
    zero_point = np.array(tensor.zero_point or (0,), np.float32)[:, np.newaxis]
    return (stored - zero_point) * scale


def gives_probabilities(model: TfliteFile, logits: int) -> bool:
    """Return whether the graph ends in a softmax or a sigmoid."""
    makers = {index: operator for operator in model.operators for index in operator.outputs}
    maker = makers.get(logits)
    while maker and maker.code in _TRANSPARENT:
        maker = makers.get(maker.inputs[0])
    return maker is not None and maker.code in {tflite.SOFTMAX, tflite.LOGISTIC}


def find_head(model: TfliteFile, interface: Interface) -> HeadGraph:
    """Return the embedding and the layers between the last pooling and the logits.

    Raises HeadNotFoundError.
    """
    states = [state for state in interface.states if state.is_head]
    counts = [state.input for state in states if state.is_count]
    pools = [state.input for state in states if not state.is_count]
    if len(counts) != 1 or len(pools) != 1:
        raise HeadNotFoundError("no pair of states is the head's sum and its count of frames")
    try:
        return _Walk(model).head(pools[0], counts[0], interface.logits)
    except IndexError as error:
        raise HeadNotFoundError("an operator or a tensor has fewer parts than it should") from error


class _Walk:
    """Follows tensors through the operators that use them."""

    def __init__(self, model: TfliteFile) -> None:
        self._model = model
        self._users: dict[int, list[Operator]] = defaultdict(list)
        self._makers: dict[int, Operator] = {}
        for operator in model.operators:
            for index in operator.inputs:
                self._users[index].append(operator)
            for index in operator.outputs:
                self._makers[index] = operator

    def head(self, pool: int, count: int, logits: int) -> HeadGraph:
        total, embedding = self._one_of(tflite.ADD, self._same(pool), "added to the running sum")
        if self._makers.get(embedding) is None:
            raise HeadNotFoundError("what is added to the running sum is not computed")
        frames, _one = self._one_of(tflite.ADD, self._same(count), "added to the frame count")
        mean, divisor = self._one_of(tflite.DIV, self._same(total), "divided by the frame count")
        if divisor not in self._same(frames):
            raise HeadNotFoundError("the running sum is divided by something else than the count")
        width = self._model.tensors[embedding].shape[-1]
        return HeadGraph(embedding, width, self._layers(mean, logits))

    def _same(self, start: int) -> set[int]:
        """Return the tensor and all that hold its values in another shape or type."""
        found, new = set[int](), [start]
        while new:
            index = new.pop()
            found.add(index)
            for user in self._users[index]:
                if user.code in _TRANSPARENT and user.inputs[0] == index:
                    new += [output for output in user.outputs if output not in found]
        return found

    def _one_of(self, code: int, tensors: set[int], what: str) -> tuple[int, int]:
        """Return the output and the other input of the only such operator that uses them."""
        users = [o for i in tensors for o in self._users[i] if o.code == code]
        if len(users) != 1 or users[0].activation != "none":
            raise HeadNotFoundError(f"{len(users)} operators are {what} instead of one")
        first, second = users[0].inputs[0], users[0].inputs[1]
        if code == tflite.DIV and first not in tensors:
            raise HeadNotFoundError("the running sum is the divisor")
        return users[0].outputs[0], second if first in tensors else first

    def _layers(self, mean: int, logits: int) -> tuple[Layer, ...]:
        layers: list[Layer] = []
        at = mean
        while at != logits:
            layer, at = self._next(at)
            if layer:
                layers.append(layer)
        if not any(layer.weights is not None for layer in layers):
            raise HeadNotFoundError("there are no weights between the mean and the logits")
        return tuple(layers)

    def _next(self, at: int) -> tuple[Layer | None, int]:
        users = self._users[at]
        if sorted(user.code for user in users) == [tflite.LOGISTIC, tflite.MUL]:
            return Layer("swish"), self._swish(at)
        if len(users) != 1:
            raise HeadNotFoundError(f"{len(users)} operators use the head's tensor {at}")
        user = users[0]
        if user.code in _TRANSPARENT:
            return None, user.outputs[0]
        if user.code in _ACTIVATIONS:
            return Layer(_ACTIVATIONS[user.code]), user.outputs[0]
        if user.code in _LAYERS and user.activation in _FUNCTIONS:
            return self._dense(user, at), user.outputs[0]
        raise HeadNotFoundError(f"operator {user.code} is not understood")

    def _swish(self, at: int) -> int:
        gate, product = sorted(self._users[at], key=lambda user: user.code)
        if {at, gate.outputs[0]} != set(product.inputs):
            raise HeadNotFoundError("a product in the head is not x * sigmoid(x)")
        return product.outputs[0]

    def _dense(self, user: Operator, at: int) -> Layer:
        weights = user.inputs[1]
        bias = user.inputs[2] if len(user.inputs) > 2 and user.inputs[2] >= 0 else None
        width = self._model.tensors[at].shape[-1]
        outputs = self._model.tensors[weights].shape[0]
        self._check_constant(weights, outputs, width)
        if bias is not None:
            self._check_constant(bias, outputs, 1)
        if user.inputs[0] != at:
            raise HeadNotFoundError("a layer of the head multiplies by what it is given")
        return Layer(user.activation, weights, bias)

    def _check_constant(self, index: int, outputs: int, inputs: int) -> None:
        """Raise HeadNotFoundError unless it is a weight of that shape that we can read.

        A convolution's has no more numbers than that only when it is fully connected.
        """
        tensor = self._model.tensors[index]
        shape = tensor.shape[0] == outputs > 0 and math.prod(tensor.shape) == outputs * inputs
        known = bool(tensor.dtype) and tensor.channel_axis == 0
        counts = {len(tensor.scale), len(tensor.zero_point)}
        stored = len(self._model.constant(index))
        if not (shape and known and counts <= {0, 1, outputs}) or (
            stored != outputs * inputs * int(tensor.dtype[1:])
        ):
            raise HeadNotFoundError(f"the weights {tensor.name!r} are not understood")
