"""Clips made for a test: which frame was picked can be read back from its brightness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

STEP = 8
"""Brightness from one frame's number to the next; compression moves it by less than half."""
NUMBERS = 30
"""Numbers that fit before they start again."""


def numbered(number: int, width: int = 64, height: int = 48) -> Picture:
    """Return a grey picture, RGB (height, width, 3), that `number_of` reads."""
    return np.full((height, width, 3), 8 + STEP * (number % NUMBERS), dtype=np.uint8)


def number_of(image: Picture) -> int:
    return round((float(image.mean()) - 8) / STEP)


def bars(width: int, height: int, colours: Sequence[tuple[int, int, int]]) -> Picture:
    """Return upright bars of equal width, from left to right."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    for index, colour in enumerate(colours):
        left, right = (width * place // len(colours) for place in (index, index + 1))
        picture[:, left:right] = colour
    return picture


def write_clip(
    path: Path,
    pictures: Iterable[Picture],
    *,
    rate: int = 10,
    times_s: Sequence[float] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    aspect: Fraction = Fraction(1),
    container: str | None = None,
    muxer: dict[str, str] | None = None,
) -> Path:
    """Write pictures at `rate`, or at `times_s` where the gaps are to differ."""
    with av.open(str(path), "w", format=container, options=muxer or {}) as file:
        stream = file.add_stream(codec, rate=rate, options=options or {"crf": "12", "g": "10"})
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.codec_context.sample_aspect_ratio = aspect
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = round(1000 * (times_s[index] if times_s else index / rate))
            frame.time_base = Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def numbered_clip(path: Path, count: int = NUMBERS, *, rate: int = 10) -> Path:
    return write_clip(path, (numbered(number) for number in range(count)), rate=rate)
