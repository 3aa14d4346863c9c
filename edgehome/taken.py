"""What the worker remembers of some seconds, as it tells the supervisor: embeddings, no pictures.

A row is a frame's embedding, a byte a number, in steps of the row's own scale. The first piece is
what was asked for; the others are moments of which nobody said anything, spread over what is
remembered.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

MOST_ROW_BYTES = 180_000
"""Of all rows of one message: it is a packet of 192 KiB at most."""
_WIDEST = 8192
_LATEST = 1e11


@dataclass(frozen=True, slots=True)
class Piece:
    """Some frames one after the other."""

    at: float
    """Wall clock of the first, seconds since 1970."""
    frames: int
    codes: bytes
    """uint8, (frames, width)."""
    scales: bytes
    """float32, (frames,): what one step of a row's numbers is."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Worker to supervisor, when asked: what it remembers of a time."""

    id: str
    """That of the request."""
    rate: float
    """Frames a second."""
    width: int
    """Numbers in an embedding; 0 before the first frame."""
    pieces: tuple[Piece, ...]
    """The first is what was asked for, without frames where nothing was looked at then."""
    looked_s: float = 0.0
    """Seconds in which something moved, so that the model looked, since the worker started."""
    watched_s: float = 0.0
    """Seconds since then."""


def encode_taken(taken: Taken) -> bytes:
    """Return the packet."""
    head = {
        "kind": "taken",
        "id": taken.id,
        "rate": taken.rate,
        "width": taken.width,
        "pieces": [[piece.at, piece.frames] for piece in taken.pieces],
        "looked_s": taken.looked_s,
        "watched_s": taken.watched_s,
    }
    rows = b"".join(piece.scales + piece.codes for piece in taken.pieces)
    return json.dumps(head).encode() + b"\n" + rows


def decode_taken(head: Mapping[str, Any], tail: bytes) -> Taken:
    """Return what a packet says; raises ValueError, KeyError or TypeError for what is none."""
    if not isinstance(head["id"], str) or not head["pieces"]:
        raise ValueError("what is remembered belongs to a request")
    width = head["width"]
    if type(width) is not int or not 0 <= width <= _WIDEST:
        raise ValueError(f"{width!r} is no number of numbers")
    rate = _number(head["rate"], 1e-3, 1e3)
    pieces = tuple(_pieces(head["pieces"], width, tail))
    looked_s, watched_s = (_number(head[key], 0.0, _LATEST) for key in ("looked_s", "watched_s"))
    return Taken(head["id"], rate, width, pieces, looked_s, watched_s)


def _pieces(listed: list[list[Any]], width: int, tail: bytes) -> Iterator[Piece]:
    if len(tail) > MOST_ROW_BYTES:
        raise ValueError(f"{len(tail)} bytes of rows")
    begin = 0
    for at, frames in listed:
        if type(frames) is not int or not 0 <= frames <= MOST_ROW_BYTES:
            raise ValueError(f"{frames!r} is no number of frames")
        middle = begin + 4 * frames
        end = middle + width * frames
        scales, codes = tail[begin:middle], tail[middle:end]
        steps = array("f", scales)
        if len(codes) != width * frames or len(steps) != frames:
            raise ValueError("rows are missing")
        if frames and not (min(steps) >= 0.0 and math.isfinite(sum(steps))):
            raise ValueError("a step is a number from 0 on")
        yield Piece(_number(at, 0.0, _LATEST), frames, codes, scales)
        begin = end
    if begin != len(tail):
        raise ValueError(f"{len(tail) - begin} bytes belong to no frame")


def _number(value: object, low: float, high: float) -> float:
    if type(value) not in {int, float} or not low <= value <= high:  # type: ignore[operator]
        raise ValueError(f"{value!r} is not from {low:g} to {high:g}")
    return float(value)  # type: ignore[arg-type]
