"""In which directions the moments of a place differ, learnt in slices so that no step is long.

Orthogonal iteration: a sweep multiplies the moments' covariance with the directions found so far,
a few moments at a time; at its end the directions are made orthogonal again and a new score
holds. No eigenvalues are needed: the covariance within the directions is inverted as it is.
The score is the Mahalanobis distance in these directions and, of what is left, the distance in
units of what is usually left (Moghaddam and Pentland 1997).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

DIRECTIONS = 40
SLICE = 16
"""Moments a step."""
_LEAST = 6
"""Moments without which there is no score."""
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Score:
    """How far a window lies from normal."""

    distance: float
    """In deviations; 0 while nothing is known."""
    left: float
    """Share of its square that lies outside all known directions, 0-1."""


NOTHING = Score(0.0, 0.0)


class Directions:
    """The directions, and the sweep that makes the next."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._chance = np.random.default_rng(0)
        self._mean = np.zeros(width, np.float32)
        self._basis: Matrix = np.zeros((width, 0), np.float32)
        self._inverse: Matrix = np.zeros((0, 0), np.float32)
        self._residual = 0.0
        self._rows: Matrix = np.zeros((0, width), np.float32)
        self._center = self._mean
        self._next: Matrix = self._basis
        self._product: Matrix = self._basis
        self._within: Matrix = self._inverse
        self._total = 0.0
        self._at = 0
        self._swept = False

    @property
    def known(self) -> bool:
        """Return whether windows can be scored."""
        return self._residual > 0

    def score(self, window: NDArray[np.float32]) -> Score:
        """Return how far a window lies from normal, (width,)."""
        if not self.known:
            return NOTHING
        away = window - self._mean
        along = away @ self._basis
        outside = max(float(away @ away) - float(along @ along), 0.0) / self._residual
        inside = self._inverse @ along
        squared = float(inside @ inside) + outside
        return Score(squared**0.5, outside / max(squared, _TINY))

    def step(self, points: Callable[[], Matrix], scatter: float) -> bool:
        """Do a slice of the sweep; True where it was the last, and a new score holds.

        `scatter` is how far windows lie from their moments, squared, in all directions together.

        A new sweep asks for the moments that count as normal, a copy, (moments, width).
        """
        if self._at >= len(self._rows):
            return self._finish(scatter) if self._swept else self._start(points())
        rows = self._rows[self._at : self._at + SLICE] - self._center
        along = rows @ self._next
        self._product += rows.T @ along
        self._within += along.T @ along
        self._total += float(np.einsum("ij,ij->", rows, rows))
        self._at += SLICE
        self._swept = True
        return False

    def settle(self, points: Callable[[], Matrix], scatter: float) -> None:
        """Do whole sweeps until little changes; for a start, not for every window."""
        for _ in range(12):
            for _ in range(len(points()) // SLICE + 3):
                if self.step(points, scatter):
                    break

    def _start(self, rows: Matrix) -> bool:
        if len(rows) < _LEAST:
            return False
        self._rows, self._at = rows, 0
        self._center = rows.mean(axis=0)
        rank = min(DIRECTIONS, len(rows) // 3, self._width // 2)
        more = rank - self._next.shape[1]
        if more > 0:
            drawn = self._chance.standard_normal((self._width, more)).astype(np.float32)
            self._next = _orthogonal(np.hstack([self._next, drawn]))
        self._next = self._next[:, :rank]
        self._product = np.zeros((self._width, rank), np.float32)
        self._within = np.zeros((rank, rank), np.float32)
        self._total = 0.0
        return False

    def _finish(self, scatter: float) -> bool:
        self._swept = False
        count, rank = len(self._rows), self._next.shape[1]
        self._rows = self._rows[:0]
        self._at = 0
        within = self._within / count
        left = (self._total / count - float(np.trace(within))) / max(self._width - rank, 1)
        residual = max(left + scatter / self._width, _TINY)
        within.flat[:: rank + 1] += residual
        inverse = np.linalg.inv(np.linalg.cholesky(within.astype(np.float64)))
        self._inverse = inverse.astype(np.float32)
        self._mean, self._basis, self._residual = self._center, self._next, residual
        self._next = _orthogonal(self._product)
        return True


def _orthogonal(columns: Matrix) -> Matrix:
    """Return orthonormal columns of the same span, the strongest first as far as known."""
    order = np.argsort(-np.einsum("ij,ij->j", columns, columns), kind="stable")
    basis: Matrix = np.linalg.qr(columns[:, order])[0].astype(np.float32)
    return basis
