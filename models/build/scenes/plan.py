"""The plan of a clip: which kinds there are, where they can happen, and how the camera sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.build.scenes import company, moves
from models.build.scenes.body import Floats
from models.build.scenes.falls import fall
from models.build.scenes.fights import fight
from models.build.scenes.sensor import Sensor
from models.build.scenes.stage import Stage
from models.build.scenes.track import Track

Move = Callable[[Stage, np.random.Generator, float], "Track | Sequence[Track]"]

LIGHTS: Final = ("day", "night", "infrared")
PLACES: Final = ("room", "porch")


@dataclass(frozen=True)
class Kind:
    """One kind of scene: what people do in it, how often it is drawn, and where it can be."""

    move: Move | None
    weight: float
    places: tuple[str, ...] = PLACES


KINDS: Final[dict[str, Kind]] = {
    "empty": Kind(None, 4),
    "car": Kind(None, 1.5, ("porch",)),
    "pet": Kind(None, 2),
    "walk": Kind(moves.walk, 7),
    "run": Kind(moves.run, 3),
    "stand": Kind(moves.stand, 4),
    "sit": Kind(moves.sit, 6, ("room",)),
    "pick_up": Kind(moves.pick_up, 5),
    "lie_down": Kind(moves.lie_down, 6, ("room",)),
    "carry": Kind(moves.carry, 3),
    "ring": Kind(moves.ring, 2, ("porch",)),
    "exercise": Kind(moves.exercise, 4),
    "talk": Kind(company.talk, 4),
    "embrace": Kind(company.embrace, 3),
    "shake_hands": Kind(company.shake_hands, 3),
    "dance": Kind(company.dance, 3),
    "crowd": Kind(company.crowd, 4),
    "visit": Kind(company.visit, 2, ("room",)),
    "fall": Kind(fall, 17),
    "fight": Kind(fight, 17),
}
"""Every kind that can be rendered, by name."""


def sensor(rng: np.random.Generator, light: str, size: int, *, quiet: bool = False) -> Sensor:
    """Return a camera's sensor and stream for a light; a good one where `quiet`."""
    dark = light != "day"
    infrared = light == "infrared"
    warm = rng.normal(0, 0.05) + (0.12 if light == "night" else 0.0)
    tone = np.array([1 + warm, 1.0, 1 - warm], dtype=np.float32)
    made = Sensor(
        size=size,
        rng=rng,
        tone=np.ones(3, np.float32) if infrared else tone,
        gamma=float(rng.uniform(0.75, 1.15)),
        contrast=float(rng.uniform(0.85, 1.3)),
        grey=infrared or rng.random() < 0.05,
        noise=float(rng.uniform(0.008, 0.06) if dark else rng.uniform(0.002, 0.025)),
        blur=float(rng.uniform(0.0, 0.3)) if rng.random() < 0.7 else 0.0,
        vignette=float(rng.uniform(0, 0.35)),
        spot=float(rng.uniform(0.3, 1.1)) if infrared else 0.0,
        shake=float(rng.uniform(0.1, 0.5)) if rng.random() < 0.2 else 0.0,
        coarse=float(rng.uniform(0.01, 0.05)) if rng.random() < 0.75 else 0.0,
        skip=float(rng.uniform(0.005, 0.025)) if rng.random() < 0.75 else 0.0,
        clock_s=float(rng.uniform(1.2e9, 1.8e9)) if rng.random() < 0.2 else -1.0,
    )
    if quiet:
        made.noise, made.coarse, made.skip, made.shake, made.clock_s = 0.004, 0.02, 0.02, 0.0, -1.0
    return made


_AIM: Final = {"day": (0.36, 0.54), "night": (0.16, 0.36), "infrared": (0.2, 0.42)}


def gains(rng: np.random.Generator, times: Floats, light: str, mean: float) -> Floats:
    """Return the exposure at each time: set by the picture's mean light, then steady, stepping,
    drifting, or a lamp switched.
    """
    gain = float(np.clip(rng.uniform(*_AIM[light]) / max(mean, 0.02), 0.5, 6.0))
    level = np.full(len(times), gain, dtype=np.float32)
    kind, at = rng.random(), float(rng.uniform(times[0], times[-1]))
    if kind < 0.07:  # exposure steps
        level *= 1 + float(rng.uniform(-0.25, 0.3)) / (1 + np.exp(-(times - at) / 0.15))
    elif kind < 0.12:  # clouds
        level *= 1 + 0.15 * np.sin(times * float(rng.uniform(0.2, 1.0)))
    elif kind < 0.17:  # a lamp is switched, and the camera follows
        change = float(rng.choice([0.35, 0.6, 1.6]))
        switched = times > at
        follow = change + (1 - change) * 0.6 * (1 - np.exp(-np.maximum(times - at, 0) / 0.6))
        level = np.where(switched, level * follow, level)
    return level.astype(np.float32)
