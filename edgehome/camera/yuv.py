"""From a camera's YUV buffer to the middle of the picture in RGB: pure, numpy only.

The maths is that of ITU-R BT.601 and BT.709. A Pi camera is asked for full-range BT.601 (what JPEG
uses), and what it then says it gives is what is converted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import ceil

import numpy as np
from numpy.typing import NDArray

from edgehome.types import Region, View

Plane = NDArray[np.uint8]
"""Uint8, (height, width)."""

PLANAR = ("YUV420", "YVU420")
INTERLEAVED = ("NV12", "NV21")
FORMATS = PLANAR + INTERLEAVED
"""libcamera's names of the 4:2:0 layouts that can be unpacked here."""
REACH = 2
"""Pixels over which a pixel's colour is spread: one sample of colour is that of two by two."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a picture lies in a buffer, as the camera says after it was configured."""

    format: str
    """One of FORMATS."""
    width: int
    """Pixels, even."""
    height: int
    """Pixels, even."""
    stride: int
    """Bytes from one row of luma to the next; more than `width` where the hardware pads."""


@dataclass(frozen=True, slots=True)
class Coding:
    """How luma and chroma make up a colour."""

    red: float
    """Share of red in luma: 0.299 in BT.601, 0.2126 in BT.709."""
    blue: float
    """Share of blue in luma: 0.114 in BT.601, 0.0722 in BT.709."""
    full: bool
    """Luma runs from 0 to 255; else from 16 to 235, and chroma from 16 to 240."""


BT601 = (0.299, 0.114)
BT709 = (0.2126, 0.0722)


def unpack(buffer: Plane, layout: Layout) -> tuple[Plane, Plane, Plane]:
    """Return views of Y (height, width), U and V (height / 2, width / 2) without the padding.

    `buffer` is uint8, (bytes,), and may be longer than the picture.
    """
    rows, stride = layout.height, layout.stride
    half_rows, half_width = rows // 2, layout.width // 2
    luma = buffer[: rows * stride].reshape(rows, stride)[:, : layout.width]
    chroma = buffer[rows * stride : rows * stride * 3 // 2]
    if layout.format in PLANAR:
        both = chroma.reshape(2, half_rows, stride // 2)[:, :, :half_width]
        first, second = both[0], both[1]
    else:
        pairs = chroma.reshape(half_rows, stride)[:, : layout.width]
        first, second = pairs[:, 0::2], pairs[:, 1::2]
    return (luma, second, first) if layout.format in ("YVU420", "NV21") else (luma, first, second)


def cut_out(
    planes: tuple[Plane, Plane, Plane], box: tuple[int, int, int, int]
) -> tuple[Plane, Plane, Plane]:
    """Return views of a part of the planes; left, top, width and height in pixels, all even."""
    left, top, width, height = box
    luma = planes[0][top : top + height, left : left + width]
    u, v = (
        plane[top // 2 : (top + height) // 2, left // 2 : (left + width) // 2]
        for plane in planes[1:]
    )
    return luma, u, v


def square_view(shown: tuple[int, int], size: int, outer: Region | None = None) -> View:
    """Return what of the picture `square` shows.

    `shown` are width and height of the planes it is given, `outer` is where in pixels of these
    the whole picture lies, if they are not all of it.
    """
    x, y, width, height = outer or (0, 0, *shown)
    side, top, left = _middle(shown[1], shown[0])
    share = size / (2 * side)
    reach = REACH + ceil(2 * share)
    return View((x - 2 * left) * share, (y - 2 * top) * share, width * share, height * share, reach)


def _middle(height: int, width: int) -> tuple[int, int, int]:
    """Return side, top and left of the middle square, in samples of colour."""
    side = min(height, width) // 2
    return side, (height // 2 - side) // 2, (width // 2 - side) // 2


def whole(planes: tuple[Plane, Plane, Plane], coding: Coding, step: int = 1) -> NDArray[np.uint8]:
    """Return a picture as RGB, uint8, (height, width, 3), of every `step`th row and column."""
    luma, u, v = (plane[::step, ::step].astype(np.float32) for plane in planes)
    rows, columns = luma.shape
    u, v = (plane.repeat(2, axis=0).repeat(2, axis=1)[:rows, :columns] for plane in (u, v))
    return _rgb(luma, u, v, coding)


def square(planes: tuple[Plane, Plane, Plane], size: int, coding: Coding) -> NDArray[np.uint8]:
    """Return the middle of a picture as RGB, uint8, (size, size, 3); scaled, never squashed."""
    side, top, left = _middle(*planes[0].shape)
    luma = planes[0][2 * top : 2 * (top + side), 2 * left : 2 * (left + side)]
    u, v = (plane[top : top + side, left : left + side] for plane in planes[1:])
    return _rgb(_scaled(luma, size), _scaled(u, size), _scaled(v, size), coding)


def _scaled(plane: Plane, size: int) -> NDArray[np.float32]:
    """Return a square plane as float32, (size, size): each pixel the mean of the area it covers."""
    if plane.shape[0] == size:
        return plane.astype(np.float32)
    weights = _weights(plane.shape[0], size)
    return weights @ plane.astype(np.float32) @ weights.T


@cache
def _weights(source: int, target: int) -> NDArray[np.float32]:
    """Return what share each source pixel has in each target pixel: (target, source)."""
    starts = np.arange(target)[:, None] * (source / target)
    pixels = np.arange(source)[None, :]
    shared = np.minimum(starts + source / target, pixels + 1) - np.maximum(starts, pixels)
    return np.asarray(np.clip(shared, 0, None) * (target / source), dtype=np.float32)


def _rgb(
    y: NDArray[np.float32], u: NDArray[np.float32], v: NDArray[np.float32], coding: Coding
) -> NDArray[np.uint8]:
    green = 1 - coding.red - coding.blue
    if not coding.full:
        y = (y - 16) * (255 / 219)
    gain = 1.0 if coding.full else 255 / 224
    r = y + 2 * (1 - coding.red) * gain * (v - 128)
    b = y + 2 * (1 - coding.blue) * gain * (u - 128)
    g = (y - coding.red * r - coding.blue * b) / green
    return np.asarray(np.stack((r, g, b), axis=-1).round().clip(0, 255), dtype=np.uint8)
