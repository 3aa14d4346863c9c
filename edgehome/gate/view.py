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
ALIKE = np.float32(0.9)
"""Cosine between two directions of an edge that are the same: within 25 degrees."""
ENOUGH = 0.03
"""Part of the cells that must have an edge for a view to be known again."""
SHIFTS = ((8, 8), (-8, 8), (8, -8), (-8, -8))
"""Cells down and across by which a view is shifted to see how like itself another place is."""
KNOWN = 10
"""Looks after which a view is known."""
STEP = np.float32(1.0)
"""Brightness by which a known view follows, a look: what only passes leaves nothing."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the scene."""

    picture: Cells
    """Brightness, 0-255, (cells, cells)."""
    across: Cells
    down: Cells
    """How it grows from cell to cell, (cells - 1, cells - 1)."""
    fine: Cells
    """By how much at most from pixel to pixel between two cells, (cells - 1, cells - 1)."""

    @classmethod
    def of(cls, picture: Cells, image: NDArray[np.uint8]) -> Sight:
        """Return the look that a small picture and its frame, (size, size, 3), are."""
        corner = picture[:-1, :-1]
        green = image[:, :, 1]
        fine = np.maximum(_steepest(green, len(corner)), _steepest(green.T, len(corner)).T)
        return cls(picture, picture[:-1, 1:] - corner, picture[1:, :-1] - corner, fine)

    def edges(self) -> NDArray[np.bool_]:
        """Return the cells with an edge that can be known again."""
        found: NDArray[np.bool_] = self.across**2 + self.down**2 > STRONG**2
        return found

    def same(self, known: Sight) -> NDArray[np.bool_]:
        """Return the cells whose edge runs as in another look, whatever the light."""
        along = self.across * known.across + self.down * known.down
        ours, theirs = self.across**2 + self.down**2, known.across**2 + known.down**2
        alike: NDArray[np.bool_] = along > ALIKE * np.sqrt(ours * theirs)
        return alike & (ours > FAINT**2)

    def kept(self, known: Sight) -> float | None:
        """Return the part of another look's edges that this one has too, or None for a plain one."""
        edges = known.edges()
        count = int(np.count_nonzero(edges))
        if count < ENOUGH * edges.size:
            return None
        return int(np.count_nonzero(self.same(known) & edges)) / count

    def share(self, known: Sight) -> float:
        """Return the edges of this look as a share of another's."""
        return int(np.count_nonzero(self.edges())) / max(1, int(np.count_nonzero(known.edges())))

    def detail(self, known: Sight) -> float | None:
        """Return how sharp the edges are that both looks have, as a share of the other's.

        Sharp is what is steep from pixel to pixel, beside what it is from cell to cell; so the
        light does not matter. None where too few are left to tell.
        """
        both = self.same(known) & known.edges()
        if np.count_nonzero(both) < ENOUGH / 3 * both.size:
            return None
        return self._sharpness(both) / known._sharpness(both)

    def _sharpness(self, cells: NDArray[np.bool_]) -> float:
        coarse = np.sqrt(self.across[cells] ** 2 + self.down[cells] ** 2)
        return float(self.fine[cells].sum()) / float(coarse.sum()) + 1e-3

    def alike(self, known: Sight) -> float:
        """Return the correlation of what is light and what is dark, without detail, -1 to 1."""
        one, other = _coarse(self.picture), _coarse(known.picture)
        spread = float(np.dot(one, one)) * float(np.dot(other, other))
        return float(np.dot(one, other)) / spread**0.5 if spread else 0.0


class View:
    """What most looks have: what stands is its edges, and what only passes is not."""

    def __init__(self) -> None:
        self._first: list[Sight] = []
        self._looks = 0
        self.sight: Sight | None = None
        """The known view; None while it is being learnt."""
        self._chance = 0.0

    def learn(self, sight: Sight) -> None:
        """Take in one more look."""
        self._looks += 1
        if self.sight is not None:
            pairs = zip(_maps(self.sight), _maps(sight), strict=True)
            self.sight = Sight(*(old + (new - old).clip(-STEP, STEP) for old, new in pairs))
        else:
            self._first.append(sight)
            if len(self._first) == KNOWN:
                maps = zip(*map(_maps, self._first), strict=True)
                self.sight = Sight(*(np.median(np.stack(looks), axis=0) for looks in maps))
                self._first.clear()
        if self.sight is not None and self._looks % KNOWN == 0:
            self._chance = _chance(self.sight)

    def kept(self, sight: Sight) -> float | None:
        """Return the part of the view that a look still has, None if it is too plain to be known.

        1 is all of it, and 0 as much as a picture of another place has by chance, or less.
        """
        kept = sight.kept(self.sight) if self.sight is not None else None
        return kept if kept is None else max(0.0, (kept - self._chance) / (1 - self._chance))


def _maps(sight: Sight) -> tuple[Cells, Cells, Cells, Cells]:
    return sight.picture, sight.across, sight.down, sight.fine


def _chance(sight: Sight) -> float:
    """Return the part of its edges that a view keeps when it is shifted; below 1."""
    edges = max(1, int(np.count_nonzero(sight.edges())))
    found = 0
    for shift in SHIFTS:
        shifted = Sight(*(np.roll(cells, shift, (0, 1)) for cells in _maps(sight)))
        found += int(np.count_nonzero(shifted.same(sight) & sight.edges()))
    return min(0.9, found / len(SHIFTS) / edges)


def _steepest(green: NDArray[np.uint8], cells: int) -> Cells:
    """Return the steepest step along a row between the middles of a cell and the next."""
    cell = len(green) // (cells + 1)
    middle = cell // 2
    rows = green[middle : middle + cells * cell : cell].astype(np.float32)
    steps = np.abs(rows[:, 1:] - rows[:, :-1])[:, middle - 1 : middle - 1 + cells * cell]
    steepest: Cells = steps.reshape(cells, cells, cell).max(axis=2)
    return steepest


def _coarse(picture: Cells) -> Cells:
    side = len(picture) // 4 * 4
    means = picture[:side, :side].reshape(side // 4, 4, side // 4, 4).mean((1, 3)).ravel()
    centred: Cells = means - means.mean()
    return centred
