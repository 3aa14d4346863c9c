"""The compiler against a plain numpy network that sees the whole clip at once."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from movinet.driver import Driver
from movinet.plain import run
from movinet.random_weights import random_weights

from edgehome.movinet.architecture import A0, Architecture
from edgehome.movinet.compiler import Form, Precision, compile_movinet

SMALL = replace(A0, size=60, classes=11, hidden=64)
"""Of odd and even sizes on its way down: 30, 15, 8, 4, 2."""


def pictures(size: int, count: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return coarse noise, (count, size, size, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    where = np.arange(size) * 8 // size
    return coarse[:, where][:, :, where]


def stream(data: bytes, frames: np.ndarray[Any, Any]) -> dict[str, np.ndarray[Any, Any]]:
    driver = Driver(data)
    steps = [driver.step(frame) for frame in frames]
    return {name: np.concatenate([step[name] for step in steps]) for name in steps[0]}


def measured_ranges(
    architecture: Architecture, weights: Any, frames: np.ndarray[Any, Any]
) -> dict[str, tuple[float, float]]:
    data = compile_movinet(architecture, weights, {}, precision="float32", form="cpu", expose=True)
    found = stream(data, frames)
    return {
        name.removeprefix("activation/"): (float(values.min()), float(values.max()))
        for name, values in found.items()
        if name.startswith("activation/")
    }


GATED = replace(SMALL, activation="hard_swish", hidden_activation="swish", squeeze_excite=True)
PLACED = replace(GATED, positional=True)
NETWORKS = pytest.mark.parametrize("network", [SMALL, GATED, PLACED], ids=["relu6", "se", "pe"])
FORMS = pytest.mark.parametrize("form", ["cpu", "tpu"])
PRECISIONS = pytest.mark.parametrize("precision", ["int8", "dyn", "float32"])


@FORMS
@NETWORKS
def test_a_stream_in_float32_is_the_whole_clip_seen_at_once(
    network: Architecture, form: Form
) -> None:
    weights = random_weights(network, 1)
    frames = pictures(network.size, 7)
    expected = run(network, weights, frames / 255)
    data = compile_movinet(network, weights, {}, precision="float32", form=form)
    found = stream(data, frames)
    for name in ("embedding", "logits"):
        assert np.abs(found[name] - expected[name]).max() < 1e-4 * np.abs(expected[name]).max()


@pytest.mark.parametrize(
    ("network", "precision", "least"),
    [(SMALL, "dyn", 0.999), (GATED, "dyn", 0.999), (SMALL, "int8", 0.998), (GATED, "int8", 0.98)],
)
def test_eight_bits_come_close(network: Architecture, precision: Precision, least: float) -> None:
    weights = random_weights(network, 1)
    frames = pictures(network.size, 7)
    expected = run(network, weights, frames / 255)
    ranges = measured_ranges(network, weights, frames)
    data = compile_movinet(network, weights, ranges, precision=precision, form="cpu")
    found = stream(data, frames)
    for name in ("embedding", "logits"):
        assert np.corrcoef(found[name].ravel(), expected[name].ravel())[0, 1] > least


@NETWORKS
@PRECISIONS
def test_both_forms_say_the_same_to_the_bit(network: Architecture, precision: Precision) -> None:
    weights = random_weights(network, 2)
    frames = pictures(network.size, 4)
    ranges = measured_ranges(network, weights, frames)
    cpu, tpu = (
        stream(compile_movinet(network, weights, ranges, precision=precision, form=form), frames)
        for form in ("cpu", "tpu")
    )
    assert all(np.array_equal(cpu[name], tpu[name]) for name in ("embedding", "logits"))


@pytest.mark.parametrize("size", [58, 59, 60])
def test_a_picture_of_any_width_is_seen_alike_by_both_forms(size: int) -> None:
    """The CPU's stem takes four pixels at once, where the width is so."""
    network = replace(SMALL, size=size)
    weights = random_weights(network, 5)
    frames = pictures(size, 3)
    ranges = measured_ranges(network, weights, frames)
    expected = run(network, weights, frames / 255)["logits"]
    for form in ("cpu", "tpu"):
        data = compile_movinet(network, weights, ranges, precision="int8", form=form)
        found = stream(data, frames)["logits"]
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.998


@FORMS
@NETWORKS
@PRECISIONS
def test_one_partition_takes_the_whole_graph(
    network: Architecture, precision: Precision, form: Form
) -> None:
    weights = random_weights(network, 2)
    ranges = measured_ranges(network, weights, pictures(network.size, 2))
    driver = Driver(compile_movinet(network, weights, ranges, precision=precision, form=form))
    assert driver.left_outside_xnnpack() == []
    assert max(len(tensor.shape) for tensor in driver.tensors) <= 4


def test_a_mean_without_a_range_of_its_own_is_stored_like_what_it_is_of() -> None:
    weights = random_weights(GATED, 1)
    frames = pictures(GATED.size, 4)
    ranges = measured_ranges(GATED, weights, frames)
    fewer = {name: span for name, span in ranges.items() if not name.endswith(".mean")}
    expected = run(GATED, weights, frames / 255)["logits"]
    data = compile_movinet(GATED, weights, fewer, precision="int8", form="cpu")
    found = stream(data, frames)["logits"]
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.98


def test_a_network_without_head_gives_embeddings_only() -> None:
    architecture = replace(SMALL, classes=0)
    weights = random_weights(architecture, 3)
    frames = pictures(SMALL.size, 3)
    data = compile_movinet(architecture, weights, {}, precision="float32", form="cpu")
    found = stream(data, frames)
    assert set(found) == {"embedding"}
    expected = run(architecture, weights, frames / 255)["embedding"]
    assert np.abs(found["embedding"] - expected).max() < 1e-4


def test_the_same_input_gives_the_same_bytes_in_no_time() -> None:
    weights = random_weights(replace(A0, classes=600), 4)
    architecture = replace(A0, classes=600)
    one = compile_movinet(architecture, weights, {}, precision="dyn", form="cpu")
    start = time.process_time()
    other = compile_movinet(architecture, weights, {}, precision="dyn", form="cpu")
    assert time.process_time() - start < 1.0
    assert one == other
    assert len(one) > 3_000_000
