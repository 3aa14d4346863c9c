"""The Edge TPU rules checker: on each rule, on Google's file, and on what the compiler writes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from movinet.random_weights import random_weights

from edgehome.movinet import edgetpu_rules as rules
from edgehome.movinet.architecture import A0
from edgehome.movinet.compiler import compile_movinet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))
import edgetpu_rules

Shape = tuple[int, ...]
IMAGE: Shape = (1, 8, 8, 4)
OPTIONS = {
    "AVERAGE_POOL_2D": "Pool2DOptions",
    "CONCATENATION": "ConcatenationOptions",
    "CONV_2D": "Conv2DOptions",
    "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions",
    "FULLY_CONNECTED": "FullyConnectedOptions",
    "PACK": "PackOptions",
    "STRIDED_SLICE": "StridedSliceOptions",
}


class Maker:
    """A graph of a few operators."""

    def __init__(self) -> None:
        self.tensors: list[Any] = []
        self.buffers = [schema.BufferT()]
        self.operators: list[Any] = []
        self.codes: list[Any] = []

    def tensor(self, shape: Shape, kind: str = "INT8") -> int:
        made = schema.TensorT()
        made.shape, made.type, made.buffer = list(shape), getattr(schema.TensorType, kind), 0
        made.name = f"t{len(self.tensors)}".encode()
        self.tensors.append(made)
        return len(self.tensors) - 1

    def constant(self, values: Any, kind: str = "int8") -> int:
        array = np.asarray(values, kind)
        index = self.tensor(array.shape, kind.upper())
        buffer = schema.BufferT()
        buffer.data = list(array.tobytes())
        self.buffers.append(buffer)
        self.tensors[index].buffer = len(self.buffers) - 1
        return index

    def do(
        self, name: str, inputs: list[int], shape: Shape, kind: str = "INT8", **options: int
    ) -> int:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        self.codes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = len(self.codes) - 1
        made.inputs, made.outputs = inputs, [self.tensor(shape, kind)]
        if name in OPTIONS:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, OPTIONS[name])
            made.builtinOptions = getattr(schema, f"{OPTIONS[name]}T")()
            for key, value in options.items():
                setattr(made.builtinOptions, key, value)
        self.operators.append(made)
        return int(made.outputs[0])

    def judge(self, inputs: list[int], outputs: list[int]) -> list[rules.Verdict]:
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = inputs, outputs
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers = 3, [graph], self.buffers
        model.operatorCodes = self.codes
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return rules.judge(bytes(builder.Output()))


def one(
    name: str,
    *given: Shape | int,
    shape: Shape,
    constants: tuple[Any, ...] = (),
    kind: str = "INT8",
    **options: int,
) -> rules.Verdict:
    """Return the verdict on one operator: its inputs' shapes, then its constants."""
    maker = Maker()
    inputs = [maker.tensor(each, kind) for each in given]  # type: ignore[arg-type]
    weights = [
        maker.constant(*(each if isinstance(each, tuple) else (each,))) for each in constants
    ]
    made = maker.do(name, [*inputs, *weights], shape, kind, **options)
    (verdict,) = maker.judge(inputs, [made])
    return verdict


CONV, DEEP, AXES = np.ones((6, 1, 1, 4)), np.ones((1, 3, 3, 4)), "int32"


@pytest.mark.parametrize(
    "verdict",
    [
        one("ADD", IMAGE, IMAGE, shape=IMAGE),
        one("ADD", (1, 4), (1, 4), shape=(1, 4), kind="UINT8"),
        one("CONV_2D", IMAGE, shape=(1, 8, 8, 6), constants=(CONV, (np.ones(6), AXES))),
        one("DEPTHWISE_CONV_2D", IMAGE, shape=IMAGE, constants=(DEEP,), dilationWFactor=2,
            dilationHFactor=2),
        one("CONCATENATION", (1, 2, 9, 4), (1, 1, 9, 4), shape=(1, 3, 9, 4)),
        one("CONCATENATION", IMAGE, shape=(1, 9, 8, 4), constants=(np.zeros((1, 1, 8, 4)),)),
        one("MEAN", IMAGE, shape=(1, 4), constants=(([1, 2], AXES),)),
        one("MEAN", IMAGE, shape=(1, 8, 8), constants=(([-1], AXES),)),
        one("SOFTMAX", (1, 600), shape=(1, 600)),
        one("SQUEEZE", (1, 1, 10), shape=(10,)),
        one("STRIDED_SLICE", IMAGE, shape=(1, 7, 8, 4), constants=(([0] * 4, AXES),
            ([1, 7, 8, 4], AXES), ([1] * 4, AXES))),
        one("RESHAPE", (1, 1, 64, 4), shape=IMAGE, constants=((IMAGE, AXES),)),
    ],
    ids=lambda verdict: verdict.operator,
)  # fmt: skip
def test_what_the_table_allows_maps(verdict: rules.Verdict) -> None:
    assert (verdict.runs, verdict.reason) == ("tpu", "")


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        (one("HARD_SWISH", IMAGE, shape=IMAGE), "not in the table"),
        (one("ADD", IMAGE, IMAGE, shape=IMAGE, kind="FLOAT32"), "float32 is not 8-bit"),
        (one("ADD", IMAGE, IMAGE, shape=IMAGE, kind="INT16"), "int16 is not 8-bit"),
        (one("ADD", (1, 2, 8, 8, 4), (1, 2, 8, 8, 4), shape=(1, 2, 8, 8, 4)), "more than three"),
        (one("ADD", (2, 8, 8, 4), (2, 8, 8, 4), shape=(2, 8, 8, 4)), "more than three"),
        (one("CONV_2D", IMAGE, (6, 1, 1, 4), shape=(1, 8, 8, 6)), "more than three"),
        (one("CONV_2D", IMAGE, (1, 1, 1, 4), shape=(1, 8, 8, 1)), "weights are not constant"),
        (one("DEPTHWISE_CONV_2D", IMAGE, shape=IMAGE, constants=(DEEP,), dilationHFactor=8),
         "dilation differs"),
        (one("AVERAGE_POOL_2D", IMAGE, shape=IMAGE, fusedActivationFunction=1), "fused"),
        (one("CONCATENATION", IMAGE, IMAGE, shape=(1, 16, 8, 4), fusedActivationFunction=3),
         "fused"),
        (one("CONCATENATION", IMAGE, shape=(1, 9, 8, 4), constants=(np.ones((1, 1, 8, 4)),)),
         "not padding"),
        (one("FULLY_CONNECTED", (9, 4), shape=(9, 6), constants=(np.ones((6, 4)),)),
         "more than one dimension"),
        (one("FULLY_CONNECTED", (1, 4), shape=(1, 6), constants=(np.ones((6, 4)),),
             weightsFormat=1), "default format"),
        (one("MEAN", IMAGE, shape=(8, 8, 4), constants=(([0], AXES),)), "the batch"),
        (one("MEAN", (1, 8, 8, 5), shape=(1, 8, 8), constants=(([3], AXES),)), "no multiple of 4"),
        (one("SOFTMAX", (1, 2, 600), shape=(1, 2, 600)), "not one row"),
        (one("SOFTMAX", (1, 20_000), shape=(1, 20_000)), "not one row"),
        (one("SQUEEZE", (5, 1, 10), shape=(5, 10)), "out of the middle"),
        (one("STRIDED_SLICE", IMAGE, shape=(1, 4, 8, 4), constants=(([0] * 4, AXES),
             ([1, 8, 8, 4], AXES), ([1, 2, 1, 1], AXES))), "stride"),
        (one("STRIDED_SLICE", IMAGE, shape=IMAGE, constants=(([0] * 4, AXES),
             ([1, 8, 8, 4], AXES), ([1] * 4, AXES)), ellipsisMask=1), "ellipsis"),
        (one("PAD", IMAGE, shape=(1, 8, 8, 4), constants=(([[1, 0]] + [[0, 0]] * 3, AXES),)),
         "pads the batch"),
        (one("PACK", (8, 4), (8, 4), shape=(2, 8, 4)), "packs the batch"),
    ],
    ids=lambda value: value.operator if hasattr(value, "operator") else value,
)  # fmt: skip
def test_what_the_table_refuses_is_unsupported(verdict: rules.Verdict, reason: str) -> None:
    assert verdict.runs == "unsupported"
    assert reason in verdict.reason


def test_everything_after_the_first_that_is_unsupported_runs_on_the_cpu() -> None:
    maker = Maker()
    picture = maker.tensor(IMAGE, "FLOAT32")
    values = maker.do("QUANTIZE", [picture], IMAGE)
    values = maker.do("CONV_2D", [values, maker.constant(CONV)], (1, 8, 8, 6))
    values = maker.do("HARD_SWISH", [values], (1, 8, 8, 6))
    values = maker.do("CONV_2D", [values, maker.constant(np.ones((2, 3, 3, 6)))], (1, 8, 8, 2))
    made = maker.do("DEQUANTIZE", [values], (1, 8, 8, 2), "FLOAT32")
    verdicts = maker.judge([picture], [made])
    assert [v.runs for v in verdicts] == ["host", "tpu", "unsupported", "after", "host"]
    assert [v.macs for v in verdicts] == [0, 8 * 8 * 6 * 4, 0, 8 * 8 * 2 * 9 * 6, 0]
    found = rules.summary(verdicts)
    assert found["mapped_percent"] == round(100 * 1536 / (1536 + 6912), 2)
    assert found["first_unsupported"]["position"] == 2


def test_a_dequantise_within_the_graph_ends_what_maps() -> None:
    maker = Maker()
    given = maker.tensor(IMAGE)
    real = maker.do("DEQUANTIZE", [given], IMAGE, "FLOAT32")
    made = maker.do("QUANTIZE", [real], IMAGE)
    assert [v.runs for v in maker.judge([given], [made])] == ["unsupported", "unsupported"]


def test_of_googles_file_one_eighth_maps(
    k600_original: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgetpu_rules.main([str(k600_original), "--json", "--least", "12.5"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mapped_percent"] == 12.59
    assert found["first_unsupported"]["operator"] == "CONCATENATION"
    assert found["macs"] == 49_685_048
    assert len(found["operations"]) == found["operators"] == 227
    assert edgetpu_rules.main([str(k600_original), "--least", "95"]) == 1
    assert "12.6 % of 49,685,048" in capsys.readouterr().out


class EveryRange(dict[str, tuple[float, float]]):
    """The rules look at no numbers."""

    def __missing__(self, name: str) -> tuple[float, float]:
        return (0.0, 1.0) if name == "image" else (-4.0, 4.0)


@pytest.mark.parametrize("form", ["tpu", "cpu"])
def test_a_compiled_model_maps_in_the_form_made_for_it(form: Any) -> None:
    architecture = replace(A0, classes=600)
    weights = random_weights(architecture, 1)
    data = compile_movinet(architecture, weights, EveryRange(), precision="int8", form=form)
    found = rules.summary(rules.judge(data))
    if form == "tpu":
        assert found["mapped_percent"] >= 95
    else:
        assert found["mapped_percent"] < 25
        assert found["first_unsupported"]["reason"] == "its dilation differs between x and y"


def test_a_file_that_is_no_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(b"no model at all")
    assert edgetpu_rules.main([str(path)]) == 65
    assert "TFL3" in capsys.readouterr().err
    assert edgetpu_rules.main([str(tmp_path / "none")]) == 65
