"""What every source owes: the same tests over each one that this machine can have."""

from __future__ import annotations

import gc
import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from made_clips import NUMBERS, numbered_clip
from rtsp_server import RtspServer

from edgehome.camera import Camera, open_camera, open_clip
from edgehome.types import Frame

SIZE = 64
RATE = 5.0
SOURCES = ["replay", "file as a camera", "rtsp", "pi"]


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


def test_a_replay_ends_by_itself(tmp_path: Path) -> None:
    clip = numbered_clip(tmp_path / "clip.mp4", NUMBERS, rate=20)
    with open_clip(clip, size=SIZE, rate=RATE, start=datetime.now(UTC).astimezone()) as camera:
        frames = list(camera.frames())
        assert len(frames) + camera.skipped == NUMBERS
