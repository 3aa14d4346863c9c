"""From a checkpoint to the file in the box: normalisation settled, ranges measured, int8."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from edgehome.models.agreement import outputs
from edgehome.models.frames import scenes
from edgehome.models.selftest import packed
from edgehome.movinet.architecture import Architecture
from edgehome.movinet.calibrate import measure_ranges
from edgehome.movinet.compiler import compile_movinet
from edgehome.statefile import write_atomically
from models.build.views import RATE, centre

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgehome.movinet.weights import Weight
    from models.build.distil import Sampler
    from models.build.footage import Clip
    from models.build.network import Student

EMBEDDING = "movinet-a0-kinetics600"
"""The teacher's space of embeddings, which the student's imitates."""
_SETTLING_STEPS = 40
_STREAMS, _PICTURES = 40, 15


def settle(student: Student, sampler: Sampler, first: int) -> None:
    """Measure the normalisation's means and variances anew, for weights that were averaged.

    The views are those of steps from `first` on.
    """
    norms = [part for part in student.modules() if isinstance(part, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the plain mean of all that comes
    student.train()
    with torch.no_grad():
        for step in range(first, first + _SETTLING_STEPS):
            student(sampler.batch(step)[0].to(student.stem.conv.weight.device))
    student.eval().cpu()


def pictures_of(clips: Sequence[Clip], size: int, seed: int) -> list[NDArray[np.uint8]]:
    """Return streams, (frames, size, size, 3), as a node would see some of the clips."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(clips), min(_STREAMS, len(clips)), replace=False)
    streams = []
    for clip in (clips[int(number)] for number in chosen):
        at = np.arange(0, len(clip.frames), clip.rate / RATE).astype(int)[:_PICTURES]
        pictures = torch.from_numpy(np.array(clip.frames[at])).permute(0, 3, 1, 2).float()
        square = centre(pictures, size).round().clamp(0, 255).byte()
        streams.append(np.ascontiguousarray(square.permute(0, 2, 3, 1).numpy()))
    return streams


def export(
    architecture: Architecture,
    weights: Mapping[str, Weight],
    streams: Sequence[NDArray[np.uint8]],
    path: Path,
) -> float:
    """Write the int8 file and its manifest; return its embeddings' correlation with float32."""
    headless = replace(architecture, classes=0)
    ranges = measure_ranges(headless, weights, streams)
    whole = compile_movinet(headless, weights, {}, precision="float32", form="cpu")
    data = compile_movinet(headless, weights, ranges, precision="int8", form="cpu")
    ours, exact = (np.concatenate(outputs(file, streams)).ravel() for file in (data, whole))
    correlation = round(float(np.corrcoef(ours, exact)[0, 1]), 4)
    manifest: dict[str, Any] = {
        "name": "edgehome A0",
        "sha256": hashlib.sha256(data).hexdigest(),
        "labels": [],
        "rate": RATE,
        "size": headless.size,
        "crop": "center",
        "range": [0, 1],
        "licence": "Apache-2.0",
        "source": "made by edgehome, models/README.md",
        "embedding": EMBEDDING,
        "compiled": {
            "architecture": headless.name,
            "activation": headless.activation,
            "squeeze_excite": headless.squeeze_excite,
            "precision": "int8",
            "form": "cpu",
            "from": "",
            "reference": packed(outputs(whole, scenes(headless.size))),
            "agreement": {
                "with_float": {
                    "correlation": correlation,
                    "frames": sum(len(stream) for stream in streams),
                }
            },
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest, indent=2) + "\n"
    write_atomically(path, data)
    write_atomically(path.with_suffix(".json"), text.encode())
    return correlation
