"""Google's Kinetics-600 network compiled anew, on real clips: as good as float32, and small."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from movinet.driver import Driver

from edgehome.camera import open_clip
from edgehome.movinet.calibrate import measure_ranges, tightened
from edgehome.movinet.compiler import compile_movinet
from edgehome.movinet.original import Original, read_original
from edgehome.movinet.weights import Ranges

Array = np.ndarray[Any, Any]
CLIPS = (
    "kinetics/mmaction2_demo-spatiotemporal-det.mp4",
    "fall/s3_fall_15.mp4",
    "fight/fi063.mp4",
    "normal/intel_head-pose-face-detection-male-gif.mp4",
)
CALIBRATION = ("fall/s2_fall_14.mp4", "fight/nofi006.mp4", "kinetics/mmaction2_test.mp4")
FRAMES = 64


@pytest.fixture(scope="module")
def original(k600_original: Path) -> Original:
    return read_original(k600_original.read_bytes())


def pictures(clips: Path, names: tuple[str, ...]) -> list[Array]:
    """Return each clip at 5 frames a second, looped until it has FRAMES."""
    found = []
    for name in names:
        with open_clip(
            clips / name, size=172, rate=5, start=datetime(2000, 1, 1, tzinfo=UTC)
        ) as clip:
            frames = np.array([frame.image for frame in clip.frames()][:FRAMES])
        found.append(frames[np.arange(FRAMES) % len(frames)])
    return found


@pytest.fixture(scope="module")
def streams(clips: Path) -> list[Array]:
    return pictures(clips, CLIPS)


def compiled(original: Original, precision: Any, ranges: Ranges, form: Any = "cpu") -> bytes:
    return compile_movinet(
        original.architecture, original.weights, ranges, precision=precision, form=form
    )


def logits(data: bytes, streams: list[Array]) -> Array:
    """Return logits (streams, frames, classes) pooled over 50 frames."""
    driver = Driver(data, window=50)
    found = []
    for stream in streams:
        driver.reset()
        found.append([driver.step(frame)["logits"][0] for frame in stream])
    return np.array(found)


@pytest.fixture(scope="module")
def expected(original: Original, streams: list[Array]) -> Array:
    return logits(compiled(original, "float32", {}), streams)


def agreement(found: Array, expected: Array) -> tuple[Array, float]:
    """Return the correlation of logits at each frame, over all streams, and top-1 agreement."""
    by_frame = zip(found.swapaxes(0, 1), expected.swapaxes(0, 1), strict=True)
    correlations = [np.corrcoef(one.ravel(), other.ravel())[0, 1] for one, other in by_frame]
    return np.array(correlations), float((found.argmax(-1) == expected.argmax(-1)).mean())


def test_int8_with_the_files_own_ranges_agrees_with_float32_at_every_age(
    original: Original, streams: list[Array], expected: Array
) -> None:
    found = logits(compiled(original, "int8", tightened(original.ranges)), streams)
    correlations, top = agreement(found, expected)
    assert correlations[15] >= 0.998
    assert correlations[63] >= 0.998
    assert correlations.min() >= 0.997
    assert top >= 0.92


def test_int8_with_ranges_measured_on_other_clips_agrees_with_float32(
    original: Original, streams: list[Array], expected: Array, clips: Path
) -> None:
    shown = [frames[::2] for frames in pictures(clips, CALIBRATION)]
    ranges = measure_ranges(original.architecture, original.weights, shown)
    correlations, top = agreement(logits(compiled(original, "int8", ranges), streams), expected)
    assert correlations[15] >= 0.998
    assert correlations[63] >= 0.998
    assert top >= 0.92


def test_dyn_is_next_to_float32(original: Original, streams: list[Array], expected: Array) -> None:
    correlations, top = agreement(logits(compiled(original, "dyn", {}), streams), expected)
    assert correlations.min() >= 0.9995
    assert top >= 0.97


def test_the_edge_tpu_form_says_the_same_to_the_bit(
    original: Original, streams: list[Array]
) -> None:
    ranges = tightened(original.ranges)
    cpu, tpu = (
        logits(compiled(original, "int8", ranges, form), streams[:1]) for form in ("cpu", "tpu")
    )
    assert np.array_equal(cpu, tpu)


@pytest.mark.parametrize("form", ["cpu", "tpu"])
def test_int8_is_one_partition_of_four_dimensions_with_less_than_a_megabyte_of_state(
    original: Original, form: str
) -> None:
    driver = Driver(compiled(original, "int8", tightened(original.ranges), form))
    assert driver.left_outside_xnnpack() == []
    assert max(len(tensor.shape) for tensor in driver.tensors) <= 4
    carried = [
        driver.view(index).nbytes
        for name in driver.states
        for index in (driver.inputs[name], driver.outputs[name])
    ]
    assert sum(carried) <= 1_000_000


@pytest.mark.skipif(
    not os.environ.get("EDGEHOME_TEST_LONG"), reason="takes minutes: set EDGEHOME_TEST_LONG=1"
)
def test_after_an_hour_and_more_it_says_what_float32_says(
    original: Original, streams: list[Array]
) -> None:
    """20,000 frames, 67 minutes at five a second, of clips that come round again and again."""
    ages = (16, 64, 600, 20_000)
    frames = np.concatenate(streams)
    exact = Driver(compiled(original, "float32", {}), window=50)
    ours = Driver(compiled(original, "int8", tightened(original.ranges)), window=50)
    correlations, same = [], []
    for number in range(ages[-1]):
        frame = frames[number % len(frames)]
        one, other = (driver.step(frame)["logits"][0] for driver in (ours, exact))
        correlations.append(float(np.corrcoef(one, other)[0, 1]))
        same.append(one.argmax() == other.argmax())
    said = {age: round(correlations[age - 1], 5) for age in ages}
    print(
        f"correlation at frames {said}, lowest {min(correlations):.5f}, top-1 {np.mean(same):.3f}"
    )
    assert min(said.values()) >= 0.998
    assert np.mean(same) >= 0.92
