"""What a head sees of a window."""

from __future__ import annotations

import numpy as np
import pytest

from edgehome.heads.statistics import STATISTICS, WindowStatistics, clip_statistics

KINDS = ("mean", "max", "deviation")


def embeddings(frames: int, width: int = 480, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(0.3, 1.0, (frames, width)).astype(np.float32)


def test_the_statistics_are_those_of_the_textbook() -> None:
    window = np.array([[1, 0], [2, 0], [6, 3]], np.float32)
    found = clip_statistics(window, frames=3, kinds=KINDS)[-1]
    deviations = [np.sqrt(((1 - 3) ** 2 + (2 - 3) ** 2 + (6 - 3) ** 2) / 3), np.sqrt(2.0)]
    assert found == pytest.approx([3, 1, 6, 3, *deviations])


def test_a_stream_and_a_clip_give_the_same_numbers_to_the_last_bit() -> None:
    clip = embeddings(64)
    stream = WindowStatistics(frames=15, width=480, kinds=KINDS)
    streamed = np.stack([stream.add(one) for one in clip])
    assert streamed.dtype == np.float32
    assert np.array_equal(streamed, clip_statistics(clip, frames=15, kinds=KINDS))


def test_nothing_drifts_in_a_long_stream() -> None:
    stream = WindowStatistics(frames=15, width=480, kinds=KINDS)
    rng = np.random.default_rng(1)
    for _ in range(20_000):
        last = stream.add(rng.random(480, np.float32) * np.float32(1e4))
    calm = embeddings(15)
    for one in calm:
        last = stream.add(one)
    assert np.array_equal(last, clip_statistics(calm, frames=15, kinds=KINDS)[-1])


def test_a_window_that_is_not_full_uses_what_there_is_and_says_how_much() -> None:
    stream = WindowStatistics(frames=4, width=2, kinds=("mean", "deviation"))
    assert stream.filled == 0
    assert stream.add(np.array([2, 4], np.float32)) == pytest.approx([2, 4, 0, 0])
    assert stream.add(np.array([4, 4], np.float32)) == pytest.approx([3, 4, 1, 0])
    assert stream.filled == 0.5


def test_after_a_gap_nothing_is_left_of_what_was() -> None:
    stream = WindowStatistics(frames=3, width=2, kinds=KINDS)
    for one in embeddings(7, 2):
        stream.add(one)
    stream.clear()
    assert stream.filled == 0
    assert stream.add(np.array([1, 2], np.float32)) == pytest.approx([1, 2, 1, 2, 0, 0])


def test_what_it_gave_does_not_change_with_the_next_frame() -> None:
    for kind in STATISTICS:
        stream = WindowStatistics(frames=1, width=2, kinds=(kind,))
        first = stream.add(np.array([1, 2], np.float32))
        before = first.copy()
        stream.add(np.array([5, 6], np.float32))
        assert np.array_equal(first, before)


def test_a_clip_without_frames_has_no_statistics() -> None:
    assert clip_statistics(np.empty((0, 5), np.float32), frames=3, kinds=KINDS).shape == (0, 15)
