"""Builds a .tflite file: tensors, constants, the operators that a MoViNet needs, one signature.

The only module that knows the runtime's file format (tensorflow/lite/schema/schema.fbs) as a
writer. Importing the runtime's generated schema takes about half a second and 39 MB, so only what
compiles imports this. The same calls give the same bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIGNATURE = "serving_default"
Kind = Literal["float32", "int8", "int32"]

_TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "int32": schema.TensorType.INT32,
}
_LAST_CODE_OF_ONE_BYTE = 127
_ALIGNMENT = 16  # bytes, which the schema demands of constants
_OVERHEAD = 1 << 16  # bytes that the graph itself may need, at first

# What the operators' versions are that know int8 (tensorflow/lite/tools/versioning/op_version.cc).
_VERSIONS = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 9, "RESHAPE": 1}
_INT8_VERSION = 2
_ALL_INT8_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4}
"""Where the input is int8 too: the Edge TPU's compiler refuses versions that it does not know."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers are stored in int8: real = scale * (stored - zero_point)."""

    scale: float
    zero_point: int = 0


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of a graph."""

    index: int
    shape: tuple[int, ...]
    kind: Kind
    scale: Scale | None = None
    """None for float32, and for weights with a scale per channel."""


@dataclass(frozen=True, slots=True)
class Made:
    """What an operator is to make."""

    name: str
    shape: tuple[int, ...]
    scale: Scale | None = None
    """None: float32, else int8."""

    @property
    def kind(self) -> Kind:
        """Return the type of its numbers."""
        return "float32" if self.scale is None else "int8"


class _Buffer(schema.BufferT):  # type: ignore[misc]
    """Bytes of a constant, aligned as the schema demands and the generated writer forgets."""

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 (the generated name)
        if self.data is None:
            return int(super().Pack(builder))
        builder.StartVector(1, len(self.data), _ALIGNMENT)
        builder.head -= len(self.data)
        builder.Bytes[builder.Head() : builder.Head() + len(self.data)] = self.data
        vector = builder.EndVector()
        schema.BufferStart(builder)
        schema.BufferAddData(builder, vector)
        return int(schema.BufferEnd(builder))


class Graph:
    """A graph that grows by one operator a call, in the order in which they run."""

    def __init__(self, description: str) -> None:
        self._description = description
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]  # the first is that of computed tensors
        self._operators: list[Any] = []
        self._codes: dict[tuple[int, int], int] = {}
        self._inputs: dict[str, Tensor] = {}
        self._outputs: dict[str, Tensor] = {}

    def input(
        self, name: str, shape: tuple[int, ...], kind: Kind, scale: Scale | None = None
    ) -> Tensor:
        """Return a new input of the signature."""
        self._inputs[name] = tensor = self._tensor(f"{name}:in", shape, kind, scale)
        return tensor

    def output(self, name: str, tensor: Tensor) -> None:
        """Offer a tensor as an output of the signature."""
        self._outputs[name] = tensor

    def constant(self, name: str, values: NDArray[Any], scale: Scale | None = None) -> Tensor:
        """Return a constant of float32, int8 or int32."""
        return self._constant(name, values, scale)

    def weight(
        self, name: str, values: NDArray[Any], scales: NDArray[np.float32], axis: int
    ) -> Tensor:
        """Return a constant with a scale for each place along one dimension, zero at 0."""
        tensor = self._constant(name, values, None)
        self._tensors[tensor.index].quantization = schema.QuantizationParametersT(
            scale=np.asarray(scales, np.float32),
            zeroPoint=np.zeros(len(scales), np.int64),
            quantizedDimension=axis,
        )
        return tensor

    def operator(
        self,
        code: str,
        options: str,
        inputs: Sequence[Tensor],
        made: Made,
        **settings: Any,  # noqa: ANN401
    ) -> Tensor:
        """Add the operator of that code, with its table of options; return what it makes.

        Settings are the fields of the table, as the schema's generated classes spell them. Some
        operators have no table: "".
        """
        number = getattr(schema.BuiltinOperator, code)
        version = _VERSIONS.get(code, 1 if made.kind == "float32" else _INT8_VERSION)
        if inputs[0].kind == "int8":
            version = _ALL_INT8_VERSIONS.get(code, version)
        position = self._codes.setdefault((number, version), len(self._codes))
        tensor = self._tensor(made.name, made.shape, made.kind, made.scale)
        operator = schema.OperatorT(
            opcodeIndex=position,
            inputs=[given.index for given in inputs],
            outputs=[tensor.index],
        )
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{options}Options")
            operator.builtinOptions = getattr(schema, f"{options}OptionsT")(**settings)
        self._operators.append(operator)
        return tensor

    def finish(self) -> bytes:
        """Return the file."""
        graph = schema.SubGraphT(
            tensors=self._tensors,
            inputs=[tensor.index for tensor in self._inputs.values()],
            outputs=[tensor.index for tensor in self._outputs.values()],
            operators=self._operators,
            name="main",
        )
        signature = schema.SignatureDefT(
            inputs=_names(self._inputs), outputs=_names(self._outputs), signatureKey=SIGNATURE
        )
        model = schema.ModelT(
            version=3,
            operatorCodes=[_code(*code) for code in self._codes],
            subgraphs=[graph],
            description=self._description,
            buffers=self._buffers,
            signatureDefs=[signature],
        )
        size = sum(len(buffer.data) + 64 for buffer in self._buffers if buffer.data is not None)
        builder = flatbuffers.Builder(size + _OVERHEAD)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _constant(self, name: str, values: NDArray[Any], scale: Scale | None) -> Tensor:
        tensor = self._tensor(name, values.shape, cast("Kind", str(values.dtype)), scale)
        self._tensors[tensor.index].buffer = len(self._buffers)
        self._buffers.append(_Buffer(data=values.tobytes()))
        return tensor

    def _tensor(self, name: str, shape: tuple[int, ...], kind: Kind, scale: Scale | None) -> Tensor:
        quantization = None
        if scale is not None:
            quantization = schema.QuantizationParametersT(
                scale=np.array([scale.scale], np.float32),
                zeroPoint=np.array([scale.zero_point], np.int64),
            )
        self._tensors.append(
            schema.TensorT(
                shape=np.array(shape, np.int32),
                type=_TYPES[kind],
                name=name,
                quantization=quantization,
                hasRank=True,
            )
        )
        return Tensor(len(self._tensors) - 1, shape, kind, scale)


def _names(tensors: dict[str, Tensor]) -> list[Any]:
    return [schema.TensorMapT(name, tensor.index) for name, tensor in tensors.items()]


def _code(number: int, version: int) -> Any:  # noqa: ANN401
    return schema.OperatorCodeT(
        deprecatedBuiltinCode=min(number, _LAST_CODE_OF_ONE_BYTE),
        builtinCode=number,
        version=version,
    )
