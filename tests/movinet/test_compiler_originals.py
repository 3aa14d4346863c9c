"""Our graph of a network and the file that Google's code and converter wrote of it, side by side.

Random weights: that they agree to rounding proves tables, folding and padding. The larger networks
are compared where EDGEHOME_ORIGINALS names a folder that scripts/make_originals.py filled.
"""

from __future__ import annotations

import lzma
import os
from pathlib import Path

import numpy as np
import pytest
from movinet.driver import Driver

from edgehome.models.agreement import outputs
from edgehome.models.frames import scenes
from edgehome.models.published_run import published_outputs
from edgehome.movinet.compiler import Precision, compile_movinet
from edgehome.movinet.original import read_original

HERE = Path(__file__).parent / "originals"


def original(name: str, folder: Path) -> Path:
    stored = HERE / f"{name}.float32.tflite.xz"
    if stored.exists():
        path = folder / f"{name}.tflite"
        path.write_bytes(lzma.decompress(stored.read_bytes()))
        return path
    made = os.environ.get("EDGEHOME_ORIGINALS")
    if not made:
        pytest.skip("no EDGEHOME_ORIGINALS, a folder that scripts/make_originals.py filled")
    return Path(made) / f"{name}.float32.tflite"


@pytest.mark.parametrize("name", ["a0", "a1", "a2", "a3"])
def test_the_compiled_network_is_googles_to_rounding(name: str, tmp_path: Path) -> None:
    source = original(name, tmp_path)
    read = read_original(source.read_bytes())
    assert read.architecture.name == name
    theirs = published_outputs(source)
    spread = float(theirs.std())
    least: dict[Precision, float] = {"float32": 1e-5 * spread, "dyn": 0.15 * spread}
    for precision, allowed in least.items():
        data = compile_movinet(read.architecture, read.weights, {}, precision=precision, form="cpu")
        ours = np.stack(outputs(data, scenes(read.architecture.size)))
        assert np.abs(ours - theirs).max() <= allowed, precision
        assert Driver(data).left_outside_xnnpack() == []
