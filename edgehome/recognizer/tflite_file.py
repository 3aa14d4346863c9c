"""Reads the few parts of a .tflite file that edgehome needs.

A .tflite file is a FlatBuffer. The runtime's own generated reader costs 39 MB of resident memory
to import, a third of what the vision worker may use, so this one reads the dozen fields needed
with `struct`. Field numbers are those of tensorflow/lite/schema/schema.fbs (version 3), in the
order in which that file declares them; the layout of tables, vectors and offsets is that of
https://flatbuffers.dev/internals. Every offset is checked against the file's length, so a
truncated file is refused here, in Python, before a runtime that may crash on it sees it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgehome.types import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

# BuiltinOperator in schema.fbs
ADD, AVERAGE_POOL_2D, CONCATENATION, CONV_2D, DEPTHWISE_CONV_2D, DEQUANTIZE = 0, 1, 2, 3, 4, 6
FULLY_CONNECTED, LOGISTIC, MUL, RELU, RELU6, RESHAPE, SOFTMAX = 9, 14, 18, 19, 21, 22, 25
MEAN, SUB, DIV, SQUEEZE, CAST, EXPAND_DIMS, SUM = 40, 41, 42, 43, 53, 70, 74
SIN, COS, QUANTIZE, HARD_SWISH, BROADCAST_TO = 66, 108, 114, 117, 130

# TensorType in schema.fbs, as struct and numpy spell them; other types are not computed with.
TYPES: Mapping[int, str] = {0: "f4", 1: "f2", 2: "i4", 3: "u1", 4: "i8", 7: "i2", 9: "i1"}

# ActivationFunctionType in schema.fbs
ACTIVATIONS: Mapping[int, str] = {0: "none", 1: "relu", 3: "relu6"}

# The field of an operator's own options that holds the fused activation.
_ACTIVATION_FIELD: Mapping[int, int] = {
    ADD: 0, SUB: 0, MUL: 0, DIV: 0, FULLY_CONNECTED: 0,
    CONV_2D: 3, DEPTHWISE_CONV_2D: 4, AVERAGE_POOL_2D: 5, CONCATENATION: 1,
}  # fmt: skip

# Operators that slide a window over their input, and the field of the window's own numbers: width
# and height of the pool, or the dilation across and down.
_WINDOW_FIELD: Mapping[int, int] = {CONV_2D: 4, DEPTHWISE_CONV_2D: 5, AVERAGE_POOL_2D: 3}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of the graph."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    """As numpy spells it, `f4` or `i1`; empty for a type that edgehome does not compute with."""
    buffer: int
    scale: tuple[float, ...] = ()
    """Real value = scale * (stored - zero_point); one scale, or one per channel, or none."""
    zero_point: tuple[int, ...] = ()
    channel_axis: int = 0
    """The dimension to which a scale per channel belongs."""


@dataclass(frozen=True, slots=True)
class Window:
    """How a convolution or a pool moves over its input; pairs are (down, across)."""

    same: bool
    """Padded so that the output has the input's size over the stride, rounded up; else not."""
    stride: tuple[int, int]
    extent: tuple[int, int]
    """A pool's height and width; a convolution's dilation."""


@dataclass(frozen=True, slots=True)
class Operator:
    """One step of the graph."""

    code: int
    """A number of BuiltinOperator, such as `CONV_2D`."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    activation: str
    """`none`, `relu`, `relu6`, or `other` when it is fused with one not understood."""
    window: Window | None = None
    """For convolutions and average pools."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The names by which the file offers its inputs and outputs."""

    key: str
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


def refused(why: str) -> ModelError:
    """Return the error for a file that is not a usable model."""
    return ModelError(
        "model_refused", f"The model file is refused: {why}.", "Copy or download the file again."
    )


class _Table:
    """A FlatBuffers table: a vtable says where, if anywhere, each field lies."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self.position = position
        vtable = position - _read(data, "<i", position)
        size = _read(data, "<H", vtable)
        self._fields = _unpack(data, f"<{max(0, size - 4) // 2}H", vtable + 4)

    def place(self, number: int) -> int:
        """Return where the field lies in the file; 0 when it is absent."""
        offset = self._fields[number] if number < len(self._fields) else 0
        return self.position + offset if offset else 0

    def scalar(self, number: int, form: str) -> int:
        """Return the number of that struct format, or 0, the schema's default for all we read."""
        place = self.place(number)
        return _read(self._data, form, place) if place else 0

    def _target(self, number: int) -> int:
        place = self.place(number)
        return place + _read(self._data, "<I", place) if place else 0

    def table(self, number: int) -> _Table | None:
        target = self._target(number)
        return _Table(self._data, target) if target else None

    def vector(self, number: int) -> tuple[int, int]:
        """Return where a vector's first element lies and how many it has; (0, 0) when absent."""
        target = self._target(number)
        return (target + 4, _read(self._data, "<I", target)) if target else (0, 0)

    def numbers(self, number: int, form: str) -> tuple[int, ...]:
        start, count = self.vector(number)
        return _unpack(self._data, f"<{count}{form}", start)

    def tables(self, number: int) -> list[_Table]:
        start, count = self.vector(number)
        offsets = _unpack(self._data, f"<{count}I", start)
        return [_Table(self._data, start + 4 * i + offset) for i, offset in enumerate(offsets)]

    def text(self, number: int) -> str:
        start, count = self.vector(number)
        return self._data[start : start + count].decode("utf-8", "replace")


def _unpack(data: bytes, form: str, place: int) -> tuple[int, ...]:
    if place < 0 or place + struct.calcsize(form) > len(data):
        raise refused("it is cut short or damaged: an offset points outside it")
    return struct.unpack_from(form, data, place)


def _read(data: bytes, form: str, place: int) -> int:
    return _unpack(data, form, place)[0]


class TfliteFile:
    """The graph of a .tflite file: its first subgraph, which is the whole of a stream MoViNet.

    Raises ModelError (`model_refused`) when the bytes are not such a file, or are cut short.
    """

    def __init__(self, data: bytes) -> None:
        if data[4:8] != b"TFL3":
            raise refused("it is not a TensorFlow Lite file (the mark TFL3 is missing)")
        self._data = data
        model = _Table(data, _read(data, "<I", 0))
        subgraphs = model.tables(2)
        if not subgraphs:
            raise refused("it holds no graph")
        subgraph = subgraphs[0]
        self._buffers = [self._extent(buffer) for buffer in model.tables(4)]
        codes = [self._code(table) for table in model.tables(1)]
        self.tensors = [_tensor(table) for table in subgraph.tables(0)]
        self.operators = [_operator(table, codes) for table in subgraph.tables(3)]
        self.inputs = subgraph.numbers(1, "i")
        self.outputs = subgraph.numbers(2, "i")
        self.signatures = [_signature(t) for t in model.tables(7) if t.scalar(4, "<I") == 0]
        self._check_indices()

    def _extent(self, buffer: _Table) -> tuple[int, int]:
        start, count = buffer.vector(0)
        if buffer.scalar(1, "<Q") > 1:  # beyond the FlatBuffer, as in files over 2 GB
            start, count = buffer.scalar(1, "<Q"), buffer.scalar(2, "<Q")
        if start + count > len(self._data):
            raise refused("it is cut short: weights are missing")
        return start, count

    @staticmethod
    def _code(table: _Table) -> int:
        # Codes below 127 are written to the old one-byte field, later ones to the new field.
        return max(table.scalar(0, "<b"), table.scalar(3, "<i"))

    def _check_indices(self) -> None:
        if not self.inputs or not self.outputs:
            raise refused("its graph has no inputs or no outputs")
        used = {i for o in self.operators for i in (*o.inputs, *o.outputs)}
        used |= {*self.inputs, *self.outputs}
        used |= {i for s in self.signatures for i in (*s.inputs.values(), *s.outputs.values())}
        if used and (max(used) >= len(self.tensors) or min(used) < -1):  # -1: input left out
            raise refused("it is damaged: it names a tensor that it does not hold")
        made: dict[int, int] = {o: n for n, op in enumerate(self.operators) for o in op.outputs}
        if any(made.get(i, -1) >= n for n, op in enumerate(self.operators) for i in op.inputs):
            raise refused("it is damaged: an operator uses what only a later one makes")
        if any(not 0 <= tensor.buffer < len(self._buffers) for tensor in self.tensors):
            raise refused("it is damaged: a tensor names weights that it does not hold")

    def constant(self, index: int) -> bytes:
        """Return the stored bytes of a weight; empty for a tensor that is computed."""
        start, count = self._buffers[self.tensors[index].buffer]
        return self._data[start : start + count]


def _tensor(table: _Table) -> Tensor:
    quantization = table.table(4)
    scale: tuple[float, ...] = ()
    zero_point: tuple[int, ...] = ()
    if quantization:
        scale = quantization.numbers(2, "f")
        zero_point = quantization.numbers(3, "q")
    return Tensor(
        name=table.text(3),
        shape=table.numbers(0, "i"),
        dtype=TYPES.get(table.scalar(1, "<b"), ""),
        buffer=table.scalar(2, "<I"),
        scale=scale,
        zero_point=zero_point,
        channel_axis=quantization.scalar(6, "<i") if quantization else 0,
    )


def _operator(table: _Table, codes: list[int]) -> Operator:
    number = table.scalar(0, "<I")
    if number >= len(codes):
        raise refused("it is damaged: an operator has no code")
    code, options, activation = codes[number], table.table(4), "none"
    if options and code in _ACTIVATION_FIELD:
        fused = options.scalar(_ACTIVATION_FIELD[code], "<b")
        activation = ACTIVATIONS.get(fused, "other")
    window = _window(options, _WINDOW_FIELD[code]) if options and code in _WINDOW_FIELD else None
    return Operator(code, table.numbers(1, "i"), table.numbers(2, "i"), activation, window)


def _window(options: _Table, field: int) -> Window:
    across, down = (options.scalar(n, "<i") if options.place(n) else 1 for n in (field, field + 1))
    return Window(
        same=options.scalar(0, "<b") == 0,
        stride=(options.scalar(2, "<i"), options.scalar(1, "<i")),
        extent=(down, across),
    )


def _signature(table: _Table) -> Signature:
    def names(number: int) -> dict[str, int]:
        return {entry.text(0): entry.scalar(1, "<I") for entry in table.tables(number)}

    return Signature(key=table.text(2), inputs=names(0), outputs=names(1))
