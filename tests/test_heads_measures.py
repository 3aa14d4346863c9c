"""Measures against their definitions, worked out by hand or by brute force."""

from __future__ import annotations

import numpy as np
import pytest

from edgehome.heads.measures import (
    auc,
    average_precision,
    calibration_error,
    count_alarms,
    interval,
)


def truth(*values: int) -> np.ndarray:
    return np.array(values, bool)


def test_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = rng.integers(0, 6, 40).astype(float)  # many ties
        positive = rng.random(40) < 0.4
        pairs = [(p > n) + 0.5 * (p == n) for p in scores[positive] for n in scores[~positive]]
        assert auc(scores, positive) == pytest.approx(np.mean(pairs))


def test_auc_and_precision_are_unknown_without_both_kinds() -> None:
    for positive in (truth(1, 1), truth(0, 0)):
        assert np.isnan(auc(np.array([0.1, 0.2]), positive))
        assert np.isnan(average_precision(np.array([0.1, 0.2]), positive))


def test_average_precision_by_hand() -> None:
    scores, positive = np.array([0.9, 0.8, 0.7, 0.6]), truth(1, 0, 1, 0)
    assert average_precision(scores, positive) == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    tied = np.array([0.9, 0.5, 0.5, 0.1])  # both of 0.5 are reached at once
    assert average_precision(tied, positive) == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    assert average_precision(tied, truth(0, 1, 0, 1)) == pytest.approx(1 / 2 / 3 + 1 / 2 * 2 / 4)


def test_calibration_error_by_hand() -> None:
    sure, positive = np.array([0.95, 0.95, 0.95, 0.05]), truth(1, 1, 0, 0)
    assert calibration_error(sure, positive) == pytest.approx(
        3 / 4 * abs(0.95 - 2 / 3) + 1 / 4 * 0.05
    )
    assert calibration_error(np.array([1.0, 0.0]), truth(1, 0)) == 0


def test_an_alarm_is_a_crossing_from_below_not_every_frame_above() -> None:
    clip = np.array([0.9, 0.9, 0.1, 0.7, 0.9, 0.2])
    alarms = count_alarms([clip], np.array([0.9, 0.7, 0.1]), frames_an_hour=6)
    assert alarms.thresholds.tolist() == [0.9, 0.7, 0.1]
    assert alarms.counts.tolist() == [[2, 2, 1]]
    assert alarms.hours.tolist() == [1.0]


def test_the_threshold_is_the_lowest_that_keeps_the_rate_and_all_above_it() -> None:
    clips = [np.array([0.2, 0.6, 0.2, 0.6]), np.array([0.8, 0.1, 0.1, 0.1])]
    candidates = np.array([0.9, 0.7, 0.5, 0.3])
    alarms = count_alarms(clips, candidates, frames_an_hour=8)  # an hour in all
    assert alarms.threshold(0) == 0.9
    assert alarms.threshold(1) == 0.7
    assert alarms.threshold(2) == 0.7
    assert alarms.threshold(3) == 0.3
    assert alarms.threshold(1, np.array([0, 0])) == 0.7
    assert count_alarms(clips, np.array([0.1]), frames_an_hour=8).threshold(0) == float("inf")


def test_intervals_draw_groups_and_so_are_wider_than_if_clips_were_drawn() -> None:
    rng = np.random.default_rng(0)
    means = np.repeat(rng.normal(size=12), 20)  # the clips of a group are all alike
    values = means + 0.01 * rng.normal(size=240)

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    by_group = interval(mean, [str(n // 20) for n in range(240)])
    by_clip = interval(mean, [str(n) for n in range(240)])
    assert by_group
    assert by_clip
    expected = 1.96 * np.unique(means).std() / np.sqrt(12)
    assert (by_group[1] - by_group[0]) / 2 == pytest.approx(expected, rel=0.15)
    assert by_group[1] - by_group[0] > 3 * (by_clip[1] - by_clip[0])


def test_an_interval_needs_two_groups_and_a_measure_that_is_known() -> None:
    assert interval(lambda _: 1.0, ["a", "a"]) is None
    assert interval(lambda _: float("nan"), ["a", "b"]) is None
    assert interval(lambda _: 1.0, ["a", "b"]) == (1.0, 1.0)
