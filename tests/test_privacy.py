"""What lies under a privacy polygon is not in anything that looks at a picture, or leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_clips import write_clip
from numpy.typing import NDArray
from test_worker import Heard

import edgehome.process
from edgehome.camera import Aim, open_clip
from edgehome.camera.scale import Square, Whole
from edgehome.camera.yuv import BT601, REACH, Coding, square, square_view, whole
from edgehome.gate.gate import Gate
from edgehome.messages import Message, Ready, Snapshot, encode
from edgehome.privacy import Mask, PrivateCamera, rasterized
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Frame, Polygon, Scores, View
from edgehome.worker import watch

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PLAIN = View(0, 0, 40, 30, 0)
DOOR: Polygon = ((0.4, 0.2), (0.7, 0.2), (0.7, 0.8), (0.4, 0.8))
Image = NDArray[np.uint8]


def frame(image: Image, view: View | None) -> Frame:
    return Frame(0.0, AT, image, view)


def random_polygon(random: np.random.Generator) -> Polygon:
    return tuple((float(x), float(y)) for x, y in random.random((random.integers(3, 8), 2)))


# --- which pixels ---------------------------------------------------------------------------------


def touched_by_points(polygon: Polygon, width: int, height: int, times: int = 12) -> Image:
    """Return the pixels in which one of many points lies within the polygon, or on its edge."""
    steps_x, steps_y = ((np.arange(n * times) + 0.5) / (n * times) for n in (width, height))
    x, y = steps_x[None, :], steps_y[:, None]
    odd = np.zeros((height * times, width * times), bool)
    for (x0, y0), (x1, y1) in pairwise((*polygon, polygon[0])):
        if y0 != y1:
            odd ^= ((y0 > y) != (y1 > y)) & (x > x0 + (y - y0) / (y1 - y0) * (x1 - x0))
    found = odd.reshape(height, times, width, times).any(axis=(1, 3))
    for (x0, y0), (x1, y1) in pairwise((*polygon, polygon[0])):
        for share in np.linspace(0, 1, 500):
            column, row = (x0 + share * (x1 - x0)) * width, (y0 + share * (y1 - y0)) * height
            found[min(height - 1, int(row)), min(width - 1, int(column))] = True
    return found


def test_every_pixel_that_a_polygon_touches_is_hidden() -> None:
    random = np.random.default_rng(1)
    for _ in range(60):
        polygon = random_polygon(random)
        hidden = rasterized([polygon], PLAIN, 40, 30)
        assert not (touched_by_points(polygon, 40, 30) & ~hidden).any(), polygon


def test_no_more_is_hidden_than_the_pixels_that_a_rectangle_touches() -> None:
    view = View(0, 0, 100, 100, 0)
    hidden = rasterized([((0.105, 0.2), (0.305, 0.2), (0.305, 0.4), (0.105, 0.4))], view, 100, 100)
    rows, columns = (np.flatnonzero(hidden.any(axis=axis)) for axis in (1, 0))
    assert (columns[0], columns[-1]) == (10, 30)
    assert 19 <= rows[0] <= 20  # the edges lie between two pixels: both may be meant
    assert 39 <= rows[-1] <= 40


def test_the_middle_of_a_star_that_crosses_itself_is_hidden() -> None:
    star = tuple(
        (0.5 + 0.45 * float(np.sin(turn)), 0.5 - 0.45 * float(np.cos(turn)))
        for turn in np.arange(5) * 4 * np.pi / 5
    )
    assert rasterized([star], PLAIN, 40, 30)[15, 20]


def test_a_line_and_a_point_hide_the_pixels_that_they_touch() -> None:
    assert rasterized([((0.1, 0.5), (0.9, 0.5), (0.1, 0.5))], PLAIN, 40, 30)[14:16, 4:36].all()
    assert rasterized([((0.51, 0.51),) * 3], PLAIN, 40, 30)[15, 20]


def test_a_polygon_of_the_whole_picture_falls_on_its_place_in_the_middle_square() -> None:
    """Of 16:9 the square shows from 21.9 % to 78.1 % of the width."""
    view = View(-67, 0, 306, 172, 0)
    for left, right, expected in (
        (0.0, 0.2, None),  # beside it
        (0.0, 0.5, (0, 86)),
        (0.5, 1.0, (86, 171)),
    ):
        polygon = ((left, 0.0), (right, 0.0), (right, 1.0), (left, 1.0))
        columns = np.flatnonzero(rasterized([polygon], view, 172, 172).any(axis=0))
        if expected is None:
            assert not columns.size
        else:
            assert columns[[0, -1]] == pytest.approx(expected, abs=1)


def test_a_frame_whose_place_in_the_picture_is_not_known_is_refused() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="without a view"):
        Mask([DOOR]).burn(frame(image, None))
    assert Mask([]).burn(frame(image, None)).image is image


def test_the_mask_costs_less_than_a_tenth_of_a_millisecond_a_frame(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mask = Mask([DOOR, *(random_polygon(np.random.default_rng(n)) for n in range(20))])
    shown = frame(np.full((172, 172, 3), 200, np.uint8), View(-67, 0, 306, 172, 4))
    mask.burn(shown)
    turns_us = []
    for _ in range(20):
        began_s = time.perf_counter()
        for _ in range(100):
            mask.burn(shown)
        turns_us.append((time.perf_counter() - began_s) * 1e4)
    with capsys.disabled():
        print(f"\nprivacy: {min(turns_us):.1f} us a frame")
    assert min(turns_us) < 100


# --- what scaling spreads -------------------------------------------------------------------------


def picture_of(
    random: np.random.Generator, width: int, height: int, pixels: str
) -> tuple[av.VideoFrame, list[Image]]:
    """Return a picture of noise, and its planes as they are in it."""
    made = av.VideoFrame(width, height, pixels)
    planes = []
    for plane in made.planes:
        planes.append(random.integers(0, 256, (plane.height, plane.line_size)).astype(np.uint8))
        plane.update(planes[-1].tobytes())
    return made, planes


def with_another_secret(
    random: np.random.Generator, first: av.VideoFrame, planes: list[Image], polygon: Polygon
) -> av.VideoFrame:
    """Return the picture with other samples wherever the polygon touches what they stand for."""
    width, height = first.width, first.height
    view = View(0, 0, width, height, 0)
    hidden = rasterized([polygon], view, width, height)
    other = av.VideoFrame(width, height, first.format.name)
    for plane, old in zip(other.planes, planes, strict=True):
        across, down = -(-width // plane.width), -(-height // plane.height)
        padded = np.zeros((plane.height * down, plane.width * across), bool)
        padded[:height, :width] = hidden
        part = padded.reshape(plane.height, down, plane.width, across).any(axis=(1, 3))
        new = old.copy()
        new[:, : plane.width][part] = random.integers(0, 256, int(part.sum())).astype(np.uint8)
        plane.update(new.tobytes())
    other.pts = first.pts
    return other


SOURCES = [
    (1280, 720, "yuv420p", Fraction(1)),
    (640, 480, "yuvj420p", Fraction(1)),
    (641, 361, "yuv420p", Fraction(1)),
    (720, 576, "yuv422p", Fraction(16, 15)),
    (360, 640, "yuv420p", Fraction(1)),
    (320, 240, "yuv444p", Fraction(1)),
    (170, 130, "yuv420p", Fraction(1)),
    (96, 72, "yuv420p", Fraction(1)),
    (97, 55, "yuvj422p", Fraction(4, 3)),
]


AIMS = [
    Aim(),
    Aim(270),
    Aim(180, (0.2, 0.1, 0.7, 0.6)),
    Aim(90, (0.0, 0.3, 0.55, 0.7)),
]


@pytest.mark.parametrize(("width", "height", "pixels", "aspect"), SOURCES)
@pytest.mark.parametrize("aim", AIMS)
@pytest.mark.parametrize("made", [(Square, 172), (Whole, 640), (Whole, 160)])
def test_two_pictures_that_differ_only_under_the_polygon_are_the_same_masked(
    made: tuple[type[Square], int],
    aim: Aim,
    width: int,
    height: int,
    pixels: str,
    aspect: Fraction,
) -> None:
    random = np.random.default_rng(width + aim.rotation)
    scale = made[0](made[1], aim)
    differed = 0
    for _ in range(4):
        stored = random_polygon(random)
        upright = as_seen(stored, aim)
        first, planes = picture_of(random, width, height, pixels)
        second = with_another_secret(random, first, planes, stored)
        shown = []
        for picture in (first, second):
            image = scale.image(picture, aspect)
            assert scale.view.reach >= 3
            shown.append(frame(image, scale.view))
        differed += not np.array_equal(shown[0].image, shown[1].image)
        masked = [Mask([upright]).burn(one).image for one in shown]
        assert np.array_equal(*masked)
    assert differed


def as_seen(stored: Polygon, aim: Aim) -> Polygon:
    """Return a polygon of the picture as it comes where a person sees it, after the turn."""
    for _ in range(aim.rotation // 90):
        stored = tuple((1 - y, x) for x, y in stored)
    return stored


@pytest.mark.parametrize(
    ("size", "width", "height"), [(172, 306, 172), (172, 640, 480), (171, 306, 172), (64, 300, 200)]
)
def test_so_are_those_of_a_pi_camera(size: int, width: int, height: int) -> None:
    random = np.random.default_rng(size + width)
    view = square_view((width, height), size)
    differed = 0
    for _ in range(6):
        polygon = random_polygon(random)
        first, planes = picture_of(random, width, height, "yuv420p")
        second = with_another_secret(random, first, planes, polygon)
        images = [
            square(planes_of(one), size, Coding(*BT601, full=True)) for one in (first, second)
        ]
        differed += not np.array_equal(*images)
        masked = [Mask([polygon]).burn(frame(image, view)).image for image in images]
        assert np.array_equal(*masked)
    assert differed


@pytest.mark.parametrize("step", [1, 2, 3])
def test_so_are_those_that_a_pi_camera_gives_to_people(step: int) -> None:
    random = np.random.default_rng(step)
    width, height = 306, 172
    view = View(0, 0, width / step, height / step, REACH)
    for _ in range(6):
        polygon = random_polygon(random)
        first, planes = picture_of(random, width, height, "yuv420p")
        second = with_another_secret(random, first, planes, polygon)
        colours = Coding(*BT601, full=True)
        images = [whole(planes_of(one), colours, step) for one in (first, second)]
        assert not np.array_equal(*images)
        assert np.array_equal(*(Mask([polygon]).burn(frame(one, view)).image for one in images))


def planes_of(picture: av.VideoFrame) -> tuple[Image, Image, Image]:
    y, u, v = (
        np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1)[:, : plane.width]
        for plane in picture.planes
    )
    return y, u, v


# --- films and workers ----------------------------------------------------------------------------

SECRETS = (7, 11)
WIDTH, HEIGHT = 320, 180


def film(folder: Path, secret: int, *, moves: bool) -> Path:
    """Write a film without loss; something changes under DOOR, and outside it if it `moves`."""
    random, hidden = np.random.default_rng(0), np.random.default_rng(secret)
    scene = random.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    (left, top), _, (right, bottom), _ = DOOR
    # Not to the edge: the encoder's own conversion to YUV spreads colour by a few pixels.
    place = np.s_[
        int(top * HEIGHT) + 4 : int(bottom * HEIGHT) - 4,
        int(left * WIDTH) + 4 : int(right * WIDTH) - 4,
    ]

    def pictures() -> Iterator[Image]:
        for number in range(40):
            picture = scene.copy()
            picture[place] = hidden.integers(0, 256, picture[place].shape)
            if moves:
                picture[20:60, 90 + 2 * number : 110 + 2 * number] = 255 - 4 * number
            yield picture

    path = folder / f"{secret}.mkv"
    return write_clip(path, pictures(), rate=5, codec="ffv1", pixels="yuv420p", options={"g": "1"})


def said_of(path: Path, model: Path, polygons: Sequence[Polygon]) -> list[bytes]:
    """Return what a worker would say of a film on the film's own clock, byte by byte."""
    with (
        Recognizer(model, threads=1) as recognizer,
        open_clip(path, size=172, rate=5, start=AT) as camera,
    ):
        gate = Gate(hold=recognizer.look_back)
        watched = watch(PrivateCamera(camera, polygons), recognizer, gate)
        return [encode(replace(scores, inference_ms=0.0)) for scores in watched]


def test_what_is_said_of_two_films_that_differ_under_the_polygon_is_the_same(
    tmp_path: Path, box_model: Path
) -> None:
    films = [film(tmp_path, secret, moves=True) for secret in SECRETS]
    first, second = (said_of(path, box_model, [DOOR]) for path in films)
    assert len(first) == 40
    assert first == second
    bare, other = (said_of(path, box_model, []) for path in films)
    assert bare != other
    assert bare != first


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Heard]]:
    """Start workers whose every packet is kept as it came."""
    decode = edgehome.process.decode
    started: list[Heard] = []

    def begin(model: Path, source: Path, **more: Any) -> Heard:
        worker = Heard(model, source, **more)
        worker.packets = []  # type: ignore[attr-defined]
        started.append(worker)
        return worker

    def keep(packet: bytes, *given: Any) -> Message:
        started[-1].packets.append(packet)  # type: ignore[attr-defined]
        return decode(packet, *given)  # type: ignore[return-value]

    monkeypatch.setattr(edgehome.process, "decode", keep)
    yield begin
    for one in started:
        one.worker.end()


def everything(begin: Callable[..., Heard], model: Path, source: Path, **more: Any) -> list[bytes]:
    """Return all that a worker sends in a while, a snapshot included, but for times."""
    heard = begin(model, source, gate=False, snapshot=320, **more)
    heard.until(lambda said: sum(isinstance(one, Scores) for one in said) >= 3)
    assert heard.worker.ask_snapshot("first")
    heard.until(lambda said: any(isinstance(one, Snapshot) for one in said))
    heard.until(lambda said: sum(isinstance(one, Scores) for one in said) >= 6)
    packets: list[bytes] = []
    scores = 0
    for message, packet in zip(heard.messages, heard.packets, strict=True):  # type: ignore[attr-defined]
        if isinstance(message, Snapshot):
            packets.append(message.jpeg)
        elif isinstance(message, Ready):
            packets.append(packet)
        elif isinstance(message, Scores) and scores < 6:
            scores += 1
            timeless = replace(message, time_s=0.0, at=AT, inference_ms=0.0, skipped=0)
            packets.append(encode(timeless))
    # The order of snapshot and scores is that of the request, not of what is seen.
    return sorted(packets)


def test_all_that_a_worker_sends_of_two_such_films_is_the_same_to_the_last_byte(
    tmp_path: Path, box_model: Path, heard: Callable[..., Heard]
) -> None:
    """Its scores, and the JPEG: nothing rings over the polygon's edge."""
    films = [film(tmp_path, secret, moves=False) for secret in SECRETS]
    first, second = (everything(heard, box_model, path, privacy=(DOOR,)) for path in films)
    assert len(first) == 8
    assert first == second
    bare, other = (everything(heard, box_model, path) for path in films)
    assert bare != other
    assert [len(one) for one in bare] != [len(one) for one in first]
    (picture,) = (one for one in first if one.startswith(b"\xff\xd8"))
    decoder = av.CodecContext.create("mjpeg", "r")
    (shown,) = decoder.decode(av.Packet(picture))
    image = shown.to_ndarray(format="rgb24")
    assert image.shape == (HEIGHT, WIDTH, 3)
    (left, top), _, (right, bottom), _ = DOOR
    inside = image[int(top * HEIGHT) : int(bottom * HEIGHT), int(left * WIDTH) : int(right * WIDTH)]
    assert inside.max() < 60
    assert image.mean() > 60
