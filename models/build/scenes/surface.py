"""What surfaces look like: colours and patterns of walls, floors, furniture, leaves."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from models.build.scenes.body import Floats

if TYPE_CHECKING:
    from numpy.typing import NDArray

Colour = tuple[float, float, float]

GRAIN = 256
"""Cells on a side of the noise that textures are cut from; it wraps."""


@dataclass(frozen=True)
class Material:
    """A surface: a pattern of two colours, and the unevenness of all real things."""

    colour: Colour
    other: Colour = (0.5, 0.5, 0.5)
    pattern: str = "plain"
    """plain, tiles, checks, planks, stripes, blotches or books."""
    scale: float = 0.4
    """Metres of one tile, plank or stripe."""
    rough: float = 0.06
    """Size of the noise on it."""
    glow: float = 0.0
    """Light that it gives off itself: a window by day, a lamp, a screen."""


def tint(rng: np.random.Generator, *, value: tuple[float, float], most: float = 0.5) -> Colour:
    """Return a colour of any hue, saturation at most `most`, brightness within `value`."""
    # Warm hues are the common ones, and most things are nearly grey.
    hue = rng.normal(0.09, 0.06) if rng.random() < 0.5 else rng.random()
    return colorsys.hsv_to_rgb(
        float(hue % 1), float(rng.random() ** 2 * most), float(rng.uniform(*value))
    )


def grain(rng: np.random.Generator) -> Floats:
    """Return wrapping noise in several sizes, mean 0, deviation 1, (GRAIN, GRAIN)."""
    total = np.zeros((GRAIN, GRAIN), dtype=np.float32)
    for cells, weight in ((8, 1.0), (32, 0.7), (128, 0.5)):
        coarse = rng.standard_normal((cells, cells)).astype(np.float32)
        total += weight * _stretch(_stretch(coarse, 0), 1)
    level: Floats = (total - total.mean()) / total.std()
    return level


def _stretch(cells: Floats, axis: int) -> Floats:
    """Stretch one axis to GRAIN by straight lines, wrapping at its end."""
    number = cells.shape[axis]
    place = np.arange(GRAIN, dtype=np.float32) * number / GRAIN
    low = place.astype(int)
    part = (place - low).reshape((-1, 1) if axis == 0 else (1, -1))
    first, second = cells.take(low, axis), cells.take((low + 1) % number, axis)
    mixed: Floats = first * (1 - part) + second * part
    return mixed


def colour_of(material: Material, u: Floats, v: Floats, noise: Floats) -> Floats:
    """Return the colours (n, 3) at surface places u, v in metres, each (n,)."""
    share = _share(material, u / material.scale, v / material.scale, noise)
    first = np.asarray(material.colour, dtype=np.float32)
    second = np.asarray(material.other, dtype=np.float32)
    colours = first + share[:, None] * (second - first)
    fine = _cell(noise, v * 60, u * 60)
    uneven: Floats = colours * (1 + material.rough * fine)[:, None]
    return uneven


def _share(material: Material, u: Floats, v: Floats, noise: Floats) -> Floats:
    """Return how much of the second colour shows at each place, 0 to 1."""
    share: NDArray[np.generic]
    if material.pattern == "tiles":  # joints
        share = (u % 1 < 0.07) | (v % 1 < 0.07)
    elif material.pattern == "checks":
        share = 0.5 * ((u % 1 < 0.5).astype(np.float32) + (v % 1 < 0.5))
    elif material.pattern == "stripes":
        share = u % 1 < 0.45
    elif material.pattern == "planks":
        row = np.floor(v)
        along = np.floor(u * 0.12 + row * 0.37)
        share = np.clip(0.4 + 0.35 * _cell(noise, row, along) + (v % 1 < 0.06), 0, 1)
    elif material.pattern == "books":
        back = _cell(noise, np.floor(u * 3), np.floor(v))
        share = np.clip(0.5 + 0.5 * back - 2 * (v % 1 < 0.12), -0.3, 1.2)
    elif material.pattern == "blotches":
        share = np.clip(0.5 + 0.4 * _cell(noise, v * 16, u * 16), 0, 1)
    else:
        share = np.zeros_like(u)
    return np.asarray(share, dtype=np.float32)


def _cell(noise: Floats, row: Floats, column: Floats) -> Floats:
    cell: Floats = noise[row.astype(int) % GRAIN, column.astype(int) % GRAIN]
    return cell
