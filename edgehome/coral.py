"""When the worker may use an Edge TPU, so that a bad one never costs the home its watch.

What ends a worker on the Edge TPU (the stick pulled out, a hang, a crash) puts the next one on the
CPU at once. The stick is then tried by the side, by a process of its own, while that one watches;
only when it is good there does a worker start on it again. A stick that is not there is looked for
after 30 seconds, and later every five minutes. One that failed at work has to wait a minute, and
twice as long each time, up to an hour: it was good in the trial before.
"""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from edgehome.config.types import RuntimeConfig
from edgehome.errands import Errands
from edgehome.messages import Ready
from edgehome.orders import Settings
from edgehome.process import without_secrets
from edgehome.recognizer.delegate import TRIAL_S, Tried, command, heard
from edgehome.recognizer.edgetpu import CRASHED, HUNG, NOT_THERE, edgetpu_problem, has_form
from edgehome.types import Delegate, Problem

MISSED_S = (30.0, 60.0, 120.0, 300.0)
"""Seconds from a trial that failed to the next, the last for good."""
LOST_S, MOST_LOST_S = 60.0, 3600.0
"""Seconds from a failure at work to the next trial: at first, and at most."""
WORKED_S = 3600.0
"""Seconds at work after which the next failure waits for the shortest time again."""
_OURS = "edgetpu_"

logger = logging.getLogger(__name__)


class Trial(Protocol):
    """A trial by the side."""

    def result(self, now_s: float) -> Tried | None:
        """Return what it found, or None while it goes on; never waits."""


class TrialProcess:
    """A trial that runs. Raises OSError."""

    def __init__(self, model: Path, library: str) -> None:
        self._process = subprocess.Popen(
            command(model, library),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=without_secrets(),
        )
        self._until_s: float | None = None

    def result(self, now_s: float) -> Tried | None:
        """Return what it found; one that hangs is ended, and told as such once it is gone."""
        if self._until_s is None:
            self._until_s = now_s + TRIAL_S
        late = now_s >= self._until_s
        status = self._process.poll()
        if status is None:
            if late:
                self._process.kill()
            return None
        said, _ = self._process.communicate()
        return heard(said, None if late and status < 0 else status)


class Coral:
    """Whether the next worker may use the Edge TPU; one for each configuration."""

    def __init__(
        self,
        runtime: RuntimeConfig,
        errands: Errands,
        report: Callable[[Problem | None], None],
        begin: Callable[[Path, str], Trial] = TrialProcess,
    ) -> None:
        """Take what starts trials (as errands) and what is told of the Edge TPU meanwhile."""
        self._runtime = runtime
        self._errands = errands
        self._report = report
        self._begin = begin
        self._model = Path()
        self._at_work = False
        self._since_s: float | None = None  # the worker at hand has done its work on it
        self._next_s: float | None = None  # a trial is due; None: the worker may use it
        self._problem: Problem | None = None
        self._losses = self._misses = 0
        self._trial: Trial | None = None
        self._beginning = False

    def settings(self, settings: Settings) -> Settings:
        """Return what the next worker is told; reads the disk."""
        self._model = Path(settings.model)
        wanted = self._runtime.delegate is not Delegate.CPU
        self._at_work = wanted and self._next_s is None and has_form(self._model)
        self._since_s = None
        return settings if self._next_s is None else replace(settings, delegate=Delegate.CPU)

    def ready(self, message: Ready, now_s: float) -> Ready:
        """Return what the worker says, with what is wrong with an Edge TPU that waits."""
        if self._next_s is not None:
            return replace(message, degraded=self._told() or message.degraded)
        if self._at_work and message.delegate != Delegate.EDGETPU:
            self._at_work = False
            self._missed(message.degraded, now_s)
        elif self._at_work:
            self._since_s, self._misses, self._problem = now_s, 0, None
        return message

    def ended(self, failure: Problem | None, now_s: float, *, crashed: bool) -> bool:
        """Note a worker's end against our will; return whether the Edge TPU is to blame."""
        if not self._at_work:
            return False
        self._at_work = False
        ours = failure is not None and failure.code.startswith(_OURS)
        hung = failure is not None and failure.code == "worker_hung"
        if not (ours or hung or crashed):
            return False
        if self._since_s is not None and now_s - self._since_s >= WORKED_S:
            self._losses = 0
        pause_s = min(LOST_S * 2.0**self._losses, MOST_LOST_S)
        self._losses += 1
        self._next_s = now_s + pause_s
        what = edgetpu_problem(HUNG if hung else CRASHED, "while it did the node's work")
        self._problem = failure if ours else what
        logger.warning("%s It is tried again in %g s.", self._problem, pause_s)
        return True

    def step(self, now_s: float) -> bool:
        """Begin and hear trials; return whether a worker is to start on the Edge TPU now."""
        if self._next_s is None or self._beginning:
            return False
        if self._trial is None:
            if now_s >= self._next_s:
                self._beginning = True
                self._errands.put(self._start, self._started)
            return False
        tried = self._trial.result(now_s)
        if tried is None:
            return False
        self._trial = None
        if tried.problem:
            self._missed(tried.problem, now_s)
            self._report(self._told())
            return False
        logger.info("the Edge TPU is good: %g ms a frame", tried.edgetpu_ms)
        self._next_s, self._misses = None, 0
        return True

    def hurry(self, now_s: float) -> None:
        """Let the next trial be now, and the pauses after it short."""
        self._losses = self._misses = 0
        if self._next_s is not None:
            self._next_s = now_s

    def _start(self) -> Trial | OSError:
        try:
            return self._begin(self._model, self._runtime.library)
        except OSError as error:
            return error

    def _started(self, trial: Trial | OSError) -> None:
        self._beginning = False
        if isinstance(trial, OSError):
            logger.warning("the Edge TPU's trial cannot be started: %s", trial)
            self._next_s = (self._next_s or 0.0) + MISSED_S[-1]
        else:
            self._trial = trial

    def _missed(self, problem: Problem | None, now_s: float) -> None:
        self._next_s = now_s + MISSED_S[min(self._misses, len(MISSED_S) - 1)]
        self._misses += 1
        if problem and problem.code.startswith(_OURS):
            self._problem = problem

    def _told(self) -> Problem | None:
        """Return what the home is told: nothing of a stick that was never there nor asked for."""
        never = self._problem and self._problem.code in NOT_THERE and not self._losses
        return None if never and self._runtime.delegate is Delegate.AUTO else self._problem
