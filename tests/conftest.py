"""Fixtures: the real files that the tests run on, and a whole node at a real broker."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from broker import Broker, Listener
    from daemon import Daemon

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def box_model() -> Path:
    """The model that ships with edgehome, with its manifest and its heads beside it."""
    return ROOT / "models" / "edgehome-a0.tflite"


@pytest.fixture(scope="session")
def rendered() -> Path:
    """The folder of the clips that ship with edgehome."""
    return ROOT / "models" / "clips"


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
def k600_original(shared: Path) -> Path:
    """Google's Kinetics-600 MoViNet-A0 stream int8 file, as published."""
    path = shared / "models" / "movinet_a0_stream_int8_k600.tflite"
    if not path.is_file():
        pytest.skip(f"no model in {path}")
    return path


@pytest.fixture(scope="session")
def k600_model(k600_original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same network in our own graph, with its manifest, as an import writes it."""
    from edgehome.movinet.compiler import compile_movinet
    from edgehome.movinet.original import read_original

    original = read_original(k600_original.read_bytes())
    data = compile_movinet(
        original.architecture, original.weights, original.ranges, precision="int8", form="cpu"
    )
    path = tmp_path_factory.mktemp("imported") / "movinet-a0.tflite"
    path.write_bytes(data)
    labels = (k600_original.parent / "kinetics600_label_map.txt").read_text(encoding="utf-8")
    manifest = {
        "name": "MoViNet-A0 stream, Kinetics-600, compiled",
        "sha256": hashlib.sha256(data).hexdigest(),
        "labels": [line.strip() for line in labels.splitlines() if line.strip()],
        "rate": 5,
        "size": 172,
        "crop": "center",
        "range": [0, 1],
        "licence": "Apache-2.0",
        "source": "https://www.kaggle.com/models/google/movinet",
        "embedding": "movinet-a0-kinetics600",
        "compiled": {"architecture": "a0", "precision": "int8", "form": "cpu"},
    }
    path.with_suffix(".json").write_text(json.dumps(manifest), encoding="utf-8")
    return path


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    from broker import Broker  # not at the top: the camera's tests run where there is no MQTT

    with Broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    from broker import Listener

    with Listener(broker, "edgehome/#", "homeassistant/#") as listener:
        yield listener


@pytest.fixture
def daemon(tmp_path: Path, broker: Broker, box_model: Path, rendered: Path) -> Iterator[Daemon]:
    """A node that is not started yet; in front of its camera two people fight, over and over."""
    from daemon import Daemon

    clip = rendered / "room-day-fight.mp4"
    with Daemon(tmp_path / "node", broker, model=box_model, source=clip) as daemon:
        yield daemon
