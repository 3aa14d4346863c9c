"""Which frames are due, and what their times are: all on made-up clocks."""

from __future__ import annotations

import random

import pytest

from edgehome.camera.pace import Pace, Timeline


def picked(times_s: list[float], rate: float = 5) -> list[int]:
    pace = Pace(rate)
    due = [index for index, time_s in enumerate(times_s) if pace.due(time_s)]
    assert pace.skipped == len(times_s) - len(due)
    return due


def steady(source_rate: float, count: int, start_s: float = 0.0) -> list[float]:
    return [start_s + index / source_rate for index in range(count)]


@pytest.mark.parametrize(("source_rate", "every"), [(5, 1), (10, 2), (15, 3), (25, 5), (30, 6)])
@pytest.mark.parametrize("start_s", [0.0, 0.1, 1234567.891])
def test_a_multiple_of_the_rate_gives_every_nth_frame(
    source_rate: float, every: int, start_s: float
) -> None:
    assert picked(steady(source_rate, 600, start_s)) == list(range(0, 600, every))


def test_a_source_at_the_rate_loses_nothing_to_the_sums_of_floats() -> None:
    time_s, times_s = 0.0, []
    for _ in range(100_000):
        times_s.append(time_s)
        time_s += 0.2
    assert len(picked(times_s)) == 100_000


def test_a_source_at_the_rate_loses_nothing_to_jitter() -> None:
    dice = random.Random(1)
    times_s = [index / 5 + dice.uniform(-0.03, 0.03) for index in range(10_000)]
    assert len(picked(times_s)) == 10_000


def test_24_frames_a_second_give_the_frames_nearest_to_the_grid() -> None:
    assert picked(steady(24, 25)) == [0, 5, 10, 14, 19, 24]


def test_the_grid_does_not_drift_in_an_hour() -> None:
    times_s = steady(24, 24 * 3600)
    due = picked(times_s)
    assert len(due) == 5 * 3600
    assert all(abs(times_s[index] - n / 5) <= 1 / 48 + 1e-6 for n, index in enumerate(due))


def test_jitter_at_30_frames_a_second_moves_no_pick_by_more_than_a_frame() -> None:
    dice = random.Random(2)
    times_s = [index / 30 + dice.uniform(-0.01, 0.01) for index in range(3000)]
    due = picked(times_s)
    assert len(due) == 500
    assert all(abs(index - 6 * n) <= 1 for n, index in enumerate(due))


def test_a_slow_source_is_not_thinned() -> None:
    for source_rate in (0.5, 2, 3, 4.2, 4.9):
        assert len(picked(steady(source_rate, 200))) == 200


def test_variable_gaps_never_give_more_than_the_rate() -> None:
    dice = random.Random(3)
    times_s = [0.0]
    while times_s[-1] < 600:
        times_s.append(times_s[-1] + dice.choice([0.01, 0.04, 0.1, 0.15]))
    due = picked(times_s)
    assert 2995 <= len(due) <= 3001


@pytest.mark.parametrize(("rate", "every"), [(5.0, 6), (10 / 3, 9), (2.5, 12), (5 / 3, 18)])
def test_a_rate_that_is_changed_counts_from_the_next_frame_on(rate: float, every: int) -> None:
    pace = Pace(5)
    times_s = steady(30, 600)
    before = [index for index in range(301) if pace.due(times_s[index])]
    pace.change(rate)
    after = [index for index in range(301, 600) if pace.due(times_s[index])]
    assert before == list(range(0, 301, 6))
    assert after == list(range(301, 600, every))
    assert pace.skipped == 600 - len(before) - len(after)


def test_after_a_gap_the_grid_starts_anew() -> None:
    times_s = steady(10, 5) + steady(10, 7, start_s=60.05)
    assert picked(times_s) == [0, 2, 4, 5, 7, 9, 11]


def test_when_the_clock_goes_back_the_grid_starts_anew() -> None:
    times_s = steady(10, 5, start_s=100.0) + steady(10, 5)
    assert picked(times_s) == [0, 2, 4, 5, 7, 9]


def test_a_frame_that_repeats_its_time_is_not_due_twice() -> None:
    assert picked([0.0, 0.0, 0.2, 0.2, 0.2, 0.4]) == [0, 2, 5]


def test_stamps_become_seconds_from_zero() -> None:
    timeline = Timeline(0.1)
    assert [timeline.at(stamp) for stamp in (7.0, 7.1, 7.5)] == pytest.approx([0.0, 0.1, 0.5])


def test_a_file_that_starts_again_goes_on_without_a_gap() -> None:
    timeline = Timeline(0.1)
    times_s = [timeline.at(stamp) for _ in range(3) for stamp in (0.0, 0.1, 0.2)]
    assert times_s == pytest.approx([index / 10 for index in range(9)])


def test_missing_and_repeated_stamps_follow_by_one_period() -> None:
    timeline = Timeline(0.1)
    times_s = [timeline.at(stamp) for stamp in (None, None, 5.0, 5.0, 5.1, None, 5.2)]
    assert times_s == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])


def test_a_jump_that_is_too_long_is_taken_for_a_broken_stamp() -> None:
    timeline = Timeline(0.1, longest_gap_s=2.0)
    assert [timeline.at(stamp) for stamp in (0.0, 1.9, 95443.7, 95443.8)] == pytest.approx(
        [0.0, 1.9, 2.0, 2.1]
    )
