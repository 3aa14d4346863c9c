"""A MoViNet's layers in float32: which operators, with which numbers. `int8` has the others.

Both kinds have the same methods, so that `compiler` says only once what a network looks like.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from edgehome.movinet.graph import Scale, Tensor
from edgehome.movinet.operators import Fused, Operators
from edgehome.movinet.quantize import quantize_kernel
from edgehome.movinet.weights import Weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

Follows = Literal["none", "relu6", "hard_swish", "swish"]
"""What a layer's sums go through."""

IMAGE = Scale(1 / 255, -128)
"""RGB of 0 to 255, less 128."""

_FEWEST_DYNAMIC = 1024
"""Weights below which a layer gains nothing from int8 weights and float activations."""


class FloatLayers:
    """Float activations. With `dynamic`, the larger 1x1 kernels are int8."""

    def __init__(self, graph: Operators, weights: Weights, *, dynamic: bool) -> None:
        self._graph = graph
        self._weights = weights
        self._dynamic = dynamic

    def image(self, size: int) -> Tensor:
        """Return the picture, 0 to 1."""
        image = self._graph.input("image", (1, size, size, 3), "int8", IMAGE)
        return self._graph.dequantize(image, "image")

    def stem(self, given: Tensor, follows: Follows) -> Tensor:
        """Convolve the picture at every second place."""
        return self.conv(given, "stem", follows, stride=2)

    def conv(self, given: Tensor, name: str, follows: Follows, *, stride: int = 1) -> Tensor:
        """Convolve across channels."""
        kernel, bias = self._numbers(given, name, self._weights[name].kernel, 0)
        scale = self._scale(given, name, follows)
        made = self._graph.conv(
            given, kernel, bias, name, scale, strides=(stride, stride), activation=fused(follows)
        )
        return self._after(made, name, follows)

    def spatial(self, given: Tensor, name: str, follows: Follows, *, stride: int) -> Tensor:
        """Convolve each channel in space."""
        values = self._weights[name].kernel[np.newaxis]
        kernel, bias = self._numbers(given, name, values, 3)
        scale = self._scale(given, name, follows)
        made = self._graph.depthwise(
            given, kernel, bias, name, scale, stride=stride, activation=fused(follows)
        )
        return self._after(made, name, follows)

    def temporal(
        self, past: Tensor, frame: Tensor, name: str, follows: Follows, *, dilation: int
    ) -> Tensor:
        """Convolve each channel in time; frames lie `dilation` rows apart in the second axis."""
        frames = self._join(past, frame, f"{name}/frames")
        values = self._weights[name].kernel[np.newaxis, :, np.newaxis]
        kernel, bias = self._numbers(frames, name, values, 3)
        scale = self._scale(frames, name, follows)
        made = self._graph.depthwise(
            frames,
            kernel,
            bias,
            name,
            scale,
            dilation=dilation,
            padding="valid",
            activation=fused(follows),
        )
        return self._after(made, name, follows)

    def pool(self, given: Tensor, name: str) -> Tensor:
        """Take the mean of 3x3 at every second place, of what lies inside the picture."""
        return self._graph.average_pool(given, name)

    def add(self, one: Tensor, other: Tensor, name: str) -> Tensor:
        """Add two tensors of one shape."""
        return self._graph.add(one, other, name, self._scale(one, name, "none"))

    def mean(self, given: Tensor, name: str, *, keep: bool) -> Tensor:
        """Return the float32 mean over the picture: (1, channels), (1, 1, 1, channels) if kept."""
        return self._graph.mean(given, name, None, keep=keep)

    def gate(self, given: Tensor, gate: Tensor, name: str) -> Tensor:
        """Multiply each channel by its gate, float32 (1, 1, 1, channels), 0 to 6."""
        return self._graph.multiply(given, gate, name, None)

    def reshape(self, given: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
        """See the same numbers in another shape."""
        return self._graph.reshape(given, shape, name)

    def dense(self, given: Tensor, name: str, follows: Follows) -> Tensor:
        """Multiply float32 by a matrix: (1, out)."""
        kernel, bias = self._numbers(given, name, self._weights[name].kernel, 0)
        made = self._graph.dense(given, kernel, bias, name, None, activation=fused(follows))
        return self._after(made, name, follows)

    def _join(self, past: Tensor, frame: Tensor, name: str) -> Tensor:
        return self._graph.concatenate((past, frame), 1, name)

    def _numbers(
        self, given: Tensor, name: str, kernel: NDArray[np.float32], axis: int
    ) -> tuple[Tensor, Tensor]:
        """Return a layer's kernel, whose channels out lie along that axis, and its bias."""
        del given
        bias = self._graph.constant(f"{name}/bias", self._weights[name].bias)
        pointwise = axis == 0 and kernel.shape[1:-1] in {(), (1, 1)}
        if not self._dynamic or not pointwise or kernel.size < _FEWEST_DYNAMIC:
            return self._graph.constant(f"{name}/kernel", kernel), bias
        return self._graph.weight(f"{name}/kernel", *quantize_kernel(kernel, 0), 0), bias

    def _scale(self, given: Tensor, name: str, follows: Follows) -> Scale | None:
        """Return how a layer's sums are stored, after what is fused with them."""
        del given, name, follows
        return None

    def _after(self, given: Tensor, name: str, follows: Follows) -> Tensor:
        """Return what a layer's sums become by what is not fused with them."""
        if follows == "hard_swish":
            return self._graph.hard_swish(given, f"{name}/swish")
        if follows == "swish":
            gate = self._graph.logistic(given, f"{name}/gate")
            return self._graph.multiply(given, gate, f"{name}/swish", None)
        return given


def fused(follows: Follows) -> Fused:
    """Return what of it a convolution does itself."""
    return "relu6" if follows == "relu6" else "none"
