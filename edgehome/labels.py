"""The labels that a model knows, and from when on each is there, for reading the rules."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from edgehome.heads.names import heads_beside, thresholds_beside
from edgehome.recognizer.manifest import read_manifest
from edgehome.types import ModelError

TAUGHT = "taught"
"""The folder of taught activities in the state folder."""
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
    return {path.stem: _threshold(path) for path in files}


def _threshold(path: Path) -> float | None:
    """Return the probability from which a taught activity is there."""
    try:
        with path.open("rb") as file:
            threshold = json.loads(file.read(LARGEST_BYTES)).get("threshold")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    known = type(threshold) in {int, float} and 0 < threshold <= 1
    return float(threshold) if known else None


def thresholds_of(model: Path) -> dict[str, float]:
    """Return the thresholds of the model's heads by label; those of nothing that cannot be read."""
    try:
        return thresholds_beside(model, read_manifest(model).embedding)
    except (ModelError, OSError, ValueError):
        return {}
