"""A MoViNet's layers in int8: activations, states and weights."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from edgehome.movinet.graph import Scale, Tensor
from edgehome.movinet.layers import IMAGE, FloatLayers, Follows, fused
from edgehome.movinet.operators import Operators
from edgehome.movinet.quantize import activation_scale, quantize, quantize_bias, quantize_kernel
from edgehome.movinet.weights import Ranges, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SIX = 6.0
_GATE = activation_scale(0.0, _SIX)


class Int8Layers(FloatLayers):
    """Activations in int8 up to a mean over the picture; what follows that is "dyn".

    XNNPACK has no hard-swish in int8. There x * relu6(x + 3) is stored instead, six times the
    activation, and the next kernel divides by six.
    """

    def __init__(self, graph: Operators, weights: Weights, ranges: Ranges, *, paired: bool) -> None:
        """Let the stem make two places at once if `paired`, which only a CPU gains from."""
        super().__init__(graph, weights, dynamic=True)
        self._paired = paired
        self._ranges = ranges
        self._sixfold: set[int] = set()  # tensors

    def image(self, size: int) -> Tensor:
        """Return the picture, 0 to 1."""
        return self._graph.input("image", (1, size, size, 3), "int8", IMAGE)

    def stem(self, given: Tensor, follows: Follows) -> Tensor:
        """Convolve the picture at every second place.

        Two neighbours are made at once, from four pixels side by side seen as 12 channels: the
        same sums, in operands whose sizes suit a CPU's matrix instructions. It takes 3 % off a step
        of Kinetics' A0, in time on x86-64 and in instructions on a Cortex-A76.
        """
        _, height, width, channels = given.shape
        if not self._paired or height % 2 or width % 4:
            return super().stem(given, follows)
        given = self._graph.reshape(given, (1, height, width // 4, 4 * channels), "stem/fours")
        weight = self._weights["stem"]
        bias = np.tile(weight.bias, 2)
        kernel, bias_tensor = self._quantized(given, "stem", _paired(weight.kernel), bias, 0)
        scale = self._scale(given, "stem", follows)
        made = self._graph.conv(
            given,
            kernel,
            bias_tensor,
            "stem/pairs",
            scale,
            strides=(2, 1),
            activation=fused(follows),
        )
        shape = (1, height // 2, width // 2, len(weight.bias))
        return self._after(self._graph.reshape(made, shape, "stem"), "stem", follows)

    def pool(self, given: Tensor, name: str) -> Tensor:
        """Take the mean of 3x3 by a convolution, for XNNPACK pools no int8.

        That counts zeros outside the picture, for which a map along its border makes up.
        """
        ninth = np.full((1, 3, 3, given.shape[3]), 1 / 9, np.float32)
        none = np.zeros(given.shape[3], np.float32)
        kernel, bias = self._quantized(given, name, ninth, none, 3)
        summed = self._graph.depthwise(given, kernel, bias, f"{name}/sum", given.scale, stride=2)
        # As large as the picture: repeating it along the channels takes XNNPACK longer.
        border = np.broadcast_to(_border(given.shape[1], given.shape[2]), summed.shape)
        scale = activation_scale(0.0, float(border.max()))
        factors = self._graph.constant(f"{name}/border", quantize(border, scale), scale)
        return self._marked(self._graph.multiply(summed, factors, name, given.scale), given)

    def mean(self, given: Tensor, name: str, *, keep: bool) -> Tensor:
        """Return the float32 mean over the picture: (1, channels), (1, 1, 1, channels) if kept."""
        scale = given.scale  # which holds it, if not as well as its own range would
        if name in self._ranges:
            scale = self._stored(name, self._factor(given))
        mean = self._graph.mean(given, f"{name}/int8", scale, keep=keep)
        mean = self._graph.dequantize(mean, name)
        if given.index not in self._sixfold:
            return mean
        sixth = self._graph.constant(f"{name}/sixth", np.full((1,) * 4, 1 / _SIX, np.float32))
        return self._graph.multiply(mean, sixth, f"{name}/true", None)

    def gate(self, given: Tensor, gate: Tensor, name: str) -> Tensor:
        """Multiply each channel by its gate, float32 (1, 1, 1, channels), 0 to 6."""
        gate = self._graph.quantize(gate, f"{name}/gate", _GATE)
        scale = self._stored(name, self._factor(given))
        return self._marked(self._graph.multiply(given, gate, name, scale), given)

    def reshape(self, given: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
        """See the same numbers in another shape."""
        return self._marked(super().reshape(given, shape, name), given)

    def _join(self, past: Tensor, frame: Tensor, name: str) -> Tensor:
        return self._marked(super()._join(past, frame, name), frame)

    def _numbers(
        self, given: Tensor, name: str, kernel: NDArray[np.float32], axis: int
    ) -> tuple[Tensor, Tensor]:
        if given.scale is None:
            return super()._numbers(given, name, kernel, axis)
        kernel = (kernel / self._factor(given)).astype(np.float32)
        return self._quantized(given, name, kernel, self._weights[name].bias, axis)

    def _quantized(
        self,
        given: Tensor,
        name: str,
        kernel: NDArray[np.float32],
        bias: NDArray[np.float32],
        axis: int,
    ) -> tuple[Tensor, Tensor]:
        if given.scale is None:
            raise AssertionError(f"{name} is given float32")
        values, scales = quantize_kernel(kernel, axis)
        units = scales.astype(np.float64) * given.scale.scale
        stored = quantize_bias(bias, units)
        return (
            self._graph.weight(f"{name}/kernel", values, scales, axis),
            self._graph.weight(f"{name}/bias", stored, units.astype(np.float32), 0),
        )

    def _scale(self, given: Tensor, name: str, follows: Follows) -> Scale | None:
        if given.scale is None:
            return None
        low, high = self._ranges[name]
        if follows == "relu6":
            return activation_scale(0.0, min(high, _SIX))
        if follows == "hard_swish":  # which is the same for all that is below -3
            return activation_scale(-3.0, _before_hard_swish(high))
        return activation_scale(low, high)

    def _after(self, given: Tensor, name: str, follows: Follows) -> Tensor:
        if given.scale is None or follows != "hard_swish":
            return super()._after(given, name, follows)
        three = self._graph.constant(
            f"{name}/three", np.full((1,) * 4, 127, np.int8), activation_scale(0.0, 3.0)
        )
        gate = self._graph.add(given, three, f"{name}/gate", _GATE, activation="relu6")
        made = self._graph.multiply(given, gate, f"{name}/swish", self._stored(name, _SIX))
        self._sixfold.add(made.index)
        return made

    def _stored(self, name: str, factor: float) -> Scale:
        low, high = self._ranges[name]
        return activation_scale(factor * low, factor * high)

    def _factor(self, given: Tensor) -> float:
        return _SIX if given.index in self._sixfold else 1.0

    def _marked(self, made: Tensor, given: Tensor) -> Tensor:
        if given.index in self._sixfold:
            self._sixfold.add(made.index)
        return made


def _before_hard_swish(value: float) -> float:
    """Return the x of 0 or more for which x * relu6(x + 3) / 6 is that value."""
    positive = max(value, 0.0)
    return positive if positive >= 3.0 else (math.sqrt(9 + 24 * positive) - 3) / 2


def _paired(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the kernel (2 * out, 3, 2, 4 * in) that makes two neighbours from two fours."""
    out, height, width, given = kernel.shape
    pairs = np.zeros((2, out, height, 8, given), np.float32)
    for place in range(2):  # 2 pixels apart, for the stride is 2
        pairs[place, :, :, 2 * place : 2 * place + width] = kernel
    return pairs.reshape(2 * out, height, 2, 4 * given)


def _border(height: int, width: int) -> NDArray[np.float32]:
    """Return 9 through how many of 3x3 lie inside, at every second place: (1, h, w, 1)."""
    down, across = _inside(height), _inside(width)
    return np.asarray(9 / (down[:, None] * across), np.float32)[np.newaxis, ..., np.newaxis]


def _inside(length: int) -> NDArray[np.float64]:
    """Return how many of three neighbours lie inside, at every second place from TF's start."""
    count = -(-length // 2)
    start = -(max((count - 1) * 2 + 3 - length, 0) // 2)
    first = start + 2 * np.arange(count)
    return (np.minimum(first + 3, length) - np.maximum(first, 0)).astype(np.float64)
