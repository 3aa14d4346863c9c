"""The labels that a model knows, and from when on each is there, for reading the rules."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from edgehome.heads.names import heads_beside, thresholds_beside
from edgehome.recognizer.manifest import read_manifest
from edgehome.types import ModelError


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


def thresholds_of(model: Path) -> dict[str, float]:
    """Return the thresholds of the model's heads by label; those of nothing that cannot be read."""
    try:
        return thresholds_beside(model, read_manifest(model).embedding)
    except (ModelError, OSError, ValueError):
        return {}
