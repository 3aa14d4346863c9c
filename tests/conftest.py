"""Fixtures for the real files that the tests run on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Models and clips that the project may test with but never ships."""
    path = Path(os.environ.get("EDGEHOME_SHARED", ROOT.parent / "shared")).resolve()
    if not path.is_dir():
        pytest.skip(f"no test material in {path} (set EDGEHOME_SHARED)")
    return path


@pytest.fixture(scope="session")
def clips(shared: Path) -> Path:
    return shared / "clips"


@pytest.fixture(scope="session")
def k600_model(shared: Path) -> Path:
    """Google's Kinetics-600 MoViNet-A0 stream int8 file."""
    path = shared / "models" / "movinet_a0_stream_int8_k600.tflite"
    if not path.is_file():
        pytest.skip(f"no model in {path}")
    return path
