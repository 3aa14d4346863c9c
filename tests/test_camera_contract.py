"""What every source owes: the same tests over each one that this machine can have."""

from __future__ import annotations

import gc
import importlib.util
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_clips import NUMBERS, Picture, bars, numbered_clip, write_clip
from rtsp_server import RtspServer

from edgehome.camera import Aim, Camera, open_camera, open_clip
from edgehome.privacy import Mask
from edgehome.types import WHOLE, Frame

SIZE = 64
RATE = 5.0
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 30), "blue": (30, 30, 200)}
SOURCES = ["replay", "file as a camera", "rtsp", "pi"]
if os.environ.get("EDGEHOME_VIRTUAL_CAMERA"):
    SOURCES = ["pi"]  # in the camera root; the others run outside


@dataclass
class Source:
    """A source under test, opened anew by each test."""

    name: str
    folder: Path
    parts: ExitStack = field(default_factory=ExitStack)

    def open(self, *, rate: float = RATE) -> Camera:
        if self.name == "pi":
            return open_camera("pi", size=SIZE, rate=rate)
        if self.name == "rtsp":
            server = self.parts.enter_context(RtspServer(rate=20))
            return open_camera(server.address, size=SIZE, rate=rate)
        clip = numbered_clip(self.folder / "clip.mp4", rate=20)
        if self.name == "replay":
            return open_clip(clip, size=SIZE, rate=rate, start=datetime.now(UTC).astimezone())
        return open_camera(str(clip), size=SIZE, rate=rate)

    def look(self, aim: Aim) -> list[Frame]:
        """Return a frame of three bars on 16:9 as aimed, and the picture for people if any."""
        more: dict[str, Any] = {"size": SIZE, "rate": RATE, "aim": aim}
        if self.name == "replay":
            clip = write_clip(self.folder / "bars.mp4", [barred(0)] * 20)
            return take(open_clip(clip, start=datetime.now(UTC).astimezone(), **more), 1)
        address = "pi"
        if self.name == "rtsp":
            server = self.parts.enter_context(RtspServer(picture=barred))
            address = server.address
        elif self.name != "pi":
            address = str(write_clip(self.folder / "bars.mp4", [barred(0)] * 20))
        with open_camera(address, picture=320, **more) as camera:
            frame = next(iter(camera.frames()))
            picture = camera.picture()
        assert picture is not None
        return [frame, picture]


def barred(_number: int) -> Picture:
    """Return what the virtual camera of tests/pi shows, without what moves in it."""
    return bars(320, 180, [COLOURS[name] for name in ("red", "green", "blue")])


def named(image: Picture, places: Sequence[tuple[float, float]]) -> str:
    """Return the initials of the colours at (x, y), each 0-1; `-` for none of them."""
    height, width, _ = image.shape
    found = ""
    for x, y in places:
        pixel = image[int(y * height), int(x * width)].astype(int)
        near = [name for name in COLOURS if np.abs(pixel - COLOURS[name]).max() <= 25]
        found += near[0][0] if near else "-"
    return found


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Source]:
    name: str = request.param
    if name == "pi" and not os.environ.get("EDGEHOME_VIRTUAL_CAMERA"):
        pytest.skip("no libcamera here; tests/pi runs this with EDGEHOME_TEST_PI=1")
    if name != "pi" and importlib.util.find_spec("av") is None:
        pytest.skip("PyAV is not installed")
    made = Source(name, tmp_path)
    with made.parts:
        yield made


def take(camera: AbstractContextManager[Camera], count: int) -> list[Frame]:
    frames: list[Frame] = []
    with camera as opened:
        for frame in opened.frames():
            frames.append(frame)
            if len(frames) == count:
                break
    return frames


def open_files() -> int:
    gc.collect()  # picamera2 holds its files in cycles
    return len(list(Path("/proc/self/fd").iterdir()))


def test_images_are_contiguous_rgb_squares_of_the_size(source: Source) -> None:
    for frame in take(source.open(), 3):
        assert frame.image.shape == (SIZE, SIZE, 3)
        assert frame.image.dtype == np.uint8
        assert frame.image.flags.c_contiguous


def test_time_increases_and_the_wall_clock_has_a_zone(source: Source) -> None:
    frames = take(source.open(), 6)
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
    for frame in frames:
        assert frame.at.utcoffset() is not None
        assert abs((frame.at - datetime.now(UTC)).total_seconds()) < 60


def test_both_clocks_run_at_the_same_speed(source: Source) -> None:
    frames = take(source.open(), 6)[1:]
    by_clock_s = frames[-1].time_s - frames[0].time_s
    by_wall_s = (frames[-1].at - frames[0].at).total_seconds()
    assert by_wall_s == pytest.approx(by_clock_s, abs=0.1)


def test_frames_come_at_the_rate(source: Source) -> None:
    frames = take(source.open(), 8)[1:]  # a stream's first frames may come in a burst
    mean_s = (frames[-1].time_s - frames[0].time_s) / 6
    assert mean_s == pytest.approx(1 / RATE, abs=0.04)


def test_frames_that_nobody_sees_are_counted(source: Source) -> None:
    with source.open(rate=2.5) as camera:
        stream = iter(camera.frames())
        for _ in range(4):
            next(stream)
        # Four frames at 2.5 a second are 1.2 s; every source here makes 10 or 20 a second.
        assert 1.2 * 10 - 4 <= camera.skipped <= 2.5 * 20


def test_pictures_move(source: Source) -> None:
    frames = take(source.open(), 8)
    assert len({frame.image.tobytes() for frame in frames}) >= 3


def test_nothing_stays_behind(source: Source) -> None:
    # What a library sets up once, it may keep; the second time adds nothing.
    take(source.open(), 2)
    source.parts.close()
    threads, files = set(threading.enumerate()), open_files()
    take(source.open(), 2)
    source.parts.close()
    assert set(threading.enumerate()) <= threads
    assert open_files() <= files


def test_a_camera_can_be_left_before_its_first_frame(source: Source) -> None:
    with source.open():
        pass
    assert len(take(source.open(), 1)) == 1


def test_an_error_inside_goes_through_and_still_closes(source: Source) -> None:
    def fail() -> None:
        with source.open() as camera:
            for _ in camera.frames():
                raise KeyError("ours")

    with pytest.raises(KeyError, match="ours"):
        fail()
    assert len(take(source.open(), 1)) == 1


LOW = 0.7
"""Below the middle: what moves in the virtual camera's picture is above it."""


@pytest.mark.parametrize(
    ("rotation", "across", "down"),
    [(0, "rgb", "ggg"), (90, "ggg", "rgb"), (180, "bgr", "ggg"), (270, "ggg", "bgr")],
)
def test_a_picture_is_turned_clockwise(
    source: Source, rotation: int, across: str, down: str
) -> None:
    # What moves in the virtual camera's picture is upper left of its middle, before the turn.
    for shown in source.look(Aim(rotation)):
        side = {0: LOW, 180: 1 - LOW}.get(rotation, 0.5)
        assert named(shown.image, [(0.05, side), (0.5, side), (0.95, side)]) == across
        side = {90: 1 - LOW, 270: LOW}.get(rotation, 0.5)
        assert named(shown.image, [(side, 0.05), (side, 0.5), (side, 0.95)])[::2] == down[::2]


@pytest.mark.parametrize(
    ("rotation", "region", "places", "expected"),
    [
        (0, (0.0, 0.5, 0.6, 0.5), ((0.1, 0.5), (0.9, 0.5)), "rg"),
        (0, (0.7, 0.4, 0.3, 0.6), ((0.1, 0.9), (0.9, 0.9)), "bb"),
        (180, (0.0, 0.0, 0.4, 0.5), ((0.1, 0.5), (0.7, 0.5)), "bb"),
        (90, (0.0, 0.0, 0.4, 0.5), ((0.3, 0.1), (0.3, 0.9)), "rg"),
        (270, (0.4, 0.0, 0.6, 0.5), ((0.5, 0.1), (0.5, 0.9)), "bg"),
    ],
)
def test_a_region_counts_from_the_upright_picture(
    source: Source,
    rotation: int,
    region: tuple[float, float, float, float],
    places: Sequence[tuple[float, float]],
    expected: str,
) -> None:
    for shown in source.look(Aim(rotation, region)):
        assert named(shown.image, places) == expected, shown.image.shape


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("region", [WHOLE, (0.1, 0.2, 0.7, 0.8)])
def test_what_a_privacy_polygon_hides_is_where_a_person_sees_it(
    source: Source, rotation: int, region: tuple[float, float, float, float]
) -> None:
    """The green bar is the middle third of the whole upright picture, across or down."""
    across = ((1 / 3, 0.0), (2 / 3, 0.0), (2 / 3, 1.0), (1 / 3, 1.0))
    down = tuple((y, x) for x, y in across)
    mask = Mask([down if rotation in {90, 270} else across])
    for shown in source.look(Aim(rotation, region)):
        seen, left = (
            (image[..., 1] > 100) & (image[..., 0] < 90) & (image[..., 2] < 90)
            for image in (shown.image, mask.burn(shown).image)
        )
        assert seen.mean() > 0.1
        assert not left.any()
        assert 0.2 < (mask.burn(shown).image.max(axis=2) == 0).mean() < 0.85


def test_a_replay_ends_by_itself(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path / "clip.mp4", NUMBERS, rate=20)
    with open_clip(clip, size=SIZE, rate=RATE, start=datetime.now(UTC).astimezone()) as camera:
        frames = list(camera.frames())
        assert len(frames) + camera.skipped == NUMBERS
