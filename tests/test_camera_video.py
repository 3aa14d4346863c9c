"""Video files, in replay and standing in for a camera: real files through real FFmpeg."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from made_clips import NUMBERS, Picture, bars, number_of, numbered, numbered_clip, write_clip

from edgehome.camera import open_camera, open_clip
from edgehome.types import CameraError, Frame

START = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 160, 30), (30, 30, 200), (128, 128, 128)


def replay(path: Path, *, size: int = 32, rate: float = 5) -> tuple[list[Frame], int]:
    with open_clip(path, size=size, rate=rate, start=START) as camera:
        return list(camera.frames()), camera.skipped


def only_frame(path: Path, size: int = 60) -> Picture:
    frames, _ = replay(path, size=size)
    return frames[0].image


def close_to(pixel: Picture, colour: tuple[int, int, int]) -> bool:
    return bool(np.all(np.abs(pixel.astype(int) - colour) <= 12))


def test_replay_at_half_the_rate_of_a_clip_takes_every_second_frame(tmp_path: Path) -> None:
    frames, skipped = replay(numbered_clip(tmp_path / "clip.mp4"))
    assert [number_of(frame.image) for frame in frames] == list(range(0, NUMBERS, 2))
    assert [frame.time_s for frame in frames] == pytest.approx([n / 5 for n in range(15)])
    assert [frame.at for frame in frames] == [START + timedelta(seconds=f.time_s) for f in frames]
    assert skipped == 15


def test_replay_of_30_frames_a_second_takes_every_sixth(tmp_path: Path) -> None:
    frames, skipped = replay(numbered_clip(tmp_path / "clip.mp4", rate=30))
    assert [number_of(frame.image) for frame in frames] == [0, 6, 12, 18, 24]
    assert skipped == 25


def test_replay_of_uneven_stamps_takes_the_frames_nearest_to_the_grid(tmp_path: Path) -> None:
    times_s = [0.0, 0.05, 0.21, 0.4, 0.41, 0.42, 1.5, 1.6, 1.7]
    path = write_clip(tmp_path / "clip.mkv", map(numbered, range(9)), times_s=times_s)
    frames, _ = replay(path)
    assert [number_of(frame.image) for frame in frames] == [0, 2, 3, 6, 8]
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.21, 0.4, 1.5, 1.7])


def test_a_clip_whose_stamps_do_not_start_at_zero_starts_at_zero(tmp_path: Path) -> None:
    times_s = [90.0 + index / 5 for index in range(5)]
    path = write_clip(tmp_path / "clip.mkv", map(numbered, range(5)), times_s=times_s)
    frames, _ = replay(path)
    assert [frame.time_s for frame in frames] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])


def test_a_clip_without_stamps_runs_at_the_rate_it_states(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.h264", map(numbered, range(10)), container="h264")
    frames, skipped = replay(path, rate=100)
    assert len(frames) == 10
    gaps = np.diff([frame.time_s for frame in frames])
    assert np.allclose(gaps, gaps[0])
    assert skipped == 0


def test_replay_gives_the_same_bytes_every_time(clips: Path) -> None:
    def digest() -> str:
        frames, _ = replay(clips / "normal" / "dvr-scan_traffic-camera-vfr.mp4", size=172)
        assert len(frames) == 173
        return hashlib.sha256(b"".join(frame.image.tobytes() for frame in frames)).hexdigest()

    assert digest() == digest()


def test_the_middle_is_cut_out_and_not_squashed(tmp_path: Path) -> None:
    wide = bars(320, 180, [RED, GREEN, GREEN, BLUE])
    image = only_frame(write_clip(tmp_path / "wide.mp4", [wide]))
    assert image.shape == (60, 60, 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    # The cut is 180 wide, from 70 to 250: 10 of red, 160 of green, 10 of blue.
    row = image[30]
    assert [close_to(row[x], GREEN) for x in (0, 5, 30, 54, 59)] == [False, True, True, True, False]


def test_pixels_that_are_not_square_are_cut_square_on_the_screen(tmp_path: Path) -> None:
    stored = bars(96, 96, [RED, GREEN, GREEN, BLUE])
    path = write_clip(tmp_path / "anamorphic.mp4", [stored], aspect=Fraction(2, 1))
    image = only_frame(path)
    assert close_to(image[30, 3], GREEN)
    assert close_to(image[30, 56], GREEN)


@pytest.mark.parametrize(
    ("width", "height"), [(64, 48), (48, 64), (322, 182), (54, 2000), (2000, 54), (18, 16)]
)
def test_any_shape_gives_a_square_of_the_size(tmp_path: Path, width: int, height: int) -> None:
    path = write_clip(tmp_path / "clip.mp4", [numbered(9, width, height)])
    image = only_frame(path, size=172)
    assert image.shape == (172, 172, 3)
    assert number_of(image) == 9


@pytest.mark.parametrize(("width", "height"), [(65, 49), (1, 1), (3, 7)])
def test_odd_and_tiny_pictures_work(tmp_path: Path, width: int, height: int) -> None:
    path = write_clip(
        tmp_path / "clip.mkv", [numbered(9, width, height)], codec="ffv1", pixels="bgr0", options={}
    )
    image = only_frame(path, size=172)
    assert image.shape == (172, 172, 3)
    assert number_of(image) == 9


def test_greyscale_gives_equal_colours(tmp_path: Path) -> None:
    path = write_clip(
        tmp_path / "clip.mkv", [numbered(20)], codec="ffv1", pixels="gray", options={}
    )
    image = only_frame(path)
    assert np.ptp(image, axis=2).max() <= 1
    assert number_of(image) == 20


def test_colours_arrive_as_red_green_blue(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "clip.mp4", [bars(90, 90, [RED, GREEN, BLUE])])
    image = only_frame(path)
    assert close_to(image[30, 10], RED)
    assert close_to(image[30, 30], GREEN)
    assert close_to(image[30, 50], BLUE)


def quarter_turned(path: Path, degrees: int) -> Path:
    """Write that the picture is to be shown turned clockwise, as a phone held upright does."""
    turned = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
    data = path.read_bytes()
    one, zero = (1 << 16).to_bytes(4), bytes(4)
    plain = one + zero * 3 + one + zero * 3 + (1 << 30).to_bytes(4)
    track = data.index(plain, data.index(b"tkhd"))
    a, b, c, d = ((value << 16).to_bytes(4, signed=True) for value in turned[degrees])
    matrix = a + b + zero + c + d + zero * 3 + (1 << 30).to_bytes(4)
    path.write_bytes(data[:track] + matrix + data[track + len(matrix) :])
    return path


@pytest.mark.parametrize(("degrees", "edge"), [(90, "top"), (180, "right"), (270, "bottom")])
def test_a_phone_held_upright_is_shown_upright(tmp_path: Path, degrees: int, edge: str) -> None:
    stored = bars(90, 90, [RED, GREY, GREY])
    path = write_clip(tmp_path / "phone.mp4", [stored])
    image = only_frame(quarter_turned(path, degrees))
    edges = {"top": image[5, 30], "right": image[30, 54], "bottom": image[54, 30]}
    assert [name for name, pixel in edges.items() if close_to(pixel, RED)] == [edge]


def test_a_size_that_changes_in_the_middle_is_followed(tmp_path: Path) -> None:
    first = write_clip(tmp_path / "a.ts", map(numbered, range(5)), rate=5)
    bigger = (numbered(number, 128, 96) for number in range(5, 10))
    second = write_clip(tmp_path / "b.ts", bigger, rate=5)
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    frames, _ = replay(both)
    assert [number_of(frame.image) for frame in frames] == list(range(10))
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)


def packet_places(path: Path) -> list[tuple[int, int]]:
    with av.open(str(path)) as file:
        return [(p.pos, p.size) for p in file.demux(video=0) if p.size]


def test_broken_frames_in_the_middle_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_clip(
        tmp_path / "clip.mp4", map(numbered, range(20)), rate=5, codec="mjpeg", pixels="yuvj420p"
    )
    data = bytearray(path.read_bytes())
    for place, size in packet_places(path)[8:11]:
        data[place : place + size] = bytes(size)
    path.write_bytes(data)
    frames, skipped = replay(path)
    assert [number_of(frame.image) for frame in frames] == [*range(8), *range(11, 20)]
    assert skipped == 3
    assert "3 frames of" in caplog.text


def test_noise_in_the_middle_of_h264_does_not_end_the_clip(tmp_path: Path) -> None:
    path = numbered_clip(tmp_path / "clip.mp4")
    data = bytearray(path.read_bytes())
    for place, size in packet_places(path)[10:13]:
        data[place : place + size] = bytes((7 * n) % 251 for n in range(size))
    path.write_bytes(data)
    frames, _ = replay(path)
    numbers = [number_of(frame.image) for frame in frames]
    assert numbers[:5] == [0, 2, 4, 6, 8]
    assert numbers[-1] in (28, 29)
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)
    assert len(frames) >= 12


@pytest.mark.parametrize("kept", [0.4, 0.8])
def test_a_clip_that_was_cut_off_ends_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kept: float
) -> None:
    path = write_clip(
        tmp_path / "clip.mp4",
        (numbered(number, 320, 240) for number in range(100)),
        muxer={"movflags": "faststart"},  # the index comes first, so what is left can be played
    )
    data = path.read_bytes()
    index_ends = data.index(b"mdat")
    path.write_bytes(data[: index_ends + int(kept * (len(data) - index_ends))])
    with caplog.at_level(logging.WARNING):
        frames, _ = replay(path)
    assert 0 < len(frames) < 50
    assert len(caplog.records) == 1
    assert str(path) in caplog.text


def text_file(path: Path) -> None:
    path.write_text("This is not a video.\n" * 1000)


def sound_only(path: Path) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16000
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def truncated(path: Path) -> None:
    numbered_clip(path)
    path.write_bytes(path.read_bytes()[:700])


def folder(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.touch()


def look_at(path: Path, *, live: bool) -> None:
    if live:
        with open_camera(str(path), size=32, rate=5) as camera:
            next(iter(camera.frames()))
    else:
        replay(path)


@pytest.mark.parametrize("make", [text_file, sound_only, truncated, folder, empty])
@pytest.mark.parametrize("live", [False, True])
def test_what_is_no_video_is_refused_in_a_sentence(
    tmp_path: Path, make: Callable[[Path], None], live: bool
) -> None:
    path = tmp_path / "clip.mp4"
    make(path)
    with pytest.raises(CameraError) as caught:
        look_at(path, live=live)
    assert caught.value.problem.code == "clip_unreadable"
    assert str(path) in caught.value.problem.message
    assert caught.value.problem.remedy


@pytest.mark.parametrize("live", [False, True])
def test_a_clip_that_is_not_there_is_missing(tmp_path: Path, live: bool) -> None:
    path = tmp_path / "no: such.mp4"
    with pytest.raises(CameraError) as caught:
        look_at(path, live=live)
    assert caught.value.problem.code == "clip_missing"


def test_a_name_with_a_colon_is_a_file_and_no_protocol(tmp_path: Path) -> None:
    frames, _ = replay(numbered_clip(tmp_path / "22:30 garden.mp4"))
    assert len(frames) == 15


def test_a_file_standing_in_for_a_camera_goes_on_over_the_seam(tmp_path: Path) -> None:
    path = numbered_clip(tmp_path / "clip.mp4", 10)
    frames = []
    with open_camera(str(path), size=32, rate=5) as camera:
        for frame in camera.frames():
            frames.append(frame)
            if len(frames) == 13:
                break
    numbers = [number_of(frame.image) for frame in frames]
    assert numbers == [(2 * n) % 10 for n in range(13)]
    times_s = np.array([frame.time_s for frame in frames])
    assert np.diff(times_s) == pytest.approx(0.2)
    took_s = (frames[-1].at - frames[0].at).total_seconds()
    assert took_s == pytest.approx(2.4, abs=0.3)


def test_a_slow_consumer_gets_the_newest_frame_and_the_others_are_counted(tmp_path: Path) -> None:
    path = numbered_clip(tmp_path / "clip.mp4", rate=20)
    with open_camera(str(path), size=32, rate=10) as camera:
        stream = camera.frames()
        first = next(stream)
        time.sleep(0.75)  # the consumer is busy: this is what is tested
        second = next(stream)
        third = next(stream)
        assert number_of(first.image) == 0
        assert number_of(second.image) in (12, 14)
        assert number_of(third.image) == number_of(second.image) + 2
        assert camera.skipped >= 6 + 7
    assert second.time_s - first.time_s == pytest.approx(number_of(second.image) / 20)


def test_a_clip_of_one_picture_can_stand_in_for_a_camera(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "still.mp4", [numbered(3)])
    with open_camera(str(path), size=32, rate=5) as camera:
        stream = camera.frames()
        frames = [next(stream) for _ in range(3)]
    assert [number_of(frame.image) for frame in frames] == [3, 3, 3]
    assert np.all(np.diff([frame.time_s for frame in frames]) > 0)


def test_replay_starts_no_thread(tmp_path: Path) -> None:
    before = threading.enumerate()
    with open_clip(numbered_clip(tmp_path / "clip.mp4"), size=32, rate=5, start=START) as camera:
        next(iter(camera.frames()))
        assert threading.enumerate() == before
