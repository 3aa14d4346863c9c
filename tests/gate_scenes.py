"""Clips as frames in memory, scenes made of them, and what can be done to a camera."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgehome.camera import open_clip
from edgehome.gate.motion import Motion
from edgehome.gate.picture import small
from edgehome.gate.tamper import Tamper
from edgehome.types import CameraState, Frame

Picture = NDArray[np.uint8]
START = datetime(2000, 1, 1, tzinfo=UTC)
RATE, SIZE = 5.0, 172


def pictures(clip: Path) -> list[Picture]:
    """Return a clip's frames as the box's model sees them."""
    with open_clip(clip, size=SIZE, rate=RATE, start=START) as camera:
        return [frame.image for frame in camera.frames()]


def frames(shown: Iterable[Picture], start_s: float = 0.0) -> Iterator[Frame]:
    for number, picture in enumerate(shown):
        time_s = start_s + number / RATE
        yield Frame(time_s, START + timedelta(seconds=time_s), picture)


class Shown:
    """A camera that shows pictures, each in memory of its own."""

    skipped = 0

    def __init__(self, shown: Iterable[Picture]) -> None:
        self._shown = shown

    def frames(self) -> Iterator[Frame]:
        return frames(self._shown)


@cache
def _noise(number: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(number).standard_normal(shape, np.float32)


def noisy(picture: NDArray[np.floating] | Picture, sigma: float, seed: int) -> Picture:
    """Return a picture with a sensor's noise, one of sixteen."""
    noise = _noise(seed % 16, picture.shape) * np.float32(sigma)
    made: Picture = (picture + noise).round().clip(0, 255).astype(np.uint8)
    return made


def still(picture: Picture, count: int, sigma: float = 2.0) -> list[Picture]:
    """Return a picture so many times, never quite the same."""
    return [noisy(picture, sigma, seed) for seed in range(count)]


def longer(shown: Sequence[Picture], count: int, sigma: float = 1.0) -> list[Picture]:
    """Return a clip played forth and back, with a sensor's noise, for so many frames."""
    turn = [*shown, *shown[-2:0:-1]]
    return [noisy(turn[number % len(turn)], sigma, number) for number in range(count)]


def motions(shown: Iterable[Picture], motion: Motion | None = None) -> NDArray[np.float64]:
    """Return the part that moves in every picture."""
    motion = motion or Motion()
    return np.array([motion.part(small(picture)) for picture in shown])


def states(shown: Iterable[Picture], tamper: Tamper | None = None) -> list[frozenset[CameraState]]:
    """Return what is said of the camera at every picture."""
    tamper = tamper or Tamper()
    return [tamper.look(frame, small(frame.image)) for frame in frames(shown)]


def brighter(picture: Picture, gain: float, offset: float = 0.0) -> Picture:
    made: Picture = (picture * gain + offset).round().clip(0, 255).astype(np.uint8)
    return made


def lamp(picture: Picture) -> Picture:
    """Return a picture under a lamp that lights one corner more than the rest."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    light = 1 + 1.5 * np.exp(-((x - 0.3) ** 2 + (y - 0.2) ** 2) / 0.15)
    made: Picture = (picture * light[..., None]).clip(0, 255).astype(np.uint8)
    return made


def blurred(picture: Picture, sigma: float) -> Picture:
    """Return a picture out of focus by so many pixels."""
    reach = int(4 * sigma)
    kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    kernel /= kernel.sum()
    wide = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), mode="edge").astype(np.float32)
    down = sum(k * wide[n : n + SIZE] for n, k in enumerate(kernel))
    both = sum(k * down[:, n : n + SIZE] for n, k in enumerate(kernel))
    made: Picture = np.asarray(both).round().clip(0, 255).astype(np.uint8)
    return made


def covered(picture: Picture, number: int) -> Picture:
    """Return what a cloth before the lens leaves."""
    return noisy(np.full(picture.shape, 90.0), 3.0, number)


def held(picture: Picture, number: int) -> Picture:
    """Return the inside of a hand, close: soft shades, no edges."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    skin = (120 + 40 * np.sin(x / 60) + 20 * np.cos(y / 45))[..., None] * [1, 0.7, 0.6]
    return noisy(skin, 3.0, number)


def capped(picture: Picture, number: int) -> Picture:
    return noisy(np.full(picture.shape, 3.0), 1.0, number)


def turned(picture: Picture, number: int) -> Picture:
    """Return what a camera sees that was turned by a third of its view."""
    return np.roll(picture, (60, -60), axis=(0, 1))


def soft(picture: Picture, number: int) -> Picture:
    return noisy(blurred(picture, 3.0), 1.0, number)


def faded(picture: Picture, number: int) -> Picture:
    """Return a picture that fades to black within ten seconds."""
    return noisy(picture * max(0.0, 1 - number / (10 * RATE)), 1.0, number)


def lights_out(picture: Picture, number: int) -> Picture:
    return noisy(picture * 0.08, 1.0, number)


Change = Callable[[Picture, int], Picture]
