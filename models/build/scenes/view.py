"""A camera: where it stands, what it sees of a point, and the ray behind each pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.build.scenes.body import Floats

NEAR_M = 0.15


@dataclass(frozen=True)
class View:
    """A perspective camera with a little barrel distortion, as wide home cameras have it."""

    position: Floats
    """World metres, (3,)."""
    axes: Floats
    """Rows: right, up, forward; (3, 3)."""
    focal: float
    """Pixels."""
    size: int
    """Pixels on a side."""
    barrel: float = 0.0
    """How much a ray at 45 degrees is pulled in, as a share."""

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Return pixels (..., 2), x then y, and depths in metres (...) of world points (..., 3)."""
        seen = (points - self.position) @ self.axes.T
        depth = np.maximum(seen[..., 2], NEAR_M)
        flat = seen[..., :2] / depth[..., None]
        radius = np.minimum((flat * flat).sum(axis=-1), 4.0)
        flat = (flat / (1 + self.barrel * radius)[..., None]).astype(np.float32)
        pixels = np.empty_like(flat)
        pixels[..., 0] = self.size / 2 + self.focal * flat[..., 0]
        pixels[..., 1] = self.size / 2 - self.focal * flat[..., 1]
        return pixels, seen[..., 2]

    def rays(self, finer: int) -> Floats:
        """Return directions (size * finer, size * finer, 3), of length 1 along the view axis."""
        number = self.size * finer
        place = (np.arange(number, dtype=np.float32) + 0.5) / finer - self.size / 2
        flat_x = place[None, :] / self.focal
        flat_y = -place[:, None] / self.focal
        wide = flat_x * flat_x + flat_y * flat_y
        radius = wide
        for _ in range(3):  # the inverse of `project`, by iteration
            radius = wide * (1 + self.barrel * np.minimum(radius, 4.0)) ** 2
        stretch = 1 + self.barrel * np.minimum(radius, 4.0)
        right, up, forward = self.axes
        rays: Floats = (
            (flat_x * stretch)[..., None] * right + (flat_y * stretch)[..., None] * up + forward
        ).astype(np.float32)
        return rays


def look(
    position: Floats, target: Floats, focal: float, size: int, *, roll: float, barrel: float
) -> View:
    """Return the view from `position` towards `target`, turned by `roll` radians."""
    forward = (target - position) / np.linalg.norm(target - position)
    # Seen along +z the world's +x lies on the right.
    right = np.cross(np.array([0.0, 1.0, 0.0]), forward)
    right /= np.linalg.norm(right)
    up = np.cross(forward, right)
    cosine, sine = math.cos(roll), math.sin(roll)
    axes = np.stack([cosine * right + sine * up, cosine * up - sine * right, forward])
    return View(position.astype(np.float32), axes.astype(np.float32), focal, size, barrel)
