"""What is normal before a camera: learnt frame by frame, and how unusual a moment is."""

from __future__ import annotations

import copy
import functools
import os
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from edgehome.novelty.normal import HOUR_WEIGHT, Key, Normal, Unusual, Window
from edgehome.novelty.normalfile import LARGEST_BYTES, MAGIC, decode_normal, encode_normal
from edgehome.novelty.replayed import DAY_S, Habits, Home, live, made_up
from edgehome.types import Problem

WIDTH = 96
KEY = Key("ab" * 32, "porch")


def activities(seed: int, count: int = 16, width: int = WIDTH) -> list[np.ndarray]:
    return made_up(seed, count, width)


def highest(normal: Normal, clip: np.ndarray, at: float, seconds: float = 0.0) -> Unusual:
    """Show a clip, over and over for some seconds; return its most unusual moment."""
    most, start = None, at
    while most is None or at - start < seconds:
        for embedding in clip:
            found = normal.step(embedding, at, at / 3600 % 24)
            most = found if most is None or found.score > most.score else most
            at += 0.2
    return most


@functools.cache
def lived(seed: int, days: int) -> tuple[Normal, Home, list[np.ndarray]]:
    clips = activities(seed, 8)
    home = Home(clips[:-2], np.random.default_rng(seed), Habits(comings=40, blend=60))
    normal = Normal(KEY, WIDTH)
    live(normal, home, 0, days)
    return normal, home, clips


def known(seed: int = 0, days: int = 8) -> tuple[Normal, Home, list[np.ndarray]]:
    """Return what was learnt of so many days, the home, and clips; the last two it never saw."""
    return copy.deepcopy(lived(seed, days))


def test_what_was_never_seen_is_unusual_and_daily_life_is_not() -> None:
    normal, home, clips = known()
    assert normal.learnt == 1
    at = 8 * DAY_S + 14 * 3600
    daily = [f.embedding for f in home.coming(clips[0], at)]
    strange = highest(normal, clips[-1], at + 3600)
    assert strange.days >= 7
    assert highest(normal, np.stack(daily), at + 7200).days < 1


def test_it_says_how_much_is_learnt_and_gives_no_return_period_before() -> None:
    clips = activities(1)
    home = Home(clips[:-1], np.random.default_rng(1))
    normal = Normal(KEY, WIDTH)
    live(normal, home, 0, 1)
    assert 0.1 < normal.learnt < 0.5
    assert highest(normal, clips[-1], DAY_S + 100).days == 0


def test_an_hour_of_strangeness_stays_unusual_the_next_evening() -> None:
    normal, home, clips = known()
    evening = 8 * DAY_S + 20 * 3600
    first = highest(normal, clips[-1], evening, seconds=3600)
    live(normal, home, 9, 1)
    again = highest(normal, clips[-1], evening + DAY_S + 5 * 3600, seconds=60)
    assert first.days >= 7
    assert again.days >= 7
    assert again.distance > 0.8 * first.distance


def test_what_comes_day_after_day_becomes_normal() -> None:
    normal, home, clips = known()
    at = 8 * DAY_S + 15 * 3600
    first = highest(normal, clips[-1], at, seconds=120)
    for day in range(1, 8):
        live(normal, home, 8 + day, 1)
        last = highest(normal, clips[-1], at + day * DAY_S + 9 * 3600, seconds=120)
    assert last.distance < 0.6 * first.distance
    assert last.days < 7


def test_windows_that_are_held_back_are_learnt_only_when_released() -> None:
    normal, _, clips = known()
    points = normal.moments.points.copy()
    normal.flush()
    before = normal.totals.windows
    at = 8 * DAY_S + 3600
    normal.hold_back(at, at + 60)
    highest(normal, clips[-1], at)
    normal.flush()
    assert normal.totals.windows == before
    normal.release(at, at + 60)
    assert normal.totals.windows > before
    assert not np.array_equal(points, normal.moments.points)


def test_windows_that_are_dropped_teach_nothing_and_leave_no_peak() -> None:
    normal, _, clips = known()
    normal.flush()
    before, peaks = normal.totals.windows, len(normal.returns.peaks)
    at = 8 * DAY_S + 12 * 3600
    normal.hold_back(at, at + 60)
    highest(normal, clips[-1], at)
    assert len(normal.returns.peaks) > peaks
    normal.drop(at, at + 60)
    normal.flush()
    assert normal.totals.windows == before
    assert len(normal.returns.peaks) <= peaks


def test_the_same_activity_is_more_unusual_at_three_at_night() -> None:
    clips = activities(4)
    normal = Normal(KEY, WIDTH)
    home = Home(clips[:-1], np.random.default_rng(4), Habits(light=0.0))
    home._hours[:] = 18.0
    live(normal, home, 0, 8)
    embeddings = np.stack([f.embedding for f in home.coming(home._clips[0], 8 * DAY_S)])
    evening = highest(normal, embeddings, 8 * DAY_S + 18 * 3600)
    night = highest(normal, embeddings, 9 * DAY_S + 3 * 3600)
    assert evening.hour == 0
    assert night.hour > 1
    assert night.score - evening.score > HOUR_WEIGHT * 0.8
    said = normal.evidence(night, 3.0, 0.1, {"fall": 0.6}, {})
    assert said["differs"]["hour"] == 3


def test_evidence_names_labels_and_the_nearest_remembered_moments_by_time() -> None:
    normal, _, clips = known()
    at = 8 * DAY_S + 3600
    found = highest(normal, clips[-1], at)
    said = normal.evidence(found, 1.0, 0.5, {"fall": 0.7, "sitting": 0.01}, {"bins": 0.4})
    assert said["labels"] == {"fall": 0.7}
    assert said["taught"] == {"bins": 0.4}
    assert len(said["nearest"]) == 3
    assert all(0 < one["at"] < at for one in said["nearest"])
    assert said["differs"]["activity"] == "new"


def test_a_model_of_normal_survives_as_bytes() -> None:
    normal, _, clips = known()
    normal.flush()
    normal.settle()
    data = encode_normal(normal)
    again = decode_normal(data, KEY, WIDTH)
    assert isinstance(again, Normal)
    assert again.learnt == 1
    at = 8 * DAY_S + 3600
    one, other = highest(normal, clips[-1], at), highest(again, clips[-1], at)
    assert other.distance == pytest.approx(one.distance, rel=0.05)
    assert other.days == pytest.approx(one.days, rel=0.3)


def test_what_was_held_back_before_a_restart_is_learnt_when_released_after_it() -> None:
    normal, _, clips = known()
    normal.flush()
    at = 8 * DAY_S + 3600
    normal.hold_back(at, at + 60)
    highest(normal, clips[-1], at)
    normal.flush()
    held = len(normal.held)
    again = decode_normal(encode_normal(normal), KEY, WIDTH)
    assert isinstance(again, Normal)
    assert len(again.held) == held > 20
    assert again.held[0].vector == pytest.approx(normal.held[0].vector, abs=0.05)
    assert again.held[-1].at == normal.held[-1].at
    highest(again, clips[-1], at + 30)
    again.flush()
    assert len(again.held) > held
    before = again.totals.windows
    again.release(at, at + 60)
    assert again.totals.windows > before + held
    assert not again.held
    assert not again.spans


@pytest.mark.parametrize("width", [96, 480, 640, 2048])
def test_the_bytes_fit_one_packet_when_all_is_full(width: int) -> None:
    normal = Normal(KEY, width)
    chance = np.random.default_rng(0)
    for number in range(2000):
        normal.learn(chance.random(width, np.float32), number * 60.0, 3.0)
        normal.returns.add(1.23456, number * DAY_S)
        normal.held.append(Window(chance.random(width, np.float32), number * 0.6, 3.0))
        normal.hold_back(1_800_000_000.1234 + number, 1_800_000_060.1234 + number)
    assert normal.moments.used == len(normal.moments.points)
    data = encode_normal(normal)
    assert 20_000 < len(data) <= LARGEST_BYTES
    again = decode_normal(data, KEY, width)
    assert isinstance(again, Normal)
    assert len(again.held) > 15
    assert (again.held[0].at, again.held[-1].at) == (normal.held[0].at, normal.held[-1].at)


def test_another_model_or_position_begins_anew_and_says_so() -> None:
    normal, _, _ = known(days=1)
    data = encode_normal(normal)
    for key, width, code in (
        (Key("cd" * 32, "porch"), WIDTH, "normal_model"),
        (Key("ab" * 32, "garden"), WIDTH, "normal_position"),
        (KEY, WIDTH + 1, "normal_model"),
    ):
        said = decode_normal(data, key, width)
        assert isinstance(said, Problem)
        assert said.code == code


def test_broken_bytes_are_refused_with_a_reason_wherever_they_broke() -> None:
    normal, _, _ = known(days=1)
    data = encode_normal(normal)
    chance = np.random.default_rng(0)
    for place in chance.integers(len(data), size=60).tolist():
        spoilt = data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :]
        for broken in (spoilt, data[:place]):
            said = decode_normal(broken, KEY, WIDTH)
            assert isinstance(said, Problem)
            assert said.code == "normal_broken"


@pytest.mark.parametrize("fact", [b'"used":9999999', b'"used":-1', b'"width":1e9'])
def test_foreign_bytes_with_a_right_checksum_are_refused(fact: bytes) -> None:
    text = b'{"model":"","position":"","width":96,' + fact + b"}"
    rest = struct.pack("<I", len(text)) + text
    said = decode_normal(MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest, KEY, WIDTH)
    assert isinstance(said, Problem)


def test_a_clock_that_is_put_back_does_not_stop_the_learning() -> None:
    normal, home, _ = known(days=2)
    before = normal.totals.windows
    ahead = normal.moments.last[: normal.moments.used].max()
    for _ in range(3):
        for frame in home.coming(activities(0)[0], 1000.0):
            normal.watch(0.2)
            normal.step(frame.embedding, frame.at, frame.hour)
    normal.flush()
    assert normal.totals.windows > before
    assert normal.returns.episode < ahead


def test_a_window_takes_under_a_millisecond_and_memory_stays_flat() -> None:
    windows = 1_000_000 if os.environ.get("EDGEHOME_TEST_LONG") else 6000
    chance = np.random.default_rng(0)
    clips = np.stack([c[:90] for c in activities(7, 40, 480)])
    normal = Normal(KEY, 480)
    took, sizes, at = np.ones(windows), [], 0.0  # touched now, not as it fills
    for number in range(windows):
        clip = clips[number // 90 * 7 % 40]
        embedding = clip[number % 90] + chance.standard_normal(480, np.float32) * np.float32(0.05)
        at += 0.2 if (number + 1) % 90 else 300.0
        normal.watch(0.2)
        start = time.perf_counter()
        normal.step(embedding, at, at / 3600 % 24)
        took[number] = time.perf_counter() - start
        if number % (windows // 6) == windows // 6 - 1:
            sizes.append(resident_bytes())
    assert np.median(took) < 1e-3, (np.median(took), np.percentile(took, 99))
    assert sizes[-1] - sizes[1] < 4e6, sizes


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
