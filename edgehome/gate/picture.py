"""The small picture of brightness that motion and tampering are judged on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgehome.types import Polygon

if TYPE_CHECKING:
    from numpy.typing import NDArray

CELLS = 43
"""About so many cells a side: 4 pixels each of a frame of 172."""


def cell_of(size: int) -> int:
    """Return the pixels on a side of a cell, for frames of (size, size, 3)."""
    return max(1, size // CELLS)


def small(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the brightness of every cell, 0-255, (cells, cells), of a frame (size, size, 3).

    It is the mean of four pixels' green, most of what the eye calls brightness: 8 microseconds,
    where the mean of all pixels and colours takes 40 (measured).
    """
    cell = cell_of(len(image))
    side = len(image) // cell * cell
    near, far = cell // 4, cell * 3 // 4
    green = image[:side, :side, 1]
    made = np.add(green[near::cell, near::cell], green[far::cell, far::cell], dtype=np.float32)
    np.add(made, green[near::cell, far::cell], out=made, dtype=np.float32)
    np.add(made, green[far::cell, near::cell], out=made, dtype=np.float32)
    made *= np.float32(0.25)
    return made


def inside(polygons: Sequence[Polygon], cells: int) -> NDArray[np.bool_]:
    """Return the cells whose middle lies within one of the polygons, (cells, cells)."""
    middle = (np.arange(cells) + 0.5) / cells
    x, y = middle[None, :], middle[:, None]
    found = np.zeros((cells, cells), bool)
    for polygon in polygons:
        odd = np.zeros((cells, cells), bool)  # a ray to the left crosses an odd number of edges
        for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
            if y0 == y1:
                continue
            crosses = (y0 > y) != (y1 > y)
            odd ^= crosses & (x > x0 + (y - y0) / (y1 - y0) * (x1 - x0))
        found |= odd
    return found
