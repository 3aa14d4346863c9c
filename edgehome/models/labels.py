"""What is known of a published file: its labels, its title, its licence, where it comes from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgehome.models.catalogue import CATALOGUE
from edgehome.recognizer.manifest import RATE
from edgehome.types import ModelError

# Files whose space of embeddings our heads were made for.
_SPACES = {
    "6125b36e2485eeb5cc1fd6206cf5e5d70235593fbc84610d1dce97fe3aa9c2ac": "movinet-a0-kinetics600"
}


@dataclass(frozen=True, slots=True)
class Described:
    """A published file's bytes, and what is known of it."""

    data: bytes
    sha256: str
    labels: tuple[str, ...]
    """None when nobody says."""
    title: str
    rate: float
    """Frames a second."""
    licence: str
    source: str
    embedding: str
    """The space of embeddings, where heads are known for it."""


def describe_published(source: Path, labels: Path | None) -> Described:
    """Return the file and what its manifest, the catalogue and the label list say of it.

    `labels` has one label a line; without it the manifest's are taken, or those of a list beside
    the file. Raises ModelError (`model_missing`, `labels_invalid`).
    """
    data = _read(source, "model_missing")
    sha256 = hashlib.sha256(data).hexdigest()
    known = next((m for m in CATALOGUE.values() if m.model.sha256 == sha256), None)
    said = _manifest_of(source)
    listing = labels or _listing(source, said, known.labels.file if known else "")
    names = _labels(listing) if listing else tuple(map(str, said.get("labels") or ()))
    return Described(
        data=data,
        sha256=sha256,
        labels=names,
        title=str(said.get("name") or (known.title if known else source.stem)),
        rate=float(said.get("rate") or (known.rate if known else RATE)),
        licence=str(said.get("licence") or (known.licence if known else "")),
        source=str(said.get("source") or (known.source if known else source.name)),
        embedding=_SPACES.get(sha256, ""),
    )


def _read(path: Path, code: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            code, f"Cannot read {path}: {error.strerror}.", "Check the name and the folder."
        ) from error


def _manifest_of(source: Path) -> dict[str, Any]:
    """Return the JSON object beside the file, as `fetch` writes it, or nothing."""
    try:
        fields = json.loads(source.with_suffix(".json").read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _listing(source: Path, said: dict[str, Any], known: str) -> Path | None:
    names = [str(said.get("labels_file") or ""), known, f"{source.stem}.txt", "labels.txt"]
    candidates = (source.with_name(Path(name).name) for name in names if name)
    return next((path for path in candidates if path.is_file()), None)


def _labels(listing: Path) -> tuple[str, ...]:
    try:
        text = _read(listing, "labels_invalid").decode()
    except UnicodeDecodeError as error:
        raise _invalid(listing, "it is not UTF-8") from error
    names = tuple(line.strip() for line in text.splitlines() if line.strip())
    if not names or len(set(names)) != len(names):
        raise _invalid(listing, "the labels must be different, and at least one")
    return names


def _invalid(listing: Path, why: str) -> ModelError:
    message = f"The list of labels {listing.name} cannot be used: {why}."
    return ModelError("labels_invalid", message, "Write one label a line, in the model's order.")
