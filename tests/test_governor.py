"""What the worker is told to do less of, and when: scripted workers and weather."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from small_model import place, place_head, small_model

from edgehome.boards import board_name, installed_runtime
from edgehome.budget import Budget, Measured, Measurements
from edgehome.config.conditions import Activity, ActivityCondition
from edgehome.config.types import Config, RecognizerConfig, Rule, RuntimeConfig
from edgehome.governor import MEASURING, STEPS_SEEN, Governor
from edgehome.health import Machine
from edgehome.heat import DOWN_S, UP_S
from edgehome.messages import Ready
from edgehome.quarantine import Choice, file_sha256
from edgehome.types import Problem, Scores

AT = datetime(2026, 1, 1, tzinfo=UTC)
HOT, WARM, COOL = Machine(temperature=85.0), Machine(temperature=75.0), Machine(temperature=50.0)
A_FALL = Rule(name="Fall", when=ActivityCondition(activity=Activity("fall", ("fall",))))


class Node:
    """A governor, a worker that does as it is told, and what the home is told."""

    def __init__(self, config: Config, measurements: Measurements | None = None) -> None:
        self.told: dict[str, Problem | None] = {}
        self.governor = Governor(config, self.told.__setitem__, measurements)
        self.now_s = 1000.0
        self.rates: list[float] = []
        self.models = 0

    def begin(self, budget: Budget, *, own_rate: float = 5.0, **more: Any) -> None:
        """Start a worker; what it was told bounds its rate."""
        at_most = self.governor.step.rate if self.governor._stairs.level else budget.rate
        self.rate = min(budget.rate, at_most)
        ready = Ready(
            ("fall",), self.rate, "ab", "x", None, own_rate=own_rate, budget=budget, **more
        )
        self.governor.begun(ready)

    def wait(self, seconds: float, machine: Machine, step_ms: float | None = 20.0) -> None:
        """Let time pass, a look and a step of the model every second."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += 1
            if step_ms is not None:
                scores = Scores(
                    time_s=self.now_s, at=AT, probabilities={}, frame=1, inference_ms=step_ms
                )
                self.governor.saw(self.now_s, scores)
            if not self.governor.look(self.now_s, machine):
                continue
            if self.governor.wants_another_model:
                self.models += 1
            elif self.governor.wants_another_rate:
                self.rates.append(self.governor.step.rate)
                self.governor.paced(self.governor.step.rate)

    @property
    def problem(self) -> Problem | None:
        return self.told.get("board")


def kept(*measured: Measured) -> Measurements:
    file = [one.fields() for one in measured]
    return Measurements(lambda: file, lambda all_: file.__setitem__(slice(None), all_))


def test_a_hot_board_looks_less_often_step_by_step_and_says_so() -> None:
    node = Node(Config())
    node.begin(Budget(1, 5.0, 20.0))
    node.wait(DOWN_S, HOT)
    assert (node.rates, node.problem) == ([], None)
    node.wait(2, HOT)
    assert node.rates == [3.333]
    assert node.problem
    assert node.problem.code == "too_hot"
    assert "3.3 times a second instead of 5" in node.problem.message
    node.wait(2 * DOWN_S + 2, HOT)
    assert node.rates == [3.333, 2.5, 1.667]
    node.wait(DOWN_S + 2, HOT)
    assert "it cannot do with less" in node.problem.message
    assert node.models == 0


def test_a_board_that_is_cool_again_looks_as_often_as_before_and_nothing_is_wrong() -> None:
    node = Node(Config())
    node.begin(Budget(1, 5.0, 20.0))
    node.wait(2 * DOWN_S + 4, HOT)
    assert node.rates == [3.333, 2.5]
    node.wait(1000, WARM)
    node.wait(UP_S - 1, COOL)
    assert node.rates == [3.333, 2.5]
    node.wait(UP_S + 4, COOL)
    assert node.rates == [3.333, 2.5, 3.333, 5.0]
    assert node.problem is None


def test_a_firmware_that_throttles_for_heat_counts_at_any_temperature() -> None:
    node = Node(Config())
    node.begin(Budget(1, 5.0, 20.0))
    node.wait(DOWN_S + 2, replace(COOL, slowed_by_heat=True))
    assert node.rates == [3.333]


def test_a_weak_supply_is_no_reason_to_look_less_often() -> None:
    node = Node(Config())
    node.begin(Budget(1, 5.0, 20.0))
    node.wait(600, replace(COOL, throttled=True, slowed_by_heat=False))
    assert (node.rates, node.problem) == ([], None)


def test_a_rate_that_the_user_fixed_stays_and_the_home_is_told() -> None:
    node = Node(Config(runtime=RuntimeConfig(rate=5.0)))
    node.begin(Budget(1, 5.0))
    node.wait(DOWN_S + 2, HOT)
    assert node.rates == []
    assert node.problem
    assert node.problem.code == "too_hot"
    assert "as often as before" in node.problem.message
    node.wait(2, COOL)
    assert node.problem is None


def test_a_board_that_something_else_keeps_busy_looks_less_often_until_it_has_time() -> None:
    node = Node(Config())
    node.begin(Budget(1, 5.0, 20.0))
    node.wait(STEPS_SEEN + DOWN_S + 2, COOL, step_ms=250)
    assert node.rates == [3.333]
    assert node.problem
    assert node.problem.code == "slow"
    node.wait(2 * UP_S, COOL, step_ms=250)
    assert node.rates == [3.333], "at 5 a second there would be no time again"
    node.wait(STEPS_SEEN + UP_S + 2, COOL, step_ms=20)
    assert node.rates == [3.333, 5.0]
    assert node.problem is None


def test_steps_of_long_ago_are_no_strain() -> None:
    """The model rests while nothing moves: how busy the board is now nobody knows."""
    node = Node(Config())
    node.begin(Budget(1, 5.0, 20.0))
    node.wait(STEPS_SEEN + 2, COOL, step_ms=250)
    node.wait(1000, COOL, step_ms=None)
    assert (node.rates, node.problem) == ([], None)


def test_a_board_that_is_too_slow_for_the_lowest_rate_says_so_at_once() -> None:
    node = Node(Config())
    node.begin(Budget(4, 1.667, 900.0))
    assert node.problem
    assert node.problem.code == "slow"
    assert "a step takes 900 ms" in node.problem.message


def test_a_new_worker_on_a_hot_board_begins_at_the_lower_rate() -> None:
    node = Node(Config(), kept())
    node.begin(Budget(1, 5.0, 20.0))
    node.wait(DOWN_S + 2, HOT)
    node.governor.ended()
    node.wait(10, HOT, step_ms=None)
    settings = node.governor.settings(Choice(Path("m.tflite"), "ab"))
    assert settings.at_most == 3.333
    assert not settings.measure, "what is measured on a hot board is not what it can do"
    node.begin(Budget(1, 5.0, 20.0))
    assert not node.governor.wants_another_rate
    assert node.problem
    node.wait(UP_S + 12, COOL)
    assert node.rates == [3.333, 5.0]
    assert node.governor.settings(Choice(Path("m.tflite"), "ab")).at_most == 0


def test_a_measurement_is_told_kept_and_handed_to_the_next_worker() -> None:
    measurements = kept()
    node = Node(Config(runtime=RuntimeConfig(threads=2, rate=2.5)), measurements)
    choice = Choice(Path("m.tflite"), "ab")
    settings = node.governor.settings(choice)
    assert (settings.measure, settings.measured) == (True, None)
    assert (settings.threads, settings.rate) == (2, 2.5)
    node.governor.measuring()
    assert node.problem == MEASURING
    found = Measured("ab", "x 1", "board", "2026", ((1, 20.0),))
    node.begin(Budget(1, 5.0, 20.0), measured=found)
    assert node.problem is None
    assert node.governor.settings(choice).measured == found
    assert node.governor.settings(Choice(Path("m.tflite"), "cd")).measured is None


def test_a_worker_that_dies_while_it_measures_leaves_nothing_said() -> None:
    node = Node(Config(), kept())
    node.governor.measuring()
    node.governor.ended()
    assert node.problem is None


# --- a smaller model ------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path: Path) -> Config:
    """A configuration with two models that know the same labels."""
    models = []
    for name in ("large", "small"):
        (tmp_path / name).mkdir()
        model = place(tmp_path / name, small_model())
        place_head(model, "fall")
        models.append(model)
    return Config(
        recognizer=RecognizerConfig(model=models[0], smaller_model=models[1]), rules=(A_FALL,)
    )


def test_when_looking_less_often_is_not_enough_the_smaller_model_runs(two: Config) -> None:
    node = Node(two)
    assert node.governor.model() == two.recognizer.model
    node.begin(Budget(1, 5.0, 20.0))
    node.wait(3 * DOWN_S + 6, HOT)
    assert (node.rates, node.models) == ([3.333, 2.5], 1)
    assert node.governor.model() == two.recognizer.smaller_model
    assert node.governor.settings(Choice(Path("m"), "cd")).at_most == 2.5
    node.governor.ended()
    node.begin(Budget(1, 5.0, 10.0))
    assert not node.governor.wants_another_model
    assert node.problem
    assert "it is the smaller one" in node.problem.message
    node.wait(UP_S + 2, COOL)
    assert node.models == 2
    assert node.governor.model() == two.recognizer.model
    node.governor.ended()
    node.begin(Budget(1, 5.0, 20.0))
    node.wait(2 * UP_S + 4, COOL)
    assert node.rates == [3.333, 2.5, 3.333, 5.0]
    assert node.problem is None


def test_a_board_that_cannot_carry_the_larger_model_runs_the_smaller_one(two: Config) -> None:
    node = Node(two, kept())
    assert node.governor.model() == two.recognizer.model
    node.begin(Budget(4, 2.5, 200.0))
    assert node.governor.wants_another_model
    assert node.governor.model() == two.recognizer.smaller_model
    node.begin(Budget(1, 5.0, 60.0))
    assert not node.governor.wants_another_model
    assert node.problem is None
    node.wait(DOWN_S * 4 + 8, HOT)
    assert (node.rates, node.models) == ([3.333, 2.5, 1.667], 0)


@pytest.mark.parametrize(
    ("change", "runtime", "smaller"),
    [
        ({}, RuntimeConfig(), True),
        ({"steps": ((1, 400.0), (2, 139.0))}, RuntimeConfig(), False),
        ({"steps": ((1, 400.0), (2, 139.0))}, RuntimeConfig(threads=1), True),
        ({}, RuntimeConfig(rate=2.0), False),
        ({"board": "another"}, RuntimeConfig(), False),
        ({"runtime": "another"}, RuntimeConfig(), False),
        ({"sha256": "another"}, RuntimeConfig(), False),
    ],
)
def test_what_is_known_of_the_larger_model_on_this_board_counts_from_the_start(
    two: Config, change: dict[str, Any], runtime: RuntimeConfig, smaller: bool
) -> None:
    sha256 = file_sha256(two.recognizer.model)
    runtime_name, steps = installed_runtime(), ((1, 400.0), (2, 200.0))
    known = Measured(sha256, runtime_name, board_name(), "2026", steps)
    node = Node(replace(two, runtime=runtime), kept(replace(known, **change)))
    models = (two.recognizer.model, two.recognizer.smaller_model)
    assert node.governor.model() == models[smaller]


@pytest.mark.parametrize("wrong", ["labels", "file"])
def test_a_smaller_model_that_cannot_stand_in_is_told_and_not_used(two: Config, wrong: str) -> None:
    assert two.recognizer.smaller_model
    if wrong == "labels":
        (two.recognizer.smaller_model.parent / "heads" / "fall.json").unlink()
    else:
        two.recognizer.smaller_model.write_bytes(b"no model")
    node = Node(two, kept())
    assert node.governor.model() == two.recognizer.model
    node.begin(Budget(4, 2.5, 200.0))
    assert not node.governor.wants_another_model
    told = node.told["smaller_model"]
    assert told
    assert told.code == "smaller_model_unfit"
    assert node.governor.model() == two.recognizer.model
    node.wait(DOWN_S * 4 + 8, HOT)
    assert (node.rates, node.models) == ([1.667], 0)
