"""A place without people: boxes and decals, traced once a clip into a picture and its depths."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.build.scenes.body import Floats
from models.build.scenes.sensor import pooled
from models.build.scenes.surface import Material, colour_of
from models.build.scenes.view import View

SKY = -1

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Box:
    """A box along the axes, or the ellipsoid within it (a bush)."""

    low: Floats
    high: Floats
    material: Material
    round: bool = False

    def corners(self) -> Floats:
        """Return its corners in world metres, (8, 3)."""
        pick = np.array([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)])
        corners: Floats = np.stack([self.low, self.high])[pick, np.arange(3)]
        return corners


@dataclass(frozen=True)
class Decal:
    """A flat thing on a face of the shell: window, door, picture, rug, path."""

    face: int
    """0 left, 1 right, 2 floor, 3 ceiling, 4 near, 5 far."""
    low: tuple[float, float]
    """Along the face's two axes, metres: (z, y) on 0 and 1, (x, z) on 2 and 3, (x, y) on 4, 5."""
    high: tuple[float, float]
    material: Material


@dataclass
class Place:
    """A shell (the room, or all outdoors), what stands in it and the light in it."""

    low: Floats
    high: Floats
    faces: list[Material]
    """Six, in the order of `Decal.face`."""
    grain: Floats
    boxes: list[Box] = field(default_factory=list)
    decals: list[Decal] = field(default_factory=list)
    sun: Floats = field(default_factory=lambda: np.array([0.3, 0.8, -0.5], dtype=np.float32))
    """Towards the light, length 1."""
    ambient: float = 0.6
    sunlight: float = 0.4
    lamp: Floats | None = None
    """Where a lamp hangs, in metres; its light falls off with distance."""
    power: float = 1.5
    """The lamp's light close to it."""
    reach: float = 1.5
    """Metres from the lamp at which its light is half."""

    def brightness(self, points: Floats) -> Floats:
        """Return the light on something upright at `points` (n, 3), about 1 by day."""
        up = np.array([[0.0, 0.3, 0.0]], dtype=np.float32)
        return _light(self, points, up) + np.float32(0.4 * self.sunlight)


def traced(place: Place, view: View, finer: int = 2) -> tuple[Floats, Floats, Floats]:
    """Return the lit picture (size, size, 3), depths, and 1 where the floor is, else 0."""
    rays = view.rays(finer).reshape(-1, 3)
    distance, hit, face = _hits(place, view, rays, finer)
    points = view.position + rays * distance[:, None]
    colours = np.empty_like(rays)
    for number in range(6):
        on = np.flatnonzero((hit == SKY) & (face == number))
        if on.size:
            colours[on] = _shell(place, number, points[on])
    for number, box in enumerate(place.boxes):
        on = np.flatnonzero(hit == number)
        if on.size:
            colours[on] = _box(place, box, points[on], face[on])
    size = view.size
    floor = ((hit == SKY) & (face == 2)).astype(np.float32)
    share = np.float32(finer**-2)
    fine = (size * finer, size * finer)
    picture = pooled(colours.reshape(*fine, 3), finer) * share
    return (
        picture,
        distance.reshape(fine)[::finer, ::finer].copy(),
        pooled(floor.reshape(fine), finer) * share,
    )


def _hits(place: Place, view: View, rays: Floats, finer: int) -> tuple[Floats, Counts, Counts]:
    """Return the distance to the first thing on each ray, which box it is, and which face."""
    eye = view.position
    safe = np.where(np.abs(rays) < 1e-6, np.float32(1e-6), rays)
    ahead = safe > 0
    leave = (np.where(ahead, place.high, place.low) - eye) / safe
    axis = leave.argmin(axis=1)
    every = np.arange(len(rays))
    distance = leave[every, axis]
    face = 2 * axis + ahead[every, axis]
    hit = np.full(len(rays), SKY)
    for number, box in enumerate(place.boxes):
        on = _where(box, view, finer)
        near, side = _round(place, box, eye, safe[on]) if box.round else _flat(box, eye, safe[on])
        nearer = (near > 0.05) & (near < distance[on])
        on = on[nearer]
        distance[on], hit[on], face[on] = near[nearer], number, side[nearer]
    return distance, hit, face


def _where(box: Box, view: View, finer: int) -> Counts:
    """Return the rays that can meet a box: those within the rectangle of its corners."""
    number = view.size * finer
    pixels, depth = view.project(box.corners())
    if depth.min() < 0.3:
        return np.arange(number * number)
    slack = 0.2 * (pixels.max(axis=0) - pixels.min(axis=0)).max() if box.round else 3.0
    low = np.clip((pixels.min(axis=0) - slack) * finer, 0, number).astype(int)
    high = np.clip((pixels.max(axis=0) + slack) * finer, 0, number).astype(int)
    rows, columns = np.arange(low[1], high[1]), np.arange(low[0], high[0])
    return (rows[:, None] * number + columns[None, :]).ravel()


def _flat(box: Box, eye: Floats, rays: Floats) -> tuple[Floats, Counts]:
    first, second = (box.low - eye) / rays, (box.high - eye) / rays
    enter = np.minimum(first, second)
    axis = enter.argmax(axis=1)
    every = np.arange(len(rays))
    near = enter[every, axis]
    far = np.maximum(first, second).min(axis=1)
    return np.where(near < far, near, np.float32(-1)), 2 * axis + (rays[every, axis] < 0)


def _round(place: Place, box: Box, eye: Floats, rays: Floats) -> tuple[Floats, Counts]:
    """Meet the ellipsoid, ragged by noise on the ray's direction, as leaves are."""
    radii = (box.high - box.low) / 2
    start = (eye - (box.high + box.low) / 2) / radii
    way = rays / radii
    a = (way * way).sum(axis=1)
    b = way @ start
    ragged = place.grain[(rays[:, 1] * 150).astype(int) % 256, (rays[:, 0] * 150).astype(int) % 256]
    inside = b * b - a * (start @ start - 1 - 0.22 * ragged)
    near = np.where(inside > 0, (-b - np.sqrt(np.maximum(inside, 0))) / a, np.float32(-1))
    return near, np.full(len(rays), 3)


def _shell(place: Place, number: int, points: Floats) -> Floats:
    axis = number // 2
    u, v = (points[:, other] for other in ((2, 1), (0, 2), (0, 1))[axis])
    colours = colour_of(place.faces[number], u, v, place.grain)
    glow = np.full(len(points), place.faces[number].glow, dtype=np.float32)
    for decal in place.decals:
        if decal.face != number:
            continue
        across = (u > decal.low[0]) & (u < decal.high[0])
        on = np.flatnonzero(across & (v > decal.low[1]) & (v < decal.high[1]))
        if on.size:
            low = decal.low
            colours[on] = colour_of(decal.material, u[on] - low[0], v[on] - low[1], place.grain)
            glow[on] = decal.material.glow
    normal = np.zeros(3, dtype=np.float32)
    normal[axis] = -1 if number % 2 else 1
    light = _light(place, points, normal[None])
    light *= _corners(place, points, axis)
    if number == 2:  # things darken the floor they stand on
        for box in place.boxes:
            light *= _contact(box, points)
    lit: Floats = colours * np.maximum(light, glow)[:, None]
    return lit


def _box(place: Place, box: Box, points: Floats, face: Counts) -> Floats:
    axis = face // 2
    if box.round:
        normal = (points - (box.high + box.low) / 2) / ((box.high - box.low) / 2) ** 2
        normal = (normal / np.linalg.norm(normal, axis=1, keepdims=True)).astype(np.float32)
        u, v = points[:, 0] + points[:, 2], points[:, 1]
    else:
        normal = np.zeros_like(points)
        normal[np.arange(len(points)), axis] = np.where(face % 2 == 1, 1, -1)
        u = np.where(axis == 0, points[:, 2], points[:, 0])
        v = np.where(axis == 1, points[:, 2], points[:, 1]) - box.low[1]
    colours = colour_of(box.material, u, v, place.grain)
    light = np.maximum(_light(place, points, normal), box.material.glow)
    low = np.clip((points[:, 1] - box.low[1]) / 0.25, 0, 1)
    lit: Floats = colours * (light * (0.8 + 0.2 * low))[:, None]
    return lit


def _light(place: Place, points: Floats, normal: Floats) -> Floats:
    light = place.ambient + place.sunlight * np.clip(normal @ place.sun, 0, None)
    light = light * (1 + 0.1 * normal[:, 1])
    if place.lamp is not None:
        away = place.lamp - points
        squared = (away * away).sum(axis=1)
        facing = np.clip((away * normal).sum(axis=1) / np.sqrt(squared), 0, 1)
        light = light + place.power * (0.4 + 0.6 * facing) / (1 + squared / place.reach**2)
    return np.broadcast_to(light, (len(points),)).astype(np.float32)


def _corners(place: Place, points: Floats, axis: int) -> Floats:
    """Darken the shell towards its edges, where less light comes in."""
    shade = np.ones(len(points), dtype=np.float32)
    for other in range(3):
        if other != axis:
            edge = np.minimum(
                points[:, other] - place.low[other], place.high[other] - points[:, other]
            )
            shade *= 1 - 0.3 * np.exp(-np.clip(edge, 0, 9) / 0.2)
    return shade


def _contact(box: Box, points: Floats) -> Floats:
    if box.low[1] > 0.6:
        return np.ones(1, dtype=np.float32)
    away = np.zeros(len(points), dtype=np.float32)
    for axis in (0, 2):
        beside = np.maximum(box.low[axis] - points[:, axis], points[:, axis] - box.high[axis])
        away += np.square(np.maximum(beside, 0))
    shade: Floats = 1 - 0.5 * np.exp(-np.sqrt(away) / 0.12)
    return shade
