"""How much of the picture moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgehome.gate.picture import inside
from edgehome.types import Polygon

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Cells = NDArray[np.float32]

FOLLOW = np.float32(1 / 16)
"""Share of each frame in the background: three seconds at five frames a second."""
FLOOR = np.float32(6.0)
"""Brightness, of 255, that a cell must differ by at least: what video coding does to it."""
TIMES_NOISE = np.float32(5.0)
FASTER, SLOWER = np.float32(1.05), np.float32(0.95)
QUIETEST = np.float32(0.1)
LOUDEST = np.float32(6.0)
"""Noise, of 255, above which a cell is no longer believed to be only noisy."""
FEW = 0.0025
"""Part of the picture below which it need not be asked whether it was the light."""
MOST = 0.5
"""Part of the picture that moves at once only if it is the light, or the camera."""
LARGE = 0.2
"""Part of the picture that, when it differs but stands still, is the new background at once."""
SAME_EDGES = 0.85
"""Correlation of edges from which on they are the same under another light."""
SHAKE = np.float32(0.3)
"""Share of a cell by which the picture may shake: a pixel of a frame of 172."""

_NOTHING = np.empty((0, 0), np.float32)


class Motion:
    """Tells the part of the picture that moves, frame by frame.

    A cell moves while it differs from a background, which follows slowly, by more than its own
    noise. The noise is the median of what it changes by from one frame to the next. A change of
    light is one that a gain and an offset for all cells explain, or one of most of the picture
    that leaves the edges where they were.
    """

    def __init__(self, ignore: Sequence[Polygon] = ()) -> None:
        self._ignore = tuple(ignore)
        self._background = self._before = self._noise = self._floor = _NOTHING
        self._cells = 0

    def forget(self) -> None:
        """Begin anew with the next picture."""
        self._background = _NOTHING

    def part(self, picture: Cells) -> float:
        """Return the part of the picture, (cells, cells), that moves, 0-1; of the first, 0."""
        if not self._background.size:
            self._begin(picture)
            return 0.0
        before = self._listen(picture)
        tolerance = np.maximum(self._noise * TIMES_NOISE, self._floor)
        difference = picture - self._background
        moving = self._count(np.abs(difference) > tolerance)
        if moving > FEW:
            if self._lit_anew(picture, before):
                self._background = picture.copy()
                return 0.0
            difference = self._compensate(picture, tolerance)
            moving = self._count(np.abs(difference) > tolerance)
            if moving > LARGE and self._changed(picture, before) < moving / 10:
                self._background = picture.copy()
                return moving
        difference *= FOLLOW
        self._background += difference
        return moving

    def _begin(self, picture: Cells) -> None:
        self._background = picture.copy()
        self._before = picture
        self._noise = np.zeros_like(picture)
        self._floor = np.full_like(picture, FLOOR)
        masked = inside(self._ignore, len(picture))
        self._floor[masked] = np.inf
        self._cells = max(1, int(np.count_nonzero(~masked)))

    def _compensate(self, picture: Cells, tolerance: Cells) -> Cells:
        """Bring the background into the picture's light; return what differs then.

        Adds to the tolerance what a shaking camera may do to a cell.
        """
        self._background = relit(self._background, picture)
        tolerance += SHAKE * steepness(self._background)
        return picture - self._background

    def _lit_anew(self, picture: Cells, before: Cells) -> bool:
        """Return whether most of the picture changed at once, and its edges stayed."""
        return self._changed(picture, before) > MOST and edges_agree(before, picture) > SAME_EDGES

    def _changed(self, picture: Cells, before: Cells) -> float:
        """Return the part of the picture that is not as it was in the frame before."""
        return self._count(np.abs(picture - before) > self._floor)

    def _listen(self, picture: Cells) -> Cells:
        """Move each cell's noise a step towards the median of its changes; return the last."""
        before, self._before = self._before, picture
        change = np.abs(picture - before)
        if not self._noise.any():  # the second picture: all that is known is the rest's noise
            self._noise += np.maximum(QUIETEST, np.median(change))
        step = (change > self._noise) * (FASTER - SLOWER)
        step += SLOWER
        self._noise *= step
        np.maximum(self._noise, QUIETEST, out=self._noise)
        np.minimum(self._noise, LOUDEST, out=self._noise)
        return before

    def _count(self, cells: NDArray[np.bool_]) -> float:
        return int(np.count_nonzero(cells)) / self._cells


def relit(background: Cells, picture: Cells) -> Cells:
    """Return the background in the picture's light: with the gain and offset that fit it best.

    They are fitted to every fourth cell, and again to the two thirds of these that fit best, so
    that what really moves has no say. Where two thirds are as they were that is what fits.
    """
    before, now = background[::2, ::2].ravel(), picture[::2, ::2].ravel()
    kept = len(before) * 2 // 3
    gain, offset = 1.0, 0.0
    if np.partition(np.abs(now - before), kept)[kept] > FLOOR:
        gain, offset = _line(before, now)
    for _ in range(3):
        error = np.abs(now - (gain * before + offset))
        best = error <= np.partition(error, kept)[kept]
        gain, offset = _line(before[best], now[best])
    lit: Cells = background * np.float32(gain)
    lit += np.float32(offset)
    return lit.clip(0, 255, out=lit)


def _line(x: Cells, y: Cells) -> tuple[float, float]:
    """Return gain and offset of the line with the least squares."""
    count = len(x)
    sum_x, sum_y = float(np.add.reduce(x)), float(np.add.reduce(y))
    spread = float(np.dot(x, x)) - sum_x * sum_x / count
    common = float(np.dot(x, y)) - sum_x * sum_y / count
    gain = common / spread if spread > count else 1.0
    return gain, (sum_y - gain * sum_x) / count


def steepness(picture: Cells) -> Cells:
    """Return by how much each cell differs from its neighbours, at most, (cells, cells)."""
    steep = np.zeros_like(picture)
    for one, other in (
        (np.s_[:, 1:], np.s_[:, :-1]),
        (np.s_[1:], np.s_[:-1]),
    ):
        step = np.abs(picture[one] - picture[other])
        np.maximum(steep[one], step, out=steep[one])
        np.maximum(steep[other], step, out=steep[other])
    return steep


def edges_agree(one: Cells, other: Cells) -> float:
    """Return the correlation of the edges of two pictures, -1 to 1; 0 where one has none."""
    across = np.diff(one).ravel(), np.diff(other).ravel()
    down = np.diff(one, axis=0).ravel(), np.diff(other, axis=0).ravel()
    both = sum(float(np.dot(*pair)) for pair in (across, down))
    first = sum(float(np.dot(pair[0], pair[0])) for pair in (across, down))
    second = sum(float(np.dot(pair[1], pair[1])) for pair in (across, down))
    return both / (first * second) ** 0.5 if first and second else 0.0
