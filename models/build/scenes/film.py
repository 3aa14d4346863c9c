"""Filming: everything that moves, painted frame by frame over the place, through the sensor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.build.scenes.body import JOINT, Floats, joints
from models.build.scenes.figure import Look
from models.build.scenes.paint import Canvas, darken
from models.build.scenes.place import traced
from models.build.scenes.props import Crate
from models.build.scenes.sensor import Sensor
from models.build.scenes.stage import Stage
from models.build.scenes.sways import Sways
from models.build.scenes.track import Track, sway
from models.build.scenes.view import NEAR_M

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CAST_BY = (
    ("neck", "pelvis", 0.13), ("left_hip", "left_ankle", 0.07), ("right_hip", "right_ankle", 0.07),
    ("left_shoulder", "left_hand", 0.05), ("right_shoulder", "right_hand", 0.05),
    ("head", "head", 0.1),
)  # fmt: skip
"""What throws a shadow: joint pairs and metres across."""


@dataclass
class Puppet:
    """Points (times, points, 3) with a look over them, and the same a shutter time later."""

    points: Floats
    later: Floats
    look: Look
    person: bool = True


@dataclass
class Cast:
    """Everything that moves in one clip."""

    puppets: list[Puppet] = field(default_factory=list)
    crates: list[Crate] = field(default_factory=list)
    wheels: list[Floats] = field(default_factory=list)


def embodied(
    track: Track, look: Look, times: Floats, shutter_s: float, rng: np.random.Generator
) -> Puppet:
    """Return a person who does what the track says, with idle movements of their own."""
    both = np.concatenate([times, times + np.float32(shutter_s)])
    poses = sway(track.at(both), both, rng, size=float(rng.uniform(0.4, 1.2)))
    points = joints(poses, look.height)
    return Puppet(points[: len(times)], points[len(times) :], look)


class Film:
    """One clip being made."""

    def __init__(self, stage: Stage, cast: Cast, sensor: Sensor, sways: Sways) -> None:
        self._stage, self._cast, self._sensor, self._sways = stage, cast, sensor, sways
        self._picture, self._depth, self._floor = traced(stage.place, stage.view)
        self._lights = [self._measured(puppet) for puppet in cast.puppets]
        self._flat = [self._project(puppet) for puppet in cast.puppets]
        sun = stage.place.sun
        self._sunward = sun / max(float(sun[1]), 0.25)
        strength = stage.place.sunlight / (stage.place.sunlight + stage.place.ambient)
        self._shadow = 0.0 if stage.place.power > 0.85 else 0.25 + 0.75 * strength
        self._canvas = Canvas(self._picture, self._depth)
        self.brightness = float((self._picture * sensor.mask[..., None]).mean())
        """The mean light that reaches the sensor without people, before any gain."""

    def frame(self, time: int, second: float, gain: float) -> tuple[NDArray[np.uint8], float]:
        """Return the picture at one of the cast's times and the share of it that shows people."""
        canvas = self._canvas
        canvas.picture = self._sways.moved(self._picture, second)
        if self._shadow > 0.05:
            self._shade(canvas.picture, time)
        seen = 0.0
        for _, paint in sorted(self._things(time), key=lambda thing: -thing[0]):
            kind, number, part = paint
            if kind == "limb":
                shown = self._limb(time, number, part)
                seen += shown if self._cast.puppets[number].person else 0.0
            elif kind == "face":
                self._face(time, number, part)
            else:
                self._wheel(time, number, part)
        return self._sensor.take(canvas.picture, gain, second), seen / self._depth.size

    def _project(self, puppet: Puppet) -> tuple[Floats, Floats, Floats]:
        pixels, depth = self._stage.view.project(puppet.points)
        later, _ = self._stage.view.project(puppet.later)
        smear = np.sqrt(((later - pixels) ** 2).sum(axis=-1))
        return pixels, depth, smear

    def _things(self, time: int) -> list[tuple[float, tuple[str, int, int]]]:
        things: list[tuple[float, tuple[str, int, int]]] = []
        for number, puppet in enumerate(self._cast.puppets):
            ends = self._flat[number][1][time][puppet.look.joints]
            middle = ends.mean(axis=1) - puppet.look.near
            front = ends.min(axis=1) > NEAR_M
            things += [
                (float(middle[part]), ("limb", number, int(part))) for part in np.flatnonzero(front)
            ]
        eye, forward = self._stage.view.position, self._stage.view.axes[2]
        for number, crate in enumerate(self._cast.crates):
            for part, (points, _) in enumerate(crate.faces(time, eye)):
                away = (points - eye) @ forward
                if away.min() > NEAR_M:
                    things.append((float(away.mean()), ("face", number, part)))
        for number, wheels in enumerate(self._cast.wheels):
            for part in range(wheels.shape[1]):
                away = float((wheels[time, part] - eye) @ forward)
                if away > NEAR_M:
                    things.append((away - 0.3, ("wheel", number, part)))
        return things

    def _limb(self, time: int, number: int, part: int) -> float:
        look = self._cast.puppets[number].look
        pixels, depths, smear = self._flat[number]
        first, last = look.joints[part]
        near, far = float(depths[time, first]), float(depths[time, last])
        focal = self._stage.view.focal
        radii = (
            focal * float(look.radii[part, 0]) / near,
            focal * float(look.radii[part, 1]) / far,
        )
        moved = 0.5 * float(smear[time, first] + smear[time, last])
        return self._canvas.capsule(
            pixels[time, [first, last]], radii, (near, far), colour=look.colours[part],
            light=self._lights[number][time], soft=min(1.0 + 0.8 * moved, 9.0),
            stripes=float(look.stripes[part]),
        )  # fmt: skip

    def _measured(self, puppet: Puppet) -> Floats:
        """Return the ambient light on it and its light's direction in camera axes, (times, 4)."""
        place, view = self._stage.place, self._stage.view
        points = puppet.points[:, : JOINT["chest"] + 1].mean(axis=1)
        bright = place.brightness(points)
        towards = np.broadcast_to(place.sun, points.shape)
        if place.lamp is not None and place.power > place.ambient:
            away = place.lamp - points
            towards = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 0.1)
        right, up, forward = (towards @ axis for axis in view.axes)
        return np.stack(
            [0.6 * bright, 0.45 * bright * right, 0.45 * bright * up,
             0.2 * bright + 0.4 * bright * np.maximum(-forward, 0.0)], axis=1,
        ).astype(np.float32)  # fmt: skip

    def _face(self, time: int, number: int, part: int) -> None:
        crate = self._cast.crates[number]
        points, light = crate.faces(time, self._stage.view.position)[part]
        pixels, depth = self._stage.view.project(points)
        bright = self._stage.place.brightness(points.mean(axis=0)[None])[0]
        self._canvas.face(pixels, float(depth.mean()), crate.colour * np.float32(light * bright))

    def _wheel(self, time: int, number: int, part: int) -> None:
        pixels, depth = self._stage.view.project(self._cast.wheels[number][time, part])
        radius = self._stage.view.focal * 0.33 / float(depth)
        dark, light = np.full(3, 0.06, np.float32), np.array([0.5, 0, 0.2, 0.3], np.float32)
        away = float(depth)
        ends = np.stack([pixels, pixels + 0.1])
        self._canvas.capsule(ends, (radius, radius), (away, away), colour=dark, light=light)

    def _shade(self, picture: Floats, time: int) -> None:
        """Darken the floor where people keep the light from it."""
        mask = np.ones(self._depth.shape, dtype=np.float32)
        focal = self._stage.view.focal
        for puppet in self._cast.puppets:
            points = puppet.points[time]
            ground = points - self._sunward * points[:, 1:2]
            pixels, depth = self._stage.view.project(ground)
            pairs = _CAST_BY if puppet.person else (("pelvis", "waist", 0.12),)
            for first, last, wide in pairs:
                ends = [JOINT[first], JOINT[last]]
                near, far = float(depth[ends[0]]), float(depth[ends[1]])
                if min(near, far) > NEAR_M:
                    radii = (focal * wide / near, focal * wide / far)
                    darken(mask, pixels[ends], radii, self._shadow)
        picture *= (1 - self._floor * (1 - mask))[..., None]
