"""How much of the picture moves: people do, light, noise and a shaking camera do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gate_scenes import (
    SIZE,
    Picture,
    brighter,
    lamp,
    longer,
    motions,
    noisy,
    pictures,
    still,
)

from edgehome.clips import read_clips
from edgehome.gate.motion import Motion
from edgehome.gate.picture import cell_of, inside, small

MOVES = 0.01
EMPTY = [f"{place}-{light}-empty.mp4" for place in ("room", "porch")
         for light in ("day", "night", "infrared")]  # fmt: skip
BUSY = [f"{place}-{light}-{kind}.mp4" for place in ("room", "porch")
        for light in ("day", "night", "infrared") for kind in ("fall", "fight")]  # fmt: skip


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_moves_where_nobody_is(rendered: Path, name: str) -> None:
    assert motions(pictures(rendered / name)).max() < MOVES / 2


@pytest.mark.parametrize("name", BUSY)
def test_somebody_who_falls_or_fights_moves(rendered: Path, name: str) -> None:
    moving = motions(pictures(rendered / name))
    assert moving.max() > 3 * MOVES
    assert (moving >= MOVES).mean() > 0.5


def test_somebody_who_walks_moves_while_he_is_there(rendered: Path) -> None:
    """In each of the six clips, in at least nine of ten frames with a person (labelled)."""
    for clip in read_clips(rendered / "clips.csv"):
        if not clip.path.stem.endswith("walk"):
            continue
        moving = motions(pictures(clip.path))
        times = np.arange(len(moving)) / 5
        present = np.zeros(len(moving), bool)
        for segment in clip.segments:
            present |= (times >= segment.start_s + 0.4) & (times <= segment.end_s)
        assert (moving[present] > 0.001).mean() > 0.9, clip.path.name
        assert moving[present].max() > 2 * MOVES


def test_of_all_shared_clips_with_a_fall_or_a_fight_only_those_of_small_people_stay_under(
    clips: Path,
) -> None:
    calm = []
    for clip in read_clips(clips / "clips.csv"):
        if not clip.labels & {"fall", "fighting"}:
            continue
        if (motions(pictures(clip.path)) >= MOVES).mean() < 0.25:
            calm.append(clip.path.name)
    assert not calm


LIGHT: dict[str, Callable[[Picture, int], Picture]] = {
    "switched on": lambda picture, n: brighter(picture, 0.3 if n < 40 else 1),
    "switched off": lambda picture, n: brighter(picture, 1 if n < 40 else 0.15),
    "exposure half a stop up": lambda picture, n: brighter(picture, 1 if n < 40 else 1.4),
    "exposure a stop down": lambda picture, n: brighter(picture, 1 if n < 40 else 0.5),
    "haze": lambda picture, n: brighter(picture, 1, 0 if n < 40 else 25),
    "dusk in ten seconds": lambda picture, n: brighter(
        picture, 1 - 0.6 * min(max(n - 40, 0) / 50, 1)
    ),
    "a cloud goes": lambda picture, n: brighter(picture, 0.6 + 0.4 * min(max(n - 40, 0) / 10, 1)),
    "a lamp in a corner": lambda picture, n: picture if n < 40 else lamp(picture),
}


@pytest.mark.parametrize("change", LIGHT)
@pytest.mark.parametrize("name", EMPTY)
def test_another_light_is_no_motion(rendered: Path, name: str, change: str) -> None:
    seen = [LIGHT[change](p, n) for n, p in enumerate(longer(pictures(rendered / name), 90))]
    assert motions(seen).max() < MOVES


@pytest.mark.parametrize("change", ["switched on", "exposure a stop down", "a lamp in a corner"])
def test_somebody_is_seen_from_the_frame_after_the_light_on(rendered: Path, change: str) -> None:
    """And at the next frame at the latest, whatever the light does."""
    empty = pictures(rendered / "room-day-empty.mp4")
    walk = pictures(rendered / "room-day-walk.mp4")
    first = int(np.flatnonzero(motions(walk) >= MOVES)[0])
    seen = still(empty[0], 40) + still(walk[0], 30) + walk[first - 1 :]
    seen = [LIGHT[change](picture, n) for n, picture in enumerate(seen)]
    assert motions(seen)[70:76].max() >= MOVES


def test_a_bright_hall_that_gets_brighter_yet_is_no_motion(clips: Path) -> None:
    hall = longer(pictures(clips / "normal" / "intel_people-detection-gif.mp4"), 90)
    seen = [brighter(p, 1 + 0.8 * min(max(n - 40, 0) / 10, 1)) for n, p in enumerate(hall)]
    assert motions(seen).max() < MOVES


def test_another_view_that_stands_still_is_background_within_a_second(rendered: Path) -> None:
    one, other = (pictures(rendered / f"{name}-day-empty.mp4")[0] for name in ("room", "porch"))
    moving = motions(still(one, 60) + still(other, 30))[60:]
    assert moving[0] > 0.2
    assert moving[5:].max() < MOVES


def test_somebody_who_does_not_stand_still_for_two_minutes_is_seen_to_the_end() -> None:
    grey, white = np.full((SIZE, SIZE, 3), 100, np.uint8), square((8, 8))
    moving = motions([grey, white] * 300)
    assert moving[-50:].min() > MOVES


def test_a_night_full_of_noise_is_no_motion(rendered: Path) -> None:
    for sigma in (4.0, 8.0, 12.0):
        seen = [noisy(picture, sigma, n) for n, picture in
                enumerate(longer(pictures(rendered / "porch-night-empty.mp4"), 100))]  # fmt: skip
        assert motions(seen).max() < MOVES, sigma


def test_somebody_in_the_noise_is_seen(rendered: Path) -> None:
    fall = pictures(rendered / "porch-night-fall.mp4")
    seen = still(fall[0], 60, 8.0) + [noisy(picture, 8.0, n) for n, picture in enumerate(fall)]
    assert (motions(seen)[60:] >= MOVES).mean() > 0.5


def test_a_pole_that_shakes_by_a_pixel_is_no_motion_after_five_seconds(rendered: Path) -> None:
    picture = pictures(rendered / "porch-day-empty.mp4")[0]
    chance = np.random.default_rng(3)
    shaken = [np.roll(picture, chance.integers(0, 2, 2), axis=(0, 1)) for _ in range(60)]
    assert motions(shaken)[25:].max() < MOVES


def test_what_comes_to_rest_is_background_within_ten_seconds(rendered: Path) -> None:
    walk = pictures(rendered / "room-day-fall.mp4")
    after = motions(walk + still(walk[-1], 60))[len(walk) :]
    assert after[50:].max() < MOVES


def square(corner: tuple[int, int]) -> Picture:
    """Return grey with a white square of 32 pixels at (x, y)."""
    picture = np.full((SIZE, SIZE, 3), 100, np.uint8)
    x, y = corner
    picture[y : y + 32, x : x + 32] = 220
    return picture


def test_motion_is_the_part_of_the_picture_that_moves() -> None:
    """A square of 32 pixels: where it was and where it is, of 172 squared."""
    seen = [square((8, 8))] * 20 + [square((108, 108))]
    assert motions(seen)[-1] == pytest.approx(2 * 32**2 / SIZE**2, rel=0.02)


def test_what_moves_in_an_ignored_part_is_no_motion_and_beside_it_is() -> None:
    left = ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (0.0, 1.0))
    on_the_left = [square((10, 10 + n)) for n in range(60)]
    on_the_right = [square((120, 10 + n)) for n in range(60)]
    assert motions(on_the_left).max() > 0
    assert motions(on_the_left, Motion([left])).max() == 0
    whole, half = motions(on_the_right).max(), motions(on_the_right, Motion([left])).max()
    assert half == pytest.approx(2 * whole, rel=0.1)


def test_where_all_is_ignored_nothing_moves() -> None:
    everything = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    seen = [square((10, 10 + n)) for n in range(20)]
    assert motions(seen, Motion([everything])).max() == 0


def test_polygons_are_filled_wherever_their_points_begin() -> None:
    triangle = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    for turn in range(3):
        points = triangle[turn:] + triangle[:turn]
        for way in (points, points[::-1]):
            filled = inside([way], 40)
            assert filled[0, 0]
            assert not filled[39, 39]
            assert filled.mean() == pytest.approx(0.5, abs=0.03)
    assert inside([], 40).sum() == 0
    two = inside([triangle, ((0.9, 0.9), (1.0, 0.9), (1.0, 1.0), (0.9, 1.0))], 40)
    assert two[0, 0]
    assert two[38, 38]


@pytest.mark.parametrize("size", [24, 172, 192, 224, 256, 320])
def test_the_small_picture_is_the_frame_in_small(size: int) -> None:
    image = np.zeros((size, size, 3), np.uint8)
    image[: size // 2, :, 1] = 200
    picture = small(image)
    cells = size // cell_of(size)
    assert picture.shape == (cells, cells)
    assert picture[0].tolist() == [200.0] * cells
    assert picture[-1].tolist() == [0.0] * cells
    assert picture.mean() == pytest.approx(100, abs=3)
