"""Things that move besides people: a pet, a car that passes, a box that is carried."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.build.scenes.body import JOINT, Floats
from models.build.scenes.figure import Look
from models.build.scenes.surface import tint

_CORNERS = np.array([[i & 1, i >> 1 & 1, i >> 2 & 1] for i in range(8)], dtype=np.float32)
_FACES = ((0, 2, 6, 4), (1, 3, 7, 5), (0, 1, 5, 4), (2, 3, 7, 6), (0, 1, 3, 2), (4, 5, 7, 6))
"""Corners of each face: left, right, bottom, top, near, far."""


@dataclass(frozen=True)
class Crate:
    """A box that moves: corners (times, 8, 3) in metres and one colour."""

    corners: Floats
    colour: Floats

    def faces(self, time: int, eye: Floats) -> list[tuple[Floats, float]]:
        """Return the faces seen from `eye`: corners (4, 3) and how much light falls on each."""
        corners = self.corners[time]
        middle = corners.mean(axis=0)
        seen = []
        for number, face in enumerate(_FACES):
            points = corners[list(face)]
            out = points.mean(axis=0) - middle
            if float(out @ (eye - points.mean(axis=0))) > 0:
                seen.append((points, (0.75, 0.75, 0.5, 1.0, 0.85, 0.85)[number]))
        return seen


def carried(points: Floats, rng: np.random.Generator) -> Crate:
    """Return a box between the hands of a body with joints `points` (times, joints, 3)."""
    size = rng.uniform(0.22, 0.5, 3).astype(np.float32)
    hands = points[:, [JOINT["left_hand"], JOINT["right_hand"]]].mean(axis=1)
    across = points[:, JOINT["left_shoulder"]] - points[:, JOINT["right_shoulder"]]
    across[:, 1] = 0
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-3)
    ahead = np.stack([-across[:, 2], np.zeros(len(across)), across[:, 0]], axis=1)
    up = np.broadcast_to(np.array([0, 1, 0], dtype=np.float32), across.shape)
    part = (_CORNERS - 0.5) * size
    ways = np.stack([across, up, ahead], axis=1)
    corners = (hands + 0.12 * ahead)[:, None] + part @ ways
    colour = (0.62, 0.47, 0.32) if rng.random() < 0.6 else tint(rng, value=(0.2, 0.9), most=0.8)
    return Crate(corners.astype(np.float32), np.array(colour, dtype=np.float32))


def car(
    times: Floats, lane: tuple[float, float], rng: np.random.Generator
) -> tuple[list[Crate], Floats]:
    """Return a car that passes on `lane` (z, reach): its boxes, and its wheels (times, 4, 3)."""
    z, reach = lane
    way = float(rng.choice([-1.0, 1.0]))
    speed, since = float(rng.uniform(4, 11)), float(rng.uniform(-0.3, 0.5) * times[-1])
    x = way * (-reach + speed * (times - since))
    size = rng.uniform((3.8, 1.65), (4.8, 1.9))
    paint = np.array(tint(rng, value=(0.1, 0.95), most=0.8), dtype=np.float32)
    glass = np.array([0.12, 0.14, 0.17], dtype=np.float32)
    long, wide = (float(length) for length in size)
    boxes = [
        Crate(_moved(x, z, (-0.5 * long, 0.28, 0), (0.5 * long, 0.88, wide)), paint),
        Crate(_moved(x, z, (-0.28 * long, 0.88, 0.12), (0.25 * long, 1.4, wide - 0.12)), glass),
        Crate(_moved(x, z, (-0.22 * long, 1.4, 0.2), (0.2 * long, 1.46, wide - 0.2)), paint),
    ]
    wheels = np.empty((len(times), 4, 3), dtype=np.float32)
    for number, (along, side) in enumerate(((-0.3, 0), (0.3, 0), (-0.3, 1), (0.3, 1))):
        wheels[:, number] = np.stack(
            [x + along * size[0], np.full_like(x, 0.32), np.full_like(x, z + side * size[1])],
            axis=1,
        )
    return boxes, wheels


def _moved(x: Floats, z: float, low: tuple[float, ...], high: tuple[float, ...]) -> Floats:
    corners = np.array(low) + _CORNERS * (np.array(high) - np.array(low))
    corners[:, 2] += z
    out = np.repeat(corners[None], len(x), axis=0)
    out[:, :, 0] += x[:, None]
    moved: Floats = out.astype(np.float32)
    return moved


def pet(
    times: Floats, path: tuple[tuple[float, float], tuple[float, float]], rng: np.random.Generator
) -> tuple[Floats, Look]:
    """Return a cat or dog that trots along `path` and back: points (times, 17, 3) and its look."""
    (x0, z0), (x1, z1) = path
    away = max(math.hypot(x1 - x0, z1 - z0), 0.1)
    speed, size = float(rng.uniform(0.4, 1.6)), float(rng.uniform(0.25, 0.6))
    gone = speed * np.maximum(times - float(rng.uniform(0, 0.4) * times[-1]), 0)
    turn = (gone / away) % 2
    back = turn > 1
    along = np.where(back, 2 - turn, turn) * away
    ahead = np.array([x1 - x0, 0, z1 - z0], dtype=np.float32) / away
    ways = np.where(back, -1.0, 1.0).astype(np.float32)[:, None] * ahead
    base = np.array([x0, 0, z0], dtype=np.float32) + along[:, None] * ahead
    points = _beast(base.astype(np.float32), ways, gone / size, size)
    pairs = [(0, 1), (1, 2), (2, 3), (0, 4)]
    pairs += [(root, knee) for root, knee in ((1, 5), (1, 7), (0, 9), (0, 11))]
    pairs += [(5, 6), (7, 8), (9, 10), (11, 12)]
    radii = [(0.2, 0.22), (0.15, 0.15), (0.15, 0.08), (0.05, 0.03)] + [(0.09, 0.06)] * 4
    radii += [(0.06, 0.05)] * 4
    fur = np.array(tint(rng, value=(0.08, 0.8), most=0.5), dtype=np.float32)
    look = Look(
        height=size, joints=np.array(pairs), radii=np.array(radii, dtype=np.float32) * size,
        colours=np.repeat(fur[None], len(pairs), axis=0), stripes=np.zeros(len(pairs), np.float32),
        near=np.zeros(len(pairs), np.float32),
    )  # fmt: skip
    return points, look


def _beast(base: Floats, ahead: Floats, gone: Floats, size: float) -> Floats:
    """Return rump, chest, head, nose, tail and four legs of two joints, (times, 13, 3)."""
    up = np.array([0, size, 0], dtype=np.float32)
    side = np.stack([ahead[:, 2], np.zeros(len(ahead)), -ahead[:, 0]], axis=1) * size
    way = ahead * size
    points = np.empty((len(base), 13, 3), dtype=np.float32)
    bob = 0.04 * np.sin(4 * np.pi * gone)[:, None] * up
    points[:, 0] = base - 0.6 * way + 0.85 * up + bob
    points[:, 1] = base + 0.5 * way + 0.9 * up - bob
    points[:, 2] = base + 0.95 * way + 1.25 * up
    points[:, 3] = base + 1.25 * way + 1.15 * up
    points[:, 4] = base - 1.1 * way + 1.15 * up
    points[:, 4] += (0.2 * np.sin(5 * gone))[:, None] * side
    for leg, (joint, root, sign, phase) in enumerate(
        ((5, 1, 1, 0.0), (7, 1, -1, 0.5), (9, 0, 1, 0.5), (11, 0, -1, 0.0))
    ):
        swing = (0.35 * np.sin(2 * np.pi * (gone + phase)))[:, None] * way
        foot = points[:, root] + 0.15 * sign * side + swing
        lift = np.clip(np.cos(2 * np.pi * (gone + phase)), 0, 1)[:, None] * 0.12 * up
        foot[:, 1] = 0.05 * size
        points[:, joint] = 0.5 * (points[:, root] + foot) + (0.08 if leg < 2 else -0.08) * way
        points[:, joint + 1] = foot + lift
    return points
