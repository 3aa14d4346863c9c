"""Random views of a clip: where the camera points, how it moves, what the light does.

Both networks see the same view, so any view teaches: the student is to say what its teacher says.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

RATE = 5.0
"""Frames a second that the network is fed with."""


def moments(count: int, rate: float, frames: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return which of a clip's `count` frames to take: at about RATE, now and then backwards.

    A clip that is too short is held at its ends.
    """
    speed = RATE * float(np.exp(random.normal(0.0, 0.25)))
    step = rate / speed
    spare = count - 1 - step * (frames - 1)
    start = random.uniform(0.0, spare) if spare > 0 else random.uniform(spare, 0.0)
    at = start + step * np.arange(frames)
    if random.random() < 0.1:
        at = at[::-1]
    return np.clip(np.round(at), 0, count - 1).astype(np.intp)


def view(images: NDArray[np.uint8], size: int, random: np.random.Generator) -> Tensor:
    """Return (frames, 3, size, size), 0 to 1, of (frames, height, width, 3)."""
    pictures = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
    if random.random() < 0.75:
        pictures = functional.grid_sample(
            pictures,
            _camera(pictures.shape, size, random),
            mode="bilinear",
            padding_mode="reflection",
            align_corners=False,
        )
    else:
        pictures = centre(pictures, size)
        if random.random() < 0.5:
            pictures = pictures.flip(3)
    return _lit(pictures, random)


def centre(pictures: Tensor, size: int) -> Tensor:
    """Return the square in the middle, (frames, 3, size, size), as a node sees it."""
    height, width = pictures.shape[2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pictures[:, :, top : top + side, left : left + side]
    return functional.interpolate(
        square, (size, size), mode="bilinear", antialias=True, align_corners=False
    )


def _camera(shape: torch.Size, size: int, random: np.random.Generator) -> Tensor:
    """Return the sampling grid of a camera that may turn, zoom, drift and shake."""
    frames, _, height, width = shape
    zoom = float(np.exp(random.uniform(math.log(0.55), math.log(1.05))))
    angle = random.normal(0.0, 0.06)
    mirror = -1.0 if random.random() < 0.5 else 1.0
    stretch = float(np.exp(random.normal(0.0, 0.06)))
    side = min(height, width)
    room_x = max(0.0, 1 - zoom * side / width)
    room_y = max(0.0, 1 - zoom * side / height)
    along = np.linspace(-0.5, 0.5, frames)
    moving = random.random() < 0.3
    pan = random.normal(0.0, 0.15, 2) if moving else np.zeros(2)
    shake = random.normal(0.0, 0.008, (frames, 2)) * (random.random() < 0.2)
    grow = np.exp(along * (random.normal(0.0, 0.15) if moving else 0.0))
    x = random.uniform(-room_x, room_x) + pan[0] * along + shake[:, 0]
    y = random.uniform(-room_y, room_y) + pan[1] * along + shake[:, 1]
    wide = zoom * stretch * side / width * grow
    high = zoom / stretch * side / height * grow
    aspect = height / width
    turns = np.empty((frames, 2, 3))
    turns[:, 0, 0], turns[:, 0, 1] = (
        mirror * wide * math.cos(angle),
        -high * math.sin(angle) * aspect,
    )
    turns[:, 1, 0], turns[:, 1, 1] = (
        mirror * wide * math.sin(angle) / aspect,
        high * math.cos(angle),
    )
    turns[:, 0, 2], turns[:, 1, 2] = x, y
    return functional.affine_grid(
        torch.from_numpy(turns).float(), [frames, 3, size, size], align_corners=False
    )


def _lit(pictures: Tensor, random: np.random.Generator) -> Tensor:
    """Return the pictures under other light, in grey, with noise, or blurred."""
    if random.random() < 0.6:
        gain, lift = float(np.exp(random.normal(0, 0.2))), random.normal(0, 0.06)
        tint = torch.from_numpy(np.exp(random.normal(0, 0.08, (1, 3, 1, 1)))).float()
        pictures = ((pictures - 0.5) * gain * tint + 0.5 + lift).clamp(0, 1)
        pictures = pictures ** float(np.exp(random.normal(0, 0.2)))
    if random.random() < 0.2:
        pictures = pictures.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    if random.random() < 0.15:
        factor = random.uniform(0.35, 0.8)
        small = functional.interpolate(pictures, scale_factor=factor, mode="bilinear")
        pictures = functional.interpolate(small, pictures.shape[2:], mode="bilinear")
    if random.random() < 0.15:
        pictures = (pictures + torch.randn_like(pictures) * random.uniform(0.01, 0.05)).clamp(0, 1)
    return pictures
