"""The operators that a MoViNet is made of, with their shapes.

Tensors are (batch, height, width, channels), and batch is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from edgehome.movinet.graph import Graph, Made, Scale, Tensor

Fused = Literal["none", "relu6"]
Padding = Literal["same", "valid"]

# ActivationFunctionType and Padding in tensorflow/lite/schema/schema.fbs
_ACTIVATIONS = {"none": 0, "relu6": 3}
_PADDINGS = {"same": 0, "valid": 1}


class Operators(Graph):
    """A graph that knows how to grow by what a MoViNet needs.

    `name` is that of the tensor made, `scale` how it is stored: None for float32.
    """

    def conv(
        self,
        given: Tensor,
        kernel: Tensor,
        bias: Tensor,
        name: str,
        scale: Scale | None,
        *,
        strides: tuple[int, int] = (1, 1),
        activation: Fused = "none",
    ) -> Tensor:
        """Convolve with zeros around the picture; kernel (out, height, width, in)."""
        _, height, width, _ = given.shape
        shape = (1, -(-height // strides[0]), -(-width // strides[1]), kernel.shape[0])
        return self.operator(
            "CONV_2D",
            "Conv2D",
            (given, kernel, bias),
            Made(name, shape, scale),
            padding=_PADDINGS["same"],
            strideH=strides[0],
            strideW=strides[1],
            fusedActivationFunction=_ACTIVATIONS[activation],
        )

    def depthwise(
        self,
        given: Tensor,
        kernel: Tensor,
        bias: Tensor,
        name: str,
        scale: Scale | None,
        *,
        stride: int = 1,
        dilation: int = 1,
        padding: Padding = "same",
        activation: Fused = "none",
    ) -> Tensor:
        """Convolve each channel by itself; kernel (1, height, width, channels).

        The dilation is along the height.
        """
        _, height, width, channels = given.shape
        if padding == "valid":
            height -= (kernel.shape[1] - 1) * dilation
            width -= kernel.shape[2] - 1
        return self.operator(
            "DEPTHWISE_CONV_2D",
            "DepthwiseConv2D",
            (given, kernel, bias),
            Made(name, (1, -(-height // stride), -(-width // stride), channels), scale),
            padding=_PADDINGS[padding],
            strideH=stride,
            strideW=stride,
            depthMultiplier=1,
            dilationHFactor=dilation,
            fusedActivationFunction=_ACTIVATIONS[activation],
        )

    def dense(
        self,
        given: Tensor,
        kernel: Tensor,
        bias: Tensor,
        name: str,
        scale: Scale | None,
        *,
        activation: Fused = "none",
    ) -> Tensor:
        """Multiply by a matrix, kernel (out, in); the result is (1, out)."""
        return self.operator(
            "FULLY_CONNECTED",
            "FullyConnected",
            (given, kernel, bias),
            Made(name, (1, kernel.shape[0]), scale),
            fusedActivationFunction=_ACTIVATIONS[activation],
            asymmetricQuantizeInputs=given.kind == "float32" and kernel.kind == "int8",
        )

    def add(
        self,
        one: Tensor,
        other: Tensor,
        name: str,
        scale: Scale | None,
        *,
        activation: Fused = "none",
    ) -> Tensor:
        """Add; dimensions of 1 are repeated."""
        made = Made(name, _broadcast(one, other), scale)
        fused = _ACTIVATIONS[activation]
        return self.operator("ADD", "Add", (one, other), made, fusedActivationFunction=fused)

    def multiply(self, one: Tensor, other: Tensor, name: str, scale: Scale | None) -> Tensor:
        """Multiply; dimensions of 1 are repeated."""
        return self.operator("MUL", "Mul", (one, other), Made(name, _broadcast(one, other), scale))

    def concatenate(self, parts: Sequence[Tensor], axis: int, name: str) -> Tensor:
        """Join tensors of one scale along a dimension."""
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        made = Made(name, tuple(shape), parts[0].scale)
        return self.operator("CONCATENATION", "Concatenation", parts, made, axis=axis)

    def reshape(self, given: Tensor, shape: tuple[int, ...], name: str) -> Tensor:
        """See the same numbers in another shape."""
        new = self.constant(f"{name}/shape", np.array(shape, np.int32))
        made = Made(name, shape, given.scale)
        return self.operator("RESHAPE", "Reshape", (given, new), made, newShape=list(shape))

    def mean(self, given: Tensor, name: str, scale: Scale | None, *, keep: bool) -> Tensor:
        """Take the mean over the picture: (1, channels), or (1, 1, 1, channels) to `keep`."""
        axes = self.constant(f"{name}/axes", np.array([1, 2], np.int32))
        channels = given.shape[3]
        made = Made(name, (1, 1, 1, channels) if keep else (1, channels), scale)
        return self.operator("MEAN", "Reducer", (given, axes), made, keepDims=keep)

    def average_pool(self, given: Tensor, name: str) -> Tensor:
        """Take the mean of 3x3 at every second place, of what lies inside the picture; float32."""
        _, height, width, channels = given.shape
        return self.operator(
            "AVERAGE_POOL_2D",
            "Pool2D",
            (given,),
            Made(name, (1, -(-height // 2), -(-width // 2), channels)),
            padding=_PADDINGS["same"],
            strideH=2,
            strideW=2,
            filterHeight=3,
            filterWidth=3,
        )

    def hard_swish(self, given: Tensor, name: str) -> Tensor:
        """Return x * relu6(x + 3) / 6, float32."""
        return self.operator("HARD_SWISH", "HardSwish", (given,), Made(name, given.shape))

    def logistic(self, given: Tensor, name: str) -> Tensor:
        """Return 1 / (1 + exp(-x)), float32."""
        return self.operator("LOGISTIC", "", (given,), Made(name, given.shape))

    def quantize(self, given: Tensor, name: str, scale: Scale) -> Tensor:
        """Turn float32, or int8 of another scale, into int8."""
        return self.operator("QUANTIZE", "Quantize", (given,), Made(name, given.shape, scale))

    def dequantize(self, given: Tensor, name: str) -> Tensor:
        """Turn int8 into float32."""
        return self.operator("DEQUANTIZE", "Dequantize", (given,), Made(name, given.shape))


def _broadcast(one: Tensor, other: Tensor) -> tuple[int, ...]:
    return tuple(np.broadcast_shapes(one.shape, other.shape))
