"""The date and time that many cameras burn into their picture."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import numpy as np

from models.build.scenes.body import Floats

_DOTS: Final = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717",
    "6": "74757", "7": "71122", "8": "75757", "9": "75717", "-": "00700", ":": "02020",
    " ": "00000",
}  # fmt: skip
"""Five rows of three dots, each row as a number: 4 is the left dot, 1 the right."""


def written(second: float, size: int) -> Floats:
    """Return the time as text for a picture of `size` pixels, (rows, columns), 1 where lit."""
    text = datetime.fromtimestamp(second, UTC).strftime("%d-%m-%Y %H:%M:%S")
    mask = np.zeros((5, 4 * len(text)), dtype=np.float32)
    for place, letter in enumerate(text):
        for row, dots in enumerate(_DOTS[letter]):
            mask[row, 4 * place : 4 * place + 3] = [int(dots) >> shift & 1 for shift in (2, 1, 0)]
    if size > 200:
        mask = np.repeat(np.repeat(mask, 2, axis=0), 2, axis=1)
    return mask[:, : size - 8]
