"""Writes small stream models as they are published, built as MoViNet is: what is to be imported.

From the picture a mean colour; from that and a pool over all frames (as in a squeeze-and-excite
block) an embedding; the head's own pool; two layers; the scores.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SIZE, COLOURS, HIDDEN, CLASSES = 4, 3, 8, 5
EMBEDDING = (1, 1, 1, 1, COLOURS)
_OPTIONS = {
    "CONV_2D": ("Conv2DOptions", {"padding": 1, "strideW": 1, "strideH": 1}),
    "ADD": ("AddOptions", {}),
    "DIV": ("DivOptions", {}),
    "MUL": ("MulOptions", {}),
    "MEAN": ("ReducerOptions", {"keepDims": True}),
    "SOFTMAX": ("SoftmaxOptions", {"beta": 1.0}),
    "RESHAPE": ("ReshapeOptions", {}),
    "CAST": ("CastOptions", {}),
}


class _Writer:
    def __init__(self) -> None:
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.buffers = [schema.BufferT()]
        self.codes: list[int] = []

    def tensor(
        self, shape: tuple[int, ...], dtype: str = "FLOAT32", scale: float = 0, zero: int = 0
    ) -> int:
        made = schema.TensorT()
        made.shape, made.type = list(shape), getattr(schema.TensorType, dtype)
        made.name = f"t{len(self.graph.tensors)}".encode()
        made.buffer = 0
        if scale:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale, made.quantization.zeroPoint = [scale], [zero]
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def constant(self, values: np.ndarray[Any, Any]) -> int:
        index = self.tensor(values.shape, {"f": "FLOAT32", "i": "INT32"}[values.dtype.kind])
        buffer = schema.BufferT()
        buffer.data = list(values.tobytes())
        self.buffers.append(buffer)
        self.graph.tensors[index].buffer = len(self.buffers) - 1
        return index

    def do(
        self, name: str, inputs: list[int], shape: tuple[int, ...], dtype: str = "FLOAT32"
    ) -> int:
        code = getattr(schema.BuiltinOperator, name)
        if code not in self.codes:
            self.codes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = self.codes.index(code)
        made.inputs, made.outputs = inputs, [self.tensor(shape, dtype)]
        if name in _OPTIONS:
            kind, values = _OPTIONS[name]
            made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            made.builtinOptions = getattr(schema, f"{kind}T")()
            for key, value in values.items():
                setattr(made.builtinOptions, key, value)
        self.graph.operators.append(made)
        return int(made.outputs[0])

    def add_up(self, value: int, states: dict[str, tuple[int, int]], name: str) -> int:
        """Return the mean of a value over all frames, kept in two states."""
        total = self.tensor(EMBEDDING)
        count = self.tensor((1,), "INT32")
        new_total = self.do("ADD", [value, total], EMBEDDING)
        one = self.constant(np.ones(1, np.int32))
        new_count = self.do("ADD", [count, one], (1,), "INT32")
        states[f"state_{name}_pool_buffer"] = (total, new_total)
        states[f"state_{name}_pool_frame_count"] = (count, new_count)
        divisor = self.do("CAST", [new_count], (1,))
        return self.do("DIV", [new_total, divisor], EMBEDDING)

    def layer(self, value: int, weights: np.ndarray[Any, Any]) -> int:
        outputs, inputs = weights.shape
        kernel = self.constant(weights.reshape(outputs, 1, 1, inputs))
        bias = self.constant(np.linspace(-0.1, 0.1, outputs, dtype=np.float32))
        return self.do("CONV_2D", [value, kernel, bias], (1, 1, 1, outputs))

    def bytes(self, key: str, inputs: dict[str, int], outputs: dict[str, int]) -> bytes:
        self.graph.inputs, self.graph.outputs = list(inputs.values()), list(outputs.values())
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = key.encode(), 0
        signature.inputs = [_entry(*item) for item in inputs.items()]
        signature.outputs = [_entry(*item) for item in outputs.items()]
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [self.graph], self.buffers
        model.signatureDefs, model.operatorCodes = [signature], [_code(c) for c in self.codes]
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _entry(name: str, index: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name.encode(), index
    return entry


def _code(code: int) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode = code
    made.deprecatedBuiltinCode = min(code, 127)
    made.version = 1
    return made


def tiny_stream(
    *, activation: str = "RELU", ends_in: str = "", image: str = "FLOAT32", name: str = "image"
) -> bytes:
    """Return a model; `activation` is an operator between the layers, or SWISH."""
    writer, states, random = _Writer(), dict[str, tuple[int, int]](), np.random.default_rng(3)
    scale, zero = (1 / 255, -128 if image == "INT8" else 0) if image != "FLOAT32" else (0, 0)
    picture = writer.tensor((1, 1, SIZE, SIZE, COLOURS), image, scale, zero)
    real = picture
    if image != "FLOAT32":
        real = writer.do("DEQUANTIZE", [picture], (1, 1, SIZE, SIZE, COLOURS))
    axes = writer.constant(np.array([1, 2, 3], np.int32))
    colour = writer.do("MEAN", [real, axes], EMBEDDING)
    gate = writer.add_up(colour, states, "block0_layer0")
    embedding = writer.do("MUL", [colour, gate], EMBEDDING)
    mean = writer.add_up(embedding, states, "head")
    flat = writer.constant(np.array([1, 1, 1, COLOURS], np.int32))
    values = writer.do("RESHAPE", [mean, flat], (1, 1, 1, COLOURS))
    values = writer.layer(values, random.normal(size=(HIDDEN, COLOURS)).astype(np.float32) * 4)
    if activation == "SWISH":
        gated = writer.do("LOGISTIC", [values], (1, 1, 1, HIDDEN))
        values = writer.do("MUL", [values, gated], (1, 1, 1, HIDDEN))
    else:
        values = writer.do(activation, [values], (1, 1, 1, HIDDEN))
    values = writer.layer(values, random.normal(size=(CLASSES, HIDDEN)).astype(np.float32) * 2)
    shape = writer.constant(np.array([1, CLASSES], np.int32))
    values = writer.do("RESHAPE", [values, shape], (1, CLASSES))
    if ends_in:
        values = writer.do(ends_in, [values], (1, CLASSES))
    inputs = {name: picture} | {key: pair[0] for key, pair in states.items()}
    outputs = {"logits": values} | {key: pair[1] for key, pair in states.items()}
    return writer.bytes("call", inputs, outputs)
