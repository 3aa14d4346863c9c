"""Contact sheets: what was rendered, on one PNG that a person can look at."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]


def sheet(rows: Sequence[Sequence[Picture]]) -> Picture:
    """Return one picture of rows of pictures, all of one size."""
    return np.concatenate([np.concatenate(row, axis=1) for row in rows], axis=0)


def write_png(path: Path, picture: Picture) -> None:
    """Write an RGB picture (height, width, 3) as PNG."""
    height, width, _ = picture.shape
    lines = b"".join(b"\0" + line.tobytes() for line in picture)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(lines, 6))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
