"""Down when it is too hot, up again when it is not: days of weather, no waiting."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehome.heat import DOWN_S, LONGEST_UP_S, UP_S, Pressure, Stairs, heat, load

EASE, MIDDLE, STRAIN = Pressure.EASE, Pressure.MIDDLE, Pressure.STRAIN
LOOK_S = 30.0


def levels(stairs: Stairs, weather: list[Pressure], since_s: float = 0.0) -> list[int]:
    """Return the level after each look, one every half a minute."""
    found = []
    for number, pressure in enumerate(weather):
        stairs.look(since_s + number * LOOK_S, pressure)
        found.append(stairs.level)
    return found


@pytest.mark.parametrize(
    ("temperature", "throttled", "expected"),
    [
        (79.9, False, MIDDLE),
        (80.0, False, STRAIN),
        (70.0, None, MIDDLE),
        (69.9, None, EASE),
        (50.0, True, STRAIN),
        (None, True, STRAIN),
        (None, False, EASE),
        (None, None, EASE),
    ],
)
def test_it_is_too_hot_from_80_degrees_and_cool_below_70(
    temperature: float | None, throttled: bool | None, expected: Pressure
) -> None:
    assert heat(temperature, throttled=throttled) is expected


@pytest.mark.parametrize(
    ("step_ms", "expected"),
    [(None, EASE), (140, EASE), (141, MIDDLE), (300, MIDDLE), (301, STRAIN)],
)
def test_it_is_too_busy_when_a_step_outlasts_the_time_between_two_frames(
    step_ms: float | None, expected: Pressure
) -> None:
    """At ease when a step would fit with room to spare at the next higher rate, too."""
    assert load(step_ms, now=10 / 3, next_up=5, most=0.7) is expected


def test_a_minute_of_heat_takes_one_step_and_the_next_minute_another() -> None:
    assert levels(Stairs(2), [STRAIN] * 7) == [0, 0, 1, 1, 2, 2, 2]


def test_five_minutes_below_70_degrees_take_one_step_back() -> None:
    stairs = Stairs(2)
    levels(stairs, [STRAIN] * 5)
    back = levels(stairs, [EASE] * 21, since_s=150)
    assert back == [2] * 10 + [1] * 10 + [0]


def test_between_the_two_everything_stays_as_it_is() -> None:
    stairs = Stairs(2)
    levels(stairs, [STRAIN] * 3)
    assert levels(stairs, [MIDDLE] * 1000, since_s=90) == [1] * 1000


def test_a_hot_moment_is_no_reason_and_a_warm_one_begins_the_wait_anew() -> None:
    stairs = Stairs(2)
    assert levels(stairs, [STRAIN, STRAIN, MIDDLE] * 100) == [0] * 300
    levels(stairs, [STRAIN] * 3, since_s=9_000)
    assert levels(stairs, ([EASE] * 10 + [MIDDLE]) * 100, since_s=9_090) == [1] * 1100


def test_a_board_in_the_sun_goes_up_ever_more_rarely() -> None:
    """It cools down on the lower step and heats up on the upper one, at once, all afternoon."""
    stairs = Stairs(1)
    changes = [
        number * LOOK_S
        for number in range(int(6 * 3600 / LOOK_S))
        if stairs.look(number * LOOK_S, EASE if stairs.level else STRAIN)
    ]
    pauses = [later - earlier for earlier, later in pairwise(changes)]
    waits = [UP_S, 2 * UP_S, 4 * UP_S, 8 * UP_S, LONGEST_UP_S, LONGEST_UP_S]
    assert pauses[0::2][: len(waits)] == [LOOK_S + wait for wait in waits]
    assert len(changes) <= 20, "in six hours; with a wait that stayed the same it would be 100"


def test_a_step_up_that_held_makes_the_next_wait_short_again() -> None:
    stairs = Stairs(1)
    now_s = 0.0

    def until(level: int, pressure: Pressure) -> float:
        nonlocal now_s
        began_s = now_s
        while stairs.level != level:
            now_s += LOOK_S
            stairs.look(now_s, pressure)
        return now_s - began_s

    until(1, STRAIN)
    until(0, EASE)
    until(1, STRAIN)
    assert until(0, EASE) == LOOK_S + 2 * UP_S
    for _ in range(40):
        now_s += LOOK_S
        stairs.look(now_s, EASE)
    until(1, STRAIN)
    assert until(0, EASE) == LOOK_S + UP_S


def test_heat_for_which_there_is_no_step_left_is_known_until_it_is_over() -> None:
    stairs = Stairs(0)
    assert levels(stairs, [STRAIN] * 3) == [0, 0, 0]
    assert stairs.helpless
    levels(stairs, [MIDDLE], since_s=90)
    assert stairs.helpless
    levels(stairs, [EASE], since_s=120)
    assert not stairs.helpless


@given(
    st.integers(0, 4),
    st.lists(st.tuples(st.floats(0.01, 500), st.sampled_from(list(Pressure))), max_size=300),
)
def test_whatever_the_weather_it_never_flaps_and_always_comes_back(
    most: int, weather: list[tuple[float, Pressure]]
) -> None:
    stairs = Stairs(most)
    now_s, before = 0.0, 0
    changed_s: float | None = None
    for pause_s, pressure in weather:
        now_s += pause_s
        changed = stairs.look(now_s, pressure)
        assert 0 <= stairs.level <= most
        assert changed is (stairs.level != before)
        assert abs(stairs.level - before) <= 1
        if stairs.level > before:
            assert pressure is STRAIN
            assert changed_s is None or now_s - changed_s >= DOWN_S
        elif stairs.level < before:
            assert pressure is EASE
            assert changed_s is not None
            assert now_s - changed_s >= UP_S
        changed_s = now_s if changed else changed_s
        before = stairs.level
    for _ in range(int((most + 1) * LONGEST_UP_S / LOOK_S) + 2):
        now_s += LOOK_S
        stairs.look(now_s, EASE)
    assert stairs.level == 0
    assert not stairs.helpless
