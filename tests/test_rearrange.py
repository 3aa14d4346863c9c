"""A compiled model put into the form for the Edge TPU's compiler: the same numbers, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_model import GATED, SMALL, Architecture, pictures, small_model, small_weights

from edgehome.models.agreement import outputs
from edgehome.models.frames import scenes
from edgehome.movinet import edgetpu_rules as rules
from edgehome.movinet.calibrate import measure_ranges
from edgehome.movinet.compiler import compile_movinet
from edgehome.movinet.rearrange import for_edge_tpu
from edgehome.types import ModelError

UNEVEN = replace(SMALL, size=30)
"""Whose stem is not paired."""
BARE = replace(SMALL, classes=0)


@pytest.mark.parametrize("architecture", [SMALL, UNEVEN, BARE], ids=["small", "uneven", "bare"])
def test_it_is_what_the_compiler_would_have_written(architecture: Architecture) -> None:
    weights = small_weights(architecture)
    ranges = measure_ranges(architecture, weights, [pictures(8, size=architecture.size)])
    forms = [
        compile_movinet(architecture, weights, ranges, precision="int8", form=form)
        for form in ("cpu", "tpu")
    ]
    assert for_edge_tpu(forms[0], "small") == forms[1]


def test_the_model_in_the_box_says_the_same_and_maps_as_a_whole(box_model: Path) -> None:
    before = box_model.read_bytes()
    after = for_edge_tpu(before, "a0")
    shown = scenes(172)[:2]
    for one, other in zip(outputs(before, shown), outputs(after, shown), strict=True):
        assert np.array_equal(one, other)
    found = rules.summary(rules.judge(after))
    assert (found["mapped_percent"], found["unsupported"]) == (100.0, 0)


@pytest.mark.parametrize(
    "data",
    [
        small_model(SMALL, "float32", "cpu"),
        small_model(SMALL, "dyn", "cpu"),
        small_model(GATED, "int8", "cpu"),
        small_model(SMALL, "int8", "tpu"),
    ],
    ids=["float32", "dyn", "gated", "tpu already"],
)
def test_what_is_not_int8_for_the_cpu_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError, match="cannot be put into the form"):
        for_edge_tpu(data, "small")
