"""Outdoors: a porch with its door, a driveway and street, a yard under a camera."""

from __future__ import annotations

import numpy as np

from models.build.scenes.body import Floats
from models.build.scenes.place import Box, Decal, Place
from models.build.scenes.rooms import floor
from models.build.scenes.stage import Stage, aimed
from models.build.scenes.surface import Material, grain, tint

_GRASS = Material((0.27, 0.33, 0.18), (0.34, 0.38, 0.23), "blotches", 1.6, 0.12)
_ASPHALT = Material((0.3, 0.3, 0.31), (0.36, 0.36, 0.36), "blotches", 0.7, 0.07)


def porch(rng: np.random.Generator, light: str, size: int) -> Stage:
    """Return a place outdoors, lit by `light`, and a camera on the house."""
    sky = {"day": (0.72, 0.82, 0.95), "night": (0.05, 0.06, 0.1), "infrared": (0.03, 0.03, 0.03)}
    above = Material(sky[light], rough=0.02, glow=1.0)
    ground = floor(rng) if rng.random() < 0.4 else (_GRASS if rng.random() < 0.6 else _ASPHALT)
    place = Place(
        low=_point(-25, 0, -1),
        high=_point(25, 14, 32),
        faces=[above, above, ground, above, above, above],
        grain=grain(rng),
    )
    centre = (float(rng.normal(0, 0.6)), float(rng.uniform(2.8, 6.0)))
    high = rng.random() < 0.7
    eye = _point(rng.normal(0, 1.2), rng.uniform(2.2, 4.0) if high else rng.uniform(1.2, 1.7), 0.1)
    share = float(rng.uniform(0.28, 0.85))
    stage = Stage(
        place=place, low=(-7.0, 0.8), high=(7.0, 9.0), centre=centre,
        view=aimed(rng, eye, centre, size, share=share), outdoors=True,
    )  # fmt: skip
    if rng.random() < 0.4:
        _wall_and_door(rng, stage)
    else:
        _street(rng, stage)
    _bushes(rng, stage)
    _lit(rng, stage, light)
    return stage


def _lit(rng: np.random.Generator, stage: Stage, light: str) -> None:
    place = stage.place
    place.sun = _unit(rng.uniform(-1, 1), rng.uniform(0.6, 1.6), rng.uniform(-1, 0.6))
    if light == "day":
        sunny = rng.random() < 0.6
        place.ambient = float(rng.uniform(0.45, 0.65) if sunny else rng.uniform(0.75, 0.95))
        place.sunlight = float(rng.uniform(0.5, 0.8) if sunny else 0.1)
        return
    place.sun, place.sunlight = _unit(0.0, 1.0, 0.1), 0.05
    if light == "night":
        place.ambient = float(rng.uniform(0.06, 0.16))
        x, z = stage.centre
        place.lamp = _point(x + rng.normal(0, 2), rng.uniform(2.4, 5.0), z + rng.normal(0, 1.5))
        place.power, place.reach = float(rng.uniform(0.6, 1.1)), float(rng.uniform(2.0, 4.0))
    else:
        place.ambient = 0.03
        place.lamp = stage.view.position
        place.power, place.reach = float(rng.uniform(0.9, 1.3)), float(rng.uniform(3.0, 6.0))


def _wall_and_door(rng: np.random.Generator, stage: Stage) -> None:
    """Stand a wall with a door across the view: the camera looks at a porch or a shop front."""
    z = stage.centre[1] + float(rng.uniform(1.2, 2.5))
    brick = tint(rng, value=(0.35, 0.9), most=0.45)
    dark = (0.7 * brick[0], 0.7 * brick[1], 0.7 * brick[2])
    pattern = str(rng.choice(["tiles", "plain", "planks", "blotches"]))
    wall = Material(brick, dark, pattern, float(rng.uniform(0.15, 0.5)), 0.05)
    boxes = stage.place.boxes
    boxes.append(Box(_point(-25, 0, z), _point(25, float(rng.uniform(2.8, 6)), z + 0.5), wall))
    x = stage.centre[0] + float(rng.normal(0, 0.8))
    door = Material(tint(rng, value=(0.15, 0.8), most=0.8), (0.2, 0.2, 0.2), "tiles", 0.5)
    boxes.append(Box(_point(x, 0.0, z - 0.06), _point(x + 0.95, 2.1, z), door))
    boxes.append(Box(_point(x - 0.3, 0.0, z - 1.0), _point(x + 1.25, 0.02, z), floor(rng)))
    for side in (-2.4, 1.6):
        if rng.random() < 0.7:
            glass = Material((0.35, 0.42, 0.5), (0.8, 0.8, 0.8), "tiles", 0.6, 0.03, 0.25)
            boxes.append(
                Box(_point(x + side, 0.9, z - 0.04), _point(x + side + 1.3, 2.1, z), glass)
            )
    stage.door = (x + 0.5, z - 0.55, 0.0)
    stage.high = (7.0, z - 0.45)
    stage.centre = stage.inside(*stage.centre)


def _street(rng: np.random.Generator, stage: Stage) -> None:
    """Look out over path, lawn and fence to a street with houses."""
    far = float(rng.uniform(7.5, 11.0))
    place = stage.place
    place.decals.append(Decal(2, (-25, far), (25, far + 5.5), _ASPHALT))
    kerb = Material((0.6, 0.6, 0.58), (0.45, 0.45, 0.45), "tiles", 0.8, 0.05)
    place.decals.append(Decal(2, (-25, far - 1.5), (25, far), kerb))
    path = floor(rng)
    x = stage.centre[0] + float(rng.normal(0, 0.5))
    half = float(rng.uniform(0.6, 1.8))
    place.decals.append(Decal(2, (x - half, -1), (x + half, far - 1.5), path))
    for left in (-18.0, -7.0, 5.0, 16.0):
        wall = Material(
            tint(rng, value=(0.4, 0.9), most=0.45), (0.3, 0.33, 0.4), "tiles", 2.2, 0.04
        )
        at, wide = left + float(rng.uniform(-2, 2)), float(rng.uniform(6, 9))
        tall = float(rng.uniform(4, 8))
        place.boxes.append(Box(_point(at, 0, far + 8), _point(at + wide, tall, far + 14), wall))
    if rng.random() < 0.5:
        wood = Material(tint(rng, value=(0.35, 0.95), most=0.4), (0.2, 0.2, 0.2), "stripes", 0.16)
        z = far - 1.6
        place.boxes.append(Box(_point(-25, 0, z), _point(x - half, 1.0, z + 0.06), wood))
        place.boxes.append(Box(_point(x + half, 0, z), _point(25, 1.0, z + 0.06), wood))
    if rng.random() < 0.4:
        _parked(rng, stage)
    stage.road = (far + float(rng.uniform(1.2, 4.0)), 16.0)


def _parked(rng: np.random.Generator, stage: Stage) -> None:
    """Park a car on one side of the yard."""
    side = float(rng.choice([-1.0, 1.0]))
    x, z = stage.centre[0] + side * float(rng.uniform(2.6, 4.0)) - 0.9, float(rng.uniform(3.0, 5.0))
    paint, glass = (
        Material(tint(rng, value=(0.1, 0.9), most=0.8), rough=0.01),
        Material((0.1, 0.12, 0.15)),
    )
    boxes = stage.place.boxes
    boxes.append(Box(_point(x, 0.3, z), _point(x + 1.75, 0.95, z + 4.2), paint))
    boxes.append(Box(_point(x + 0.15, 0.95, z + 0.9), _point(x + 1.6, 1.45, z + 3.3), glass))
    boxes.append(Box(_point(x + 0.25, 1.45, z + 1.1), _point(x + 1.5, 1.5, z + 3.1), paint))


def _bushes(rng: np.random.Generator, stage: Stage) -> None:
    for _ in range(int(rng.integers(0, 5))):
        side = float(rng.choice([-1.0, 1.0]))
        x = stage.centre[0] + side * float(rng.uniform(1.8, 5.5))
        z = min(float(rng.uniform(2.5, 9.0)), stage.high[1] + 0.2)
        half, tall = float(rng.uniform(0.4, 1.1)), float(rng.uniform(0.7, 2.6))
        green = float(rng.uniform(0.2, 0.5))
        leaf = Material(
            (0.5 * green, green, 0.35 * green), (0.9 * green, 1.3 * green, 0.6 * green),
            "blotches", 0.12, 0.25,
        )  # fmt: skip
        box = Box(
            _point(x - half, -0.1, z - half), _point(x + half, tall, z + half), leaf, round=True
        )
        stage.place.boxes.append(box)
        stage.leaves.append(box)


def _point(x: float, y: float, z: float) -> Floats:
    return np.array([x, y, z], dtype=np.float32)


def _unit(x: float, y: float, z: float) -> Floats:
    vector = _point(x, y, z)
    unit: Floats = vector / np.linalg.norm(vector)
    return unit
