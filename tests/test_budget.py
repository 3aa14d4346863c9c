"""What is chosen from a measurement, and what is kept of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgehome.budget import (
    ENOUGH,
    Budget,
    Measured,
    Measurements,
    Wishes,
    choose,
    counts_to_try,
    measured_of,
    missing,
    rates,
    slower,
)
from edgehome.statefile import StateFile

AT = "2026-01-01T00:00:00+00:00"
FIVE = Wishes(own_rate=5.0)
TIMES = st.dictionaries(st.integers(1, 16), st.floats(0.01, 5000), min_size=1, max_size=6)


def measured(sha256: str = "ab", **steps: float) -> Measured:
    pairs = tuple((int(name.removeprefix("on_")), step_ms) for name, step_ms in steps.items())
    return Measured(sha256, "ai-edge-litert 2.3.0", "Pi 4, 4 cores", AT, pairs)


@pytest.mark.parametrize(
    ("cores", "threads", "expected"),
    [(1, 0, (1,)), (2, 0, (1, 2)), (3, 0, (1, 2)), (4, 0, (1, 2, 4)), (16, 0, (1, 2, 4)),
     (4, 3, (3,)), (0, 0, (1,))],
)  # fmt: skip
def test_one_two_and_four_threads_are_tried_as_far_as_there_are_cores(
    cores: int, threads: int, expected: tuple[int, ...]
) -> None:
    assert counts_to_try(cores, threads) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({}, 1),
        ({"on_1": 100}, None),
        ({"on_1": 101}, 2),
        ({"on_1": 150, "on_2": 99}, None),
        ({"on_1": 150, "on_2": 120}, 4),
        ({"on_1": 150, "on_2": 120, "on_4": 110}, None),
        ({"on_2": 20}, 1),
    ],
)
def test_more_threads_are_tried_only_while_fewer_do_not_do(
    steps: dict[str, float], expected: int | None
) -> None:
    assert missing(measured(**steps), FIVE, (1, 2, 4)) == expected


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ({"on_1": 22.5}, Budget(1, 5.0, 22.5)),
        ({"on_1": 100}, Budget(1, 5.0, 100)),
        ({"on_1": 110, "on_2": 60}, Budget(2, 5.0, 60)),
        ({"on_1": 400, "on_2": 220, "on_4": 139}, Budget(4, 5.0, 139)),
        ({"on_1": 400, "on_2": 220, "on_4": 141}, Budget(4, 3.333, 141)),
        ({"on_1": 400, "on_2": 220, "on_4": 230}, Budget(2, 2.5, 220)),
        ({"on_1": 400}, Budget(1, 1.667, 400)),
        ({"on_1": 900}, Budget(1, 1.667, 900)),
    ],
)
def test_the_fewest_threads_and_the_highest_rate_that_the_board_keeps_up_with(
    steps: dict[str, float], expected: Budget
) -> None:
    assert choose(measured(**steps), FIVE, (1, 2, 4)) == expected
    assert expected.keeps_up is (expected.step_ms != 900)


def test_what_the_user_says_is_taken() -> None:
    steps = measured(on_1=300, on_2=180, on_3=120)
    assert choose(steps, Wishes(5.0, threads=3), (3,)) == Budget(3, 5.0, 120)
    assert choose(steps, Wishes(5.0, rate=1.0), (1, 2)) == Budget(1, 1.0, 300)
    both = choose(steps, Wishes(5.0, threads=2, rate=10.0), (2,))
    assert both == Budget(2, 10.0, 180)
    assert not both.keeps_up


def test_without_a_measurement_the_model_has_its_own_rate() -> None:
    assert choose(None, FIVE, (1, 2)) == Budget(2, 5.0)
    assert choose(measured(on_1=50), Wishes(5.0, threads=3), (3,)) == Budget(3, 5.0)
    assert Budget(2, 5.0).keeps_up


def test_the_rates_are_shares_of_the_one_that_the_model_was_trained_at() -> None:
    assert rates(5.0) == (5.0, 3.333, 2.5, 1.667)
    assert slower(5.0, 5.0) == (3.333, 2.5, 1.667)
    assert slower(5.0, 2.5) == (1.667,)
    assert slower(5.0, 1.667) == ()
    assert slower(10.0, 4.0) == (3.333,)


@given(TIMES, st.floats(1, 30), st.integers(0, 4), st.sampled_from([0.0, 0.5, 5.0, 30.0]))
def test_whatever_is_measured_a_faster_board_is_never_given_less(
    steps: dict[int, float], own_rate: float, threads: int, rate: float
) -> None:
    counts = tuple(sorted(steps))
    wishes = Wishes(own_rate, threads if threads in steps else 0, rate)
    counts = (wishes.threads,) if wishes.threads else counts
    found = choose(measured(**{f"on_{n}": ms for n, ms in steps.items()}), wishes, counts)
    faster = choose(measured(**{f"on_{n}": ms / 2 for n, ms in steps.items()}), wishes, counts)
    assert faster.rate >= found.rate
    assert found.threads in counts
    assert found.rate == rate if rate else found.rate in rates(own_rate)
    fewer = [n for n in counts if n < found.threads]
    assert all(steps[n] > ENOUGH * 1000 / wishes.fastest for n in fewer)


def kept_in(path: Path) -> Measurements:
    file = StateFile(path)
    file.load()
    return Measurements(lambda: file.get("measured", []), lambda all_: file.set("measured", all_))


def test_a_measurement_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "budget.json"
    assert kept_in(path).of("ab") is None
    kept_in(path).keep(measured("ab", on_1=50, on_2=30))
    kept_in(path).keep(measured("cd", on_1=70))
    assert kept_in(path).of("ab") == measured("ab", on_1=50, on_2=30)
    kept_in(path).keep(measured("ab", on_1=49))
    assert kept_in(path).of("ab") == measured("ab", on_1=49)
    assert len(kept_in(path).all()) == 2


def test_only_the_newest_measurements_are_kept(tmp_path: Path) -> None:
    kept = kept_in(tmp_path / "budget.json")
    for number in range(20):
        kept.keep(measured(str(number), on_1=50))
    assert [one.sha256 for one in kept.all()] == [str(number) for number in range(12, 20)]


def test_a_measurement_is_one_of_this_model_runtime_and_board() -> None:
    one = measured("ab", on_1=50)
    assert one.is_of(measured("ab", on_2=10))
    for field in ("sha256", "runtime", "board"):
        assert not one.is_of(measured_of(one.fields() | {field: "other"}))


GOOD = measured("ab", on_1=50).fields()


@pytest.mark.parametrize(
    "broken",
    [
        b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"measured": 7}', b'{"measured": {"a": 1}}',
        *(
            json.dumps({"measured": [wrong]}).encode()
            for wrong in (
                7, None, [], {}, GOOD | {"steps": 7}, GOOD | {"steps": [[1]]},
                GOOD | {"steps": [["1", 50]]}, GOOD | {"steps": [[1, -5]]},
                GOOD | {"steps": [[1, 1e999]]}, GOOD | {"steps": [[1, "x"]]},
                GOOD | {"steps": [[True, 50]]}, GOOD | {"steps": [[1, 0]]},
                GOOD | {"steps": [[n, 50] for n in range(99)]},
                GOOD | {"board": 7}, GOOD | {"board": "x" * 300},
                {name: value for name, value in GOOD.items() if name != "at"},
            )
        ),
    ],
)  # fmt: skip
def test_a_broken_file_is_none_and_the_next_measurement_mends_it(
    tmp_path: Path, broken: bytes
) -> None:
    path = tmp_path / "budget.json"
    path.write_bytes(broken)
    assert kept_in(path).of("ab") is None
    kept_in(path).keep(measured("ab", on_1=50))
    assert kept_in(path).of("ab") == measured("ab", on_1=50)


@given(st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from([*GOOD, "x"]), inner, max_size=7),
    max_leaves=12,
))  # fmt: skip
def test_whatever_lies_in_the_file_is_a_measurement_or_none(fields: Any) -> None:
    kept = Measurements(lambda: [fields], lambda _all: None)
    for one in kept.all():
        assert measured_of(json.loads(json.dumps(one.fields()))) == one
