"""What a model file is: its labels, its rate, its hash, and where it comes from.

The manifest of `model.tflite` is `model.json` beside it:

    {
      "name": "MoViNet-A0 stream, my own labels",
      "sha256": "64 hexadecimal digits",
      "labels": ["cooking", "reading"],
      "rate": 5, "size": 172, "crop": "center", "range": [0, 1],
      "licence": "Apache-2.0", "source": "https://...",
      "embedding": "movinet-a0-kinetics600",
      "compiled": {"architecture": "a0", "precision": "int8", "form": "cpu", ...}
    }

`labels_file`, a file beside it with one label a line, may stand instead of `labels`. `embedding`
names the space that the model's embeddings lie in, for heads that fit it; `compiled` is what
`edgehome models import` notes of how the file was made and how well it agrees with the original.
`edgetpu` is the SHA-256 of `model_edgetpu.tflite` beside it, the same model as Google's compiler
writes it for an Edge TPU.
Standard library only, so the supervisor may read it too.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import string
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edgehome.recognizer.compiled import read_interface
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.types import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)

RATE = 5.0
"""Frames a second that MoViNet was trained at, and what a model without a manifest is given."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model file is and how it is to be fed."""

    name: str
    sha256: str
    """Of the model file, in hexadecimal."""
    labels: tuple[str, ...]
    """In the order of the model's output; none for a model without a classifier of its own."""
    rate: float
    """Frames a second."""
    size: int
    """Height and width of a frame, in pixels."""
    crop: str = "center"
    """How a wider picture becomes a square: always the square in its middle, never squashed."""
    low: float = 0.0
    """What a black pixel becomes."""
    high: float = 1.0
    """What a white pixel becomes."""
    licence: str = ""
    source: str = ""
    embedding: str = ""
    """The space of embeddings that its heads must fit; empty where none can."""
    compiled: Mapping[str, object] = field(default_factory=dict)
    """How the file was made, and how well it agrees with what it was made of."""
    edgetpu: str = ""
    """SHA-256 of the form for an Edge TPU that lies beside the model; empty: there is none."""
    pinned: bool = True
    """Whether the hash was known beforehand and the file was held to it."""


_TEXTS = ("name", "sha256", "licence", "source")
_REQUIRED = {*_TEXTS, "rate", "size", "crop", "range"}
_KEYS = {*_REQUIRED, "labels", "labels_file", "embedding", "compiled", "edgetpu"}


def read_manifest(model: Path) -> Manifest:
    """Return what is known of the model file, which is read and held to its hash.

    Raises ModelError: `model_missing`, `model_refused` (not a .tflite file, or cut short),
    `model_hash` (not the file that its manifest describes), `model_not_stream`, and
    `manifest_invalid`.
    """
    return load_model(model)[0]


def load_model(model: Path) -> tuple[Manifest, bytes]:
    """Return the manifest and the very bytes that were hashed; raises as `read_manifest`."""
    try:
        data = model.read_bytes()
    except OSError as error:
        raise ModelError(
            "model_missing",
            f"Cannot read the model file {model}: {error.strerror}.",
            "Check the path under recognizer.model, and that its owner may read it; "
            "`edgehome models list` names those to be had.",
        ) from error
    sha256 = hashlib.sha256(data).hexdigest()
    path = model.with_suffix(".json")
    if path.exists():
        manifest = _parse(path)
        _check_hash(model, manifest.sha256, sha256)
        return manifest, data
    return _without_manifest(model, data, sha256), data


def named(model: Path, error: ModelError) -> ModelError:
    """Return the error with the file's name in its message, where it is not there yet."""
    code, message, remedy = error.problem.code, error.problem.message, error.problem.remedy
    return error if model.name in message else ModelError(code, f"{model}: {message}", remedy)


def _check_hash(model: Path, expected: str, actual: str) -> None:
    if expected != actual:
        raise ModelError(
            "model_hash",
            f"{model.name} is not the file that its manifest describes: its SHA-256 is "
            f"{actual[:12]}..., the manifest says {expected[:12]}....",
            "Copy the right file again, or correct the manifest if you changed the model.",
        )


def _parse(path: Path) -> Manifest:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _invalid(path, [f"it cannot be read as JSON: {error}"]) from error
    if not isinstance(fields, dict):
        raise _invalid(path, ["it must be one JSON object"])
    faults = _faults(fields)
    if faults:
        raise _invalid(path, faults)
    labels = fields.get("labels")
    if labels is None:
        labels = _read_labels(path.with_name(fields["labels_file"]))
    low, high = fields["range"]
    return Manifest(
        labels=tuple(labels),
        rate=float(fields["rate"]),
        size=fields["size"],
        low=float(low),
        high=float(high),
        crop=fields["crop"],
        embedding=fields.get("embedding", ""),
        compiled=fields.get("compiled", {}),
        edgetpu=fields.get("edgetpu", "").lower(),
        **{key: fields[key].strip() for key in _TEXTS if key != "sha256"},
        sha256=fields["sha256"].lower(),
    )


def _faults(fields: Mapping[str, object]) -> list[str]:
    """Return everything that is wrong, each as a clause."""
    faults = [f"{key!r} is not a key of a manifest" for key in sorted(fields.keys() - _KEYS)]
    faults += [f"{key} is missing" for key in sorted(_REQUIRED - fields.keys())]
    if ("labels" in fields) == ("labels_file" in fields):
        faults.append("exactly one of labels and labels_file must be given")
    checks = {
        **dict.fromkeys(_TEXTS, (_is_text, "must be a text that is not empty")),
        "labels": (_are_labels, "must be a list of different texts"),
        "labels_file": (_is_file_name, "must be the name of a file beside the manifest"),
        "rate": (_is_positive, "must be a number of frames a second above 0"),
        "size": (lambda value: _is_positive(value) and isinstance(value, int), "must be pixels"),
        "crop": (lambda value: value == "center", "must be 'center'"),
        "range": (_is_range, "must be two rising numbers, such as [0, 1]"),
        "embedding": (_is_text, "must be a text that is not empty"),
        "compiled": (lambda value: isinstance(value, dict), "must be a JSON object"),
        "edgetpu": (_is_text, "must be a text that is not empty"),
    }
    faults += [
        f"{key} {text}"
        for key, (good, text) in checks.items()
        if key in fields and not good(fields[key])
    ]
    faults += [
        f"{key} must be 64 hexadecimal digits"
        for key in ("sha256", "edgetpu")
        if _is_text(fields.get(key)) and not _is_sha256(str(fields[key]))
    ]
    return faults


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_sha256(text: str) -> bool:
    return len(text) == 2 * hashlib.sha256().digest_size and set(text) <= set(string.hexdigits)


def _are_labels(value: object) -> bool:
    return (
        isinstance(value, list)
        and all(_is_text(label) for label in value)
        and len(set(value)) == len(value)
    )


def _is_file_name(value: object) -> bool:
    return isinstance(value, str) and value not in {"", ".", ".."} and "/" not in value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_positive(value: object) -> bool:
    return _is_number(value) and value > 0  # type: ignore[operator]


def _is_range(value: object) -> bool:
    return (
        isinstance(value, list)
        and len(value) == len(("low", "high"))
        and all(_is_number(end) for end in value)
        and value[0] < value[1]
    )


def _read_labels(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise _invalid(path, [f"the labels cannot be read: {error}"]) from error
    labels = [line.strip() for line in lines if line.strip()]
    if len(set(labels)) != len(labels) or not labels:
        raise _invalid(path, ["the labels must be different, and at least one"])
    return labels


def _without_manifest(model: Path, data: bytes, sha256: str) -> Manifest:
    interface = read_interface(TfliteFile(data))
    labels_file = _labels_beside(model)
    if labels_file and interface.classes:
        labels = _read_labels(labels_file)
    else:
        labels = [f"class {number}" for number in range(interface.classes)]
    _log.warning("%s has no manifest: its hash %s is not pinned", model.name, sha256[:12])
    return Manifest(
        name=model.stem,
        sha256=sha256,
        labels=tuple(labels),
        rate=RATE,
        size=interface.size,
        pinned=False,
    )


def _labels_beside(model: Path) -> Path | None:
    candidates = (model.with_suffix(".txt"), model.with_name("labels.txt"))
    return next((path for path in candidates if path.exists()), None)


def _invalid(path: Path, faults: list[str]) -> ModelError:
    return ModelError("manifest_invalid", f"{path.name}: {'; '.join(faults)}.", "Correct the file.")
