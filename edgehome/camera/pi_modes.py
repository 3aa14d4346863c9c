"""What to ask of a Pi's camera, and what it then says that it gives: pure.

Facts about picamera2 are those of its source at 0.3.38; about libcamera, of Raspberry Pi's at 0.7.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from edgehome.camera import yuv
from edgehome.types import CameraError, Region

FRAMES_PER_DUE = 2
"""The camera runs at a multiple of the rate: its shutter is then open for at most half the time
between two frames that are used, so a movement in the dark smears over half of it at most."""
DARK_S = 66_666e-6
"""The longest exposure, in seconds, of the tuning files' normal mode (imx219, imx708)."""
SAME_VIEW = 0.98
"""Sensor modes that see this share of the widest view see the same."""


def frame_durations(rate: float) -> tuple[int, int]:
    """Return the shortest and the longest time of a frame, in microseconds, for a rate.

    The longest lets the tuning expose in the dark for as long as it would, unless a frame would
    then be late.
    """
    shortest_s = 1 / (rate * FRAMES_PER_DUE)
    longest_s = min(1 / rate, max(shortest_s, DARK_S))
    return round(shortest_s * 1e6), round(longest_s * 1e6)


def stream_size(sensor: Sequence[float], size: float) -> tuple[int, int]:
    """Return the smallest even (width, height) with the sensor's aspect that holds the square.

    `sensor` is its (width, height), `size` the model's, all in pixels.
    """
    width, height = sensor
    short = ceil(size / 2) * 2
    long = round(short * max(width, height) / min(width, height) / 2) * 2
    return (long, short) if width >= height else (short, long)


def picture_size(sensor: Sequence[float], size: float, longer: float) -> tuple[int, int]:
    """Return an even (width, height) with the sensor's aspect, its longer side `longer` pixels.

    It is nowhere smaller than the model's stream: the second stream may not be the larger one.
    """
    least = stream_size(sensor, size)
    width, height = (round(longer * side / max(sensor) / 2) * 2 for side in sensor)
    return (max(width, least[0]), max(height, least[1]))


def enlarged(sensor: Sequence[float], region: Region, *, whole: bool) -> tuple[float, float]:
    """Return by how much a stream must be larger for its region to have the sizes asked for.

    First what the shorter side needs, then the longer. `whole`: the stream shows the whole
    picture, and the region is cut out of it here.
    """
    if not whole:
        return 1.0, 1.0
    part = [side * share for side, share in zip(sensor, region[2:], strict=True)]
    return min(sensor) / min(part), max(sensor) / max(part)


def scaler_crop(maximum: Sequence[int], region: Region) -> tuple[int, int, int, int]:
    """Return libcamera's ScalerCrop for a region of the picture as the sensor sends it.

    `maximum` is the largest one: left, top, width and height in pixels of the sensor.
    """
    left, top, width, height = maximum
    x, y, across, down = region
    return (
        round(left + x * width),
        round(top + y * height),
        max(2, round(across * width)),
        max(2, round(down * height)),
    )


def outer(maximum: Sequence[int], crop: Sequence[int], size: tuple[int, int]) -> Region:
    """Return where the whole picture lies, in pixels of a stream of (width, height).

    `crop` is the part of `maximum` that the stream shows.
    """
    across, down = size[0] / crop[2], size[1] / crop[3]
    return (
        (maximum[0] - crop[0]) * across,
        (maximum[1] - crop[1]) * down,
        maximum[2] * across,
        maximum[3] * down,
    )


def widest_mode(modes: Sequence[Mapping[str, Any]], rate: float) -> Mapping[str, Any] | None:
    """Return the smallest sensor mode that sees all that the sensor can, at `rate` or faster.

    Left alone, a small picture would get a small mode, and those show only the middle.
    `modes` is Picamera2.sensor_modes. None when no mode says what it sees.
    """

    def view(mode: Mapping[str, Any]) -> int:
        _, _, width, height = mode["crop_limits"]
        return int(width * height)

    known = [mode for mode in modes if "crop_limits" in mode and mode["fps"] >= rate]
    if not known:
        return None
    widest = max(map(view, known))
    full = [mode for mode in known if view(mode) >= SAME_VIEW * widest]
    return min(full, key=lambda mode: (mode["size"][0] * mode["size"][1], mode["bit_depth"]))


def layout(stream: Mapping[str, Any]) -> yuv.Layout:
    """Return the layout that a stream really has, from camera_configuration()["main"].

    Raises CameraError (camera_unsupported) for a format that is not YUV 4:2:0.
    """
    if stream["format"] not in yuv.FORMATS:
        raise CameraError(
            "camera_unsupported",
            f"The camera gives {stream['format']} and not YUV420: it is not a Pi camera.",
            "For a USB camera, set camera.source to its device, such as /dev/video0.",
        )
    width, height = stream["size"]
    return yuv.Layout(stream["format"], width, height, stream["stride"])


def coding(colour_space: Any) -> yuv.Coding:  # noqa: ANN401
    """Return the coding that libcamera's ColorSpace stands for."""
    encoding = colour_space.ycbcrEncoding.name
    red, blue = yuv.BT709 if encoding == "Rec709" else yuv.BT601
    return yuv.Coding(red, blue, full=colour_space.range.name == "Full")
