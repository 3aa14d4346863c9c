"""A .tflite graph as arithmetic: its reshapes and roundings looked through, its constants real.

Google's converter wraps every step of a stream MoViNet in reshapes between four and five
dimensions, and in int8 files in roundings; none of them changes a value's meaning. Here a `value`
is the index of the tensor at which such a chain begins.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from edgehome.recognizer import tflite_file as tflite
from edgehome.recognizer.tflite_file import refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgehome.recognizer.tflite_file import Operator, TfliteFile

    Array = NDArray[np.float32]

_TRANSPARENT = {
    tflite.RESHAPE,
    tflite.SQUEEZE,
    tflite.EXPAND_DIMS,
    tflite.BROADCAST_TO,
    tflite.QUANTIZE,
    tflite.DEQUANTIZE,
    tflite.CAST,
}
_STORED = {"f4", "f2", "i1", "i4"}
_MOST_NUMBERS = 1 << 24
"""Numbers in one constant; the largest of A5 holds a tenth of them."""


class OriginalGraph:
    """The steps of a file that compute something, and who uses what they give."""

    def __init__(self, file: TfliteFile) -> None:
        self.file = file
        self._origin = list(range(len(file.tensors)))
        self._members: dict[int, list[int]] = defaultdict(list)
        self._users: dict[int, list[Operator]] = defaultdict(list)
        self._makers: dict[int, Operator] = {}
        seen = {*file.inputs}
        for operator in file.operators:
            if not operator.outputs or min(operator.outputs) < 0 or seen & {*operator.outputs}:
                raise refused("it is damaged: an operator writes over a tensor, or makes none")
            seen.update(operator.inputs, operator.outputs)
            self._add(operator)
        self.inputs = {self._origin[index] for index in file.inputs}
        """Values that come from outside: the image and the states."""
        self.outputs = {self._origin[index] for index in file.outputs}
        for index, origin in enumerate(self._origin):
            self._members[origin].append(index)

    def _add(self, operator: Operator) -> None:
        if operator.code in _TRANSPARENT and operator.inputs and operator.inputs[0] >= 0:
            self._origin[operator.outputs[0]] = self._origin[operator.inputs[0]]
            return
        for value in dict.fromkeys(self._origin[i] for i in operator.inputs if i >= 0):
            self._users[value].append(operator)
        self._makers.update(dict.fromkeys(operator.outputs, operator))

    def value(self, tensor: int) -> int:
        """Return the value that a tensor carries."""
        return self._origin[tensor]

    def users(self, value: int) -> list[Operator]:
        """Return the operators that compute with a value, in the order of the graph."""
        return self._users.get(value, [])

    def maker(self, value: int) -> Operator | None:
        """Return the operator that gives the value; None for a constant and for an input."""
        return self._makers.get(value)

    def layers(self) -> list[Operator]:
        """Return the convolutions and dense layers."""
        codes = {tflite.CONV_2D, tflite.DEPTHWISE_CONV_2D, tflite.FULLY_CONNECTED}
        return [operator for operator in self.file.operators if operator.code in codes]

    def is_constant(self, tensor: int) -> bool:
        """Return whether the tensor's numbers lie in the file."""
        return bool(self.file.constant(self._origin[tensor]))

    def shape(self, value: int) -> tuple[int, ...]:
        """Return the shape with which the value begins."""
        return self.file.tensors[value].shape

    def dtype(self, value: int) -> str:
        """Return the type that the value is computed in: `i1` where any of its tensors is int8."""
        kinds = [self.file.tensors[index].dtype for index in self._members[value]]
        return next((kind for kind in kinds if kind[:1] in {"i", "u"}), kinds[0])

    def range(self, value: int) -> tuple[float, float] | None:
        """Return the least and the greatest real number that an int8 value can hold."""
        for index in self._members[value]:
            tensor = self.file.tensors[index]
            if tensor.dtype == "i1" and len(tensor.scale) == len(tensor.zero_point) == 1:
                scale, zero = tensor.scale[0], tensor.zero_point[0]
                if not (0 < scale < math.inf and -128 <= zero <= 127):
                    raise refused(f"it is damaged: {tensor.name!r} has the scale {scale}, {zero}")
                return scale * (-128 - zero), scale * (127 - zero)
        return None

    def stored(self, tensor: int) -> str:
        """Return the type in which a constant is stored, such as `i1` or `f2`."""
        return self.file.tensors[self._origin[tensor]].dtype

    def constant(self, tensor: int) -> Array:
        """Return a constant's real numbers in the tensor's own shape.

        Raises ModelError (`model_refused`) where it holds none, or not as many as its shape says.
        """
        shape = self.file.tensors[tensor].shape
        origin = self._origin[tensor]
        source, data = self.file.tensors[origin], self.file.constant(origin)
        count = 1
        for size in shape:
            count = count * size if 0 <= size <= _MOST_NUMBERS else _MOST_NUMBERS + 1
        if source.dtype not in _STORED or not data:
            raise refused(f"the weights {source.name!r} are not stored as int8 or float numbers")
        if count > _MOST_NUMBERS or len(data) != count * np.dtype(source.dtype).itemsize:
            raise refused(f"it is damaged: the weights {source.name!r} do not fill their shape")
        numbers = np.frombuffer(data, f"<{source.dtype}").reshape(shape)
        with np.errstate(all="ignore"):
            real = _real(numbers, source).astype(np.float32)
        if not np.isfinite(real).all():
            raise refused(f"it is damaged: the weights {source.name!r} are not all finite")
        return real

    def channels(self, tensor: int, width: int) -> Array:
        """Return a constant that is the same in every place as (width,), one number a channel.

        Raises ModelError (`model_refused`) where it varies from place to place.
        """
        numbers = self.constant(tensor)
        rows = numbers.reshape(-1, numbers.shape[-1] if numbers.ndim else 1)
        if not rows.size or rows.shape[1] not in {1, width} or (rows != rows[0]).any():
            raise refused("it holds a factor that is not one number for each channel")
        return np.broadcast_to(rows[0], (width,))

    def number(self, tensor: int) -> float:
        """Return a constant that is one and the same number everywhere.

        Raises ModelError (`model_refused`) where it is not.
        """
        numbers = self.constant(tensor).ravel()
        if not numbers.size or (numbers != numbers[0]).any():
            raise refused("it holds many factors where one was expected")
        return float(numbers[0])


def _real(numbers: NDArray[np.generic], tensor: tflite.Tensor) -> NDArray[np.float64]:
    real = numbers.astype(np.float64)
    if not tensor.scale:
        if tensor.dtype == "i1":
            raise refused(f"it is damaged: the weights {tensor.name!r} have no scale")
        return real
    scale, zero = np.array(tensor.scale), np.array(tensor.zero_point or (0,), np.float64)
    if scale.size > 1:
        axis = tensor.channel_axis
        if not 0 <= axis < real.ndim or {scale.size, zero.size} - {1} != {real.shape[axis]}:
            raise refused(f"it is damaged: the scales of {tensor.name!r} are not one a channel")
        across = [-1 if position == axis else 1 for position in range(real.ndim)]
        scale, zero = scale.reshape(across), zero.reshape(across) if zero.size > 1 else zero
    elif zero.size > 1:
        raise refused(f"it is damaged: {tensor.name!r} has more zero points than scales")
    result: NDArray[np.float64] = (real - zero) * scale
    return result
