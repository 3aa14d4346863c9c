"""The labels that a model knows, and from when on each is there, for reading the rules."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from edgehome.heads.names import heads_beside, thresholds_beside
from edgehome.recognizer.manifest import read_manifest
from edgehome.types import ModelError

TAUGHT = "taught"
"""The folder of taught activities in the state folder."""
CORRECTION = "correction"
"""In a file that corrects a label of the model's own, and so brings none."""
LARGEST_BYTES = 4_000_000
"""Of the file of one."""


def labels_of(model: Path) -> Collection[str] | None:
    """Return the model's labels, or None when its file or its manifest cannot be read.

    That is not the config's fault: the worker and `doctor` tell of it.
    """
    try:
        manifest = read_manifest(model)
    except ModelError:
        return None
    heads = (name for name, _path in heads_beside(model, manifest.embedding))
    return (*manifest.labels, *heads) or None


def embedding_of(model: Path) -> str | None:
    """Return the model's space of embeddings, empty for none; None where nobody can tell."""
    try:
        return read_manifest(model).embedding
    except ModelError:
        return None


def taught_in(state: Path) -> Mapping[str, float | None] | None:
    """Return every taught activity with its threshold, None for one that is not learnt yet.

    Whoever makes the files says what is wrong with one; here it is a label all the same, so that
    a broken file costs its rules and no others. None where the folder may not be read.
    """
    try:
        files = sorted(path for path in (state / TAUGHT).iterdir() if path.suffix == ".json")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError:
        return None
    read = {path.stem: _read(path) for path in files}
    return {name: _threshold(fields) for name, fields in read.items() if CORRECTION not in fields}


def _read(path: Path) -> Mapping[str, Any]:
    try:
        with path.open("rb") as file:
            fields = json.loads(file.read(LARGEST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _threshold(fields: Mapping[str, Any]) -> float | None:
    """Return the probability from which a taught activity is there."""
    threshold = fields.get("threshold")
    if not isinstance(threshold, int | float) or isinstance(threshold, bool):
        return None
    return float(threshold) if 0 < threshold <= 1 else None


def thresholds_of(model: Path) -> dict[str, float]:
    """Return the thresholds of the model's heads by label; those of nothing that cannot be read."""
    try:
        return thresholds_beside(model, read_manifest(model).embedding)
    except (ModelError, OSError, ValueError):
        return {}
