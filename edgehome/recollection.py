"""What the worker remembers: the embeddings of the last frames at which the model looked.

A ring of at most MOST_BYTES, whatever the width; while the scene is still nothing enters it. A
frame is kept as a byte a number and one scale. Nothing of it is ever written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edgehome.taken import MOST_ROW_BYTES, Piece, Taken

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BYTES = 8 * 1024 * 1024
MOST_FRAMES = 16_384
"""Nearly an hour of motion at five frames a second."""
PIECE_S = 3.0
"""Length of a moment of which nobody said anything: a taught head's window."""
_BESIDE = 4 + 8
"""Bytes a frame beside its numbers: scale and time."""
_LEAST_SCALE = 1e-9

Span = tuple[float, float]
"""From and until, wall clock, seconds since 1970."""


class Recollection:
    """A ring of embeddings with the time of each."""

    def __init__(self, width: int) -> None:
        """Take the numbers in an embedding."""
        frames = max(1, min(MOST_FRAMES, MOST_BYTES // (width + _BESIDE)))
        self._codes = np.zeros((frames, width), np.uint8)
        self._scales = np.zeros(frames, np.float32)
        self._at = np.zeros(frames, np.float64)
        self._next = 0
        self._seen = 0

    @property
    def nbytes(self) -> int:
        """Return the bytes that it holds, full or not."""
        return self._codes.nbytes + self._scales.nbytes + self._at.nbytes

    def __len__(self) -> int:
        """Return the frames in it."""
        return self._seen

    def add(self, embedding: NDArray[np.float32], at: float) -> None:
        """Take a frame's embedding, (width,), of that moment; the oldest leaves a full ring."""
        place = self._next
        scale = max(float(embedding.max()) / 255, _LEAST_SCALE)
        self._codes[place] = np.rint(embedding / scale).clip(0, 255)
        self._scales[place] = scale
        self._at[place] = at
        self._next = (place + 1) % len(self._at)
        self._seen = min(self._seen + 1, len(self._at))

    def recent(self, frames: int) -> NDArray[np.float32]:
        """Return the newest embeddings, (frames at most, width), the oldest of them first."""
        places = self._places()[-frames:] if frames else self._places()[:0]
        return self._codes[places] * self._scales[places, None]

    def take(
        self, span: Span, *, name: str, rate: float, spread: int = 0, apart: Sequence[Span] = ()
    ) -> Taken:
        """Return what is remembered of `span`, the newest where it is too much for one message.

        And `spread` moments of PIECE_S at most outside of it and of `apart`, as evenly over all
        that is remembered as there are; the last ones are left out where there is no room.
        """
        room = MOST_ROW_BYTES // (self._codes.shape[1] + 4)
        places = self._places()
        at = self._at[places]
        meant = np.flatnonzero((at >= span[0]) & (at <= span[1]))[-room:]
        pieces = [self._piece(places[meant], span[0])]
        room -= len(meant)
        length = max(1, round(PIECE_S * rate))
        starts = _unmarked(at, length, [span, *apart])
        count = min(spread, room // length, len(starts))
        if count:
            chosen = np.linspace(0, len(starts) - 1, count).round().astype(int)
            begins = starts[np.unique(chosen)].tolist()
            pieces += [self._piece(places[begin : begin + length], 0.0) for begin in begins]
        return Taken(name, rate, self._codes.shape[1], tuple(pieces))

    def _places(self) -> NDArray[np.int64]:
        """Return the places of the frames in the ring, the oldest first."""
        size = len(self._at)
        return (np.arange(self._seen) + (self._next - self._seen)) % size

    def _piece(self, places: NDArray[np.int64], otherwise: float) -> Piece:
        at = float(self._at[places[0]]) if len(places) else max(otherwise, 0.0)
        scales = self._scales[places].astype("<f4")
        return Piece(at, len(places), self._codes[places].tobytes(), scales.tobytes())


def _unmarked(at: NDArray[np.float64], length: int, spans: Sequence[Span]) -> NDArray[np.int64]:
    """Return where moments of `length` frames begin that touch no span and have no gap in them."""
    free = np.ones(len(at), bool)
    for since, until in spans:
        free &= (at < since) | (at > until)
    starts, place = [], 0
    while place + length <= len(at):
        marked = np.flatnonzero(~free[place : place + length])
        if len(marked):
            place += int(marked[-1]) + 1
            continue
        if 0 <= at[place + length - 1] - at[place] <= 2 * PIECE_S:
            starts.append(place)
            place += length
        else:
            place += 1
    return np.array(starts, np.int64)
