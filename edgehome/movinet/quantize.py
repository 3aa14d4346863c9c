"""Numbers in eight bits, by the rules of LiteRT's quantisation specification.

https://ai.google.dev/edge/litert/conversion/tensorflow/quantization/quantization_spec: activations
with one scale and a zero point, weights with a scale for each channel and zero at 0, biases in
32 bits with the product of both scales.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgehome.movinet.graph import Scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LEAST, _MOST = -128, 127
_LEAST_SPAN = 1e-3
"""Of an activation that was never anything but zero."""


def activation_scale(low: float, high: float) -> Scale:
    """Return how an activation of that range is stored. Zero is always stored exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    span = max(high - low, _LEAST_SPAN)
    scale = float(np.float32(span / (_MOST - _LEAST)))
    zero_point = round(_LEAST - low / scale)
    return Scale(scale, min(max(zero_point, _LEAST), _MOST))


def quantize_kernel(
    kernel: NDArray[np.float32], axis: int
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return a kernel's numbers and their scale for each channel, which lies along that axis."""
    others = tuple(other for other in range(kernel.ndim) if other != axis % kernel.ndim)
    largest = np.abs(kernel).max(axis=others, keepdims=True)
    scales = np.where(largest > 0, largest / _MOST, 1.0).astype(np.float32)
    stored = np.clip(np.rint(kernel / scales), -_MOST, _MOST).astype(np.int8)
    return stored, scales.reshape(-1)


def quantize_bias(bias: NDArray[np.float32], scales: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return a bias in units of input scale times the kernel's scale for each channel."""
    limits = np.iinfo(np.int32)
    return np.clip(np.rint(bias / scales), limits.min, limits.max).astype(np.int32)


def quantize(values: NDArray[np.float32], scale: Scale) -> NDArray[np.int8]:
    """Return numbers as they are stored."""
    stored = np.clip(np.rint(values / scale.scale) + scale.zero_point, _LEAST, _MOST)
    return np.asarray(stored, np.int8)


def dequantize(values: NDArray[np.int8], scale: Scale) -> NDArray[np.float32]:
    """Return what stored numbers stand for."""
    return (values.astype(np.float32) - scale.zero_point) * np.float32(scale.scale)
