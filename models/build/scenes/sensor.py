"""What camera and stream do to a picture: exposure, noise, blur, infrared spot, compression."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.build.scenes.body import Floats
from models.build.scenes.clock import written

Picture = NDArray[np.uint8]
_Cell = TypeVar("_Cell", bound=np.generic)
BLOCK = 4
"""Pixels of a compression block on a side, at the network's small sizes."""


@dataclass
class Sensor:
    """One camera's ways; `take` keeps the last picture, as a video stream does."""

    size: int
    rng: np.random.Generator
    tone: Floats = field(default_factory=lambda: np.ones(3, dtype=np.float32))
    """Gain of red, green and blue: white balance."""
    gamma: float = 1.0
    contrast: float = 1.0
    grey: bool = False
    noise: float = 0.01
    """Deviation at mid brightness."""
    blur: float = 0.0
    """Share of each neighbour in a three-tap blur, at most 1/3."""
    vignette: float = 0.0
    spot: float = 0.0
    """How much darker the corners of an infrared lamp's light are."""
    shake: float = 0.0
    """Pixels."""
    coarse: float = 0.0
    """Detail below this is lost in compression."""
    skip: float = 0.0
    """A block that changed less than this is not sent again."""
    clock_s: float = -1.0
    """The time burnt into the first picture, in seconds since 1970; below 0 there is none."""

    def __post_init__(self) -> None:
        """Make what stays the same from frame to frame."""
        place = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size * 2 - 1
        away = place[:, None] ** 2 + place[None, :] ** 2
        self.mask = (1 - self.vignette * 0.5 * away) * np.exp(-self.spot * away)
        margin = 32
        self._field = self.rng.standard_normal((self.size + margin, self.size + margin, 3)).astype(
            np.float32
        )
        if self.grey:
            self._field[:] = self._field[..., :1]
        self._last: Floats | None = None
        self._moved = np.zeros(2, dtype=np.float32)

    def take(self, picture: Floats, gain: float, second: float) -> Picture:
        """Return the picture (size, size, 3), 0 to 255, of light 0 to 1 times `gain`."""
        seen = picture
        if self.shake:
            self._moved += self.rng.normal(0, self.shake, 2).astype(np.float32) - 0.4 * self._moved
            seen = _shifted(seen, np.clip(self._moved, -2.9, 2.9))
        if self.blur:
            seen = _blurred(seen, self.blur)
        seen = seen * (self.mask[..., None] * (self.tone * gain))
        if self.grey:
            seen = np.repeat((seen @ _GREY)[..., None], 3, axis=2)
        seen = _curve(seen, self.gamma, self.contrast)
        seen += self._noise()
        if self.coarse:
            seen = self._compressed(seen)
        if self.clock_s >= 0:
            stamp = written(self.clock_s + second, self.size)
            rows, columns = stamp.shape
            tile = seen[3 : 3 + rows, 4 : 4 + columns]
            tile += stamp[..., None] * (np.float32(0.92) - tile)
        return (np.clip(seen, 0, 1) * 255).astype(np.uint8)

    def _noise(self) -> Floats:
        top, left = self.rng.integers(0, 32, 2)
        field_ = self._field[top : top + self.size, left : left + self.size]
        if self.rng.random() < 0.5:
            field_ = field_[::-1]
        noise: Floats = field_ * np.float32(self.noise * self.rng.uniform(0.9, 1.1))
        return noise

    def _compressed(self, seen: Floats) -> Floats:
        """Drop faint detail and colour detail in blocks, and keep blocks that hardly changed."""
        mean = _spread(pooled(seen, BLOCK) * np.float32(BLOCK**-2), BLOCK)
        detail = seen - mean
        bright = (detail[..., 0] + detail[..., 1] + detail[..., 2]) * np.float32(1 / 3)
        bright *= np.where(np.abs(bright) > self.coarse, np.float32(1), np.float32(0.35))
        sent = mean
        sent += bright[..., None]
        if self._last is not None and self.skip:
            change = np.abs(sent - self._last)
            moved = pooled(change[..., 0] + change[..., 1] + change[..., 2], BLOCK)
            same = _spread(moved < 3 * BLOCK**2 * self.skip, BLOCK)
            np.copyto(sent, self._last, where=same[..., None])
        self._last = sent.copy()
        return sent


def pooled(picture: Floats, side: int) -> Floats:
    """Return the sums of blocks; faster than reductions over short axes."""
    rows = picture[0::side]
    for line in range(1, side):
        rows = rows + picture[line::side]
    total = rows[:, 0::side]
    for column in range(1, side):
        total = total + rows[:, column::side]
    return total


def _spread(blocks: NDArray[_Cell], side: int) -> NDArray[_Cell]:
    """Repeat each block's value over its pixels."""
    return np.repeat(np.repeat(blocks, side, axis=0), side, axis=1)


_GREY = np.array([0.35, 0.4, 0.25], dtype=np.float32)


def _curve(seen: Floats, gamma: float, contrast: float) -> Floats:
    """Bend the tones; above 0.8 light is pressed together, as cameras do."""
    if gamma != 1.0:
        seen = np.maximum(seen, 0) ** np.float32(gamma)
    seen *= np.float32(contrast)
    seen += np.float32(0.45 * (1 - contrast))
    bent: Floats = np.minimum(seen, np.float32(0.48) + np.float32(0.4) * seen)
    return bent


def _shifted(picture: Floats, move: Floats) -> Floats:
    """Move a picture by up to 3 pixels, between pixels by straight lines."""
    height, width = picture.shape[:2]
    wide = np.pad(picture, ((4, 4), (4, 4), (0, 0)), mode="edge")
    down, right = (int(np.floor(value)) for value in move)
    part_y, part_x = move[0] - down, move[1] - right
    rows = wide[4 + down : 5 + down + height]
    rows = rows[:-1] * (1 - part_y) + rows[1:] * part_y
    shifted: Floats = (
        rows[:, 4 + right : 4 + right + width] * (1 - part_x)
        + rows[:, 5 + right : 5 + right + width] * part_x
    )
    return shifted


def _blurred(picture: Floats, share: float) -> Floats:
    middle = np.float32(1 - 2 * share)
    side = np.float32(share)
    out = picture * middle
    out[1:] += side * picture[:-1]
    out[:-1] += side * picture[1:]
    out[0] += side * picture[0]
    out[-1] += side * picture[-1]
    across = out * middle
    across[:, 1:] += side * out[:, :-1]
    across[:, :-1] += side * out[:, 1:]
    across[:, 0] += side * out[:, 0]
    across[:, -1] += side * out[:, -1]
    return across
