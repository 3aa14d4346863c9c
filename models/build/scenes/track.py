"""A track: what one body does over time, as key poses and the way from each to the next."""

from __future__ import annotations

import math
from typing import Final, Self

import numpy as np

from models.build.scenes.body import FIELDS, INDEX, Floats, pose

EASES: Final = ("smooth", "linear", "drop", "snap")
"""The ways to the next pose: eased, even, ever faster (falling), fast at once (a blow)."""

LEAD_S: Final = 2.0
"""A clip begins this many seconds after its tracks."""

STEP_M: Final = 1.35
"""Metres of one double step at walking size."""


class Track:
    """Key poses in time order; `at` gives the poses between them."""

    def __init__(self, **fields: float) -> None:
        self._times = [0.0]
        self._poses = [pose(**fields)]
        self._eases = [0]
        self.marks: list[tuple[str, float, float]] = []
        """Labelled spans: (label, from second, to second)."""

    @property
    def now(self) -> float:
        """The time of the last key pose, in seconds."""
        return self._times[-1]

    def get(self, name: str) -> float:
        """Return a field of the last key pose."""
        return float(self._poses[-1][INDEX[name]])

    def to(self, seconds: float, ease: str = "smooth", /, **fields: float) -> Self:
        """Go to the last pose with `fields` changed, in `seconds`."""
        vector = self._poses[-1].copy()
        for name, value in fields.items():
            vector[INDEX[name]] = value
        self._times.append(self.now + max(seconds, 0.02))
        self._poses.append(vector)
        self._eases.append(EASES.index(ease))
        return self

    def hold(self, seconds: float) -> Self:
        """Stay as it is."""
        return self.to(seconds)

    def rest(self, seconds: float, ease: str = "smooth", /, **fields: float) -> Self:
        """Go to standing at ease where the body is, with `fields` changed."""
        kept = {name: self.get(name) for name in ("x", "z", "yaw", "phase", "support")}
        plain = dict(zip(FIELDS, map(float, pose(**kept)), strict=True))
        return self.to(seconds, ease, **(plain | fields))

    def turn(self, yaw: float, seconds: float = 0.4) -> Self:
        """Turn on the spot to `yaw`, the short way round."""
        return self.to(seconds, yaw=self.get("yaw") + _short(yaw - self.get("yaw")))

    def walk(self, x: float, z: float, speed: float = 1.2, gait: float = 1.0) -> Self:
        """Walk straight to (x, z) at `speed` metres a second, facing that way, and stop."""
        away = math.hypot(x - self.get("x"), z - self.get("z"))
        if away < 0.05:
            return self
        heading = math.atan2(x - self.get("x"), z - self.get("z"))
        self.turn(heading, 0.25 if abs(_short(heading - self.get("yaw"))) > 0.3 else 0.05)
        seconds = away / speed
        ramp = min(0.25, seconds / 3)
        steps = away / (STEP_M * (0.55 + 0.45 * gait))
        part = ramp / seconds
        here = (self.get("x"), self.get("z"), self.get("phase"))
        go = ((x - here[0]), (z - here[1]), steps)
        self.to(ramp, "linear", gait=gait, **_along(here, go, part))
        self.to(seconds - 2 * ramp, "linear", **_along(here, go, 1 - part))
        return self.to(ramp, "linear", gait=0.0, **_along(here, go, 1.0))

    def mark(self, label: str, since: float, until: float = math.inf) -> Self:
        """Say that `label` holds from `since` to `until`, in seconds."""
        self.marks.append((label, since, until))
        return self

    def at(self, times: Floats) -> Floats:
        """Return the poses (times, fields); before the first and after the last they stay."""
        keys = np.array(self._times, dtype=np.float32)
        values = np.stack(self._poses)
        eases = np.array(self._eases)
        upper = np.clip(np.searchsorted(keys, times, side="right"), 1, max(len(keys) - 1, 1))
        if len(keys) == 1:
            return np.repeat(values, len(times), axis=0)
        span = keys[upper] - keys[upper - 1]
        part = np.clip((times - keys[upper - 1]) / span, 0, 1)
        shaped = np.choose(
            eases[upper],
            [part * part * (3 - 2 * part), part, part**2.2, 1 - (1 - part) ** 2.5],
        )
        blend = shaped.astype(np.float32)[:, None]
        mixed: Floats = values[upper - 1] * (1 - blend) + values[upper] * blend
        return mixed


def sway(poses: Floats, times: Floats, rng: np.random.Generator, size: float = 1.0) -> Floats:
    """Add the small slow movements of the living: nobody stands as still as a post."""
    out = poses.copy()
    for name, reach in _IDLE.items():
        speeds = rng.uniform(0.15, 0.9, 2)
        starts = rng.uniform(0, 2 * math.pi, 2)
        wave = sum(
            np.sin(2 * math.pi * speed * times + start)
            for speed, start in zip(speeds, starts, strict=True)
        )
        out[:, INDEX[name]] += (size * reach * rng.uniform(0.3, 1.0)) * wave
    return out


_IDLE: Final = {
    "yaw": 0.05, "bend": 0.03, "lean": 0.025, "twist": 0.05, "nod": 0.08, "look": 0.15,
    "left_arm": 0.06, "right_arm": 0.06, "left_out": 0.03, "right_out": 0.03,
    "left_elbow": 0.08, "right_elbow": 0.08, "left_thigh": 0.02, "right_thigh": 0.02,
    "left_knee": 0.03, "right_knee": 0.03,
}  # fmt: skip


def _short(angle: float) -> float:
    return math.atan2(math.sin(angle), math.cos(angle))


def _along(
    here: tuple[float, float, float], go: tuple[float, float, float], part: float
) -> dict[str, float]:
    x, z, phase = (start + part * way for start, way in zip(here, go, strict=True))
    return {"x": x, "z": z, "phase": phase}
