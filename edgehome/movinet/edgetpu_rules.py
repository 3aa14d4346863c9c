"""Say which operators of a .tflite file the Edge TPU would take, by its compiler's published rules.

The compiler itself is not run.

Source: Coral, "TensorFlow models on the Edge TPU", https://coral.ai/docs/edgetpu/models-intro/:
"Model requirements", the table "All operations supported by the Edge TPU and any known
limitations", "Float input and output tensors" and "Compiling". The table as of compiler 16 is also
at https://developer.axis.com/computer-vision/on-device/system-on-chip/artpec-7/supported-ops/.
Of what these say:

* Everything after the first operator that is not supported runs on the CPU, in the order of the
  file. So the share that counts is the one before it.
* Float inputs are quantised, and float outputs made, by the CPU at either end: such a QUANTIZE and
  DEQUANTIZE of the graph's own inputs and outputs ends nothing.
* Tensors are 8-bit, of a fixed size, and only their three innermost dimensions may exceed 1.
* "Certain reshapes might not be mapped for large tensor sizes" has no number; it is not judged.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgehome.recognizer.tflite_file import TfliteFile

NAMES: Mapping[int, str] = {
    number: name for name, number in vars(schema.BuiltinOperator).items() if name.isupper()
}
_TYPES = {schema.TensorType.INT8, schema.TensorType.UINT8}
_SOFTMAX_ELEMENTS = 16_000
_DEPTH_MULTIPLE = 4


@dataclass(frozen=True, slots=True)
class Verdict:
    """One operator and where it would run."""

    position: int
    operator: str
    shape: tuple[int, ...]
    """Of its first output."""
    macs: int
    """Multiply-accumulates."""
    runs: Literal["tpu", "host", "unsupported", "after"]
    """`host`: makes float of a graph's output, or takes a float input; `after`: it is supported,
    but stands behind one that is not."""
    reason: str = ""


class Graph:
    """The first subgraph of a file, with what the rules ask of it."""

    def __init__(self, data: bytes) -> None:
        TfliteFile(data)  # raises ModelError for a file that is none
        model = schema.ModelT.InitFromPackedBuf(data, 0)
        self._model, self._graph = model, model.subgraphs[0]
        self.operators = self._graph.operators
        self.inputs, self.outputs = set(self._graph.inputs), set(self._graph.outputs)

    def name(self, operator: Any) -> str:  # noqa: ANN401
        """Return the operator's name in the schema."""
        code = self._model.operatorCodes[operator.opcodeIndex]
        return NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]

    def shape(self, index: int) -> tuple[int, ...]:
        """Return a tensor's shape."""
        shape = self._graph.tensors[index].shape
        return () if shape is None else tuple(map(int, shape))

    def constant(self, index: int) -> Any:  # noqa: ANN401
        """Return a weight's bytes, or None for a tensor that is computed."""
        data = self._model.buffers[self._graph.tensors[index].buffer].data
        return data if data is not None and len(data) else None

    def numbers(self, index: int) -> list[int]:
        """Return a constant of int32, such as axes."""
        data = self.constant(index)
        return [] if data is None else np.frombuffer(bytes(data), "<i4").tolist()

    def fault(self, index: int) -> str:
        """Return what is wrong with a tensor that is computed, "" when nothing is."""
        tensor, shape = self._graph.tensors[index], self.shape(index)
        if tensor.type not in _TYPES:
            kinds = {n: k for k, n in vars(schema.TensorType).items() if k.isupper()}
            return f"{kinds[tensor.type].lower()} is not 8-bit"
        signature = tensor.shapeSignature
        if signature is not None and any(size < 0 for size in signature):
            return "its size is not fixed"
        if any(size > 1 for size in shape[:-3]):
            return f"{list(shape)} has more than three dimensions above 1"
        return ""

    def macs(self, operator: Any) -> int:  # noqa: ANN401
        """Return the multiply-accumulates of a convolution or a fully connected layer."""
        name, outputs = self.name(operator), math.prod(self.shape(operator.outputs[0]))
        if name not in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}:
            return 0
        kernel = self.shape(operator.inputs[1])
        depthwise = name == "DEPTHWISE_CONV_2D"
        return outputs * math.prod(kernel[1:-1] if depthwise else kernel[1:])


def _dilation(_graph: Graph, operator: Any) -> str:  # noqa: ANN401
    options = operator.builtinOptions
    same = options.dilationWFactor == options.dilationHFactor
    return "" if same else "its dilation differs between x and y"


def _no_activation(_graph: Graph, operator: Any) -> str:  # noqa: ANN401
    return "it has a fused activation" if operator.builtinOptions.fusedActivationFunction else ""


def _concatenation(graph: Graph, operator: Any) -> str:  # noqa: ANN401
    constants = [data for i in operator.inputs if (data := graph.constant(i)) is not None]
    if constants and (len(operator.inputs) > 2 or any(map(np.any, constants))):
        return "it appends a constant that is not padding"
    return _no_activation(graph, operator)


def _fully_connected(graph: Graph, operator: Any) -> str:  # noqa: ANN401
    if operator.builtinOptions.weightsFormat:
        return "its weights are not in the default format"
    one = math.prod(graph.shape(operator.outputs[0])[:-1]) == 1
    return "" if one else "its output has more than one dimension"


def _reduction(graph: Graph, operator: Any) -> str:  # noqa: ANN401
    shape = graph.shape(operator.inputs[0])
    axes = {axis % len(shape) for axis in graph.numbers(operator.inputs[1])}
    if 0 in axes:
        return "it reduces the batch"
    deep = len(shape) - 1 in axes and shape[-1] % _DEPTH_MULTIPLE
    return f"it reduces {shape[-1]} channels, no multiple of {_DEPTH_MULTIPLE}" if deep else ""


def _softmax(graph: Graph, operator: Any) -> str:  # noqa: ANN401
    shape = graph.shape(operator.inputs[0])
    if math.prod(shape[:-1]) > 1 or shape[-1] > _SOFTMAX_ELEMENTS:
        return f"its input is not one row of at most {_SOFTMAX_ELEMENTS}"
    return ""


def _squeeze(graph: Graph, operator: Any) -> str:  # noqa: ANN401
    inner = [size > 1 for size in graph.shape(operator.inputs[0])]
    return "" if inner == sorted(inner) else "it takes a 1 out of the middle"


def _strided_slice(graph: Graph, operator: Any) -> str:  # noqa: ANN401
    options = operator.builtinOptions
    if set(graph.numbers(operator.inputs[3])) - {1}:
        return "it has a stride other than 1"
    return "it has an ellipsis or a new axis" if options.ellipsisMask or options.newAxisMask else ""


def _not_batch(graph: Graph, operator: Any) -> str:  # noqa: ANN401
    padding = graph.numbers(operator.inputs[1])[:2]
    return "it pads the batch" if any(padding) else ""


def _pack(_graph: Graph, operator: Any) -> str:  # noqa: ANN401
    return "" if operator.builtinOptions.axis else "it packs the batch"


def _split(graph: Graph, operator: Any) -> str:  # noqa: ANN401
    return "" if any(graph.numbers(operator.inputs[0])) else "it splits the batch"


def _any(_graph: Graph, _operator: Any) -> str:  # noqa: ANN401
    return ""


RULES: Mapping[str, Callable[[Graph, Any], str]] = {
    **dict.fromkeys(
        (
            "ADD", "EXPAND_DIMS", "L2_NORMALIZATION", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL",
            "PRELU", "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR",
            "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SLICE", "SPACE_TO_DEPTH", "SQUARED_DIFFERENCE",
            "SUB", "TANH", "TRANSPOSE", "TRANSPOSE_CONV", "UNIDIRECTIONAL_SEQUENCE_LSTM",
        ),
        _any,
    ),
    "AVERAGE_POOL_2D": _no_activation,
    "CONCATENATION": _concatenation,
    "CONV_2D": _dilation,
    "DEPTHWISE_CONV_2D": _dilation,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _no_activation,
    "MEAN": _reduction,
    "PACK": _pack,
    "PAD": _not_batch,
    "REDUCE_MAX": _reduction,
    "REDUCE_MIN": _reduction,
    "SOFTMAX": _softmax,
    "SPLIT": _split,
    "SQUEEZE": _squeeze,
    "STRIDED_SLICE": _strided_slice,
    "SUM": _reduction,
}  # fmt: skip
"""The operators of the table, with what is asked of each; the answer is the reason against it."""


def judge(data: bytes) -> list[Verdict]:
    """Return a verdict on every operator of a .tflite file. Raises ModelError."""
    graph = Graph(data)
    verdicts: list[Verdict] = []
    ended = False
    for position, operator in enumerate(graph.operators):
        name = graph.name(operator)
        reason = _refusal(graph, operator, name)
        runs: Literal["tpu", "host", "unsupported", "after"] = "after" if ended else "tpu"
        if _is_at_an_end(graph, operator, name):
            runs, reason = "host", ""
        elif reason:
            runs, ended = "unsupported", True
        shape = graph.shape(operator.outputs[0])
        verdicts.append(Verdict(position, name, shape, graph.macs(operator), runs, reason))
    return verdicts


def _is_at_an_end(graph: Graph, operator: Any, name: str) -> bool:  # noqa: ANN401
    """Return whether it only makes 8-bit of a float input of the graph, or float of an output."""
    if name == "QUANTIZE":
        return operator.inputs[0] in graph.inputs and bool(graph.fault(operator.inputs[0]))
    return name == "DEQUANTIZE" and operator.outputs[0] in graph.outputs


def _refusal(graph: Graph, operator: Any, name: str) -> str:  # noqa: ANN401
    if name not in RULES:
        return "it is not in the table of supported operators"
    computed = [i for i in operator.inputs if i >= 0 and graph.constant(i) is None]
    for index in (*computed, *operator.outputs):
        if fault := graph.fault(index):
            return fault
    weighted = name in {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
    if weighted and any(i in computed for i in operator.inputs[1:]):
        return "its weights are not constant"
    return RULES[name](graph, operator)


def summary(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the shares, ready for JSON."""
    macs = sum(verdict.macs for verdict in verdicts)
    mapped = [verdict for verdict in verdicts if verdict.runs == "tpu"]
    first = next((verdict for verdict in verdicts if verdict.runs == "unsupported"), None)
    return {
        "operators": len(verdicts),
        "mapped": len(mapped),
        "macs": macs,
        "mapped_macs": sum(verdict.macs for verdict in mapped),
        "mapped_percent": round(100 * sum(v.macs for v in mapped) / macs, 2) if macs else 0.0,
        "unsupported": sum(verdict.runs == "unsupported" for verdict in verdicts),
        "first_unsupported": asdict(first) if first else None,
    }
