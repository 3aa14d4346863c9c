"""`edgehome budget`: what the board was found to carry, and how to have it measured anew."""

from __future__ import annotations

import json
import os
import selectors
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edgehome.boards import board_name, installed_runtime
from edgehome.budget import Budget, Measured, Wishes, choose, counts_to_try
from edgehome.config.types import Config
from edgehome.lasting import kept_measurements
from edgehome.messages import Failure, MessageError, Ready
from edgehome.process import WorkerProcess
from edgehome.recognizer.manifest import read_manifest
from edgehome.settings import worker_settings
from edgehome.types import EdgehomeError, Problem

LONGEST_S = 90.0
"""A worker has so long to load and to measure."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the configured model on this board."""

    own_rate: float
    """Frames a second that the model was trained at."""
    budget: Budget
    measured: Measured | None
    """None where nothing was measured on this board with this runtime."""

    def __str__(self) -> str:
        """Return it in one line."""
        budget = self.budget
        what = f"{_threads(budget.threads)}, {budget.rate:.3g} frames a second"
        if budget.rate != self.own_rate:
            what += f" of the model's {self.own_rate:.3g}"
        if self.measured is None:
            return f"{what}; not measured on this board yet"
        times = ", ".join(f"{ms:.1f} ms with {_threads(n)}" for n, ms in self.measured.steps)
        return (
            f"{what}; a step takes {times} (measured {self.measured.at} on {self.measured.board})"
        )


def known(config: Config, state: Path) -> Known:
    """Return what a node with this state folder starts with. Raises ModelError."""
    manifest = read_manifest(config.recognizer.model)
    here = Measured(manifest.sha256, installed_runtime(), board_name(), "", ())
    kept = kept_measurements(state).of(manifest.sha256)
    measured = kept if kept and kept.is_of(here) else None
    runtime = config.runtime
    wishes = Wishes(manifest.rate, runtime.threads or 0, runtime.rate or 0.0)
    counts = counts_to_try(len(os.sched_getaffinity(0)), wishes.threads)
    return Known(manifest.rate, choose(measured, wishes, counts), measured)


def budget(config: Config, state: Path, *, anew: bool, as_json: bool) -> str:
    """Return what is known in words or as JSON, measured anew if asked. Raises EdgehomeError."""
    if anew:
        measured = measure(config)
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept_measurements(state).keep(measured)
    found = known(config, state)
    if as_json:
        return json.dumps({**asdict(found), "keeps_up": found.budget.keeps_up})
    return str(found)


def measure(config: Config) -> Measured:
    """Return what a worker measures, in its own confined process. Raises EdgehomeError."""
    # A rate that the user fixed would keep the worker from measuring.
    settings = replace(worker_settings(config, config.recognizer.model), measure=True, rate=0.0)
    worker = WorkerProcess.spawn(settings, quiet=True)
    until_s = time.monotonic() + LONGEST_S
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(worker, selectors.EVENT_READ)
            while (left_s := until_s - time.monotonic()) > 0:
                selector.select(left_s)
                for message in worker.messages():
                    if isinstance(message, Failure):
                        raise _error(message.problem)
                    if isinstance(message, Ready) and message.measured:
                        return message.measured
                if worker.gone():
                    break
    except MessageError:
        pass  # it ended badly, as below
    finally:
        worker.end()
    what = "The board could not be measured: the worker ended or hung while it ran the model."
    raise EdgehomeError("model_crashed", what, "`edgehome doctor` looks for the cause.")


def _error(problem: Problem) -> EdgehomeError:
    return EdgehomeError(problem.code, problem.message, problem.remedy)


def _threads(count: int) -> str:
    return f"{count} thread" if count == 1 else f"{count} threads"
