"""The measurement of what embeddings give away finds what is there to be found, and only that."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "embedding_privacy.py"
CLIPS, FRAMES, WIDTH = 12, 10, 24


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("embedding_privacy", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["embedding_privacy"] = module
    spec.loader.exec_module(module)
    return module


def made(script: ModuleType, *, tells: bool) -> Any:
    """Three places of four clips; embeddings that hold the picture, or nothing."""
    rng = np.random.default_rng(0)
    clip = np.repeat(np.arange(CLIPS), FRAMES)
    place = np.array([f"place{c % 3}" for c in clip])
    hidden = rng.normal(size=(len(clip), 4)) * 0.3 + rng.normal(size=(3, 4))[clip % 3]
    pictures = 1 / (1 + np.exp(-hidden @ rng.normal(size=(4, script.SIDE**2))))
    told = hidden @ rng.normal(size=(4, WIDTH)) if tells else rng.normal(size=(len(clip), WIDTH))
    times = np.tile(np.arange(FRAMES) * 0.6, CLIPS)
    return script.Seen(told, pictures, clip, np.array([f"c{c}" for c in clip]), place, times)


def test_embeddings_that_hold_the_picture_are_found_out(script: ModuleType) -> None:
    seen = made(script, tells=True)
    assert script.recognised(seen)["same place, other group"]["found"] > 0.9
    found = script.decoded(seen)["place seen, other clip"]
    assert found["ridge"]["psnr"] > found["mean of the place"]["psnr"] + 3
    assert found["ridge"]["ssim"] > found["mean of the place"]["ssim"]


def test_embeddings_that_hold_nothing_are_no_better_than_chance(script: ModuleType) -> None:
    seen = made(script, tells=False)
    place = script.recognised(seen)["same place, other group"]
    assert abs(place["found"] - place["chance"]) < 0.15
    for name, found in script.decoded(seen).items():
        assert found["ridge"]["psnr"] < found["mean picture"]["psnr"] + 0.5, name


def test_a_picture_is_alike_itself_and_less_so_with_noise(script: ModuleType) -> None:
    rng = np.random.default_rng(1)
    picture = rng.uniform(size=(2, script.SIDE**2))
    assert script._ssim(picture, picture) == pytest.approx([1, 1])
    worse = script._ssim(picture, np.clip(picture + rng.normal(0, 0.3, picture.shape), 0, 1))
    assert (worse < 0.9).all()
