"""How rare a score is: from the peaks of a home's own episodes, without any model."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest

from edgehome.novelty.replayed import DAY_S
from edgehome.novelty.returns import Returns


def test_return_periods_of_exponential_peaks_are_kept_on_average() -> None:
    ratios = []
    for seed in range(40):
        chance = np.random.default_rng(seed)
        returns, alarms = Returns(), 0
        for number, peak in enumerate(chance.exponential(0.3, 4 * 34)):
            at = number * DAY_S / 4
            returns.watch(DAY_S / 4)
            days = returns.days(peak) if number >= 4 * 4 else 0.0
            alarms += days >= 7
            returns.add(peak, at)
        ratios.append(alarms / (30 / 7))
    assert 0.5 < np.mean(ratios) < 2


@pytest.mark.parametrize("limit", [1.0, 7.0])
def test_once_in_so_many_days_is_kept_for_peaks_of_any_distribution(limit: float) -> None:
    for kind in ("exponential", "normal", "uniform", "lognormal"):
        chance, returns, alarms = np.random.default_rng(0), Returns(), 0
        for number in range(1200):
            at, peak = number * DAY_S / 3, float(getattr(chance, kind)()) / 5
            returns.watch(DAY_S / 3)
            returns.add(-9.0, at)
            alarms += returns.days(peak) >= limit and number >= 9
            returns.add(peak, at)
        assert 0.7 < alarms / (400 / limit) < 1.5, kind


def test_a_peak_beyond_measure_raises_the_threshold_by_a_step_only() -> None:
    chance, returns = np.random.default_rng(1), Returns()
    for number in range(60):
        returns.watch(DAY_S / 3)
        returns.add(float(chance.exponential(0.2)), number * DAY_S / 3)
    for score in (3.0, 1e9):
        struck = copy.deepcopy(returns)
        struck.watch(DAY_S / 3)
        struck.add(score, 60 * DAY_S / 3)
        struck.add(0.0, 61 * DAY_S / 3)
        assert struck.days(2.0) > 30
        assert struck.peaks[-2][1] < 2.0


def test_when_all_becomes_stranger_the_alerts_end() -> None:
    chance, returns, alarms = np.random.default_rng(2), Returns(), 0
    for number in range(600):
        at, peak = number * DAY_S / 3, float(chance.exponential(0.25)) + (number >= 540)
        returns.watch(DAY_S / 3)
        returns.add(-9.0, at)
        alarms += returns.days(peak) >= 7 and number >= 540
        returns.add(peak, at)
    assert 20 / 7 / 2 < alarms < 4 * 20 / 7


def test_an_absence_makes_the_days_after_it_hardly_more_unusual() -> None:
    alarms = []
    for seed in range(20):
        chance, returns = np.random.default_rng(seed), Returns()
        alarms.append(0)
        for number in range(150):
            returns.watch(DAY_S / 3)
            if 90 <= number < 132:  # two weeks
                continue
            at, peak = number * DAY_S / 3, float(chance.exponential(0.25))
            returns.add(-9.0, at)
            alarms[-1] += returns.days(peak) >= 7 and number >= 132
            returns.add(peak, at)
    assert np.mean(alarms) < 2 * 6 / 7


def test_time_in_which_the_camera_could_not_see_does_not_count() -> None:
    whole, half = Returns(), Returns()
    chance = np.random.default_rng(3)
    for number, peak in enumerate(chance.uniform(0, 1, 40)):  # none that counts as less
        at = number * DAY_S / 4
        whole.watch(DAY_S / 4, asked=False)  # the loop is another matter
        half.watch(DAY_S / 8, asked=False)
        whole.add(peak, at)
        half.add(peak, at)
    for score in (0.8, 1.1):  # what fades, fades with the time watched
        assert half.days(score) == pytest.approx(whole.days(score) / 2, rel=0.01)


def declining(seed: int, *, asked: bool) -> float:
    """Return a month's weekly alerts over those asked for, where all is new first, then less so."""
    chance, returns, alarms = np.random.default_rng(seed), Returns(), 0
    for number in range(34 * 3):
        at = number * DAY_S / 3
        returns.watch(DAY_S / 3, asked=asked and number >= 12)
        returns.add(-9.0, at)
        peak = float(chance.exponential(0.15)) + 1.2 * math.exp(-number / 3 / 15)
        alarms += returns.days(peak) >= 7 and number >= 12
        returns.add(peak, at)
    return alarms / (30 / 7)


def test_the_loop_keeps_the_budget_where_everything_is_new_first_and_then_less_so() -> None:
    open_loop = [declining(seed, asked=False) for seed in range(40)]
    closed = [declining(seed, asked=True) for seed in range(40)]
    assert np.mean(closed) > np.mean(open_loop) + 0.1
    assert 0.7 < np.mean(closed) < 1.3
    assert np.mean([0.5 <= one <= 2 for one in closed]) > 0.9


def test_an_alert_that_was_none_of_normal_takes_nothing_from_the_budget() -> None:
    chance, returns = np.random.default_rng(5), Returns()
    for number in range(60):
        returns.watch(DAY_S / 3)
        returns.add(float(chance.exponential(0.2)), number * DAY_S / 3)
    alerts, at = list(returns.alerts), 60 * DAY_S / 3
    struck = copy.deepcopy(returns)
    struck.add(5.0, at)
    struck.add(0.0, at + DAY_S / 3)
    assert [*alerts, (at, struck.asked_days)] == struck.alerts
    struck.drop(at, at + 60)
    assert struck.alerts == alerts
    assert struck.days(1.0) == pytest.approx(returns.days(1.0), rel=0.2)
