"""Reading Google's files: the numbers read give the file's own answers, and nothing else is read.

The files in `originals/` were written by Google's public code and converter with made-up weights
(scripts/make_originals.py); the Kinetics-600 file is the published one.
"""

from __future__ import annotations

import contextlib
import lzma
import os
import random
import struct
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_stream
from movinet.plain import run

from edgehome.movinet.architecture import A0, ARCHITECTURES
from edgehome.movinet.original import Original, read_original
from edgehome.recognizer import tflite_file
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.types import ModelError

HERE = Path(__file__).parent / "originals"
FILES = {
    "a0.float32": ("a0", 7, "hard_swish", "swish", True, "float32", "call"),
    "a0.float16": ("a0", 7, "hard_swish", "swish", True, "float16", "call"),
    "a0.dynamic": ("a0", 7, "hard_swish", "swish", True, "dynamic", "call"),
    "a0.int8": ("a0", 7, "hard_swish", "swish", True, "int8", "call"),
    "a0-relu6.int8io": ("a0", 9, "relu6", "relu6", False, "int8", "serving_default"),
}
"""Network, labels, activation, hidden activation, squeeze-excite, precision, signature."""


@cache
def stored(name: str) -> bytes:
    return lzma.decompress((HERE / f"{name}.tflite.xz").read_bytes())


@cache
def read(name: str) -> Original:
    return read_original(stored(name))


def pictures(size: int, count: int = 12) -> Any:
    """Return the pictures of `frames` in scripts/make_originals.py."""
    generator = np.random.default_rng(size)
    cell = -(-size // 8)
    patches = generator.integers(0, 192, (12, 8, 8, 3)).repeat(cell, 1).repeat(cell, 2)
    noise = generator.integers(0, 64, (12, size, size, 3))
    return (patches[:, :size, :size] + noise).astype(np.uint8)[:count]


@cache
def logits(name: str) -> Any:
    original = read(name)
    frames = pictures(original.architecture.size) / 255
    return run(original.architecture, original.weights, frames)["logits"]


def tensorflow(name: str) -> Any:
    """Return what the float network gave in TensorFlow."""
    with np.load(HERE / f"{name.partition('.')[0]}.npz") as file:
        return file["logits"]


def correlation(ours: Any, theirs: Any) -> float:
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(ours, theirs, strict=True)]))


@pytest.mark.parametrize("name", FILES)
def test_what_the_file_is_is_said(name: str) -> None:
    original = read(name)
    known = original.architecture
    assert (
        known.name,
        known.classes,
        known.activation,
        known.hidden_activation,
        known.squeeze_excite,
        original.precision,
        original.signature,
    ) == FILES[name]
    assert known.blocks == A0.blocks
    assert known.size == A0.size


def error(ours: Any, theirs: Any) -> float:
    """Return the greatest difference, in standard deviations of what it should be."""
    return float(np.abs(ours - theirs).max() / theirs.std())


def test_a_float32_file_is_read_to_rounding() -> None:
    assert error(logits("a0.float32"), tensorflow("a0")) < 1e-5


def test_a_float16_file_is_read_to_the_rounding_of_its_weights() -> None:
    assert error(logits("a0.float16"), tensorflow("a0")) < 0.01


@pytest.mark.parametrize("name", ["a0.dynamic", "a0.int8", "a0-relu6.int8io"])
def test_weights_in_int8_give_nearly_the_float_networks_answers(name: str) -> None:
    assert correlation(logits(name), tensorflow(name)) > 0.99


@pytest.mark.parametrize("name", ["a0.int8", "a0-relu6.int8io"])
def test_calibrated_ranges_are_those_of_what_the_network_computes(name: str) -> None:
    ranges, theirs = read(name).ranges, tensorflow(name)
    assert ranges.keys() >= {"image", "embedding", "stem", "b4.l3", "b0.l0.skip", "head.hidden"}
    assert ranges["image"] == pytest.approx((0, 1), abs=0.01)
    assert ranges["logits"] == pytest.approx(
        (float(theirs.min()), float(theirs.max())), abs=float(theirs.std()) / 3
    )
    if read(name).architecture.activation == "relu6":
        assert ranges["b2.l1.temporal"] == pytest.approx((0, 6), abs=0.01)
    else:
        least, most = ranges["b2.l1.temporal"]
        assert ranges["b2.l1.excite"][0] == 0
        assert 3 < ranges["b2.l1.excite"][1] < 6.1
        assert most < ranges["b2.l1.gated"][1] < 6.1 * most
        assert -0.4 < least < -0.3  # hard-swish has its minimum, -0.375, at -1.5


@pytest.mark.parametrize("name", ["a1", "a2", "a3"])
def test_larger_networks_are_read_to_rounding(name: str) -> None:
    folder = os.environ.get("EDGEHOME_ORIGINALS")
    if not folder:
        pytest.skip("no EDGEHOME_ORIGINALS, a folder that scripts/make_originals.py filled")
    original = read_original((Path(folder) / f"{name}.float32.tflite").read_bytes())
    known = original.architecture
    assert (known.name, known.positional) == (name, name == "a3")
    ours = run(known, original.weights, pictures(known.size) / 255)["logits"]
    with np.load(Path(folder) / f"{name}.npz") as file:
        assert error(ours, file["logits"]) < 1e-5


def test_the_kinetics_file_is_read(k600_original: Path) -> None:
    original = read_original(k600_original.read_bytes(), labels=600)
    known = original.architecture
    assert (known.name, known.activation, known.squeeze_excite) == ("a0", "relu6", False)
    assert (original.precision, original.signature) == ("int8", "serving_default")
    assert len(original.weights) == 64
    assert sum(weight.kernel.size for weight in original.weights.values()) == 2_711_768
    assert original.ranges["head.project"] == pytest.approx((0, 6), abs=1e-5)
    assert original.ranges["b0.l0"] == pytest.approx((-73.747, 81.670), abs=1e-3)
    frames = pictures(known.size, 8)
    ours = run(known, original.weights, frames / 255)["logits"]
    theirs = answers(k600_original.read_bytes(), frames)
    assert correlation(ours, theirs) > 0.9


def answers(model: bytes, frames: Any) -> Any:
    """Return what the runtime makes of a file with float inputs, (frames, labels)."""
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(model_content=model).get_signature_runner()
    states = {
        name: np.zeros(detail["shape"], detail["dtype"])
        for name, detail in runner.get_input_details().items()
        if name != "image"
    }
    given = []
    for frame in frames:
        states = runner(image=(frame[None, None] / np.float32(255)).astype(np.float32), **states)
        given.append(states.pop("logits")[0])
    return np.array(given)


def refusal(data: bytes, labels: int | None = None) -> str:
    with pytest.raises(ModelError) as caught:
        read_original(data, labels=labels)
    assert caught.value.problem.code == "model_refused"
    return caught.value.problem.message


def test_a_list_of_labels_of_another_length_is_refused() -> None:
    assert read_original(stored("a0.int8"), labels=7).architecture.classes == 7
    assert "7 logits, 600 labels" in refusal(stored("a0.int8"), labels=600)


def test_layers_that_are_in_no_table_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgehome.movinet.original.ARCHITECTURES", ARCHITECTURES[1:])
    why = refusal(stored("a0.float32"))
    assert "not those of MoViNet A0 to A5: 8 channels first, 15 blocks of 24 80 80 80 184" in why
    assert "480 and 2048 last" in why


def test_other_networks_and_other_files_are_refused() -> None:
    assert "not a stream MoViNet as Google's tools write it" in refusal(tiny_stream.tiny_stream())
    assert "TFL3" in refusal(b"PK\x03\x04" * 1000)
    assert "TFL3" in refusal(b"")


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.7, 0.99, 0.9999])
def test_a_file_cut_short_is_refused(part: float) -> None:
    data = stored("a0.dynamic")
    refusal(data[: int(len(data) * part)])


def test_int16_activations_are_refused() -> None:
    data = bytearray(stored("a0-relu6.int8io"))
    file = TfliteFile(bytes(data))
    for tensor, table in zip(file.tensors, graph(data).tables(0), strict=True):
        if tensor.dtype == "i1" and not file.constant(file.tensors.index(tensor)):
            data[table.place(1)] = 7
    assert "int16, not int8 or float32" in refusal(bytes(data))


def test_a_gate_with_its_means_the_other_way_round_is_refused() -> None:
    data = bytearray(stored("a0.float32"))
    file = TfliteFile(bytes(data))
    joined = next(
        table
        for operator, table in zip(file.operators, graph(data).tables(3), strict=True)
        if operator.code == 2 and file.tensors[operator.outputs[0]].shape[-1] == 48
    )
    place, _ = joined.vector(1)
    first, second = struct.unpack_from("<ii", data, place)
    struct.pack_into("<ii", data, place, second, first)
    assert "does not join the mean of all frames" in refusal(bytes(data))


def test_a_damaged_file_is_read_or_refused_and_nothing_else() -> None:
    generator = random.Random(3)
    for name in ("a0.dynamic", "a0-relu6.int8io"):
        whole = stored(name)
        places = structure(whole)
        for _ in range(80):
            data = bytearray(whole)
            for _ in range(generator.choice((1, 2, 8))):
                place = generator.choice(places)
                data[place] = generator.choice((0, 1, 127, 255, generator.randrange(256)))
            with contextlib.suppress(ModelError):
                assert read_original(bytes(data)).weights.keys() == read(name).weights.keys()


def graph(data: bytes | bytearray) -> Any:
    """Return the FlatBuffers table of the file's first graph."""
    whole = bytes(data)
    return tflite_file._Table(whole, tflite_file._read(whole, "<I", 0)).tables(2)[0]


def structure(data: bytes) -> list[int]:
    """Return the bytes of a file that are not weights."""
    file = TfliteFile(data)
    inside = np.ones(len(data), bool)
    for start, count in file._buffers:
        inside[start : start + count] = False
    return [int(place) for place in np.flatnonzero(inside)]
