"""Painting moving things into a picture: capsules, flat faces and shadows, far ones first."""

from __future__ import annotations

import numpy as np

from models.build.scenes.body import Floats

LEAST_PX = 0.35
"""No limb is painted thinner than this."""


class Canvas:
    """A picture being painted, with the depths of the place behind."""

    def __init__(self, picture: Floats, depth: Floats) -> None:
        self.picture = picture
        self.depth = depth
        number = np.arange(max(picture.shape[:2]), dtype=np.float32) + 0.5
        self._x, self._y = number[None, : picture.shape[1]], number[: picture.shape[0], None]

    def capsule(
        self,
        ends: Floats,
        radii: tuple[float, float],
        depths: tuple[float, float],
        *,
        colour: Floats,
        light: Floats,
        soft: float = 1.0,
        stripes: float = 0.0,
    ) -> float:
        """Paint a limb between pixels `ends` (2, 2); return how many pixels it shows.

        `light` is ambient and the light's direction in the camera's axes times its strength, (4,).
        `soft` is the width in pixels of its edge: a limb that moves is smeared.
        """
        tile = self._tile(ends, max(radii) + soft)
        if tile is None:
            return 0.0
        rows, columns = tile
        dx, dy = self._x[:, columns] - ends[0, 0], self._y[rows] - ends[0, 1]
        along_x, along_y = ends[1] - ends[0]
        length = max(float(along_x * along_x + along_y * along_y), 1e-3)
        along = np.clip(dx * (along_x / length) + dy * (along_y / length), 0, 1)
        off_x, off_y = dx - along * along_x, dy - along * along_y
        radius = np.maximum(radii[0] + along * (radii[1] - radii[0]), LEAST_PX)
        off = np.sqrt(off_x * off_x + off_y * off_y)
        alpha = np.clip((radius - off) / soft + 0.5, 0, 1)
        behind = self.depth[rows, columns] > depths[0] + along * (depths[1] - depths[0]) - 0.02
        alpha *= behind
        over = off / radius
        facing = 1 - 0.6 * np.minimum(over * over, 1)
        shade = light[3] * facing + (light[1] * off_x - light[2] * off_y) / radius
        shade = light[0] + np.maximum(shade, 0)
        if stripes:
            shade *= 1 - 0.45 * ((along * stripes) % 1 < 0.5)
        patch = self.picture[rows, columns]
        patch += alpha[..., None] * (shade[..., None] * colour - patch)
        return float(alpha.sum())

    def face(self, corners: Floats, depth: float, colour: Floats) -> float:
        """Paint a convex face with pixel corners (n, 2) in one colour; return the pixels shown."""
        tile = self._tile(corners, 1.0)
        if tile is None:
            return 0.0
        rows, columns = tile
        x, y = self._x[:, columns], self._y[rows]
        following = np.roll(corners, -1, axis=0)
        edges = following - corners
        area = float((corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1]).sum())
        inside = np.full((rows.stop - rows.start, columns.stop - columns.start), 9.0, np.float32)
        for corner, edge in zip(corners, edges, strict=True):
            scale = np.sign(area) / max(float(np.hypot(*edge)), 1e-3)
            away = (edge[0] * scale) * (y - corner[1]) - (edge[1] * scale) * (x - corner[0])
            np.minimum(inside, away, out=inside)
        alpha = np.clip(inside + 0.5, 0, 1) * (self.depth[rows, columns] > depth - 0.05)
        patch = self.picture[rows, columns]
        patch += alpha[..., None] * (colour - patch)
        return float(alpha.sum())

    def _tile(self, points: Floats, border: float) -> tuple[slice, slice] | None:
        height, width = self.depth.shape
        low, high = points.min(axis=0) - border, points.max(axis=0) + border
        if high[0] <= 0 or high[1] <= 0 or low[0] >= width or low[1] >= height:
            return None
        left, top = max(int(low[0]), 0), max(int(low[1]), 0)
        right, bottom = min(int(high[0]) + 2, width), min(int(high[1]) + 2, height)
        return slice(top, bottom), slice(left, right)


def darken(mask: Floats, ends: Floats, radii: tuple[float, float], strength: float) -> None:
    """Add a soft-edged shadow between pixels `ends` (2, 2) to a mask of what light is left."""
    height, width = mask.shape
    soft = max(radii) * 0.8 + 1
    low, high = ends.min(axis=0) - max(radii) - soft, ends.max(axis=0) + max(radii) + soft
    left, top = max(int(low[0]), 0), max(int(low[1]), 0)
    right, bottom = min(int(high[0]) + 1, width), min(int(high[1]) + 1, height)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right, dtype=np.float32)[None, :] + (0.5 - ends[0, 0])
    y = np.arange(top, bottom, dtype=np.float32)[:, None] + (0.5 - ends[0, 1])
    along_x, along_y = ends[1] - ends[0]
    length = max(float(along_x * along_x + along_y * along_y), 1e-3)
    along = np.clip(x * (along_x / length) + y * (along_y / length), 0, 1)
    off_x, off_y = x - along * along_x, y - along * along_y
    away = np.sqrt(off_x * off_x + off_y * off_y) - (radii[0] + along * (radii[1] - radii[0]))
    tile = mask[top:bottom, left:right]
    np.minimum(tile, 1 - strength * np.clip(0.5 - away / soft, 0, 1), out=tile)
