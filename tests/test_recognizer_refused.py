"""Files that are not what they should be are refused in a sentence, before anything runs them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from small_model import (
    GATED,
    SIZE,
    SMALL,
    manifest_of,
    pictures,
    place,
    small_model,
    steps,
)

from edgehome.movinet import graph as tflite_graph
from edgehome.movinet.graph import Graph, Made, Scale, Tensor
from edgehome.movinet.layers import IMAGE
from edgehome.recognizer import litert
from edgehome.recognizer import recognizer as recognizer_module
from edgehome.recognizer.classifier import Classifier
from edgehome.recognizer.compiled import read_interface
from edgehome.recognizer.recognizer import Recognizer
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.types import ModelError, Problem


def problem_of(path: Path, **settings: Any) -> Problem:
    with pytest.raises(ModelError) as caught, Recognizer(path, **settings):
        pass
    return caught.value.problem


def written(folder: Path, data: bytes) -> Path:
    """Return a model without a manifest."""
    path = folder / "model.tflite"
    path.write_bytes(data)
    return path


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    problem = problem_of(tmp_path / "none.tflite")
    assert problem.code == "model_missing"
    assert "none.tflite" in problem.message


@pytest.mark.parametrize("data", [b"", b"a text file", b"x" * 100_000, b"\x1c\0\0\0TFL3"])
def test_what_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    assert problem_of(written(tmp_path, data)).code == "model_refused"


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path, precision: Any) -> None:
    data = small_model(SMALL, precision)
    for end in range(0, len(data), 97):
        with pytest.raises(ModelError) as caught:
            read_interface(TfliteFile(data[:end]))
        assert caught.value.problem.code == "model_refused"
    problem = problem_of(written(tmp_path, data[:-1]))
    assert problem.code == "model_refused"
    assert "model.tflite" in problem.message
    assert "cut short" in problem.message


def test_the_real_file_is_refused_wherever_it_is_cut(box_model: Path) -> None:
    data = box_model.read_bytes()
    for share in range(1, 100, 3):
        with pytest.raises(ModelError) as caught:
            read_interface(TfliteFile(data[: len(data) * share // 100]))
        assert caught.value.problem.code == "model_refused"


def test_a_damaged_file_is_refused_in_words_and_never_hangs_the_reader() -> None:
    """3,000 files with bytes changed or missing, none of which reaches an interpreter."""
    models = [small_model(GATED, "int8"), small_model(SMALL, "dyn")]
    dice, refused = random.Random(7), 0
    for number in range(3000):
        damaged = bytearray(models[number % 2])
        for _ in range(dice.randint(1, 40)):
            damaged[dice.randrange(8, len(damaged))] = dice.randrange(256)
        if dice.random() < 0.1:
            del damaged[dice.randrange(len(damaged)) :]
        try:
            file = TfliteFile(bytes(damaged))
            read_interface(file)
            Classifier(file)
        except ModelError:
            refused += 1
    assert 300 < refused < 3000


def test_a_published_file_is_to_be_imported_first(k600_original: Path, tmp_path: Path) -> None:
    problem = problem_of(written(tmp_path, k600_original.read_bytes()))
    assert problem.code == "model_not_compiled"
    assert "model.tflite" in problem.message
    assert "edgehome models import" in problem.remedy


# Small files of other kinds.

FLOATS = (1, SIZE, SIZE, 3)


def relu(graph: Graph, given: Tensor, name: str) -> Tensor:
    return graph.operator("RELU", "", [given], Made(name, given.shape, given.scale))


def mean(graph: Graph, given: Tensor, shape: tuple[int, ...]) -> Tensor:
    axes = graph.constant("axes", np.array([1, 2], np.int32))
    made = Made("embedding", shape)
    return graph.operator("MEAN", "Reducer", [given, axes], made, keepDims=len(shape) == 4)


def published(graph: Graph) -> None:
    """A picture of five dimensions, as Google's files have it."""
    image = graph.input("image", (1, 1, SIZE, SIZE, 3), "float32")
    state = graph.input("state_block0_layer0", (1, 2, 8, 8, 4), "float32")
    graph.output("state_block0_layer0", relu(graph, state, "newest"))
    graph.output("logits", relu(graph, image, "logits"))


def classifier(graph: Graph) -> None:
    """Of single pictures."""
    image = graph.input("input_1", FLOATS, "float32")
    graph.output("probabilities", relu(graph, image, "probabilities"))


def float_picture(graph: Graph) -> None:
    image = graph.input("image", FLOATS, "float32")
    graph.output("embedding", mean(graph, image, (1, 3)))


def int16_picture(graph: Graph) -> None:
    image = graph.input("image", FLOATS, cast("Any", "int16"), Scale(1 / 255, 0))
    graph.output("embedding", image)


def oblong_picture(graph: Graph) -> None:
    image = graph.input("image", (1, SIZE, SIZE * 16 // 9, 3), "int8", IMAGE)
    graph.output("embedding", mean(graph, dequantized(graph, image), (1, 3)))


def dequantized(graph: Graph, image: Tensor) -> Tensor:
    return graph.operator("DEQUANTIZE", "", [image], Made("picture", image.shape))


def embedding_of(graph: Graph) -> Tensor:
    image = graph.input("image", FLOATS, "int8", IMAGE)
    made = mean(graph, dequantized(graph, image), (1, 3))
    graph.output("embedding", made)
    return made


def no_embedding(graph: Graph) -> None:
    image = graph.input("image", FLOATS, "int8", IMAGE)
    graph.output("logits", mean(graph, dequantized(graph, image), (1, 3)))


def unknown_input(graph: Graph) -> None:
    embedding_of(graph)
    graph.input("temperature", (1,), "float32")


def state_of_another_scale(graph: Graph) -> None:
    embedding_of(graph)
    state = graph.input("b0.l0", (1, 8, 4, 4), "int8", Scale(0.1, -128))
    graph.output("b0.l0", relu(graph, replace(state, scale=Scale(0.2, -128)), "newest"))


def state_of_another_shape(graph: Graph) -> None:
    embedding_of(graph)
    graph.input("b0.l0", (1, 8, 4, 4), "float32")
    other = graph.constant("other", np.zeros((1, 3, 4, 4), np.float32))
    graph.output("b0.l0", relu(graph, other, "newest"))


def sum_of_another_width(graph: Graph) -> None:
    embedding_of(graph)
    graph.input("sum", (1, 1, 1, 4), "float32")


@pytest.mark.parametrize(
    ("make", "code", "said"),
    [
        (published, "model_not_compiled", "as it was published"),
        (classifier, "model_not_stream", "it takes no image, or gives no embedding"),
        (float_picture, "model_not_stream", "picture is f4 (1, 32, 32, 3) instead of i1"),
        (int16_picture, "model_not_stream", "picture is i2 (1, 32, 32, 3) instead of i1"),
        (oblong_picture, "model_not_stream", "instead of i1 (1, size, size, 3)"),
        (no_embedding, "model_not_stream", "it takes no image, or gives no embedding"),
        (unknown_input, "model_not_stream", "it asks for 'temperature'"),
        (state_of_another_scale, "model_not_stream", "its state b0.l0 is i1 (1, 8, 4, 4)"),
        (state_of_another_shape, "model_not_stream", "its newest frame f4 (1, 3, 4, 4)"),
        (sum_of_another_width, "model_not_stream", "sum:in is f4 (1, 1, 1, 4), not 3 f4"),
    ],
)
def test_another_kind_of_model_is_refused_with_what_was_expected(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Graph], None],
    code: str,
    said: str,
) -> None:
    monkeypatch.setitem(tflite_graph._TYPES, "int16", tflite_graph.schema.TensorType.INT16)
    graph = Graph("made by a test")
    make(graph)
    problem = problem_of(written(tmp_path, graph.finish()))
    assert problem.code == code
    assert said in problem.message
    assert "edgehome models import" in problem.remedy


def test_the_least_that_is_a_compiled_model_is_taken(tmp_path: Path) -> None:
    """So that the files above are refused for what they are, not for how they are made."""
    graph = Graph("made by a test")
    embedding_of(graph)
    with Recognizer(written(tmp_path, graph.finish()), threads=1) as recognizer:
        image = pictures(1)
        steps(recognizer, image)
        assert recognizer.embedding is not None
        assert np.allclose(recognizer.embedding, image[0].mean(axis=(0, 1)) / 255, atol=1e-5)


def test_a_classifier_of_another_making_is_refused_where_it_is_needed_outside(
    tmp_path: Path,
) -> None:
    graph = Graph("made by a test")
    graph.output("logits", relu(graph, embedding_of(graph), "logits"))
    path = written(tmp_path, graph.finish())
    with Recognizer(path, threads=1) as recognizer:
        assert steps(recognizer, pictures(1)).shape == (1, 3)
    problem = problem_of(path, shorter_s=(1.0,))
    assert problem.code == "model_refused"
    assert "its classifier is not as edgehome writes it" in problem.message


# Manifests that do not fit.


def test_labels_of_another_length_are_refused(tmp_path: Path) -> None:
    problem = problem_of(place(tmp_path, small_model(), labels=["one", "two"]))
    assert problem.code == "manifest_invalid"
    assert "says 2 labels, the model has 5" in problem.message


def test_pictures_of_another_size_are_refused(tmp_path: Path) -> None:
    problem = problem_of(place(tmp_path, small_model(), size=172))
    assert problem.code == "manifest_invalid"
    assert "says 172 pixels a side, the model has 32" in problem.message


def test_a_file_with_a_wrong_hash_never_reaches_the_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = bytearray(small_model())
    path = place(tmp_path, bytes(data))
    data[-1000] ^= 1
    path.write_bytes(data)
    touched: list[object] = []
    monkeypatch.setattr(recognizer_module, "TfliteFile", touched.append)
    monkeypatch.setattr(recognizer_module, "open_interpreter", lambda *_, **__: touched.append(1))
    assert problem_of(path).code == "model_hash"
    assert touched == []


def test_the_interpreter_gets_the_bytes_that_were_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is replaced after it was read; nothing looks at it again."""
    path = place(tmp_path, small_model())
    with Recognizer(path, threads=1) as recognizer:
        expected = steps(recognizer, pictures(3))
    read = recognizer_module.load_model

    def read_then_replace(model: Path) -> Any:
        loaded = read(model)
        path.write_bytes(b"replaced")
        return loaded

    monkeypatch.setattr(recognizer_module, "load_model", read_then_replace)
    with Recognizer(path, threads=1) as recognizer:
        assert np.array_equal(steps(recognizer, pictures(3)), expected)


def test_a_missing_runtime_is_said_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "_runtime", None)
    assert problem_of(place(tmp_path, small_model())).code == "runtime_missing"


def test_a_manifest_is_of_this_file_and_no_other(tmp_path: Path) -> None:
    path = place(tmp_path, small_model())
    path.with_suffix(".json").write_text(json.dumps(manifest_of(small_model(seed=2))))
    assert problem_of(path).code == "model_hash"
