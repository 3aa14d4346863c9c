"""A MoViNet's layers: which operators, with which numbers, in float32 and in int8.

Both kinds have the same methods, so that `compiler` says only once what a network looks like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgehome.movinet.architecture import Activation
from edgehome.movinet.graph import Scale, Tensor
from edgehome.movinet.operators import Fused, Operators
from edgehome.movinet.quantize import activation_scale, quantize, quantize_bias, quantize_kernel
from edgehome.movinet.weights import Ranges, Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE = Scale(1 / 255, -128)
"""RGB of 0 to 255, less 128."""

_FEWEST_DYNAMIC = 1024
"""Weights below which a layer gains nothing from int8 weights and float activations."""


class FloatLayers:
    """Float activations. With `dynamic`, the larger 1x1 kernels are int8."""

    def __init__(
        self, graph: Operators, weights: Weights, activation: Activation, *, dynamic: bool
    ) -> None:
        self._graph = graph
        self._weights = weights
        self._activation = activation
        self._dynamic = dynamic

    def image(self, size: int) -> Tensor:
        """Return the picture, 0 to 1."""
        image = self._graph.input("image", (1, size, size, 3), "int8", IMAGE)
        return self._graph.dequantize(image, "image")

    def conv(self, given: Tensor, name: str, *, stride: int = 1, active: bool) -> Tensor:
        """Convolve; `active`: followed by the activation."""
        kernel, bias = self._numbers(given, name, self._weights[name].kernel, 0)
        scale, fused = self._scale(name, active=active), self._fused(active=active)
        strides = (stride, stride)
        made = self._graph.conv(given, kernel, bias, name, scale, strides=strides, activation=fused)
        return self._activated(made, name, active=active)

    def spatial(self, given: Tensor, name: str, *, stride: int) -> Tensor:
        """Convolve each channel in space."""
        values = self._weights[name].kernel[np.newaxis]
        kernel, bias = self._numbers(given, name, values, 3)
        scale, fused = self._scale(name, active=True), self._fused(active=True)
        made = self._graph.depthwise(
            given, kernel, bias, name, scale, stride=stride, activation=fused
        )
        return self._activated(made, name, active=True)

    def temporal(self, frames: Tensor, name: str, *, dilation: int) -> Tensor:
        """Convolve each channel in time; the frames lie `dilation` rows apart."""
        values = self._weights[name].kernel[np.newaxis, :, np.newaxis]
        kernel, bias = self._numbers(frames, name, values, 3)
        scale, fused = self._scale(name, active=True), self._fused(active=True)
        made = self._graph.depthwise(
            frames, kernel, bias, name, scale, dilation=dilation, padding="valid", activation=fused
        )
        return self._activated(made, name, active=True)

    def pool(self, given: Tensor, name: str) -> Tensor:
        """Take the mean of 3x3 at every second place, of what lies inside the picture."""
        return self._graph.average_pool(given, name)

    def add(self, one: Tensor, other: Tensor, name: str) -> Tensor:
        """Add two tensors of one shape."""
        return self._graph.add(one, other, name, self._scale(name, active=False))

    def mean(self, given: Tensor, name: str) -> Tensor:
        """Return the mean over the picture, (1, channels), float32."""
        return self._graph.mean(given, name, None, keep=False)

    def dense(self, given: Tensor, name: str, *, active: bool) -> Tensor:
        """Multiply floats by a matrix, (1, out)."""
        weight = self._weights[name]
        kernel = self._kernel(name, weight.kernel)
        bias = self._graph.constant(f"{name}/bias", weight.bias)
        fused = self._fused(active=active)
        made = self._graph.dense(given, kernel, bias, name, None, activation=fused)
        if active and self._activation == "hard_swish":
            made = self._graph.hard_swish(made, f"{name}/swish")
        return made

    def _numbers(
        self, given: Tensor, name: str, kernel: NDArray[np.float32], axis: int
    ) -> tuple[Tensor, Tensor]:
        """Return a layer's kernel, whose channels lie along that axis, and its bias."""
        del given, axis
        bias = self._graph.constant(f"{name}/bias", self._weights[name].bias)
        return self._kernel(name, kernel), bias

    def _scale(self, name: str, *, active: bool) -> Scale | None:
        """Return how a layer's result, if `active` before the activation, is stored."""
        del name, active
        return None

    def _fused(self, *, active: bool) -> Fused:
        return "relu6" if active and self._activation == "relu6" else "none"

    def _activated(self, given: Tensor, name: str, *, active: bool) -> Tensor:
        if not active or self._activation == "relu6":
            return given
        return self._graph.hard_swish(given, f"{name}/swish")

    def _kernel(self, name: str, values: NDArray[np.float32]) -> Tensor:
        pointwise = values.ndim == 2 or values.shape[:3] == (values.shape[0], 1, 1)
        if not self._dynamic or not pointwise or values.size < _FEWEST_DYNAMIC:
            return self._graph.constant(f"{name}/kernel", values)
        return self._graph.weight(f"{name}/kernel", *quantize_kernel(values, 0), 0)


class Int8Layers(FloatLayers):
    """Activations, weights and states in int8; what follows a mean over the picture in float32."""

    def __init__(
        self, graph: Operators, weights: Weights, activation: Activation, ranges: Ranges
    ) -> None:
        super().__init__(graph, weights, activation, dynamic=True)
        self._ranges = ranges

    def image(self, size: int) -> Tensor:
        """Return the picture, 0 to 1."""
        return self._graph.input("image", (1, size, size, 3), "int8", IMAGE)

    def pool(self, given: Tensor, name: str) -> Tensor:
        """Take the mean of 3x3 by a convolution, for XNNPACK pools no int8.

        That counts zeros outside the picture, for which a map along its border makes up.
        """
        channels = given.shape[3]
        ninth = np.full((1, 3, 3, channels), 1 / 9, np.float32)
        none = np.zeros(channels, np.float32)
        kernel, bias = self._quantized(given, name, ninth, none, 3)
        summed = self._graph.depthwise(given, kernel, bias, f"{name}/sum", given.scale, stride=2)
        border = _border(given.shape[1], given.shape[2])
        scale = activation_scale(0.0, float(border.max()))
        factors = self._graph.constant(f"{name}/border", quantize(border, scale), scale)
        return self._graph.multiply(summed, factors, name, given.scale)

    def mean(self, given: Tensor, name: str) -> Tensor:
        """Return the mean over the picture, (1, channels), float32."""
        scale = activation_scale(*self._ranges[name])
        return self._graph.dequantize(
            self._graph.mean(given, f"{name}/int8", scale, keep=False), name
        )

    def _numbers(
        self, given: Tensor, name: str, kernel: NDArray[np.float32], axis: int
    ) -> tuple[Tensor, Tensor]:
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
        return (
            self._graph.weight(f"{name}/kernel", values, scales, axis),
            self._graph.weight(
                f"{name}/bias", quantize_bias(bias, units), units.astype(np.float32), 0
            ),
        )

    def _scale(self, name: str, *, active: bool) -> Scale | None:
        low, high = self._ranges[name]
        return (
            activation_scale(max(low, 0.0), min(high, 6.0))
            if active
            else activation_scale(low, high)
        )


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
