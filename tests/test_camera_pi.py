"""The Pi camera's choices and sentences; the camera itself runs in tests/pi."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from edgehome.camera import open_camera, pi_errors
from edgehome.camera.pi_modes import (
    coding,
    enlarged,
    frame_durations,
    layout,
    outer,
    picture_size,
    scaler_crop,
    stream_size,
    widest_mode,
)
from edgehome.camera.yuv import BT601, BT709, Coding, Layout
from edgehome.types import CameraError


def mode(
    size: tuple[int, int], view: tuple[int, int], fps: float, bits: int = 10
) -> dict[str, Any]:
    return {"size": size, "crop_limits": (0, 0, *view), "fps": fps, "bit_depth": bits}


IMX219 = [
    mode((640, 480), (1280, 960), 206.65),
    mode((1640, 1232), (3280, 2464), 83.7),
    mode((1920, 1080), (1920, 1080), 47.57),
    mode((3280, 2464), (3280, 2464), 21.19),
]
"""Modes of the Camera Module 2, as its data sheet and rpicam-hello --list-cameras have them."""


@pytest.mark.parametrize(
    ("sensor", "stream"),
    [
        ((1640, 1232), (228, 172)),
        ((2304, 1296), (306, 172)),
        ((1296, 2304), (172, 306)),
        ((100, 100), (172, 172)),
    ],
)
def test_the_stream_has_the_sensors_aspect(
    sensor: tuple[int, int], stream: tuple[int, int]
) -> None:
    assert stream_size(sensor, 172) == stream


def test_the_stream_is_even_and_holds_an_odd_square() -> None:
    assert stream_size((2304, 1296), 171) == (306, 172)


def test_a_small_picture_still_sees_all_that_the_sensor_can() -> None:
    chosen = widest_mode(IMX219, 10)
    assert chosen is not None
    assert chosen["size"] == (1640, 1232)


def test_a_mode_that_is_too_slow_is_left_out() -> None:
    slow = [mode((640, 480), (3280, 2464), 5), *IMX219]
    chosen = widest_mode(slow, 10)
    assert chosen is not None
    assert chosen["size"] == (1640, 1232)


def test_modes_that_do_not_say_what_they_see_choose_nothing() -> None:
    assert widest_mode([{"format": "MJPEG"}], 10) is None


def test_the_layout_is_the_one_that_the_camera_says() -> None:
    said = {"format": "NV12", "size": (306, 172), "stride": 320, "framesize": 82560}
    assert layout(said) == Layout("NV12", 306, 172, 320)


def test_a_format_that_is_not_yuv_is_refused() -> None:
    with pytest.raises(CameraError) as caught:
        layout({"format": "MJPEG", "size": (640, 480), "stride": 0})
    assert caught.value.problem.code == "camera_unsupported"
    assert "/dev/video0" in caught.value.problem.remedy


@pytest.mark.parametrize(
    ("encoding", "span", "expected"),
    [
        ("Rec601", "Full", Coding(*BT601, full=True)),
        ("Rec601", "Limited", Coding(*BT601, full=False)),
        ("Rec709", "Limited", Coding(*BT709, full=False)),
    ],
)
def test_the_coding_is_the_one_that_the_camera_says(
    encoding: str, span: str, expected: Coding
) -> None:
    said = SimpleNamespace(
        ycbcrEncoding=SimpleNamespace(name=encoding), range=SimpleNamespace(name=span)
    )
    assert coding(said) == expected


def caused(*words: BaseException) -> BaseException:
    """Chain errors the way picamera2 does: each one caused by the next."""
    for error, cause in pairwise(words):
        error.__cause__ = cause
    return words[0]


DID_NOT = "Camera __init__ sequence did not complete."


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("No camera number 0 found - use rpicam-hello"), "camera_missing"),
        (IndexError("list index out of range"), "camera_missing"),
        (PermissionError(13, "Permission denied", "/dev/dma_heap/linux,cma"), "camera_denied"),
        (RuntimeError("Could not open any dmaHeap device"), "camera_denied"),
        (
            caused(
                RuntimeError(DID_NOT),
                RuntimeError("Failed to acquire camera: Device or resource busy"),
            ),
            "camera_busy",
        ),
        (
            caused(
                RuntimeError(DID_NOT), RuntimeError("Pipeline handler in use by another process")
            ),
            "camera_busy",
        ),
        (caused(RuntimeError(DID_NOT), RuntimeError("Invalid argument")), "camera_missing"),
    ],
)
def test_what_picamera2_raises_becomes_a_sentence(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def refuse() -> None:
        raise error

    fake = ModuleType("picamera2")
    monkeypatch.setattr(fake, "Picamera2", refuse, raising=False)
    monkeypatch.setitem(sys.modules, "picamera2", fake)
    with pytest.raises(CameraError) as caught, open_camera("pi", size=172, rate=5):
        pass
    assert caught.value.problem.code == code
    assert caught.value.problem.remedy


def test_without_picamera2_the_remedy_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraError) as caught, open_camera("pi", size=172, rate=5):
        pass
    assert caught.value.problem.code == "picamera2_missing"
    assert "python3-picamera2" in caught.value.problem.remedy
    assert "--system-site-packages" in caught.value.problem.remedy


@pytest.mark.parametrize(
    ("error", "installed", "code", "words"),
    [
        (ModuleNotFoundError("No module named 'picamera2'", name="picamera2"), "picamera2",
         "picamera2_missing", "does not see it"),
        (ModuleNotFoundError("No module named 'libcamera'", name="libcamera"), "libcamera",
         "libcamera_missing", "does not see it"),
        (ModuleNotFoundError("No module named 'libcamera'", name="libcamera"), "",
         "libcamera_missing", "libcamera's part for Python"),
        (ImportError("cannot import", name="libcamera._libcamera"), "",
         "libcamera_missing", "libcamera's part for Python"),
        (ModuleNotFoundError("No module named 'pidng'", name="pidng"), "picamera2",
         "picamera2_missing", "pidng"),
        (ValueError("numpy.dtype size changed, may indicate binary incompatibility"), "picamera2",
         "picamera2_numpy", "does not fit this numpy"),
        (ImportError("numpy.core.multiarray failed to import"), "picamera2",
         "picamera2_numpy", "does not fit this numpy"),
    ],
)  # fmt: skip
def test_each_way_in_which_it_cannot_be_imported_has_its_sentence(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    error: Exception,
    installed: str,
    code: str,
    words: str,
) -> None:
    monkeypatch.setattr(pi_errors, "SYSTEM_PACKAGES", tmp_path)
    if installed:
        (tmp_path / installed).mkdir()
    problem = pi_errors.unimportable(error).problem
    assert problem.code == code
    assert words in problem.message
    assert problem.remedy


@pytest.mark.parametrize(
    ("member", "words"),
    [(False, "not in the group video"), (True, "although this user is in the group video")],
)
def test_nodes_that_may_not_be_opened_are_told_and_not_taken_for_no_camera(
    monkeypatch: pytest.MonkeyPatch, member: bool, words: str
) -> None:
    """libcamera passes over what it may not open, and lists no camera then."""
    monkeypatch.setattr(pi_errors, "forbidden_nodes", lambda: iter([Path("/dev/media0")]))
    monkeypatch.setattr(pi_errors, "in_group", lambda _name: member)
    problem = pi_errors.explained(RuntimeError("No camera number 0 found")).problem
    assert problem.code == "camera_denied"
    assert words in problem.message
    assert "/dev/media0" in problem.message
    assert ("usermod" in problem.remedy) is not member


MAXIMUM = (16, 24, 3280, 2464)
"""Left, top, width and height of the largest crop, as a sensor has it."""


def test_a_region_is_asked_of_the_image_processor_in_pixels_of_the_sensor() -> None:
    assert scaler_crop(MAXIMUM, (0.5, 0.25, 0.25, 0.5)) == (16 + 1640, 24 + 616, 820, 1232)


def test_the_crop_that_was_given_says_where_the_whole_picture_lies() -> None:
    """Not the one that was asked for: it may be larger."""
    left, top, width, height = outer(MAXIMUM, (1656, 640, 1640, 1232), (200, 150))
    assert (width, height) == (400, 300)
    assert (left, top) == (-200, -75)


@pytest.mark.parametrize("region", [(0.0, 0.0, 1.0, 1.0), (0.2, 0.1, 0.5, 0.25), (0, 0, 0.1, 1)])
def test_a_region_that_is_cut_out_here_still_holds_the_square(
    region: tuple[float, float, float, float],
) -> None:
    sensor = (1640, 1232)
    shorter, longer = enlarged(sensor, region, whole=True)
    small = stream_size(sensor, 172 * shorter)
    assert min(small[0] * region[2], small[1] * region[3]) >= 172 - 2
    large = picture_size(sensor, 172 * shorter, 640 * longer)
    assert max(large[0] * region[2], large[1] * region[3]) >= 640 - 2
    assert enlarged(sensor, region, whole=False) == (1, 1)


@pytest.mark.parametrize(
    ("rate", "durations"),
    [(5, (100_000, 100_000)), (10, (50_000, 66_666)), (25, (20_000, 40_000))],
)
def test_the_shutter_has_the_time_that_the_tuning_wants_in_the_dark(
    rate: float, durations: tuple[int, int]
) -> None:
    assert frame_durations(rate) == durations
