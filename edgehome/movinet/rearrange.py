"""Puts an int8 file for the CPU (form `cpu`) into the form for the Edge TPU's compiler (`tpu`).

The two are the same numbers in another arrangement, so no float weights are needed, and what comes
out says the same bit for bit (tests). Three things differ, all made by `compiler` and `int8`:

* the stem makes two neighbours at once from four pixels side by side; here one from its own;
* the earlier frames of a state lie below one another, (1, past * height, width, channels), for a
  convolution that is dilated along the height; here side by side, (1, past, height * width,
  channels), with a reshape before and after it;
* with that, what goes out as the newest state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgehome.movinet.graph import Scale, Tensor
from edgehome.movinet.operators import Fused, Operators, Padding
from edgehome.recognizer import tflite_file as tflite
from edgehome.types import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_WEIGHTED = {tflite.CONV_2D, tflite.DEPTHWISE_CONV_2D, tflite.FULLY_CONNECTED}
_FOURS = 4
"""Pixels side by side that the paired stem sees as one place."""


def for_edge_tpu(data: bytes, name: str) -> bytes:
    """Return the file in the form `tpu`; `name` is the network's, such as `a0`.

    Raises ModelError (`model_refused`) for one that is not int8, or that edgehome did not write.
    """
    return _Rearranged(tflite.TfliteFile(data), name).made()


class _Rearranged:
    def __init__(self, old: tflite.TfliteFile, name: str) -> None:
        if not old.signatures or old.tensors[old.inputs[0]].dtype != "i1":
            raise _refused("it is not a file that edgehome compiled")
        self._old = old
        self._signature = old.signatures[0]
        self._names = {index: name for name, index in self._signature.inputs.items()}
        self._states = {n for n in self._signature.inputs if n in self._signature.outputs}
        self._graph = Operators(f"edgehome MoViNet {name}, int8, tpu")
        self._new: dict[int, Tensor] = {}
        self._newest: dict[str, Tensor] = {}
        self._frames: dict[int, tuple[str, tuple[int, ...]]] = {}  # joined: layer, frame's shape
        self._steps: dict[int, Callable[[tflite.Operator], Tensor]] = {
            tflite.ADD: self._add,
            tflite.CONCATENATION: self._concatenation,
            tflite.CONV_2D: self._conv,
            tflite.DEPTHWISE_CONV_2D: self._depthwise,
            tflite.DEQUANTIZE: lambda o: self._graph.dequantize(self._given(o), self._name(o)),
            tflite.FULLY_CONNECTED: self._dense,
            tflite.MEAN: self._mean,
            tflite.MUL: self._multiply,
            tflite.QUANTIZE: self._quantize,
            tflite.RESHAPE: self._reshape,
        }

    def made(self) -> bytes:
        for name in ("image", "inverse"):
            if name in self._signature.inputs:
                self._tensor(self._signature.inputs[name])
        for operator in self._old.operators:
            step = self._steps.get(operator.code)
            if step is None or operator.activation not in {"none", "relu6"}:
                raise _refused("it computes in float between its integers")
            self._new[operator.outputs[0]] = step(operator)
        if not self._newest:
            raise _refused("its states are not int8")
        for name, index in self._signature.outputs.items():
            self._graph.output(name, self._newest.get(name) or self._new[index])
        return self._graph.finish()

    def _tensor(self, index: int, *, weight: bool = False) -> Tensor:
        """Return the new one in an old tensor's place; inputs and constants come when asked for."""
        if index in self._new:
            return self._new[index]
        old = self._old.tensors[index]
        if index in self._names:
            kind = "int8" if old.dtype == "i1" else "float32"
            made = self._graph.input(self._names[index], old.shape, kind, self._scale(index))  # type: ignore[arg-type]
        elif weight and old.scale:
            made = self._weight(old, self._values(index), len(old.scale))
        else:
            made = self._graph.constant(old.name, self._values(index), self._scale(index))
        self._new[index] = made
        return made

    def _weight(self, old: tflite.Tensor, values: NDArray[np.generic], count: int) -> Tensor:
        scales = np.asarray(old.scale[:count], np.float32)
        return self._graph.weight(old.name, values, scales, old.channel_axis)

    def _values(self, index: int) -> NDArray[np.generic]:
        old = self._old.tensors[index]
        return np.frombuffer(self._old.constant(index), f"<{old.dtype}").reshape(old.shape)

    def _scale(self, index: int) -> Scale | None:
        old = self._old.tensors[index]
        return Scale(old.scale[0], old.zero_point[0]) if old.scale else None

    def _name(self, operator: tflite.Operator) -> str:
        return self._old.tensors[operator.outputs[0]].name

    def _given(self, operator: tflite.Operator, place: int = 0) -> Tensor:
        weight = place > 0 and operator.code in _WEIGHTED
        return self._tensor(operator.inputs[place], weight=weight)

    def _stored(self, operator: tflite.Operator) -> Scale | None:
        return self._scale(operator.outputs[0])

    def _add(self, operator: tflite.Operator) -> Tensor:
        one, other = self._given(operator), self._given(operator, 1)
        name, scale = self._name(operator), self._stored(operator)
        return self._graph.add(one, other, name, scale, activation=_fused(operator))

    def _multiply(self, operator: tflite.Operator) -> Tensor:
        one, other = self._given(operator), self._given(operator, 1)
        return self._graph.multiply(one, other, self._name(operator), self._stored(operator))

    def _quantize(self, operator: tflite.Operator) -> Tensor:
        scale = self._stored(operator)
        if scale is None:
            raise _refused("it quantises to nothing")
        return self._graph.quantize(self._given(operator), self._name(operator), scale)

    def _mean(self, operator: tflite.Operator) -> Tensor:
        keep = len(self._old.tensors[operator.outputs[0]].shape) > 2
        given, name = self._given(operator), self._name(operator)
        return self._graph.mean(given, name, self._stored(operator), keep=keep)

    def _dense(self, operator: tflite.Operator) -> Tensor:
        bias, kernel = self._given(operator, 2), self._given(operator, 1)
        return self._graph.dense(
            self._given(operator),
            kernel,
            bias,
            self._name(operator),
            self._stored(operator),
            activation=_fused(operator),
        )

    def _reshape(self, operator: tflite.Operator) -> Tensor:
        given = self._given(operator)
        shape = self._old.tensors[operator.outputs[0]].shape
        image = self._signature.inputs["image"]
        if operator.inputs[0] == image or given.shape == shape:  # to the paired stem, or from it
            return given
        return self._graph.reshape(given, shape, self._name(operator))

    def _conv(self, operator: tflite.Operator) -> Tensor:
        given = self._given(operator)
        paired = self._old.tensors[operator.inputs[0]].shape != given.shape
        name, window = self._name(operator), operator.window
        if window is None:
            raise _refused("a convolution has no window")
        if paired:
            kernel, bias = self._unpaired(operator)
            name = name.removesuffix("/pairs")
            strides = (window.stride[0], window.stride[0])
        else:
            kernel, bias = self._given(operator, 1), self._given(operator, 2)
            strides = window.stride
        scale, fused = self._stored(operator), _fused(operator)
        return self._graph.conv(given, kernel, bias, name, scale, strides=strides, activation=fused)

    def _unpaired(self, operator: tflite.Operator) -> tuple[Tensor, Tensor]:
        """Return the half that makes the left one of two neighbours, of what makes both."""
        kernel, bias = self._values(operator.inputs[1]), self._values(operator.inputs[2])
        count, high, _, given = kernel.shape
        out, colours = count // 2, given // _FOURS
        left = kernel[:out].reshape(out, high, -1, colours)[:, :, :high]
        old = [self._old.tensors[index] for index in operator.inputs[1:]]
        return (
            self._weight(old[0], np.ascontiguousarray(left), out),
            self._weight(old[1], bias[:out], out),
        )

    def _concatenation(self, operator: tflite.Operator) -> Tensor:
        first, last = operator.inputs[0], operator.inputs[-1]
        layer = self._names.get(first, "")
        if layer not in self._states:
            parts = [self._tensor(index) for index in operator.inputs]
            return self._graph.concatenate(parts, len(parts[0].shape) - 1, self._name(operator))
        if self._old.tensors[last].name.endswith("/newest"):
            raise _refused("it is in that form already")
        frame = self._tensor(last)
        _, height, width, channels = frame.shape
        past = self._old.tensors[first].shape[1] // height
        newest = self._graph.reshape(frame, (1, 1, height * width, channels), f"{layer}/newest")
        shape = (1, past, height * width, channels)
        state = self._graph.input(layer, shape, frame.kind, frame.scale)
        self._newest[layer] = newest
        self._frames[operator.outputs[0]] = layer, frame.shape
        return self._graph.concatenate((state, newest), 1, self._name(operator))

    def _depthwise(self, operator: tflite.Operator) -> Tensor:
        given, window = self._given(operator), operator.window
        if window is None:
            raise _refused("a convolution has no window")
        layer, shape = self._frames.get(operator.inputs[0], ("", ()))
        padding: Padding = "same" if window.same else "valid"
        made = self._graph.depthwise(
            given,
            self._given(operator, 1),
            self._given(operator, 2),
            self._name(operator),
            self._stored(operator),
            stride=window.stride[0],
            dilation=1 if layer else window.extent[0],
            padding=padding,
            activation=_fused(operator),
        )
        return self._graph.reshape(made, shape, f"{layer}/picture") if layer else made


def _fused(operator: tflite.Operator) -> Fused:
    return "relu6" if operator.activation == "relu6" else "none"


def _refused(why: str) -> ModelError:
    return ModelError(
        "model_refused",
        f"The model cannot be put into the form for an Edge TPU: {why}.",
        "Only an int8 model that edgehome compiled for the CPU can: import the published file with "
        "edgehome models import FILE --precision int8.",
    )
