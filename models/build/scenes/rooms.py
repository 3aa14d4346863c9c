"""Rooms: walls, floor, windows, doors and furniture drawn at random."""

from __future__ import annotations

import numpy as np

from models.build.scenes.body import Floats
from models.build.scenes.place import Box, Decal, Place
from models.build.scenes.stage import Spot, Stage, aimed
from models.build.scenes.surface import Material, grain, tint
from models.build.scenes.view import View

WINDOW_LIGHT = {"day": 1.05, "night": 0.08, "infrared": 0.12}


def room(rng: np.random.Generator, light: str, size: int) -> Stage:
    """Return a furnished room, lit by `light` (day, night or infrared), and a camera in it."""
    wide, deep = float(rng.uniform(3.2, 7.0)), float(rng.uniform(3.8, 7.5))
    high = float(rng.uniform(2.4, 3.0))
    place = Place(
        low=_point(0, 0, 0), high=_point(wide, high, deep), faces=_faces(rng), grain=grain(rng)
    )
    centre = (
        float(wide * rng.uniform(0.36, 0.64)),
        float(min(deep * rng.uniform(0.5, 0.72), deep - 1.1)),
    )
    _openings(rng, place, light)
    stage = Stage(
        place=place,
        low=(0.55, 0.7),
        high=(wide - 0.55, deep - 0.55),
        centre=centre,
        view=_camera(rng, place, centre, size),
    )
    _furnish(rng, stage)
    lit(rng, stage, light)
    return stage


def lit(rng: np.random.Generator, stage: Stage, light: str) -> None:
    """Light a place from within: daylight, a lamp in the dark, or the camera's own infrared."""
    place = stage.place
    place.sun = _unit(rng.normal(0, 0.25), 1.0, rng.normal(0, 0.25))
    if light == "day":
        place.ambient, place.sunlight = float(rng.uniform(0.5, 0.8)), 0.25
        middle = (place.low + place.high) / 2
        place.lamp = _point(middle[0], min(place.high[1], 3.0) - 0.3, middle[2])
        place.power, place.reach = float(rng.uniform(0.0, 0.5)), 2.0
    elif light == "night":
        place.ambient, place.sunlight = float(rng.uniform(0.05, 0.2)), 0.05
        place.lamp = _point(
            rng.uniform(place.low[0] + 0.4, place.high[0] - 0.4),
            rng.uniform(1.0, 2.3),
            rng.uniform(place.low[2] + 1.0, place.high[2] - 0.3),
        )
        place.power, place.reach = float(rng.uniform(0.5, 0.9)), float(rng.uniform(1.0, 2.0))
    else:
        place.ambient, place.sunlight = 0.04, 0.0
        place.lamp = stage.view.position
        place.power, place.reach = float(rng.uniform(0.9, 1.3)), float(rng.uniform(2.2, 4.0))


def _camera(rng: np.random.Generator, place: Place, centre: Spot, size: int) -> View:
    high = rng.random() < 0.55
    eye = _point(
        rng.uniform(0.15, 0.85) * place.high[0] if rng.random() < 0.5
        else rng.choice([0.15, place.high[0] - 0.15]),
        rng.uniform(1.9, place.high[1] - 0.15) if high else rng.uniform(0.7, 1.6),
        rng.uniform(0.08, 0.5),
    )  # fmt: skip
    return aimed(rng, eye, centre, size, share=float(rng.uniform(0.4, 0.95)))


def _faces(rng: np.random.Generator) -> list[Material]:
    wall = tint(rng, value=(0.5, 0.95), most=0.55)
    walls = [Material(wall, rough=float(rng.uniform(0.005, 0.04)))] * 4
    if rng.random() < 0.2:
        other = tint(rng, value=(0.4, 0.9))
        walls[3] = Material(wall, other, "stripes", float(rng.uniform(0.1, 0.4)), 0.02)
    ceiling = Material((0.92, 0.92, 0.9), rough=0.01)
    return [walls[0], walls[1], floor(rng), ceiling, walls[2], walls[3]]


def floor(rng: np.random.Generator) -> Material:
    """Return a floor: tiles, wood, carpet or bare."""
    kind = str(rng.choice(["tiles", "planks", "checks", "blotches", "plain"]))
    colour = tint(rng, value=(0.25, 0.85), most=0.5)
    other = tint(rng, value=(0.2, 0.9), most=0.6) if kind in {"checks", "blotches"} else (
        0.7 * colour[0], 0.7 * colour[1], 0.7 * colour[2]
    )  # fmt: skip
    scale = {"tiles": 0.45, "planks": 0.14, "checks": 0.5}.get(kind, 0.4)
    return Material(colour, other, kind, float(scale * rng.uniform(0.7, 1.4)), 0.04)


def _openings(rng: np.random.Generator, place: Place, light: str) -> None:
    """Put windows with curtains, a door, pictures and a rug on the shell."""
    wide, high, deep = place.high
    for face, length in ((5, wide), (0, deep), (1, deep)):
        at = float(rng.uniform(0.1, 0.9) * (length - 1.0))
        kind = rng.random()
        if kind < 0.35:
            _window(rng, place, face, at, light)
        elif kind < 0.65:
            wood = tint(rng, value=(0.25, 0.9), most=0.6)
            panel = Material(wood, (0.75 * wood[0], 0.75 * wood[1], 0.75 * wood[2]), "tiles", 0.42)
            place.decals.append(Decal(face, (at, 0.0), (at + 0.9, 2.05), panel))
        for _ in range(int(rng.integers(0, 3))):
            along, up = float(rng.uniform(0, length - 0.5)), float(rng.uniform(1.2, high - 0.6))
            art = Material(tint(rng, value=(0.1, 0.9), most=0.8), tint(rng, value=(0.2, 0.9)),
                           "blotches", 0.3)  # fmt: skip
            size = rng.uniform(0.15, 0.6, 2)
            place.decals.append(Decal(face, (along, up), (along + size[0], up + size[1]), art))
    if rng.random() < 0.4:
        x, z = rng.uniform(0.3, 1.5), rng.uniform(0.8, 2.0)
        rug = floor(rng)
        place.decals.append(Decal(2, (x, z), (wide - x, deep - rng.uniform(0.4, 1.0)), rug))


def _window(rng: np.random.Generator, place: Place, face: int, at: float, light: str) -> None:
    glow = WINDOW_LIGHT[light] * float(rng.uniform(0.6, 1.1))
    pane = (0.85, 0.93, 1.0) if light == "day" else (0.25, 0.3, 0.45)
    glass = Material(pane, (0.35, 0.33, 0.3), "tiles", float(rng.uniform(0.4, 0.8)), 0.03, glow)
    size = (float(rng.uniform(0.8, 1.8)), float(rng.uniform(0.9, 1.3)))
    base = float(rng.uniform(0.8, 1.1))
    place.decals.append(Decal(face, (at, base), (at + size[0], base + size[1]), glass))
    if rng.random() < 0.6:
        cloth = tint(rng, value=(0.3, 0.9), most=0.8)
        dark = (0.7 * cloth[0], 0.7 * cloth[1], 0.7 * cloth[2])
        shine = 0.6 * glow if light == "day" else 0.0
        curtain = Material(cloth, dark, "stripes", 0.09, 0.05, shine)
        for left in (at - 0.15, at + size[0] - 0.25):
            low, top = (left, base - 0.3), (left + 0.4, base + size[1] + 0.15)
            place.decals.append(Decal(face, low, top, curtain))


def _furnish(rng: np.random.Generator, stage: Stage) -> None:
    """Put a bed or sofa at the back, other pieces along the walls and a chair near the middle."""
    wide, _, deep = stage.place.high
    boxes = stage.place.boxes
    if rng.random() < 0.65 and wide > 3.4:
        _bed(rng, stage)
    for side in (0, 1):
        along = float(rng.uniform(1.0, max(deep - 2.2, 1.1)))
        kind = rng.random()
        deepness, length = float(rng.uniform(0.3, 0.55)), float(rng.uniform(0.5, 1.6))
        tall = float(rng.choice([0.45, 0.75, 1.0, 1.9]))
        if kind < 0.7 and along + length < deep - 1.7:
            low = 0.02 if side == 0 else wide - deepness - 0.02
            pattern = "books" if tall > 0.9 and rng.random() < 0.6 else "plain"
            stuff = Material(tint(rng, value=(0.2, 0.85), most=0.6), tint(rng, value=(0.1, 0.9)),
                             pattern, 0.3)  # fmt: skip
            boxes.append(
                Box(_point(low, 0, along), _point(low + deepness, tall, along + length), stuff)
            )
    _clutter(rng, stage)
    if rng.random() < 0.25:
        x = float(rng.choice([0.3, wide - 0.8]))
        leaf = Material((0.15, 0.35, 0.12), (0.3, 0.5, 0.2), "blotches", 0.1)
        boxes.append(
            Box(_point(x, 0.2, deep - 0.7), _point(x + 0.5, 1.3, deep - 0.2), leaf, round=True)
        )
    if rng.random() < 0.75:
        _chair(rng, stage)


def _clutter(rng: np.random.Generator, stage: Stage) -> None:
    """Put small things on the furniture and along the walls, and a lamp in a corner."""
    wide, _, deep = stage.place.high
    tops = [box for box in stage.place.boxes if not box.round and box.high[1] > 0.4]
    for _ in range(int(rng.integers(0, 8))):
        half, tall = rng.uniform(0.05, 0.25, 2), float(rng.uniform(0.06, 0.45))
        stuff = Material(tint(rng, value=(0.1, 0.95), most=0.9), tint(rng, value=(0.1, 0.9)),
                         str(rng.choice(["plain", "stripes", "blotches"])), 0.12)  # fmt: skip
        if tops and rng.random() < 0.6:
            on = tops[int(rng.integers(len(tops)))]
            x, z = (rng.uniform(on.low[axis], on.high[axis]) for axis in (0, 2))
            base = float(on.high[1])
        else:
            x = float(rng.choice([0.2, wide - 0.2])) + float(rng.normal(0, 0.08))
            z, base = float(rng.uniform(1.2, deep - 0.3)), 0.0
        low = _point(x - half[0], base, z - half[1])
        high = _point(x + half[0], base + tall, z + half[1])
        stage.place.boxes.append(Box(low, high, stuff))


def _bed(rng: np.random.Generator, stage: Stage) -> None:
    wide, _, deep = stage.place.high
    length, depth, tall = 2.0, float(rng.uniform(0.85, 1.4)), float(rng.uniform(0.4, 0.58))
    left = float(rng.uniform(0.05, wide - length - 0.05))
    kind = str(rng.choice(["plain", "checks", "blotches", "stripes"]))
    cover = Material(
        tint(rng, value=(0.3, 0.95), most=0.7), tint(rng, value=(0.2, 0.95)), kind, 0.3
    )
    wood = Material(tint(rng, value=(0.15, 0.6), most=0.5))
    low, high = _point(left, 0.12, deep - depth), _point(left + length, tall, deep - 0.03)
    bed = Box(low, high, cover)
    stage.place.boxes.append(bed)
    back = float(rng.uniform(0.2, 0.5))
    if rng.random() < 0.5:  # a sofa: its back along the wall
        top = _point(left + length, tall + back, deep - 0.02)
        stage.place.boxes.append(Box(_point(left, 0.1, deep - 0.25), top, cover))
    else:
        top = _point(left + 0.08, tall + back, deep - 0.03)
        stage.place.boxes.append(Box(_point(left, 0, deep - depth), top, wood))
        pillow = Material((0.85, 0.85, 0.82))
        end = _point(left + 0.5, tall + 0.12, deep - 0.2)
        stage.place.boxes.append(Box(_point(left + 0.12, tall, deep - 0.75), end, pillow))
    stage.bed = bed
    stage.high = (stage.high[0], deep - depth - 0.25)
    stage.centre = stage.inside(*stage.centre)


def _chair(rng: np.random.Generator, stage: Stage) -> None:
    """Put a chair near the centre; whoever sits on it faces roughly across the view."""
    x, z = stage.near(rng, 0.7)
    tall = float(rng.uniform(0.43, 0.5))
    colour = Material(tint(rng, value=(0.1, 0.8), most=0.7))
    turn = int(rng.integers(3))
    yaw, dx, dz = ((np.pi / 2, -1, 0), (-np.pi / 2, 1, 0), (np.pi, 0, 1))[turn]
    stage.seat = (x, z, float(yaw), tall)
    mid_x, mid_z = x + dx * 0.45, z + dz * 0.45
    half = 0.21
    boxes = stage.place.boxes
    boxes.append(Box(_point(mid_x - half, tall - 0.12, mid_z - half),
                     _point(mid_x + half, tall - 0.04, mid_z + half), colour))  # fmt: skip
    back_x, back_z = mid_x + dx * half, mid_z + dz * half
    thin_x, thin_z = (0.03, half) if dx else (half, 0.03)
    boxes.append(Box(_point(back_x - thin_x, 0.0, back_z - thin_z),
                     _point(back_x + thin_x, tall + 0.45, back_z + thin_z), colour))  # fmt: skip


def _point(x: float, y: float, z: float) -> Floats:
    return np.array([x, y, z], dtype=np.float32)


def _unit(x: float, y: float, z: float) -> Floats:
    vector = _point(x, y, z)
    unit: Floats = vector / np.linalg.norm(vector)
    return unit
