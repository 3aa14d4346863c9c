"""Cameras on the network and in /dev: a real RTSP stream, and every way to fail on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from made_clips import number_of
from rtsp_server import RtspServer

from edgehome.camera import open_camera
from edgehome.camera.address import without_password
from edgehome.camera.newest import Newest
from edgehome.types import CameraError, Frame, Problem

LIMIT_S = 5.0
"""Seconds within which a camera that is not there has to be reported."""


def fails(source: str) -> Problem:
    with pytest.raises(CameraError) as caught, open_camera(source, size=32, rate=5) as camera:
        for _ in camera.frames():
            pass
    return caught.value.problem


def take(source: str, count: int, rate: float = 5) -> tuple[list[Frame], int]:
    frames: list[Frame] = []
    with open_camera(source, size=32, rate=rate) as camera:
        for frame in camera.frames():
            frames.append(frame)
            if len(frames) == count:
                break
        return frames, camera.skipped


def test_an_rtsp_stream_gives_frames_at_the_rate() -> None:
    with RtspServer(rate=20) as server:
        frames, skipped = take(server.address, 10)
    assert all(frame.image.shape == (32, 32, 3) for frame in frames)
    steps = [
        (number_of(after.image) - number_of(before.image)) % 30
        for before, after in pairwise(frames[1:])
    ]
    assert 3.5 <= sum(steps) / len(steps) <= 4.5
    assert skipped >= 24


def test_an_rtsp_stream_with_a_password_opens_with_it() -> None:
    with RtspServer(password="sesame") as server:
        frames, _ = take(server.address, 2)
    assert len(frames) == 2


def test_a_wrong_password_is_denied_and_is_not_shown() -> None:
    with RtspServer(password="right") as server:
        problem = fails(server.address.replace("right", "wrong"))
    assert problem.code == "camera_denied"
    assert "wrong" not in str(problem)


def test_a_stream_that_falls_silent_times_out() -> None:
    with RtspServer(frames=30) as server:
        start_s = time.monotonic()
        problem = fails(server.address)
        took_s = time.monotonic() - start_s
    assert problem.code == "camera_timeout"
    assert took_s < 30 / 20 + LIMIT_S + 0.5


@pytest.fixture
def deaf() -> Iterator[int]:
    """A server that takes a connection and never says a word; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("scheme", ["rtsp", "http", "tcp"])
def test_a_dead_server_times_out_within_five_seconds(deaf: int, scheme: str) -> None:
    start_s = time.monotonic()
    problem = fails(f"{scheme}://127.0.0.1:{deaf}/stream")
    assert problem.code == "camera_timeout"
    assert time.monotonic() - start_s < LIMIT_S + 0.5


def test_nobody_at_the_address_is_a_missing_camera() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    problem = fails(f"rtsp://user:secret@127.0.0.1:{port}/stream")
    assert problem.code == "camera_missing"
    assert "secret" not in str(problem)
    assert "127.0.0.1" in problem.message


def test_a_device_that_is_not_there_is_a_missing_camera() -> None:
    problem = fails("/dev/video99")
    assert problem.code == "camera_missing"
    assert "/dev/video99" in problem.message


def test_a_device_that_is_no_camera_is_a_missing_camera() -> None:
    assert fails("/dev/null").code == "camera_missing"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://user:secret@host/stream", "rtsp://***@host/stream"),
        ("rtsp://user:se@cret@host:554/a@b", "rtsp://***@host:554/a@b"),
        ("rtsp://host/stream", "rtsp://host/stream"),
        ("/dev/video0", "/dev/video0"),
    ],
)
def test_an_address_is_shown_without_its_password(source: str, shown: str) -> None:
    assert without_password(source) == shown


def test_leaving_a_camera_that_hangs_does_not_hang(deaf: int) -> None:
    start_s = time.monotonic()
    with open_camera(f"tcp://127.0.0.1:{deaf}", size=32, rate=5):
        pass
    assert time.monotonic() - start_s < 2


def test_the_newest_item_overwrites_an_older_one_and_counts_it() -> None:
    newest: Newest[str] = Newest()
    for item in ("a", "b", "c"):
        newest.put(item)
    assert newest.take(0) == "c"
    assert newest.take(0) is None
    assert newest.overwritten == 2


def test_what_came_before_a_failure_is_taken_before_it() -> None:
    newest: Newest[str] = Newest()
    newest.put("last")
    newest.fail(CameraError("camera_timeout", "It is silent."))
    assert newest.take(0) == "last"
    with pytest.raises(CameraError):
        newest.take(0)


def test_a_waiting_taker_is_woken_by_the_next_item() -> None:
    newest: Newest[str] = Newest()
    putter = threading.Timer(0.05, newest.put, args=["item"])
    putter.start()
    assert newest.take(10) == "item"
    putter.join()
