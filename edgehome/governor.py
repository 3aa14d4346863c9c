"""What the worker runs with: model, threads and rate; and less of it while the board is strained.

`model` and `settings` read the disk and belong to an errand; the rest belongs to the loop.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from edgehome.boards import board_name, installed_runtime
from edgehome.budget import MOST, Budget, Measurements, slower
from edgehome.config.types import Config
from edgehome.health import Machine
from edgehome.heat import Pressure, Stairs, heat, load
from edgehome.labels import labels_of
from edgehome.messages import Ready
from edgehome.orders import Settings
from edgehome.quarantine import Choice, file_sha256
from edgehome.recognizer.manifest import read_manifest
from edgehome.settings import wanted_labels, worker_settings
from edgehome.types import ModelError, Problem, Scores

STEPS_SEEN = 25
"""The median of so many steps of the model tells how busy the board is."""
FRESH_S = 5.0
"""A step longer ago says nothing about now: the model rests while nothing moves."""
LOOK_S = 1.0
TINY = 0.01
"""Frames a second by which a rate is no other one."""

Report = Callable[[str, Problem | None], None]
"""Told of what is wrong with a part, or None when that is over."""

MEASURING = Problem(
    "measuring",
    "The board is measured for ten seconds at most; nothing is watched meanwhile.",
    "Nothing is to be done: it happens once for a model.",
)
COOLING = (
    "Give it a heat sink, a fan or more air. It goes back by itself, step by step, after five "
    "minutes below 70 °C each."
)
RELIEVING = (
    "See with `top` what else takes the processor, or use a smaller model. It goes back by "
    "itself when there is time again."
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the stairs."""

    rate: float
    """Frames a second."""
    smaller: bool = False
    """Whether the smaller model runs."""


class Governor:
    """Chooses what a worker runs with, for one configuration."""

    def __init__(
        self, config: Config, report: Report, measurements: Measurements | None = None
    ) -> None:
        """Take what keeps measurements; without it none is made."""
        self._config = config
        self._report = report
        self._measurements = measurements
        self._steps: tuple[Step, ...] = (Step(0.0),)
        self._stairs = Stairs(0)
        self._small = False
        """Whether the board cannot carry the larger model, whatever its temperature."""
        self._runs_small = False
        """Whether the worker that was started last has the smaller model."""
        self._unfit: Problem | None = None
        self._budget: Budget | None = None
        self._rate = 0.0
        self._hot = False
        self._steps_ms: deque[float] = deque(maxlen=STEPS_SEEN)
        self._stepped_s = 0.0
        self._look_s = 0.0
        self._problem: Problem | None = None

    @property
    def step(self) -> Step:
        """Return where on the stairs the board is."""
        return self._steps[self._stairs.level]

    @property
    def wants_another_rate(self) -> bool:
        """Whether a worker that is at work is to be asked for the rate of `step`."""
        return bool(self._rate) and abs(self._rate - self.step.rate) > TINY

    @property
    def wants_another_model(self) -> bool:
        """Whether the next worker would run another of the two models."""
        return self._has_smaller and (self._small or self.step.smaller) is not self._runs_small

    def model(self) -> Path:
        """Return the model to run, the smaller one where the other is too much. Reads the disk."""
        recognizer = self._config.recognizer
        if recognizer.smaller_model is None:
            return recognizer.model
        self._unfit = self._unfitness(recognizer.smaller_model)
        self._small = self._small or self._known_too_large(recognizer.model)
        self._runs_small = (self._small or self.step.smaller) and not self._unfit
        return recognizer.smaller_model if self._runs_small else recognizer.model

    def settings(self, choice: Choice) -> Settings:
        """Return what a worker with this model is told; nothing is measured on a strained board."""
        kept = self._measurements
        return replace(
            worker_settings(self._config, choice.model),
            at_most=self.step.rate if self._stairs.level else 0.0,
            measure=kept is not None and not self._stairs.level,
            measured=kept.of(choice.sha256) if kept else None,
        )

    def measuring(self) -> None:
        """Note that a worker measures the board."""
        logger.info("the board is measured: how long a step of the model takes")
        self._tell(MEASURING)

    def begun(self, ready: Ready) -> None:
        """Note what a worker runs with."""
        budget = ready.budget or Budget(0, ready.rate)
        if ready.measured and self._measurements:
            self._measurements.keep(ready.measured)
            steps = ", ".join(f"{n} threads {ms:.1f} ms" for n, ms in ready.measured.steps)
            logger.info("measured on %s: %s", ready.measured.board, steps)
        logger.info("%d threads, %.3g frames a second", budget.threads, ready.rate)
        self._report("smaller_model", self._unfit)
        self._budget, self._rate = budget, ready.rate
        self._steps_ms.clear()
        if not self.step.smaller:
            steps_now = tuple(self._stairs_from(ready.own_rate, budget.rate))
            if steps_now != self._steps:
                self._steps, self._stairs = steps_now, Stairs(len(steps_now) - 1)
        lower = budget.rate < (self._config.runtime.rate or ready.own_rate) - TINY
        if (lower or not budget.keeps_up) and self._has_smaller and not self._runs_small:
            logger.warning("the board is too slow for this model: the smaller one runs instead")
            self._small = True
        self._tell(self._strain())

    def paced(self, rate: float) -> None:
        """Note that the worker's frames come at another rate."""
        logger.info("the model looks %.3g times a second", rate)
        self._rate = rate
        self._tell(self._strain())

    def saw(self, now_s: float, scores: Scores) -> None:
        """Note how long a step of the model took."""
        if not scores.still:
            self._steps_ms.append(scores.inference_ms)
            self._stepped_s = now_s

    def ended(self) -> None:
        """Note that the worker is gone, whatever it did."""
        self._rate = 0.0
        self._steps_ms.clear()
        if self._problem is MEASURING:
            self._tell(None)

    def look(self, now_s: float, machine: Machine) -> bool:
        """Take how the machine is; return whether `step` is another now."""
        if now_s < self._look_s or not self._budget:
            return False
        self._look_s = now_s + LOOK_S
        hot = heat(machine.temperature, throttled=machine.slowed_by_heat)
        pressure = max(hot, self._busy(now_s))
        if pressure is Pressure.STRAIN:
            self._hot = hot is Pressure.STRAIN
        changed = self._stairs.look(now_s, pressure)
        if self._rate:
            self._tell(self._strain())
        return changed

    @property
    def _has_smaller(self) -> bool:
        return self._config.recognizer.smaller_model is not None and not self._unfit

    def _busy(self, now_s: float) -> Pressure:
        """Return how busy the board is; with a worker that does not work, nobody knows."""
        if not self._rate:
            return Pressure.MIDDLE
        known = len(self._steps_ms) == STEPS_SEEN
        step_ms = median(self._steps_ms) if known else None
        above = self._steps[max(0, self._stairs.level - 1)].rate
        found = load(step_ms, now=self._rate, next_up=above, most=MOST)
        stale = now_s - self._stepped_s > FRESH_S
        return Pressure.MIDDLE if found is Pressure.STRAIN and stale else found

    def _stairs_from(self, own_rate: float, rate: float) -> list[Step]:
        """Return the steps from a rate on: lower ones, and last the smaller model or the lowest.

        A rate that the user fixed stays, whatever comes.
        """
        lower = () if self._config.runtime.rate else slower(own_rate, rate)
        steps = [Step(one) for one in (rate, *lower)]
        if self._has_smaller and not self._small:
            steps = steps[:-1] or steps
            steps.append(Step(steps[-1].rate, smaller=True))
        return steps

    def _strain(self) -> Problem | None:
        """Return what the board cannot do as it should."""
        level, helpless, budget = self._stairs.level, self._stairs.helpless, self._budget
        if not level and not helpless:
            return None if budget is None or budget.keeps_up else _too_slow(budget)
        if level:
            rate, before = self.step.rate, self._steps[0].rate
            what = f"the model looks {rate:.2g} times a second instead of {before:.2g}"
            what += ", and it is the smaller one" if self.step.smaller else ""
            what += "; it cannot do with less" if helpless else ""
        else:
            what = "it looks as often as before, for it was told to or cannot do with less"
        if self._hot:
            return Problem("too_hot", f"The processor is too hot: {what}.", COOLING)
        return Problem("slow", f"The processor is too busy for the model: {what}.", RELIEVING)

    def _known_too_large(self, model: Path) -> bool:
        """Say whether a kept measurement shows that the board cannot carry this model."""
        kept = self._measurements.of(file_sha256(model)) if self._measurements else None
        here = (board_name(), installed_runtime())
        if kept is None or not kept.steps or (kept.board, kept.runtime) != here:
            return False
        try:
            rate = self._config.runtime.rate or read_manifest(model).rate
        except ModelError:
            return False
        threads = self._config.runtime.threads
        times = [ms for count, ms in kept.steps if threads in {None, count}]
        return bool(times) and min(times) > MOST * 1000 / rate

    def _unfitness(self, model: Path) -> Problem | None:
        """Return why the smaller model cannot stand in, if so."""
        known = labels_of(model)
        missing = wanted_labels(self._config) - set(known or ())
        if known and not missing:
            return None
        why = f"it does not know {', '.join(sorted(missing))}" if known else "it cannot be read"
        message = f"The smaller model {model.name} cannot stand in: {why}."
        remedy = "Use one that knows every label in the rules, `edgehome models show`."
        return Problem("smaller_model_unfit", message, remedy)

    def _tell(self, problem: Problem | None) -> None:
        if problem != self._problem:
            if problem and problem is not MEASURING:
                logger.warning("%s", problem)
            elif self._problem and not problem and self._problem is not MEASURING:
                logger.info("the board is at ease again")
            self._problem = problem
            self._report("board", problem)


def _too_slow(budget: Budget) -> Problem:
    message = (
        f"This board is too slow for the model: a step takes {budget.step_ms:.0f} ms, and at "
        f"{budget.rate:.2g} frames a second some are lost."
    )
    return Problem("slow", message, "Use a smaller model, or more threads (runtime.threads).")
