"""The recogniser against plain ways of driving the same small graphs: kinds, gates, members."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from movinet.driver import Driver
from movinet.plain import run
from small_model import (
    CLASSES,
    GATED,
    PLACED,
    SMALL,
    WIDTH,
    Array,
    frames,
    pictures,
    place,
    place_head,
    small_model,
    small_weights,
    softmax,
    steps,
)

from edgehome.heads.statistics import statistics_of
from edgehome.movinet.architecture import Architecture
from edgehome.movinet.compiler import Form, Precision
from edgehome.recognizer.compiled import read_interface
from edgehome.recognizer.litert import open_interpreter
from edgehome.recognizer.recognizer import GAP_S, Recognizer
from edgehome.recognizer.stream import StreamModel
from edgehome.recognizer.tflite_file import TfliteFile

NETWORKS = pytest.mark.parametrize("network", [SMALL, GATED, PLACED], ids=["plain", "se", "pe"])


def driven(data: bytes, images: Array, window: int) -> Array:
    """Return the logits after every picture, by the driver of the compiler's own tests."""
    driver, rows = Driver(data, window=window), []
    for image in images:
        driver.frames = min(driver.frames, window - 1)  # the place in the window
        rows.append(driver.step(image)["logits"][0])
    return np.stack(rows)


@pytest.mark.parametrize("form", ["cpu", "tpu"])
@pytest.mark.parametrize("precision", ["float32", "dyn", "int8"])
@NETWORKS
def test_every_kind_of_graph_gives_what_plain_driving_gives(
    tmp_path: Path, network: Architecture, precision: Precision, form: Form
) -> None:
    """A window of ten, its gates' means and codes of place included, seen to fill and to slide."""
    data, images = small_model(network, precision, form), pictures(35)
    with Recognizer(place(tmp_path, data), threads=1, window_s=2.0) as recognizer:
        scores = steps(recognizer, images)
    assert np.allclose(scores, softmax(driven(data, images, 10)), atol=1e-5)


@NETWORKS
def test_within_its_window_a_stream_is_the_whole_clip_seen_at_once(
    tmp_path: Path, network: Architecture
) -> None:
    """In numpy and float64: no states, no sums, no folding."""
    images = pictures(9)
    with Recognizer(place(tmp_path, small_model(network)), threads=1, window_s=2.0) as recognizer:
        scores = steps(recognizer, images)
    expected = run(network, small_weights(network), images / 255)["logits"]
    assert np.allclose(scores, softmax(expected), atol=1e-4)


@pytest.mark.parametrize("form", ["cpu", "tpu"])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_before_the_first_frame_every_state_is_what_zero_is_stored_as(
    form: Form, precision: Precision
) -> None:
    data = small_model(SMALL, precision, form)
    graph = TfliteFile(data)
    interface, interpreter = read_interface(graph), open_interpreter(data, threads=1)
    model = StreamModel(interpreter, graph, interface)
    model.step(pictures(1)[0], np.zeros(model.width, np.float32), 1.0, 0)
    zeros = [-128 if precision == "int8" else 0] * len(interface.states)
    found = [np.unique(interpreter.get_tensor(state.past)).tolist() for state in interface.states]
    assert all(len(values) > 1 for values in found)
    model.forget()
    found = [np.unique(interpreter.get_tensor(state.past)).tolist() for state in interface.states]
    assert found == [[zero] for zero in zeros]
    assert model.carried_bytes == sum(
        interpreter.get_tensor(state.past).nbytes for state in interface.states
    )


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_states_hold_the_newest_frames_the_oldest_first(precision: Precision) -> None:
    data = small_model(SMALL, precision)
    graph = TfliteFile(data)
    interface, interpreter = read_interface(graph), open_interpreter(data, threads=1)
    model = StreamModel(interpreter, graph, interface)
    model.forget()
    given: dict[str, list[Array]] = {state.name: [] for state in interface.states}
    for image in pictures(7):
        model.step(image, np.zeros(model.width, np.float32), 1.0, 0)
        for state in interface.states:
            given[state.name].append(interpreter.get_tensor(state.newest)[0])
    depths = set()
    for state in interface.states:
        past = interpreter.get_tensor(state.past)[0]
        depth = len(past) // len(given[state.name][0])
        depths.add(depth)
        assert np.array_equal(past, np.concatenate(given[state.name][-depth:]))
    assert depths == {2, 4}


def test_a_model_without_a_classifier_tells_what_its_heads_tell(tmp_path: Path) -> None:
    data, images = small_model(replace(SMALL, classes=0)), pictures(6)
    model = place(tmp_path, data, labels=[])
    head = place_head(model, "fall")
    with Recognizer(model, threads=1, shorter_s=(1.0,)) as recognizer:
        assert recognizer.labels == ("fall",)
        scores, seen = [], []
        for frame in frames(images):
            scores.append(recognizer.step(frame))
            seen.append(recognizer.embedding)
    expected = [
        head.probability(statistics_of(np.stack(seen[max(0, n - 4) : n + 1]), head.statistics))
        for n in range(6)
    ]
    assert np.allclose(scores, np.array(expected)[:, np.newaxis], atol=1e-6)
    assert np.shape(seen) == (6, WIDTH)


def test_a_model_with_neither_classifier_nor_heads_still_gives_embeddings(tmp_path: Path) -> None:
    model = place(tmp_path, small_model(replace(SMALL, classes=0)), labels=[])
    with Recognizer(model, threads=1) as recognizer:
        assert recognizer.embedding is None
        assert steps(recognizer, pictures(2)).shape == (2, 0)
        assert recognizer.embedding is not None
        assert recognizer.embedding.shape == (WIDTH,)


@pytest.mark.parametrize("jump_s", [GAP_S + 0.1, 3600.0, -0.1])
@NETWORKS
def test_a_gap_makes_it_begin_anew(tmp_path: Path, network: Architecture, jump_s: float) -> None:
    model = place(tmp_path, small_model(network))
    place_head(model, "fall")
    with Recognizer(model, threads=1, shorter_s=(1.0,), ensemble=2) as recognizer:
        fresh = steps(recognizer, pictures(5, seed=1))
        steps(recognizer, pictures(11))
        last_s = 10 / 5
        again = frames(pictures(5, seed=1), start_s=last_s + jump_s)
        assert np.array_equal([recognizer.step(frame) for frame in again], fresh)
        steps(recognizer, pictures(11))
        late = frames(pictures(5, seed=1), start_s=last_s + GAP_S - 0.1)
        assert not np.allclose([recognizer.step(frame) for frame in late], fresh, atol=1e-3)


# Members that take turns.


def by_hand(data: bytes, images: Array, window: int, members: int) -> Array:
    """Return the probabilities of an ensemble: each member's own frames, logits averaged."""
    shares = [driven(data, images[first::members], window) for first in range(members)]
    rows = []
    for number in range(len(images)):
        last = [shares[m][(number - m) // members] for m in range(min(members, number + 1))]
        rows.append(softmax(np.mean(last, axis=0)))
    return np.stack(rows)


@pytest.mark.parametrize("members", [2, 3])
@NETWORKS
def test_an_ensemble_averages_the_logits_of_members_that_see_every_other_frame(
    tmp_path: Path, network: Architecture, members: int
) -> None:
    """A window of 2.4 s has 12 frames, of which each member sees its share."""
    data, images = small_model(network), pictures(40)
    model = place(tmp_path, data)
    with Recognizer(model, threads=1, window_s=2.4, ensemble=members) as recognizer:
        scores = steps(recognizer, images)
    assert np.allclose(scores, by_hand(data, images, 12 // members, members), atol=1e-5)
    with Recognizer(model, threads=1, window_s=2.4) as alone:
        assert not np.allclose(scores, steps(alone, images), atol=1e-3)


def test_an_ensemble_of_two_runs_one_graph_a_frame_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: Counter[int] = Counter()
    step = StreamModel.step

    def counted(self: StreamModel, *given: Any) -> Array:
        made[id(self)] += 1
        return step(self, *given)

    monkeypatch.setattr(StreamModel, "step", counted)
    with Recognizer(place(tmp_path, small_model()), threads=1, ensemble=2) as recognizer:
        steps(recognizer, pictures(20))
        assert sorted(made.values()) == [10, 10]
        assert recognizer.warm == 10 / 25  # of ten seconds at half the rate
        steps(recognizer, pictures(3))
        assert recognizer.warm == 2 / 25
        steps(recognizer, pictures(1))
        assert recognizer.warm == 1 / 25


def test_the_embedding_is_that_of_the_member_whose_turn_it_was(tmp_path: Path) -> None:
    data, images = small_model(), pictures(7)
    expected = member_embeddings(data, images)
    with Recognizer(place(tmp_path, data), threads=1, ensemble=2) as recognizer:
        for number, frame in enumerate(frames(images)):
            recognizer.step(frame)
            assert recognizer.embedding is not None
            member = expected[number % 2]
            assert np.allclose(recognizer.embedding, member[number // 2], atol=1e-6)


def test_an_ensemble_s_heads_and_shorter_windows_are_averaged_too(tmp_path: Path) -> None:
    """0.8 s are two frames of each member."""
    data, images = small_model(), pictures(12)
    model = place(tmp_path, data)
    head = place_head(model, "fall", window_s=0.8)
    with Recognizer(model, threads=1, ensemble=2, shorter_s=(0.8,)) as recognizer:
        scores = steps(recognizer, images)
    shorter = scores[:, CLASSES : 2 * CLASSES]
    assert np.allclose(shorter, by_hand(data, images, 2, 2), atol=1e-5)
    embeddings = member_embeddings(data, images)
    last = [embeddings[m][max(0, (11 - m) // 2 - 1) : (11 - m) // 2 + 1] for m in range(2)]
    logits = [
        head.slope * head.score(statistics_of(e, head.statistics)) + head.offset for e in last
    ]
    assert scores[-1, -1] == pytest.approx(1 / (1 + np.exp(-np.mean(logits))), abs=1e-5)


def member_embeddings(data: bytes, images: Array) -> list[Array]:
    """Return the embeddings that each of two members makes of its frames."""
    found = []
    for first in range(2):
        driver = Driver(data)
        found.append(np.stack([driver.step(image)["embedding"][0] for image in images[first::2]]))
    return found


@pytest.mark.parametrize("precision", ["box", "k600"])
def test_the_runtime_s_memory_stays_where_it_was_found(
    precision: str, request: pytest.FixtureRequest
) -> None:
    """The states are moved in that memory itself, with no view that would keep the graph still."""
    with Recognizer(request.getfixturevalue(f"{precision}_model"), threads=1) as recognizer:
        model = recognizer._members[0].model
        tensors = [
            index for state in model._interface.states for index in (state.past, state.newest)
        ]
        interpreter = model._interpreter
        kept = [array.ctypes.data for pair in model._states for array in pair]
        size = recognizer.manifest.size
        for image in np.random.default_rng(0).integers(0, 256, (8, size, size, 3), np.uint8):
            model.step(image, np.zeros(model.width), 1.0, 0)
            assert [interpreter.tensor(index)().ctypes.data for index in tensors] == kept
        newest = interpreter.tensor(tensors[1])().copy()
        past = interpreter.tensor(tensors[0])().reshape(-1)
        np.testing.assert_array_equal(past[-newest.size :], newest.reshape(-1))
        assert newest.any()
