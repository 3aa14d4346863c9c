"""What is wrong with the camera's view: said of clips that were tampered with, of no others."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from gate_scenes import (
    RATE,
    SIZE,
    Change,
    Picture,
    blurred,
    brighter,
    capped,
    covered,
    faded,
    frames,
    held,
    lamp,
    lights_out,
    longer,
    noisy,
    pictures,
    soft,
    states,
    still,
    turned,
)

from edgehome.clips import read_clips
from edgehome.gate.picture import small
from edgehome.gate.structure import structure
from edgehome.gate.tamper import ADOPT_S, FROZEN_S, Tamper
from edgehome.types import CameraState

COVERED, MOVED, DARK = CameraState.COVERED, CameraState.MOVED, CameraState.DARK
DEFOCUSED, FROZEN = CameraState.DEFOCUSED, CameraState.FROZEN
BEFORE, DURING, AFTER = 120, 100, 60
"""Frames of a view as it is, of one tampered with, and of the first again."""
STREET = "normal/opencv_vtest.mp4"
SHARED = (STREET, "fall/s3_adl_20.mp4", "fall/s2_fall_12.mp4", "fight/fi140.mp4",
          "fight/nofi089.mp4", "normal/intel_one-by-one-person-detection.mp4")  # fmt: skip
LONG = os.environ.get("EDGEHOME_TEST_LONG") == "1"

CHANGES: dict[str, tuple[Change, set[CameraState]]] = {
    "cover": (covered, {COVERED}),
    "hand": (held, {COVERED}),
    "cap": (capped, {COVERED, DARK}),
    "shift": (turned, {MOVED}),
    "blur": (soft, {DEFOCUSED}),
    "fade": (faded, {DARK}),
    "lights out": (lights_out, {DARK}),
}
"""What is done, and all that is then said."""


def tampered(shown: Sequence[Picture], change: Change) -> list[Picture]:
    seen = longer(shown, BEFORE + DURING + AFTER)
    middle = [change(p, n) for n, p in enumerate(seen[BEFORE : BEFORE + DURING])]
    return seen[:BEFORE] + middle + seen[BEFORE + DURING :]


def said(seen: Sequence[frozenset[CameraState]]) -> set[CameraState]:
    return set().union(*seen)


def check(shown: Sequence[Picture], change: Change, expected: set[CameraState]) -> None:
    """Nothing before, all that is expected within fifteen seconds, nothing after five more."""
    seen = states(tampered(shown, change))
    assert said(seen[:BEFORE]) == set()
    assert said(seen[BEFORE : BEFORE + DURING]) == expected
    assert set(seen[BEFORE + 75]) == expected
    assert said(seen[BEFORE + DURING + 25 :]) == set()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "name", ["room-day-empty", "room-night-walk", "porch-day-fall", "porch-infrared-fall"]
)
def test_a_rendered_view_that_is_tampered_with_is_told_and_then_no_longer(
    rendered: Path, name: str, change: str
) -> None:
    check(pictures(rendered / f"{name}.mp4"), *CHANGES[change])


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", SHARED)
def test_a_real_view_that_is_tampered_with_is_told_and_then_no_longer(
    clips: Path, name: str, change: str
) -> None:
    check(pictures(clips / name)[:200], *CHANGES[change])


def test_the_same_frame_for_ten_seconds_is_frozen_until_the_next(rendered: Path) -> None:
    walk = pictures(rendered / "porch-day-walk.mp4")
    count = round((FROZEN_S + 5) * RATE)
    seen = states([*walk, *[walk[-1]] * count, *walk])
    begun = next(n for n, state in enumerate(seen) if FROZEN in state)
    assert (begun - len(walk) + 1) / RATE == pytest.approx(FROZEN_S, abs=0.3)
    assert FROZEN in seen[len(walk) + count - 1]
    assert said(seen[len(walk) + count :]) == set()


def test_a_frozen_picture_teaches_nothing(rendered: Path) -> None:
    """Its noise stands still, and looks like detail that is missed when it moves again."""
    night = longer(pictures(rendered / "room-infrared-fight.mp4"), 220, 6.0)
    seen = states(night[:120] + [night[119]] * 400 + night[120:])
    assert said(seen) == {FROZEN}
    assert said(seen[520:]) == set()


def test_a_frame_that_differs_in_one_bit_is_not_frozen() -> None:
    picture = np.full((SIZE, SIZE, 3), 100, np.uint8)
    other = picture.copy()
    other[5, 7, 2] ^= 1
    assert FROZEN not in said(states([picture, other] * 50))
    assert FROZEN in said(states([picture] * 100))


def test_a_cover_without_any_noise_is_covered_too(rendered: Path) -> None:
    flat = np.full((SIZE, SIZE, 3), 60, np.uint8)
    empty = longer(pictures(rendered / "room-day-empty.mp4"), BEFORE)
    seen = states([*empty, *[flat] * 75])
    assert set(seen[-1]) == {COVERED, FROZEN}


@pytest.mark.parametrize("sigma", [2.0, 3.0, 6.0])
def test_a_lens_out_of_focus_by_two_pixels_or_more_is_told(rendered: Path, sigma: float) -> None:
    def out_of_focus(picture: Picture, number: int) -> Picture:
        return noisy(blurred(picture, sigma), 1.0, number)

    check(pictures(rendered / "room-day-empty.mp4"), out_of_focus, {DEFOCUSED})


@pytest.mark.parametrize("change", ["gain", "dim", "lamp", "noise"])
@pytest.mark.parametrize("name", ["room-day-empty", "porch-day-fall", "room-infrared-empty"])
def test_another_light_is_nothing_wrong(rendered: Path, name: str, change: str) -> None:
    def lit(picture: Picture, number: int) -> Picture:
        made = {
            "gain": lambda: brighter(picture, 1.6),
            "dim": lambda: brighter(picture, 0.5),
            "lamp": lambda: lamp(picture),
            "noise": lambda: noisy(picture, 8.0, number),
        }[change]()
        return noisy(made, 1.0, number)

    check(pictures(rendered / f"{name}.mp4"), lit, set())


@pytest.mark.parametrize("place", ["room", "porch"])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_camera_that_goes_over_to_infrared_has_not_moved(place: str, seed: int) -> None:
    from models.build.scenes import RESERVED, render

    number = RESERVED.start + seed
    day, night = (
        list(render("empty", number, frames=10, rate=RATE, place=place, light=light)[0])
        for light in ("day", "infrared")
    )
    seen = states(longer(day, 150) + longer(night, 150) + longer(day, 150))
    assert said(seen) == set()


def test_a_camera_that_was_moved_on_purpose_is_believed_after_five_minutes(
    rendered: Path,
) -> None:
    one = longer(pictures(rendered / "room-day-empty.mp4"), BEFORE)
    other = longer(pictures(rendered / "porch-day-empty.mp4"), 50)
    minutes = round((ADOPT_S[MOVED] + 30) * RATE)
    tamper = Tamper()
    seen = states([*one, *(other[n % 50] for n in range(minutes))], tamper)
    begun = next(n for n, state in enumerate(seen) if MOVED in state)
    ended = next(n for n, state in enumerate(seen) if n > begun and MOVED not in state)
    assert 4 <= (begun - BEFORE) / RATE <= 8
    assert (ended - begun) / RATE == pytest.approx(ADOPT_S[MOVED], abs=10)
    assert said(seen[ended:]) == set()


def test_a_camera_that_starts_in_the_dark_learns_its_view_in_the_morning(rendered: Path) -> None:
    empty = longer(pictures(rendered / "porch-day-empty.mp4"), 300)
    night = [brighter(picture, 0.03) for picture in empty[:100]]
    morning = [brighter(picture, min(1.0, n / 100)) for n, picture in enumerate(empty)]
    seen = states(night + [noisy(picture, 1.0, n) for n, picture in enumerate(morning)])
    assert set(seen[99]) == {DARK}
    assert said(seen[150:]) == set()


def test_a_clock_that_goes_back_and_frames_that_stay_away_do_no_harm(rendered: Path) -> None:
    empty = longer(pictures(rendered / "room-day-empty.mp4"), 300)
    tamper = Tamper()
    found = set()
    for start_s in (100.0, 5.0, 1000.0):
        for frame in frames(empty, start_s):
            found |= tamper.look(frame, small(frame.image))
    assert found == set()
    slow = [frame for frame in frames(empty * 5) if round(frame.time_s * RATE) % 15 == 0]
    for frame in slow:
        found |= tamper.look(frame, small(frame.image))
    assert found == set()


def test_after_a_clock_that_went_back_a_cover_is_told_as_soon_as_ever(rendered: Path) -> None:
    empty = longer(pictures(rendered / "room-day-empty.mp4"), BEFORE)
    tamper = Tamper()
    for frame in frames(empty, 5000.0):
        tamper.look(frame, small(frame.image))
    after = states(empty[:30] + [covered(empty[0], n) for n in range(30)], tamper)
    assert said(after[:30]) == set()
    assert after[-1] == {COVERED}


def test_a_camera_that_is_put_up_in_its_first_seconds_has_not_moved(rendered: Path) -> None:
    way, place = (pictures(rendered / f"{name}-day-empty.mp4") for name in ("porch", "room"))
    assert said(states(longer(way, 30) + longer(place, 150))) == set()


def test_a_view_that_becomes_another_within_ten_minutes_is_followed(rendered: Path) -> None:
    """As seasons and furniture do, but slower; a frame a second, after an hour of the first."""
    one, other = (pictures(rendered / f"{name}-day-empty.mp4")[0].astype(float)
                  for name in ("porch", "room"))  # fmt: skip
    tamper, found = Tamper(), set()
    for number in range(4700):
        share = min(max(number - 4000, 0) / 600, 1.0)
        shown = noisy(one + (other - one) * share, 1.0, number)
        [frame] = frames([shown], float(number))
        found |= tamper.look(frame, small(shown))
    assert found == set()


def test_of_the_untouched_rendered_clips_nothing_is_said(rendered: Path) -> None:
    """As they are; and played on for a minute, with a sensor's noise."""
    for clip in sorted(rendered.glob("*.mp4")):
        shown = pictures(clip)
        assert said(states(shown)) == set(), clip.name
        assert said(states(longer(shown, 300))) == set(), clip.name


def test_of_the_untouched_street_of_eighty_seconds_nothing_is_said(clips: Path) -> None:
    street = pictures(clips / STREET)
    assert len(street) == pytest.approx(80 * RATE, abs=10)
    assert said(states(street)) == set()


def test_of_all_untouched_real_clips_nothing_is_said(clips: Path) -> None:
    for clip in read_clips(clips / "clips.csv"):
        assert said(states(pictures(clip.path))) == set(), clip.path.name


@pytest.mark.skipif(not LONG, reason="takes minutes: set EDGEHOME_TEST_LONG=1")
def test_of_real_clips_played_on_for_a_minute_one_is_said_to_be_out_of_focus(clips: Path) -> None:
    """Clips of a few seconds are over before a view is learnt; played on they are not.

    `fi024` is shot by a hand that moves.
    """
    wrong = {}
    for clip in read_clips(clips / "clips.csv"):
        if found := said(states(longer(pictures(clip.path), 300, 0.0))):
            wrong[clip.path.name] = found
    assert set(wrong) <= {"fi024.mp4"}


@pytest.mark.skipif(not LONG, reason="takes minutes: set EDGEHOME_TEST_LONG=1")
def test_what_is_done_to_real_clips_is_told_of_most_of_them(
    clips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every tenth clip; prints how many and how soon. Some are hardly sharp to begin with."""
    chosen = [clip.path for clip in read_clips(clips / "clips.csv")][::10]
    for name, (change, expected) in {
        **CHANGES, "repeat": (lambda picture, _number: picture, {FROZEN}),
    }.items():  # fmt: skip
        delays = []
        for path in chosen:
            shown = pictures(path)[:200]
            seen = tampered(shown, change)
            if name == "repeat":
                seen[BEFORE : BEFORE + DURING] = [seen[BEFORE]] * DURING
            during = states(seen)[BEFORE : BEFORE + DURING]
            begun = [n for n, state in enumerate(during) if state >= expected]
            delays += [begun[0] / RATE] if begun else []
        with capsys.disabled():
            print(
                f"\n{name}: {len(delays)} of {len(chosen)} clips, after "
                f"{np.median(delays):.1f} s (median), {max(delays):.1f} s at most"
            )
        assert len(delays) >= (0.85 if name == "blur" else 0.9) * len(chosen), name


@pytest.mark.parametrize("left", [0.06, 0.04, 0.02])
def test_a_room_that_is_left_with_hardly_any_light_is_dark_and_not_out_of_focus(
    rendered: Path, left: float
) -> None:
    def night(picture: Picture, number: int) -> Picture:
        return brighter(picture, left)

    seen = states(tampered(pictures(rendered / "room-day-empty.mp4"), night))
    assert DARK in seen[BEFORE + 50]
    assert not said(seen) & {DEFOCUSED, MOVED}


def test_noise_has_no_structure(rendered: Path) -> None:
    """Nor adds any to a view: energies are what two pictures have in common."""
    grey = still(np.full((SIZE, SIZE, 3), 100, np.uint8), 2, 8.0)
    view = [pictures(rendered / "porch-day-empty.mp4")[0]] * 2
    noise, clean, rough = (
        structure((small(one), small(other)), (one, other))
        for one, other in (grey, view, [noisy(picture, 8.0, n) for n, picture in enumerate(view)])
    )
    assert abs(noise.coarse.mean()) < 0.02 * clean.coarse.mean()
    assert abs(noise.fine.mean()) < 0.02 * clean.fine.mean()
    assert rough.coarse.mean() == pytest.approx(clean.coarse.mean(), rel=0.05)
    assert rough.fine.mean() == pytest.approx(clean.fine.mean(), rel=0.05)


def test_a_dusk_that_hesitates_is_dark_once() -> None:
    def grey(level: float) -> list[Picture]:
        return still(np.full((SIZE, SIZE, 3), level, np.uint8), 100, 1.0)

    seen = states(grey(18) + grey(14) + grey(18) + grey(24))
    assert [DARK in seen[n] for n in (99, 199, 299, 399)] == [False, True, True, False]


def test_nobody_who_fills_half_the_picture_covers_it(rendered: Path) -> None:
    empty = still(pictures(rendered / "room-day-empty.mp4")[0], BEFORE)
    standing = []
    for number, picture in enumerate(still(empty[0], 75)):
        picture[:, : SIZE // 2] = noisy(np.full((SIZE, SIZE // 2, 3), 60.0), 3.0, number)
        standing.append(picture)
    assert said(states(empty + standing)) == set()
