"""The code of a frame's place in time, in an original graph (A3 to A5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgehome.movinet.original_graph import OriginalGraph


def read_position(graph: OriginalGraph, value: int, width: int) -> tuple[int, float | None]:
    """Return the two means with their code added, and its factor; or as they are, and None.

    Raises ModelError (`model_refused`) where something else is added.
    """
    return value, None
