"""Which heads lie beside a model. Standard library only: the supervisor reads this too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

FOLDER = "heads"


def heads_beside(model: Path, embedding: str) -> Iterator[tuple[str, Path]]:
    """Yield name and file of every head that says it fits this space of embeddings.

    In the order of the files' names. A file that cannot be read is passed over: who uses the
    heads tells of it.
    """
    for path in head_files(model):
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields["embedding"] == embedding:
                yield str(fields["name"]), path
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            continue


def thresholds_beside(model: Path, embedding: str) -> dict[str, float]:
    """Return, by label, the probability from which each such head says that it is there."""
    found = {}
    for name, path in heads_beside(model, embedding):
        threshold = json.loads(path.read_text(encoding="utf-8")).get("threshold")
        if isinstance(threshold, int | float) and 0 < threshold <= 1:
            found[name] = float(threshold)
    return found


def head_files(model: Path) -> list[Path]:
    """Return the files in the folder `heads` beside the model."""
    return sorted((model.parent / FOLDER).glob("*.json"))
