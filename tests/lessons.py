"""Lessons of made embeddings: an activity is some components that are higher for a second."""

from __future__ import annotations

import numpy as np

from edgehome.teaching.general import General, general_of
from edgehome.teaching.lesson import Example, Lesson, example_of
from edgehome.types import Problem

WIDTH = 48
SPACE = "made"
RATE = 5.0
Array = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


def seconds(
    rng: np.random.Generator, length: float = 6.0, *, act: float = 0.0, width: int = WIDTH
) -> Array:
    """Embeddings of a place; `act` is how strongly the activity shows in its middle third."""
    frames = int(length * RATE)
    made = rng.gamma(2.0, 0.1, (frames, width)) + 0.05
    made[frames // 3 : 2 * frames // 3 + 1, : width // 8] += act
    return made.astype(np.float32)


def general(seed: int = 0, clips: int = 30, width: int = WIDTH) -> General:
    rng = np.random.default_rng(seed)
    made = [seconds(rng, width=width) * rng.uniform(0.8, 1.2) for _ in range(clips)]
    return general_of(made, embedding=SPACE, rate=RATE, window_s=3.0, of="made up", each=3)


def example(
    rng: np.random.Generator, *, shows: bool, act: float = 0.6, width: int = WIDTH
) -> Example:
    made = seconds(rng, act=act if shows else 0.0, width=width)
    return example_of(made, shows=shows, occasion=f"{rng.integers(1 << 30)}", source="made")


def lesson(
    yes: int, no: int, *, act: float = 0.6, seed: int = 0, name: str = "dance", width: int = WIDTH
) -> Lesson:
    rng = np.random.default_rng(seed)
    found = Lesson(name, SPACE, RATE)
    for shows, count in ((True, yes), (False, no)):
        for _ in range(count):
            added = found.add([example(rng, shows=shows, act=act, width=width)], "2026-11-23T10:00")
            assert not isinstance(added, Problem)
            found = added
    return found
