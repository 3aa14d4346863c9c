"""Runs inside the camera root: our Pi camera on the real picamera2 and the real libcamera."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgehome.camera import open_camera
from edgehome.privacy import PrivateCamera
from edgehome.types import CameraError

STALL = Path(os.environ["EDGEHOME_SHIM_STALL"])
STALL.unlink(missing_ok=True)

FPS = float(os.environ["EDGEHOME_SHIM_FPS"])
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200)}
"""The bars in the pictures that the camera shows, from left to right."""

OPEN = """
import os
from edgehome.camera import open_camera
from edgehome.types import CameraError
try:
    with open_camera("pi", size=172, rate=5) as camera:
        next(iter(camera.frames()))
    print("opened")
except CameraError as error:
    print(error.problem.code)
"""


HANG = """
import os
from edgehome.camera import open_camera
from edgehome.types import CameraError
with open_camera("pi", size=172, rate=5) as camera:
    try:
        for _ in camera.frames():
            open(os.environ["EDGEHOME_SHIM_STALL"], "w").close()
    except CameraError as error:
        print(error.problem.code, flush=True)
print("left", flush=True)
"""


def opened_elsewhere(**changes: str) -> str:
    """Open the camera in another process and return the code of its error, or `opened`."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN],
        env=os.environ | changes,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.split()[-1]


@pytest.mark.parametrize("size", [172, 64, 100, 171])
def test_known_pictures_have_their_colours_and_shape(size: int) -> None:
    with open_camera("pi", size=size, rate=5) as camera:
        image = next(iter(camera.frames())).image
    assert image.shape == (size, size, 3)
    # The middle square of 16:9 is from 21.9 % to 78.1 % of the width; the bars end at 33 and 67 %.
    for x, name in ((0.08, "red"), (0.5, "green"), (0.92, "blue")):
        pixel = image[size // 2, int(x * size)].astype(int)
        assert np.abs(pixel - COLOURS[name]).max() <= 6, (name, pixel)
    edges = np.flatnonzero(np.diff(np.argmax(image[size // 2], axis=1))) / size
    assert edges == pytest.approx([0.204, 0.796], abs=0.02)


@pytest.mark.parametrize("longer", [640, 200])
def test_a_picture_for_people_is_whole_and_the_models_own_is_as_before(longer: int) -> None:
    with open_camera("pi", size=172, rate=5, picture=longer) as camera:
        frames = iter(camera.frames())
        image = next(frames).image
        picture = camera.picture()
        assert picture is not None
        data = camera.jpeg(picture.image, 85)
    shape = (round(max(longer, 306) * 9 / 16 / 2) * 2, max(longer, 306), 3)
    assert picture.image.shape == shape
    for shown, places in ((image, (0.08, 0.5, 0.92)), (picture.image, (0.1, 0.5, 0.9))):
        for x, name in zip(places, ("red", "green", "blue"), strict=True):
            pixel = shown[shown.shape[0] // 2, int(x * shown.shape[1])].astype(int)
            assert np.abs(pixel - COLOURS[name]).max() <= 6, (name, pixel)
    assert data.startswith(b"\xff\xd8\xff")
    assert len(data) < 60_000
    assert b"Exif" not in data


@pytest.mark.parametrize("longer", [0, 640])
def test_what_a_polygon_of_the_whole_picture_covers_is_black(longer: int) -> None:
    """The green bar is the middle third: of the square 20 to 80 %."""
    bar = ((1 / 3, 0.0), (2 / 3, 0.0), (2 / 3, 1.0), (1 / 3, 1.0))
    with open_camera("pi", size=172, rate=5, picture=longer) as opened:
        camera = PrivateCamera(opened, [bar])
        image = next(iter(camera.frames())).image
        pictures = [image]
        if longer and (picture := camera.picture()):
            pictures.append(picture.image)
    assert len(pictures) == 1 + bool(longer)
    for shown in pictures:
        row = shown[shown.shape[0] * 3 // 4].astype(int)
        green = (row[:, 1] > row[:, 0]) & (row[:, 1] > row[:, 2])
        assert not green.any()
        assert 0.25 < (row.max(axis=1) == 0).mean() < 0.7


def test_a_frame_is_younger_than_a_second() -> None:
    with open_camera("pi", size=172, rate=5) as camera:
        for count, frame in enumerate(camera.frames()):
            assert 0 <= time.monotonic() - frame.time_s < 1
            if count == 3:
                break


def test_a_slow_consumer_gets_a_new_frame_and_the_others_are_counted() -> None:
    with open_camera("pi", size=172, rate=5) as camera:
        stream = iter(camera.frames())
        next(stream)
        before, began_s = camera.skipped, time.monotonic()
        time.sleep(2)  # the consumer is busy: this is what is tested
        frame = next(stream)
        came = (time.monotonic() - began_s) * FPS
        assert time.monotonic() - frame.time_s < 0.6
        # The library that paces the camera lets it catch up on a second, after its start too.
        assert 0.7 * came <= camera.skipped - before <= came + FPS + 5


def test_a_camera_that_hangs_is_told_and_can_be_left_when_it_comes_back() -> None:
    """Until it does, to leave it hangs too: the supervisor kills a worker that is caught there."""
    start_s = time.monotonic()
    command = [sys.executable, "-c", HANG]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "camera_timeout\n"
            assert time.monotonic() - start_s < 10  # three of them waiting, the rest imports
            STALL.unlink()
            assert process.stdout.readline() == "left\n"
            assert process.wait(10) == 0
        finally:
            STALL.unlink(missing_ok=True)
            process.kill()
    assert opened_elsewhere() == "opened"


def test_a_camera_that_is_open_already_is_busy() -> None:
    # The virtual camera has no device that another process could hold: libcamera refuses it here.
    with open_camera("pi", size=172, rate=5) as camera:
        next(iter(camera.frames()))
        with pytest.raises(CameraError) as caught, open_camera("pi", size=172, rate=5):
            pass
    assert caught.value.problem.code == "camera_busy"
    assert opened_elsewhere() == "opened"


def test_heaps_that_may_not_be_opened_are_denied() -> None:
    assert opened_elsewhere(EDGEHOME_SHIM_DENY="1") == "camera_denied"


def test_no_camera_is_a_missing_camera() -> None:
    assert opened_elsewhere(LIBCAMERA_PIPELINES_MATCH_LIST="rpi/vc4") == "camera_missing"
