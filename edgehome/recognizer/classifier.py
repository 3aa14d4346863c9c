"""A compiled file's own classifier, outside the graph: for windows that its graph is not given.

Embedding, mean over the window, two fully connected layers, logits; in float32, the weights
dequantised channel by channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgehome.recognizer import tflite_file as tflite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from edgehome.recognizer.tflite_file import Operator, TfliteFile

_BLOCK_NUMBERS = 8192
_ZERO, _HALF, _ONE, _SIX = map(np.float32, (0, 0.5, 1, 6))


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 1 / (1 + e^-x), without overflow for any x."""
    halves: NDArray[np.float32] = np.tanh(values * _HALF) * _HALF
    return halves + _HALF


def softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return probabilities that sum to 1."""
    powers: NDArray[np.float32] = np.exp(values - values.max())
    powers /= powers.sum()
    return powers


def _relu6(values: NDArray[np.float32]) -> NDArray[np.float32]:
    clipped: NDArray[np.float32] = np.clip(values, _ZERO, _SIX)
    return clipped


def _hard_swish(values: NDArray[np.float32]) -> NDArray[np.float32]:
    gate: NDArray[np.float32] = np.clip(values / _SIX + _HALF, _ZERO, _ONE)
    return values * gate


def _swish(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values * sigmoid(values)


_ACTIVATIONS: Mapping[int, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    tflite.FULLY_CONNECTED: _relu6,
    tflite.HARD_SWISH: _hard_swish,
    tflite.MUL: _swish,
}
"""By the operator that makes the hidden layer's output: the layer itself, or one behind it."""


class Classifier:
    """The layers between a mean embedding and the logits."""

    def __init__(self, model: TfliteFile) -> None:
        """Take a compiled file that has logits; raises ModelError (`model_refused`)."""
        made = model.signatures[0].outputs
        try:
            makers = {index: operator for operator in model.operators for index in operator.outputs}
            last = makers[made["logits"]]
            middle = makers[last.inputs[0]]
            first = middle if middle.code == tflite.FULLY_CONNECTED else makers[middle.inputs[0]]
            self._activation = _ACTIVATIONS[middle.code]
            self._first, self._last = _Dense(model, first), _Dense(model, last)
            self(np.zeros(model.tensors[made["embedding"]].shape[-1], np.float32))
        except (LookupError, ValueError, TypeError, ArithmeticError) as error:
            raise tflite.refused("its classifier is not as edgehome writes it") from error

    def __call__(self, embedding: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return logits, (labels,), for a mean embedding, (width,)."""
        return self._last(self._activation(self._first(embedding)))


class _Dense:
    """A fully connected layer, without its activation."""

    def __init__(self, model: TfliteFile, operator: Operator) -> None:
        weights = _real(model, operator.inputs[1])
        self._bias = _real(model, operator.inputs[2]).ravel()
        self._blocks = _in_blocks(weights)

    def __call__(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        made: NDArray[np.float32] = (self._blocks @ values).ravel()[: self._bias.size] + self._bias
        return made


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
