"""Whether a manifest fits its model, and a head its model."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from edgehome.types import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from edgehome.heads.head import Head
    from edgehome.recognizer.compiled import Interface
    from edgehome.recognizer.manifest import Manifest


def check_head(path: Path | str, head: Head, width: int, taken: Collection[str]) -> None:
    """Raise ModelError (`head_unusable`) for one that does not fit the model beside it."""
    if head.width != width:
        why = f"takes embeddings of {head.width} numbers, the model's have {width}"
        remedy = "Make it anew for this model, or take it out of the folder heads."
    elif head.name in taken:
        why = f"tells of {head.name!r}, which the model or another head already does"
        remedy = "Give it another name, or take it out of the folder heads."
    else:
        return
    raise ModelError("head_unusable", f"The head file {path} {why}, so it is not used.", remedy)


def check_fit(manifest: Manifest, interface: Interface) -> None:
    """Raise ModelError (`manifest_invalid`) for one that tells of another model."""
    for what, said, found in (
        ("labels", len(manifest.labels), interface.classes),
        ("pixels a side", manifest.size, interface.size),
    ):
        if said != found:
            raise ModelError(
                "manifest_invalid",
                f"The manifest of {manifest.name} says {said} {what}, the model has {found}.",
                "Correct the manifest or the list of labels.",
            )
