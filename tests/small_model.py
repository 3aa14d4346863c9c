"""Small networks with weights of no meaning, compiled as the real ones are, and their heads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from movinet.random_weights import random_weights

from edgehome.heads.head import Head, write_head
from edgehome.movinet.architecture import Architecture, Block, Layer
from edgehome.movinet.calibrate import measure_ranges
from edgehome.movinet.compiler import Form, Precision, compile_movinet
from edgehome.movinet.weights import Weight
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Frame

Array = np.ndarray[Any, Any]

SIZE, WIDTH, CLASSES = 32, 24, 5
RATE = 5.0
AT = datetime(2026, 1, 1, tzinfo=UTC)
SPACE = "small-space"

SMALL = Architecture(
    name="small",
    size=SIZE,
    stem=8,
    blocks=(
        Block(8, (Layer(16, 1, 5, 2), Layer(16, 3, 3, 1))),
        Block(16, (Layer(32, 5, 3, 2), Layer(24, 3, 3, 1))),
    ),
    embedding=WIDTH,
    hidden=48,
    classes=CLASSES,
)
"""Without gates, as Google's A0 in int8."""
GATED = replace(SMALL, activation="hard_swish", hidden_activation="swish", squeeze_excite=True)
"""As A1 and A2."""
PLACED = replace(GATED, positional=True)
"""As A3 to A5."""


def pictures(count: int, seed: int = 0, size: int = SIZE) -> Array:
    """Return coarse noise of changing colours, uint8 (count, size, size, 3)."""
    random = np.random.default_rng(seed)
    brightest = random.uniform(1, 256, (count, 1, 1, 3))
    coarse = (random.random((count, 8, 8, 3)) * brightest).astype(np.uint8)
    where = np.arange(size) * 8 // size
    return coarse[:, where][:, :, where]


def small_weights(architecture: Architecture, seed: int = 1) -> dict[str, Weight]:
    """Return random weights whose logits tell one picture from the other."""
    weights = random_weights(architecture, seed)
    if architecture.classes:
        last = weights["head.logits"]
        weights["head.logits"] = Weight(4 * last.kernel, last.bias)
    return weights


@cache
def small_model(
    architecture: Architecture = SMALL,
    precision: Precision = "float32",
    form: Form = "cpu",
    seed: int = 1,
) -> bytes:
    """Return a compiled file."""
    weights = small_weights(architecture, seed)
    ranges = measure_ranges(architecture, weights, [pictures(8)]) if precision == "int8" else {}
    return compile_movinet(architecture, weights, ranges, precision=precision, form=form)


def manifest_of(data: bytes, **changed: Any) -> dict[str, Any]:
    """Return a manifest of a small model."""
    return {
        "name": "Small",
        "sha256": hashlib.sha256(data).hexdigest(),
        "labels": list("abcde"),
        "rate": RATE,
        "size": SIZE,
        "crop": "center",
        "range": [0, 1],
        "licence": "Apache-2.0",
        "source": "written by a test",
        "embedding": SPACE,
    } | changed


def place(folder: Path, data: bytes, **changed: Any) -> Path:
    """Write a model and its manifest; return the model's path."""
    path = folder / "small.tflite"
    path.write_bytes(data)
    path.with_suffix(".json").write_text(json.dumps(manifest_of(data, **changed)))
    return path


def place_head(model: Path, name: str, *, file: str = "", **changed: Any) -> Head:
    """Write a head of random numbers beside a model, into a file of its own name or another."""
    numbers = 3 * WIDTH
    random = np.random.default_rng(sum(name.encode()))
    head = Head(
        name=name,
        embedding=SPACE,
        window_s=1.0,
        statistics=("mean", "max", "deviation"),
        center=random.normal(size=numbers).astype(np.float32),
        scale=random.uniform(0.5, 2, numbers).astype(np.float32),
        weights=(random.normal(size=numbers) / 8).astype(np.float32),
        bias=0.3,
        slope=1.5,
        offset=-0.2,
        threshold=0.5,
        card={"description": "x", "trained_on": "x", "licence": "x", "limits": "x", "figures": {}},
    )
    head = replace(head, **changed)
    folder = model.parent / "heads"
    folder.mkdir(exist_ok=True)
    write_head(folder / f"{file or name}.json", head)
    return head


def frames(images: Iterable[Array], start_s: float = 0.0, rate: float = RATE) -> Iterator[Frame]:
    """Yield the pictures as a camera would."""
    for number, image in enumerate(images):
        yield Frame(time_s=start_s + number / rate, at=AT, image=image)


def steps(recognizer: Recognizer, images: Iterable[Array]) -> Array:
    """Return the probabilities after every picture, (pictures, labels), begun anew."""
    recognizer.reset()
    return np.stack([recognizer.step(frame) for frame in frames(images)])


def softmax(logits: Array) -> Array:
    """Return probabilities along the last axis, in float64."""
    powers = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
