"""The recogniser on small models written here, with what the public file has not."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tiny_stream import CLASSES, COLOURS, SIZE, tiny_stream

from edgehome.recognizer.head import Head, HeadNotFoundError, find_head, softmax
from edgehome.recognizer.interface import read_interface
from edgehome.recognizer.litert import Recognizer
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.recognizer.trim import trim
from edgehome.types import Frame, ModelError

AT = datetime(2026, 1, 1, tzinfo=UTC)
PICTURES = np.random.default_rng(0).integers(0, 256, (12, SIZE, SIZE, COLOURS), dtype=np.uint8)


def steps(model: bytes, tmp_path: Path) -> tuple[Recognizer, np.ndarray, list[np.ndarray]]:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(model)
    with Recognizer(path, threads=1, window_s=2.0) as recognizer:
        scores, embeddings = [], []
        for number, picture in enumerate(PICTURES):
            frame = Frame(time_s=number / 5, at=AT, image=picture)
            scores.append(recognizer.step(frame))
            if recognizer.embedding is not None:
                embeddings.append(recognizer.embedding)
    return recognizer, np.stack(scores), embeddings


@pytest.mark.parametrize("activation", ["RELU", "RELU6", "HARD_SWISH", "SWISH"])
def test_every_activation_known_is_computed_as_the_runtime_does(
    activation: str, tmp_path: Path
) -> None:
    """The file's own logits of one frame are compared when it is opened; here, of ten."""
    model = tiny_stream(activation=activation)
    recognizer, scores, embeddings = steps(model, tmp_path)
    assert recognizer.pooling == "window"
    graph = TfliteFile(model)
    head = Head(graph, find_head(graph, read_interface(graph)))
    assert np.allclose(scores[9], softmax(head(np.mean(embeddings[:10], axis=0))), atol=1e-5)
    # With the runtime: the mean embedding of ten equal frames is that of one.
    last = own_logits(model, [PICTURES[0]] * 10)
    same = np.square(PICTURES[0].mean(axis=(0, 1)) / 255).astype(np.float32)
    assert np.allclose(head(same), last, rtol=1e-4, atol=1e-4)


def own_logits(model: bytes, pictures: list[np.ndarray]) -> np.ndarray:
    """Return what the runtime makes of a whole file, its sums kept as it likes."""
    from edgehome.recognizer.litert import open_interpreter
    from edgehome.recognizer.stream import StreamModel

    graph = TfliteFile(model)
    interface = read_interface(graph)
    interpreter = open_interpreter(model, threads=1)
    whole = StreamModel(
        interpreter=interpreter, graph=graph, interface=interface, low=0.0, high=1.0
    )
    whole.zero(interface.states)
    for picture in pictures:
        whole.step(picture)
    return whole.read(interface.logits)


def test_a_step_that_is_not_known_leads_to_resetting(tmp_path: Path) -> None:
    recognizer, scores, embeddings = steps(tiny_stream(activation="TANH"), tmp_path)
    assert recognizer.pooling == "reset"
    assert scores.shape == (len(PICTURES), CLASSES)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert embeddings == []


def test_probabilities_are_not_squeezed_a_second_time(tmp_path: Path) -> None:
    with_softmax = steps(tiny_stream(ends_in="SOFTMAX"), tmp_path)
    without = steps(tiny_stream(), tmp_path)
    assert np.allclose(with_softmax[1], without[1], atol=1e-6)


def test_a_sigmoid_at_the_end_gives_independent_probabilities(tmp_path: Path) -> None:
    scores = steps(tiny_stream(ends_in="LOGISTIC"), tmp_path)[1]
    assert ((scores > 0) & (scores < 1)).all()
    assert not np.allclose(scores.sum(axis=1), 1, atol=0.01)


@pytest.mark.parametrize("image", ["INT8", "UINT8"])
def test_a_quantised_picture_gives_what_a_float_one_does(image: str, tmp_path: Path) -> None:
    quantised = steps(tiny_stream(image=image, name="frame"), tmp_path)
    assert np.allclose(quantised[1], steps(tiny_stream(), tmp_path)[1], atol=1e-4)


def test_a_picture_of_another_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        steps(tiny_stream(image="INT16"), tmp_path)
    assert caught.value.problem.code == "model_refused"


def test_pools_inside_the_graph_are_set_to_zero_once_a_window(tmp_path: Path) -> None:
    """The tiny model's embedding is the frame's colour times the pool's: its square when alone."""
    embeddings = steps(tiny_stream(), tmp_path)[2]
    colours = (PICTURES.mean(axis=(1, 2)) / 255).astype(np.float32)
    assert np.allclose(embeddings[0], colours[0] ** 2, atol=1e-5)
    assert np.allclose(embeddings[9], colours[9] * colours[:10].mean(axis=0), atol=1e-5)
    assert np.allclose(embeddings[10], colours[10] ** 2, atol=1e-5)


def test_a_damaged_file_is_refused_in_words_and_never_hangs_the_reader() -> None:
    """4,000 files with bytes changed or missing, none of which reaches an interpreter."""
    model, dice, refused = tiny_stream(activation="SWISH"), random.Random(7), 0
    for _ in range(4000):
        damaged = bytearray(model)
        for _ in range(dice.randint(1, 3)):
            damaged[dice.randrange(8, len(damaged))] = dice.randrange(256)
        if dice.random() < 0.1:
            del damaged[dice.randrange(len(damaged)) :]
        try:
            graph = TfliteFile(bytes(damaged))
            interface = read_interface(graph)
            found = find_head(graph, interface)
            Head(graph, found)
            trim(graph, interface, found.embedding)
        except (ModelError, HeadNotFoundError):
            refused += 1
    assert 2000 < refused < 4000
