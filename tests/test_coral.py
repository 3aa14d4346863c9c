"""An Edge TPU that comes and goes: when a worker may use it, and what that costs the home."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgehome.config.types import RuntimeConfig
from edgehome.coral import LOST_S, MISSED_S, MOST_LOST_S, WORKED_S, Coral, TrialProcess
from edgehome.errands import Errands
from edgehome.messages import Ready
from edgehome.orders import Settings
from edgehome.recognizer.delegate import TRIAL_S, Tried
from edgehome.recognizer.edgetpu import CRASHED, LOST, NO_DEVICE, edgetpu_problem
from edgehome.types import Delegate, Problem

ON_CPU = Ready(("fall",), 5.0, "ab", "a runtime", None)
ON_TPU = replace(ON_CPU, delegate=Delegate.EDGETPU)
ABSENT = edgetpu_problem(NO_DEVICE, "none")
PULLED = edgetpu_problem(LOST, "USB transfer error")


class Stick:
    """A stick that is good or not, in a home whose time is told."""

    def __init__(self, folder: Path, delegate: Delegate = Delegate.EDGETPU) -> None:
        self.fault: Problem | None = None
        self.told: list[str] = []
        self.trials: list[float] = []
        self.now_s = 0.0
        model = folder / "m.tflite"
        model.with_suffix(".json").write_text(json.dumps({"edgetpu": "ab"}))
        self._settings = Settings("pi", str(model), 1, delegate, 10.0)
        self.coral = Coral(RuntimeConfig(delegate), self, self._tell, self._begin)  # type: ignore[arg-type]

    def _tell(self, problem: Problem | None) -> None:
        self.told.append(problem.code if problem else "")

    def _begin(self, _model: Path, _library: str) -> Stick:
        self.trials.append(self.now_s)
        return self

    def put(self, job: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Be errands that take no time."""
        then(job())

    def result(self, now_s: float) -> Tried | None:
        """Be a trial that takes two seconds."""
        return Tried(self.fault) if now_s >= self.trials[-1] + 2 else None

    def worker(self) -> Ready:
        """Start a worker: return what its Ready comes to."""
        settings = self.coral.settings(self._settings)
        self.on_stick = settings.delegate != Delegate.CPU and self.fault is None
        ready = ON_TPU if self.on_stick else ON_CPU
        if settings.delegate != Delegate.CPU:
            ready = replace(ready, degraded=self.fault)
        return self.coral.ready(ready, self.now_s)

    def wait(self, seconds: float) -> float | None:
        """Let time pass; return when a worker was asked for, if one was."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += 1
            if self.coral.step(self.now_s):
                return self.now_s
        return None

    def lose(self, failure: Problem | None = PULLED, *, crashed: bool = False) -> bool:
        """Let the worker end."""
        return self.coral.ended(failure, self.now_s, crashed=crashed)


@pytest.fixture
def stick(tmp_path: Path) -> Stick:
    return Stick(tmp_path)


def test_a_stick_that_is_put_back_is_used_again_within_two_minutes(stick: Stick) -> None:
    assert stick.worker().delegate is Delegate.EDGETPU
    stick.wait(600)
    stick.fault = ABSENT
    assert stick.lose()
    degraded = stick.worker().degraded
    assert degraded is PULLED
    assert not stick.on_stick, "the home is watched meanwhile"
    assert stick.wait(80) is None
    assert stick.told == [NO_DEVICE]
    stick.fault = None
    back_s = stick.wait(120)
    assert back_s is not None
    assert stick.worker() == ON_TPU


def test_a_stick_that_is_away_for_long_is_looked_for_every_five_minutes(stick: Stick) -> None:
    stick.fault = ABSENT
    stick.worker()
    stick.wait(3600)
    pauses = [round(b - a) for a, b in zip(stick.trials, stick.trials[1:], strict=False)]
    assert stick.trials[0] == MISSED_S[0]
    assert pauses[:3] == [62, 122, 302]
    assert set(pauses[3:]) == {302}
    stick.fault = None
    assert stick.wait(MISSED_S[-1] + 3)


def test_one_that_crashes_at_work_takes_ever_less_of_the_homes_watch(stick: Stick) -> None:
    """Good in every trial, and dead ten seconds into the work: what a day of it costs."""
    restarts = []
    while stick.now_s < 24 * 3600:
        stick.worker()
        stick.wait(10)
        assert stick.lose(None, crashed=True)
        assert stick.worker().degraded
        restarts.append(stick.now_s)
        stick.wait(MOST_LOST_S + 10)
    assert sum(at_s < 3600 for at_s in restarts) <= 6
    assert len(restarts) <= 30
    assert restarts[1] - restarts[0] >= LOST_S


def test_after_an_hour_at_work_a_failure_is_like_the_first(stick: Stick) -> None:
    for _ in range(5):
        stick.worker()
        stick.lose()
        stick.wait(MOST_LOST_S)
    stick.worker()
    stick.wait(WORKED_S)
    stick.lose()
    assert stick.wait(LOST_S + 3)


@pytest.mark.parametrize(
    ("failure", "crashed", "blamed"),
    [
        (PULLED, False, True),
        (None, True, True),
        (Problem("worker_hung", "", ""), False, True),
        (Problem("camera_ended", "", ""), False, False),
        (Problem("camera_busy", "", ""), False, False),
        (None, False, False),
    ],
)
def test_what_the_edge_tpu_cannot_have_done_is_not_held_against_it(
    stick: Stick, failure: Problem | None, crashed: bool, blamed: bool
) -> None:
    stick.worker()
    assert stick.lose(failure, crashed=crashed) is blamed
    stick.worker()
    assert stick.on_stick is not blamed
    assert stick.lose(None, crashed=True) is not blamed, "on the CPU the model is suspect"


def test_auto_says_nothing_of_a_stick_that_was_never_there(tmp_path: Path) -> None:
    stick = Stick(tmp_path, Delegate.AUTO)
    stick.fault = ABSENT
    stick.coral.settings(Settings("pi", str(tmp_path / "m.tflite"), 1, "auto", 10.0))
    stick.coral.ready(ON_CPU, 0.0)  # the recogniser is silent too
    stick.wait(600)
    assert set(stick.told) == {""}
    assert stick.worker().degraded is None
    stick.fault = None
    assert stick.wait(400), "and takes one that is plugged in later"


def test_auto_tells_of_a_stick_that_is_gone(tmp_path: Path) -> None:
    stick = Stick(tmp_path, Delegate.AUTO)
    stick.worker()
    stick.fault = ABSENT
    stick.lose()
    stick.wait(120)
    assert set(stick.told) == {NO_DEVICE}


def test_the_button_retry_tries_it_at_once(stick: Stick) -> None:
    for _ in range(6):
        stick.worker()
        stick.lose()
        stick.coral.hurry(stick.now_s)
        assert stick.wait(5)


def test_cpu_is_left_alone(tmp_path: Path) -> None:
    stick = Stick(tmp_path, Delegate.CPU)
    stick.worker()
    assert not stick.lose(None, crashed=True)
    assert stick.wait(600) is None
    assert stick.trials == []


def test_a_model_without_a_form_is_tried_on_nothing(tmp_path: Path) -> None:
    stick = Stick(tmp_path)
    (tmp_path / "m.json").write_text("{}")
    stick.worker()
    assert not stick.lose(None, crashed=True)
    assert stick.wait(600) is None


def test_a_trial_that_cannot_be_started_is_tried_again_later(tmp_path: Path) -> None:
    tries: list[int] = []

    def begin(_model: Path, _library: str) -> TrialProcess:
        tries.append(1)
        raise OSError("no processes left")

    stick = Stick(tmp_path)
    coral = Coral(RuntimeConfig(Delegate.EDGETPU), stick, stick.told.append, begin)  # type: ignore[arg-type]
    stick.coral = coral
    stick.fault = ABSENT
    stick.worker()
    stick.wait(700)
    assert 2 <= len(tries) <= 4


def test_a_trial_by_the_side_is_a_process_that_is_never_waited_for(tmp_path: Path) -> None:
    trial = TrialProcess(tmp_path / "none.tflite", "libmissing.so.1")
    assert trial.result(0.0) is None
    trial._process.wait(60)
    tried = trial.result(1.0)
    assert tried
    assert tried.problem
    assert tried.problem.code == "model_missing"


def test_a_trial_by_the_side_that_hangs_is_ended(tmp_path: Path) -> None:
    trial = TrialProcess(tmp_path / "none.tflite", "libmissing.so.1")
    assert trial.result(0.0) is None
    assert trial.result(TRIAL_S) is None, "it is killed, and its end not waited for"
    trial._process.wait(60)
    tried = trial.result(TRIAL_S + 1)
    assert tried
    assert tried.problem
    assert tried.problem.code == "edgetpu_hung"


def test_errands_are_what_starts_trials(tmp_path: Path) -> None:
    """The loop never waits for a fork."""
    with Errands() as errands:
        coral = Coral(RuntimeConfig(Delegate.EDGETPU), errands, lambda _: None)
        (tmp_path / "m.json").write_text('{"edgetpu": "ab"}')
        coral.settings(Settings("pi", str(tmp_path / "m.tflite"), 1, "edgetpu", 10.0))
        coral.ended(edgetpu_problem(CRASHED, "x"), 0.0, crashed=True)
        assert coral.step(LOST_S) is False
        assert coral.step(LOST_S) is False
