"""What the camera usually shows, and how much of it a picture still has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Cells = NDArray[np.float32]

STRONG = np.float32(5.0)
"""Brightness, of 255, from one cell to the next: an edge that can be known again."""
FAINT = np.float32(2.0)
"""So much of it must be left for an edge to be there."""
ALIKE = np.float32(0.7)
"""Cosine between two directions of an edge: within 45 degrees."""
ENOUGH = 0.03
"""Part of the cells that must have an edge for a view to be known again."""
FOLLOW = 32
"""Looks over which the view is learnt: half a minute, at one a second."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the scene."""

    picture: Cells
    """Brightness, 0-255, (cells, cells)."""
    across: Cells
    down: Cells
    """How it grows from cell to cell, (cells - 1, cells - 1)."""
    detail: float
    """Edges as fine as pixels, against the contrast of the whole picture."""

    @classmethod
    def of(cls, picture: Cells, image: NDArray[np.uint8]) -> Sight:
        """Return the look that a small picture and its frame, (size, size, 3), are."""
        corner = picture[:-1, :-1]
        across, down = picture[:-1, 1:] - corner, picture[1:, :-1] - corner
        rows = image[2::4, :, 1].astype(np.float32)
        steps = (rows[:, 1:] - rows[:, :-1]).ravel()
        fine = float(np.dot(steps, steps)) / len(steps)
        return cls(picture, across, down, (fine / (float(picture.var()) + 1.0)) ** 0.5)

    def edges(self) -> NDArray[np.bool_]:
        """Return the cells with an edge that can be known again."""
        found: NDArray[np.bool_] = self.across**2 + self.down**2 > STRONG**2
        return found

    def kept(self, known: Sight) -> float | None:
        """Return the part of another look's edges that this one has too, or None for a plain one.

        An edge is the same if it runs the same way: the light may be another.
        """
        edges = known.edges()
        count = int(np.count_nonzero(edges))
        if count < ENOUGH * edges.size:
            return None
        ours, theirs = (self.across[edges], self.down[edges]), (known.across[edges], known.down[edges])
        along = ours[0] * theirs[0] + ours[1] * theirs[1]
        length = ours[0] ** 2 + ours[1] ** 2
        same = along > ALIKE * np.sqrt(length * (theirs[0] ** 2 + theirs[1] ** 2))
        return int(np.count_nonzero(same & (length > FAINT**2))) / count

    def plain(self, known: Sight) -> float:
        """Return the edges of this look as a share of another's."""
        return int(np.count_nonzero(self.edges())) / max(1, int(np.count_nonzero(known.edges())))

    def alike(self, known: Sight) -> float:
        """Return the correlation of what is light and what is dark, without detail, -1 to 1."""
        one, other = _coarse(self.picture), _coarse(known.picture)
        spread = float(np.dot(one, one)) * float(np.dot(other, other))
        return float(np.dot(one, other)) / spread**0.5 if spread else 0.0


class View:
    """The mean of the last looks: what moves about fades from it, what stands is its edges."""

    def __init__(self) -> None:
        self.looks = 0
        self.sight: Sight | None = None

    def learn(self, sight: Sight) -> None:
        """Take in one more look."""
        self.looks += 1
        old = self.sight
        if old is None:
            self.sight = sight
            return
        share = np.float32(1 / min(self.looks, FOLLOW))
        self.sight = Sight(
            old.picture + (sight.picture - old.picture) * share,
            old.across + (sight.across - old.across) * share,
            old.down + (sight.down - old.down) * share,
            old.detail + (sight.detail - old.detail) * float(share),
        )


def _coarse(picture: Cells) -> Cells:
    side = len(picture) // 4 * 4
    means = picture[:side, :side].reshape(side // 4, 4, side // 4, 4).mean((1, 3)).ravel()
    centred: Cells = means - means.mean()
    return centred
