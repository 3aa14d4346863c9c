"""Ranges measured on frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from movinet.driver import Driver
from movinet.plain import run
from movinet.random_weights import random_weights
from movinet.test_compiler import GATED, SMALL, pictures, stream

from edgehome.movinet.architecture import Architecture
from edgehome.movinet.calibrate import measure_ranges, tightened
from edgehome.movinet.compiler import compile_movinet


@pytest.mark.parametrize("network", [SMALL, GATED, replace(SMALL, classes=0)])
def test_int8_with_measured_ranges_comes_close_on_other_frames(network: Architecture) -> None:
    weights = random_weights(network, 1)
    shown = [pictures(network.size, 12, seed) for seed in (1, 2, 3)]
    ranges = measure_ranges(network, weights, shown)
    frames = pictures(network.size, 7)
    data = compile_movinet(network, weights, ranges, precision="int8", form="cpu")
    found = stream(data, frames)["embedding"]
    expected = run(network, weights, frames / 255)["embedding"]
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


def test_every_stream_is_measured_from_a_fresh_start() -> None:
    weights = random_weights(SMALL, 1)
    frames = pictures(SMALL.size, 6)
    once = measure_ranges(SMALL, weights, [frames])
    assert measure_ranges(SMALL, weights, [frames, frames]) == once


def test_a_range_lies_within_the_extremes_and_most_of_it_is_used() -> None:
    weights = random_weights(SMALL, 1)
    frames = pictures(SMALL.size, 6)
    data = compile_movinet(SMALL, weights, {}, precision="float32", form="cpu", expose=True)
    driver = Driver(data)
    values = np.concatenate([driver.step(frame)["activation/b2.l1"] for frame in frames])
    low, high = measure_ranges(SMALL, weights, [frames])["b2.l1"]
    assert values.min() <= low < 0 < high <= values.max()
    assert np.mean((values >= low) & (values <= high)) > 0.99


def test_only_ranges_without_a_floor_are_tightened() -> None:
    assert tightened({"sum": (-8.0, 4.0), "relu6": (0.0, 6.0)}) == {
        "sum": (-6.0, 3.0),
        "relu6": (0.0, 6.0),
    }
