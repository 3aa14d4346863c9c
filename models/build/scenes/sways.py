"""What moves by itself in a still place: leaves in the wind and their shadows."""

from __future__ import annotations

import math

import numpy as np

from models.build.scenes.body import Floats
from models.build.scenes.stage import Stage


class Sways:
    """Moves the bushes of a stage, and lets leaf shadows pass over its floor."""

    def __init__(self, stage: Stage, rng: np.random.Generator, wind: float) -> None:
        self._parts = []
        size = stage.view.size
        for bush in stage.leaves if wind else []:
            pixels, depth = stage.view.project(bush.corners())
            if depth.min() < 0.3:
                continue
            low = np.clip(pixels.min(axis=0) - 3, 0, size).astype(int)
            high = np.clip(pixels.max(axis=0) + 3, 0, size).astype(int)
            if (high - low).min() < 6:
                continue
            reach = wind * 0.06 * stage.view.focal / float(depth.mean())
            self._parts.append(_Part(low, high, reach, rng))

    def moved(self, picture: Floats, second: float) -> Floats:
        """Return a copy of the picture with the bushes as they are at `second`."""
        out = picture.copy()
        for part in self._parts:
            part.move(picture, out, second)
        return out


class _Part:
    def __init__(
        self, low: np.ndarray, high: np.ndarray, reach: float, rng: np.random.Generator
    ) -> None:
        self._rows, self._columns = slice(low[1], high[1]), slice(low[0], high[0])
        tall, wide = int(high[1] - low[1]), int(high[0] - low[0])
        y, x = np.mgrid[0:tall, 0:wide].astype(np.float32)
        inner = np.sin(np.pi * (x + 0.5) / wide) * np.minimum(1.5 * (1 - y / tall), 1)
        self._weight = (reach * inner).astype(np.float32)
        self._wave = (x * 0.35 + y * 0.22).astype(np.float32)
        self._across = x
        self._line = np.arange(tall)[:, None]
        self._speeds = rng.uniform(0.4, 2.2, 2)
        self._starts = rng.uniform(0, 2 * math.pi, 2)

    def move(self, picture: Floats, out: Floats, second: float) -> None:
        first, last = 2 * math.pi * self._speeds * second + self._starts
        place = self._across + self._weight * (
            math.sin(first) + 0.5 * np.sin(self._wave + np.float32(last))
        )
        low = np.clip(place.astype(int), 0, self._across.shape[1] - 2)
        part = np.clip(place - low, 0, 1)[..., None].astype(np.float32)
        tile = picture[self._rows, self._columns]
        out[self._rows, self._columns] = (
            tile[self._line, low] * (1 - part) + tile[self._line, low + 1] * part
        )
