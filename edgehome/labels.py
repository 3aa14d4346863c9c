"""The labels that a model knows, for checking the rules against."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from edgehome.heads.names import heads_beside
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
