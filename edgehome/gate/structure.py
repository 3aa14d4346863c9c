"""What a view looks like, tile by tile, in numbers that noise does not add to.

Every energy is a product of two pictures of the same view: what is there is in both, and noise,
which is not, adds nothing on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Cells = NDArray[np.float32]
    Tiles = NDArray[np.float32]

TILES = 6
"""Tiles on a side of the picture."""
BROAD = 14
"""Parts on a side that hold a view's light and shade, and none of its detail."""


@dataclass(frozen=True, slots=True)
class Structure:
    """The edges of a view."""

    across: Cells
    """Change of brightness from cell to cell to the right, (n, n)."""
    down: Cells
    """The same downwards, (n, n)."""
    coarse: Tiles
    """Energy of those edges, a cell, (TILES, TILES)."""
    fine: Tiles
    """Energy of the edges from pixel to pixel, a pixel, (TILES, TILES)."""
    broad: Tiles
    """Brightness of broad parts, (BROAD, BROAD)."""

    def toward(self, other: Structure, share: float) -> Structure:
        """Return it moved towards another by a share of the way."""
        part = np.float32(share)
        return Structure(
            *(
                mine + (theirs - mine) * part
                for mine, theirs in (
                    (self.across, other.across),
                    (self.down, other.down),
                    (self.coarse, other.coarse),
                    (self.fine, other.fine),
                    (self.broad, other.broad),
                )
            )
        )

    def steady(self, share: float) -> NDArray[np.bool_]:
        """Return the tiles of a mean of views in which that share of the edges stays in place."""
        stays = tiles(self.across * self.across + self.down * self.down)
        steady: NDArray[np.bool_] = stays > self.coarse * np.float32(share)
        return steady

    def alike(self, other: Structure) -> Tiles:
        """Return the correlation of the two views' edges by tile, about -1 to 1."""
        common = tiles(self.across * other.across + self.down * other.down)
        energy = np.maximum(self.coarse, _LEAST) * np.maximum(other.coarse, _LEAST)
        alike: Tiles = common / np.sqrt(energy)
        return alike

    def shade(self, other: Structure) -> tuple[float, float]:
        """Return gain and correlation of this view's light and shade against the other's."""
        mine, theirs = self.broad - self.broad.mean(), other.broad - other.broad.mean()
        common, own = float(np.vdot(mine, theirs)), float(np.vdot(mine, mine))
        spread = max(float(np.vdot(theirs, theirs)), float(_LEAST))
        return common / spread, common / max(own * spread, float(_LEAST)) ** 0.5


_LEAST = np.float32(0.05)


def structure(
    pictures: tuple[Cells, Cells], images: tuple[NDArray[np.uint8], NDArray[np.uint8]]
) -> Structure:
    """Return that of two pictures, (cells, cells), and of two frames, (size, size, 3)."""
    (across, down), (across_2, down_2) = map(_edges, pictures)
    first, second = map(_fine_edges, images)
    return Structure(
        across=(across + across_2) * np.float32(0.5),
        down=(down + down_2) * np.float32(0.5),
        coarse=tiles(across * across_2 + down * down_2),
        fine=tiles(first * second),
        broad=tiles((pictures[0] + pictures[1]) * np.float32(0.5), BROAD),
    )


def tiles(values: Cells, count: int = TILES) -> Tiles:
    """Return the mean of each tile, (count, count); what is left over at the far edges is left."""
    rows, columns = (side // count for side in values.shape)
    cut = values[: rows * count, : columns * count]
    bands = cut.reshape(count, rows, columns * count).sum(axis=1)
    found: Tiles = bands.reshape(count, count, columns).sum(axis=2)
    return found / np.float32(rows * columns)


def _edges(picture: Cells) -> tuple[Cells, Cells]:
    inner = picture[:-1, :-1]
    return picture[:-1, 1:] - inner, picture[1:, :-1] - inner


def _fine_edges(image: NDArray[np.uint8]) -> Cells:
    green = image[::2, :, 1].astype(np.float32)
    edges: Cells = green[:, 1:] - green[:, :-1]
    return edges
