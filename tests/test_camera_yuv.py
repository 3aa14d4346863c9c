"""The camera's buffers: made-up ones with padding, against the formula and against FFmpeg."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from edgehome.camera.yuv import BT601, BT709, Coding, Layout, Plane, square, unpack

FULL = Coding(*BT601, full=True)
PAD = 0xAA
"""What lies in the padding; were it read, pictures would have it in them."""


def random_planes(width: int, height: int) -> tuple[Plane, Plane, Plane]:
    dice = np.random.default_rng(1)
    half = (height // 2, width // 2)
    return (
        dice.integers(16, 236, (height, width), dtype=np.uint8),
        dice.integers(90, 166, half, dtype=np.uint8),
        dice.integers(90, 166, half, dtype=np.uint8),
    )


def flat_planes(width: int, height: int, colour: tuple[int, int, int]) -> tuple[Plane, ...]:
    half = (height // 2, width // 2)
    shapes = ((height, width), half, half)
    return tuple(
        np.full(shape, value, dtype=np.uint8) for shape, value in zip(shapes, colour, strict=True)
    )


def padded(plane: Plane, stride: int) -> Plane:
    rows = np.full((plane.shape[0], stride), PAD, dtype=np.uint8)
    rows[:, : plane.shape[1]] = plane
    return rows.ravel()


def buffer_of(planes: tuple[Plane, ...], layout: Layout, tail: int = 0) -> Plane:
    """Lay planes out as the hardware does, with padded rows and a tail up to a memory page."""
    y, u, v = planes
    if layout.format in ("YVU420", "NV21"):
        u, v = v, u
    if layout.format in ("NV12", "NV21"):
        parts = [
            padded(y, layout.stride),
            padded(np.dstack((u, v)).reshape(len(u), -1), layout.stride),
        ]
    else:
        parts = [padded(y, layout.stride), *(padded(part, layout.stride // 2) for part in (u, v))]
    return np.concatenate([*parts, np.full(tail, PAD, dtype=np.uint8)])


@pytest.mark.parametrize("name", ["YUV420", "YVU420", "NV12", "NV21"])
@pytest.mark.parametrize(
    ("width", "height", "stride"), [(306, 172, 320), (172, 172, 192), (172, 172, 256), (8, 4, 8)]
)
@pytest.mark.parametrize("tail", [0, 1234])
def test_planes_come_out_without_their_padding(
    name: str, width: int, height: int, stride: int, tail: int
) -> None:
    planes = random_planes(width, height)
    layout = Layout(name, width, height, stride)
    unpacked = unpack(buffer_of(planes, layout, tail), layout)
    for got, expected in zip(unpacked, planes, strict=True):
        assert np.array_equal(got, expected)


def formula(y: float, u: float, v: float, coding: Coding) -> list[float]:
    """ITU-R BT.601 and BT.709, written out for one pixel."""
    if not coding.full:
        y, u, v = (y - 16) * 255 / 219, 128 + (u - 128) * 255 / 224, 128 + (v - 128) * 255 / 224
    red = y + 2 * (1 - coding.red) * (v - 128)
    blue = y + 2 * (1 - coding.blue) * (u - 128)
    green = (y - coding.red * red - coding.blue * blue) / (1 - coding.red - coding.blue)
    return [min(255.0, max(0.0, value)) for value in (red, green, blue)]


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ((255, 128, 128), (255, 255, 255)),
        ((0, 128, 128), (0, 0, 0)),
        ((76, 85, 255), (254, 0, 0)),
        ((150, 44, 21), (0, 255, 1)),
        ((29, 255, 107), (0, 0, 254)),
    ],
)
def test_full_range_bt601_is_what_jpeg_says(
    colour: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    image = square(flat_planes(8, 8, colour), 4, FULL)
    assert image[2, 2].tolist() == pytest.approx(list(expected), abs=1)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shares", [BT601, BT709])
def test_every_pixel_is_that_of_the_formula(shares: tuple[float, float], full: bool) -> None:
    coding = Coding(*shares, full=full)
    planes = random_planes(16, 16)
    image = square(planes, 16, coding)
    for row, column in np.ndindex(16, 16):
        y = float(planes[0][row, column])
        u, v = (float(plane[row // 2, column // 2]) for plane in planes[1:])
        assert image[row, column] == pytest.approx(formula(y, u, v, coding), abs=0.51)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    ("shares", "space"), [(BT601, Colorspace.ITU601), (BT709, Colorspace.ITU709)]
)
def test_the_colours_are_those_of_ffmpeg(
    shares: tuple[float, float], space: Colorspace, full: bool
) -> None:
    dice = np.random.default_rng(2)
    for colour in dice.integers([40, 100, 100], [200, 156, 156], (40, 3)).tolist():
        planes = flat_planes(64, 64, tuple(colour))
        frame = av.VideoFrame(64, 64, "yuv420p")
        for plane, values in zip(frame.planes, planes, strict=True):
            plane.update(bytes([int(values[0, 0])]) * plane.buffer_size)
        span = ColorRange.JPEG if full else ColorRange.MPEG
        converted = frame.reformat(format="rgb24", src_colorspace=space, src_color_range=span)
        expected = converted.to_ndarray()[32, 32]
        image = square(planes, 32, Coding(*shares, full=full))
        # FFmpeg converts with 8-bit tables; the formula above is the exact one.
        assert np.abs(image[16, 16].astype(int) - expected).max() <= 4


@pytest.mark.parametrize(("width", "height"), [(306, 172), (172, 306), (172, 172), (230, 172)])
def test_the_middle_is_cut_out_and_not_squashed(width: int, height: int) -> None:
    y, u, v = flat_planes(width, height, (200, 128, 128))
    top, left = (height - 172) // 2, (width - 172) // 2
    y = y.copy()
    y[top : top + 172, left : left + 172] = 50
    image = square((y, u, v), 172, FULL)
    assert image.shape == (172, 172, 3)
    assert image.flags.c_contiguous
    if (top % 2, left % 2) == (0, 0):
        assert np.all(image == 50)
    assert np.all(image[2:-2, 2:-2] == 50)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1280, 720), (128, 96)])
def test_a_camera_that_gives_another_size_is_scaled_by_area(width: int, height: int) -> None:
    rows = np.linspace(0, 255, height).astype(np.uint8)
    y = np.repeat(rows[:, None], width, axis=1)
    _, u, v = flat_planes(width, height, (0, 128, 128))
    image = square((y, u, v), 172, FULL)
    assert image.shape == (172, 172, 3)
    expected = (np.arange(172) + 0.5) / 172 * 255
    assert np.abs(image[:, 86, 0] - expected).max() <= 1 + 255 / height
    assert image.mean() == pytest.approx(y.mean(), abs=1)
