"""A stage: a place, the camera that watches it, and where people can be in it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from models.build.scenes.body import Floats
from models.build.scenes.place import Box, Place
from models.build.scenes.view import View, look

Spot = tuple[float, float]
"""World x and z, in metres."""


@dataclass
class Stage:
    """What the moves need to know about a place."""

    place: Place
    low: Spot
    high: Spot
    """The corners of the floor where people can go."""
    centre: Spot
    """Where it happens."""
    view: View
    outdoors: bool = False
    bed: Box | None = None
    seat: tuple[float, float, float, float] | None = None
    """x, z of the feet of somebody sitting there, their yaw, and the seat's height."""
    door: tuple[float, float, float] | None = None
    """x, z and yaw of somebody who rings there."""
    road: tuple[float, float] | None = None
    """The z of the lane a car drives on, and how far to each side it goes."""
    leaves: list[Box] = field(default_factory=list)

    def inside(self, x: float, z: float) -> Spot:
        """Return the nearest spot to (x, z) where people can go."""
        return (
            min(max(x, self.low[0]), self.high[0]),
            min(max(z, self.low[1]), self.high[1]),
        )

    def near(self, rng: np.random.Generator, reach: float) -> Spot:
        """Return a spot at most about `reach` metres from the centre."""
        angle, away = rng.uniform(0, 2 * math.pi), reach * math.sqrt(rng.random())
        return self.inside(
            self.centre[0] + away * math.sin(angle), self.centre[1] + away * math.cos(angle)
        )

    def across(self, rng: np.random.Generator, away: float) -> tuple[Spot, Spot]:
        """Return two spots `away` metres to either side of the centre, mostly across the view."""
        right = self.view.axes[0]
        angle = math.atan2(right[0], right[2]) + rng.normal(0, 0.5)
        sign = 1.0 if rng.random() < 0.5 else -1.0
        step = (sign * away * math.sin(angle), sign * away * math.cos(angle))
        first = self.inside(self.centre[0] - step[0], self.centre[1] - step[1])
        return first, self.inside(self.centre[0] + step[0], self.centre[1] + step[1])

    def aim(self, spot: Spot, height: float) -> None:
        """Turn the camera so that `spot` at `height` metres comes to where the centre was."""
        view, eye = self.view, self.view.position
        target = np.array([spot[0], height, spot[1]], dtype=np.float32)
        if float(np.linalg.norm(target - eye)) > 0.8:
            roll = math.asin(float(np.clip(view.axes[0][1], -0.5, 0.5)))
            self.view = look(eye, target, view.focal, view.size, roll=roll, barrel=view.barrel)

    def facing(self, spot: Spot) -> float:
        """Return the yaw of somebody at `spot` who looks into the camera."""
        eye = self.view.position
        return math.atan2(float(eye[0]) - spot[0], float(eye[2]) - spot[1])


def aimed(
    rng: np.random.Generator,
    eye: Floats,
    centre: Spot,
    size: int,
    *,
    share: float,
    base: float = 0.0,
) -> View:
    """Return a view from `eye`; a person at `centre` is about `share` of the picture high."""
    target = np.array(
        [centre[0] + rng.normal(0, 0.15), base + rng.uniform(0.55, 0.95), centre[1]],
        dtype=np.float32,
    )
    away = float(np.linalg.norm(target - eye))
    focal = share * size * away / 1.7
    # Fields of view from 105 to 32 degrees.
    focal = min(max(focal, 0.38 * size), 1.75 * size)
    barrel = float(rng.uniform(0, 0.22)) if focal < 0.9 * size else 0.0
    return look(eye, target, focal, size, roll=float(rng.normal(0, 0.025)), barrel=barrel)
