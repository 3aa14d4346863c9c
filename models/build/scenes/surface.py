"""What surfaces look like: colours and patterns of walls, floors, furniture, leaves."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from models.build.scenes.body import Floats

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
    return (total - total.mean()) / total.std()


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
    fine = noise[(v * 60).astype(int) % GRAIN, (u * 60).astype(int) % GRAIN]
    uneven: Floats = colours * (1 + material.rough * fine)[:, None]
    return uneven


def _share(material: Material, u: Floats, v: Floats, noise: Floats) -> Floats:
    """Return how much of the second colour shows at each place, 0 to 1."""
    if material.pattern == "tiles":  # joints
        return ((u % 1 < 0.07) | (v % 1 < 0.07)).astype(np.float32)
    if material.pattern == "checks":
        return 0.5 * ((u % 1 < 0.5).astype(np.float32) + (v % 1 < 0.5))
    if material.pattern == "planks":
        row = np.floor(v)
        shade = noise[row.astype(int) % GRAIN, np.floor(u * 0.12 + row * 0.37).astype(int) % GRAIN]
        return np.clip(0.4 + 0.35 * shade + (v % 1 < 0.06), 0, 1)
    if material.pattern == "stripes":
        return (u % 1 < 0.45).astype(np.float32)
    if material.pattern == "books":
        column = np.floor(u * 3)
        shade = noise[column.astype(int) % GRAIN, np.floor(v).astype(int) % GRAIN]
        return np.clip(0.5 + 0.5 * shade - 2 * (v % 1 < 0.12), -0.3, 1.2)
    if material.pattern == "blotches":
        shade = noise[(v * 16).astype(int) % GRAIN, (u * 16).astype(int) % GRAIN]
        return np.clip(0.5 + 0.4 * shade, 0, 1)
    return np.zeros_like(u)
