"""The sliding window: its mean, its shorter sisters, and how warm it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_model import (
    CLASSES,
    GATED,
    SMALL,
    Array,
    frames,
    pictures,
    place,
    small_model,
    small_weights,
    softmax,
    steps,
)

from edgehome.movinet.architecture import Architecture
from edgehome.movinet.compiler import Precision
from edgehome.recognizer.pooling import Window
from edgehome.recognizer.recognizer import GAP_S, Recognizer


def plain_mean(values: Array, number: int, frames: int) -> Array:
    """Return the mean of the last `frames` values up to that one, in float64."""
    return values[max(0, number + 1 - frames) : number + 1].mean(axis=0, dtype=np.float64)


def mean_with(window: Window, value: Array) -> Array:
    """Return the mean as the graph makes it: the earlier ones' sum, this one, the inverse."""
    return (window.earlier + value) * np.float32(window.inverse)


@pytest.mark.parametrize("size", [1, 2, 50])
def test_a_window_gives_the_mean_of_what_is_in_it_from_the_first_to_the_six_thousandth(
    size: int,
) -> None:
    values = np.random.default_rng(1).random((6000, 8), np.float32) * 6
    window = Window(frames=size, width=8)
    for number, value in enumerate(values):
        expected = plain_mean(values, number, size)
        assert np.allclose(mean_with(window, value), expected, rtol=1e-6, atol=0)
        window.add(value)
        assert np.allclose(window.last(size), expected, rtol=1e-6, atol=0)
        assert window.seen == min(number + 1, size)


def test_what_a_huge_value_leaves_behind_is_gone_two_turns_later() -> None:
    """A running sum that is never made anew keeps its rounding for ever."""
    values = np.random.default_rng(1).random((200, 8), np.float32)
    window = Window(frames=50, width=8)
    window.add(np.full(8, 1e30, np.float32))
    for number, value in enumerate(values):
        if number >= 100:
            expected = plain_mean(values, number, 50)
            assert np.allclose(mean_with(window, value), expected, rtol=1e-6, atol=0)
        window.add(value)


def test_places_and_inverses_count_up_to_the_window_and_stay_there() -> None:
    window = Window(frames=3, width=1)
    told = []
    for _ in range(5):
        told.append((window.place, window.inverse))
        window.add(np.ones(1, np.float32))
    assert told == [(0, 1), (1, 1 / 2), (2, 1 / 3), (2, 1 / 3), (2, 1 / 3)]
    window.clear()
    assert (window.place, window.inverse, window.seen) == (0, 1, 0)
    assert window.earlier.tolist() == [0]


def test_the_last_frames_of_a_window_have_a_mean_of_their_own_wherever_the_ring_stands() -> None:
    values = np.random.default_rng(2).random((40, 4), np.float32)
    window = Window(frames=10, width=4)
    for number, value in enumerate(values):
        window.add(value)
        for size in (1, 3, 10, 99):
            expected = plain_mean(values, number, min(size, 10))
            assert np.allclose(window.last(size), expected, rtol=1e-6, atol=0)


def own_scores(embeddings: Array, window: int) -> Array:
    """Return SMALL's probabilities after each frame, by plain arithmetic in float64."""
    weights = small_weights(SMALL)
    rows = []
    for number in range(len(embeddings)):
        hidden = weights["head.hidden"].kernel @ plain_mean(embeddings, number, window)
        hidden = np.clip(hidden + weights["head.hidden"].bias, 0, 6)
        logits = weights["head.logits"].kernel @ hidden + weights["head.logits"].bias
        rows.append(softmax(logits))
    return np.stack(rows)


def test_the_scores_are_those_of_the_plain_mean_of_the_window(tmp_path: Path) -> None:
    """Three thousand frames of a window of twenty."""
    with Recognizer(place(tmp_path, small_model()), threads=1, window_s=4.0) as recognizer:
        scores, embeddings = [], []
        for frame in frames(pictures(3000)):
            scores.append(recognizer.step(frame))
            assert recognizer.embedding is not None
            embeddings.append(recognizer.embedding)
    assert np.allclose(scores, own_scores(np.stack(embeddings), 20), atol=1e-5)
    assert np.ptp(scores, axis=0).max() > 0.01  # the frames do make a difference


SWISH = replace(SMALL, hidden_activation="swish")
HARD = replace(SMALL, hidden_activation="hard_swish")


@pytest.mark.parametrize("network", [SMALL, SWISH, HARD], ids=["relu6", "swish", "hard_swish"])
@pytest.mark.parametrize(("precision", "error"), [("float32", 1e-5), ("dyn", 0.01), ("int8", 0.01)])
def test_a_shorter_window_says_what_a_recogniser_of_that_window_says(
    tmp_path: Path, network: Architecture, precision: Precision, error: float
) -> None:
    """In eight bits to the rounding of the graph's own layers, which ours outside have not."""
    model, images = place(tmp_path, small_model(network, precision)), pictures(30)
    with Recognizer(model, threads=1, window_s=4.0, shorter_s=(0.6, 2)) as recognizer:
        scores = steps(recognizer, images)
        labels = recognizer.labels
    assert labels == tuple(f"{name}{at}" for at in ("", "@0.6s", "@2s") for name in "abcde")
    for start, window_s in ((0, 4.0), (CLASSES, 0.6), (2 * CLASSES, 2.0)):
        with Recognizer(model, threads=1, window_s=window_s) as alone:
            expected = steps(alone, images)
        assert np.allclose(scores[:, start : start + CLASSES], expected, atol=error)
    assert not np.allclose(scores[:, :CLASSES], scores[:, 2 * CLASSES :], atol=error)


def test_a_shorter_window_of_gates_shares_the_gates_of_the_long_one(tmp_path: Path) -> None:
    """One backbone: only the embeddings are pooled over less."""
    model, images = place(tmp_path, small_model(GATED)), pictures(12)
    with Recognizer(model, threads=1, window_s=2.0, shorter_s=(0.2,)) as recognizer:
        scores = steps(recognizer, images)[:, CLASSES:]
    with Recognizer(model, threads=1, window_s=2.0) as alone:
        first = steps(alone, images)[0]
    assert np.allclose(scores[0], first, atol=1e-5)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)


def test_a_recogniser_is_as_warm_as_its_window_is_full(tmp_path: Path) -> None:
    with Recognizer(place(tmp_path, small_model()), threads=1, window_s=2.0) as recognizer:
        assert recognizer.warm == 0
        warm = []
        for frame in frames(pictures(12)):
            recognizer.step(frame)
            warm.append(recognizer.warm)
        assert warm == [*(number / 10 for number in range(1, 11)), 1, 1]
        later_s = 11 / 5 + GAP_S + 0.1
        recognizer.step(next(frames(pictures(1), start_s=later_s)))
        assert recognizer.warm == 0.1
