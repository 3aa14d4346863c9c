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
SWAY = np.float32(0.15)
"""Cells by which an edge may sway, as on a pole in the wind."""
SWAY_LOOKS = 10
"""Frames after which the edges are looked for anew."""
FASTER, SLOWER = np.float32(1.05), np.float32(0.95)
LOUDEST = np.float32(6.0)
"""Noise, of 255, above which a cell is no longer believed to be only noisy."""
FEW = 0.0025
"""Part of the picture below which it need not be asked whether it was the light."""
MOST = 0.5
"""Part of the picture that moves at once only if it is the light, or the camera."""
UNEVEN = np.float32(0.15)
"""Share of a change of light by which a cell may depart from it."""
SAME_EDGES = 0.6
"""Correlation of edges from which on they are the same under another light."""


class Motion:
    """Tells the part of the picture that moves, frame by frame.

    A cell moves while it differs from a background, which follows slowly, by more than its own
    noise. The noise is the median of what it changes by from one frame to the next. A change of
    light is one that a gain and an offset for all cells explain, or one of most of the picture
    that leaves the edges where they were.
    """

    def __init__(self, ignore: Sequence[Polygon] = ()) -> None:
        self._ignore = tuple(ignore)
        self._background: Cells | None = None

    def forget(self) -> None:
        """Begin anew with the next picture."""
        self._background = None

    def part(self, picture: Cells) -> float:
        """Return the part of the picture, (cells, cells), that moves, 0-1; of the first, 0."""
        if self._background is None:
            self._begin(picture)
            return 0.0
        self._listen(picture)
        tolerance = np.maximum(self._noise * TIMES_NOISE, self._floor)
        difference = picture - self._background
        moving = self._count(np.abs(difference) > tolerance)
        if moving > FEW:
            lit = relit(self._background, picture)
            apart = picture - lit
            other = UNEVEN * np.abs(lit - self._background)
            explained = self._count(np.abs(apart) > tolerance + other)
            if explained < moving:
                self._background, difference, moving = lit, apart, explained
            if moving > MOST and edges_agree(self._background, picture) > SAME_EDGES:
                self._background = picture.copy()
                return 0.0
        difference *= FOLLOW
        self._background += difference
        return moving

    def _begin(self, picture: Cells) -> None:
        self._background = picture.copy()
        self._before = picture
        self._noise = np.ones_like(picture)
        self._frames = 0
        masked = inside(self._ignore, len(picture))
        self._least = np.where(masked, np.float32(np.inf), FLOOR)
        self._cells = max(1, int(np.count_nonzero(~masked)))

    def _listen(self, picture: Cells) -> None:
        """Move each cell's noise a step towards the median of its changes."""
        if self._frames % SWAY_LOOKS == 0:
            self._floor = self._least + SWAY * contrast(self._background)
        self._frames += 1
        change = np.abs(picture - self._before)
        self._before = picture
        if self._frames == 1:
            self._noise.fill(max(1.0, float(np.median(change))))
        step = (change > self._noise) * (FASTER - SLOWER)
        step += SLOWER
        self._noise *= step
        np.minimum(self._noise, LOUDEST, out=self._noise)

    def _count(self, cells: NDArray[np.bool_]) -> float:
        return int(np.count_nonzero(cells)) / self._cells


def contrast(picture: Cells) -> Cells:
    """Return by how much each cell differs at most from the one beside or below it."""
    found = np.zeros_like(picture)
    across, down = np.abs(np.diff(picture)), np.abs(np.diff(picture, axis=0))
    for cells, difference in (
        (found[:, 1:], across), (found[:, :-1], across), (found[1:], down), (found[:-1], down),
    ):  # fmt: skip
        np.maximum(cells, difference, out=cells)
    return found


def relit(background: Cells, picture: Cells) -> Cells:
    """Return the background in the picture's light: with the gain and offset that fit it best.

    They are fitted to every fourth cell, and again to the two thirds that fit best, so that what
    really moves has no say.
    """
    before, now = background[::2, ::2].ravel(), picture[::2, ::2].ravel()
    gain, offset = _line(before, now)
    kept = len(before) * 2 // 3
    for _ in range(3):
        error = np.abs(now - (gain * before + offset))
        best = np.argpartition(error, kept)[:kept]
        gain, offset = _line(before[best], now[best])
    lit: Cells = background * np.float32(gain)
    lit += np.float32(offset)
    return lit.clip(0, 255, out=lit)


def _line(x: Cells, y: Cells) -> tuple[float, float]:
    """Return gain and offset of the line with the least squares."""
    mean_x, mean_y = float(x.mean()), float(y.mean())
    x = x - np.float32(mean_x)
    spread = float(np.dot(x, x))
    gain = float(np.dot(x, y)) / spread if spread > len(x) else 1.0
    return gain, mean_y - gain * mean_x


def edges_agree(one: Cells, other: Cells) -> float:
    """Return the correlation of the edges of two pictures, -1 to 1; 0 where one has none."""
    across = np.diff(one).ravel(), np.diff(other).ravel()
    down = np.diff(one, axis=0).ravel(), np.diff(other, axis=0).ravel()
    both = sum(float(np.dot(*pair)) for pair in (across, down))
    first = sum(float(np.dot(pair[0], pair[0])) for pair in (across, down))
    second = sum(float(np.dot(pair[1], pair[1])) for pair in (across, down))
    return both / (first * second) ** 0.5 if first and second else 0.0
