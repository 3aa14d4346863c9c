"""The vision worker's keeper: starts it, hears it, ends it, as the ladder says."""

from __future__ import annotations

import logging
import selectors
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from edgehome.config.types import Config
from edgehome.errands import Errands
from edgehome.ladder import START_S, Action, Ladder, Rung
from edgehome.messages import Failure, MessageError, Ready, Snapshot
from edgehome.orders import Settings
from edgehome.process import WorkerProcess
from edgehome.quarantine import Choice, Quarantine
from edgehome.reboot import Reboot
from edgehome.settings import worker_settings
from edgehome.snapshot import Requests
from edgehome.types import Problem, Scores

WORKED_S = 120.0
"""Seconds of frames after which a model counts as one that works."""

Report = Callable[[str, Problem | None], None]
"""Told of what is wrong with a part, or None when that is over."""

Spawn = Callable[[Settings], WorkerProcess]
"""Starts a worker; raises OSError."""
Launch = tuple[Choice, WorkerProcess | Exception]
"""The model that was chosen, and the worker, or why there is none."""

logger = logging.getLogger(__name__)


class Vision:
    """One worker after the other, for one configuration."""

    def __init__(
        self,
        config: Config,
        *,
        selector: selectors.BaseSelector,
        errands: Errands,
        quarantine: Quarantine,
        reboot: Reboot,
        report: Report,
        clock: Callable[[], float],
        rest_s: float = 0.0,
        spawn: Spawn = WorkerProcess.spawn,
    ) -> None:
        """Take the selector that is to wake for the worker, and a monotonic clock in seconds.

        `errands` reads the model and starts the worker; the first one starts after `rest_s`.
        """
        self._config = config
        self._selector = selector
        self._errands = errands
        self._quarantine = quarantine
        self._reboot = reboot
        self._report = report
        self._clock = clock
        self._spawn = spawn
        self._ladder = Ladder(clock() + rest_s)
        self._resting = rest_s > 0
        self._stopped = False
        self._worker: WorkerProcess | None = None
        self._since_s: float | None = None
        self._expected = False
        self._last_frame = 0
        self._choice = Choice(Path())
        self._failure: Problem | None = None
        self._requests = Requests()

    @property
    def deadline_s(self) -> float:
        """When there is something to do even if the worker says nothing."""
        return self._ladder.deadline_s

    @property
    def restarts(self) -> int:
        """How many workers have ended against our will."""
        return self._ladder.restarts

    @property
    def resting(self) -> bool:
        """Whether the first worker is not due yet."""
        return self._resting

    def attended(self) -> bool:
        """Return whether new frames come, or what follows from their absence was done in time."""
        return not self._ladder.overdue(self._clock())

    def retry(self) -> None:
        """Start a worker that is waited for now, and look again at a model in quarantine."""
        now_s = self._clock()
        self._ladder.hurry(now_s)
        if self._choice.problem and self._ladder.stop(now_s) is Action.TERMINATE:
            self._expected = True
            self._signal(signal.SIGTERM)

    def ask_snapshot(self, alert_id: str) -> None:
        """Ask for the picture that goes with an alert, where they are enabled; never waits.

        It comes among what `hear` yields, or never.
        """
        if self._worker and self._config.snapshots.enabled:
            self._requests.ask(alert_id, self._clock(), self._worker.ask_snapshot)

    def hear(self) -> Iterator[Ready | Scores | Snapshot | None]:
        """Yield what the worker said since, and None when it has ended."""
        worker = self._worker
        if not worker:
            return
        try:
            for message in worker.messages():
                if isinstance(message, Failure):
                    self._failure = message.problem
                    continue
                if isinstance(message, Scores) and message.frame > self._last_frame:
                    self._last_frame = message.frame
                    self._note_result()
                elif isinstance(message, Snapshot):
                    self._requests.answered(message)
                yield message
        except MessageError as error:
            logger.warning("the worker talks nonsense and is ended: %s", error)
            worker.send_signal(signal.SIGKILL)
        if worker.gone():
            self._bury(worker)
            yield None

    def climb(self) -> None:
        """Do what the ladder says is due."""
        action = self._ladder.step(self._clock())
        if action is Action.START:
            self._start()
        elif action is Action.TERMINATE:
            self._failure = self._failure or Problem(
                "worker_hung",
                "The camera or the model gave nothing for seconds.",
                "The worker is started again.",
            )
            self._report("worker", self._failure)
            self._signal(signal.SIGTERM)
        elif action is Action.KILL:
            self._signal(signal.SIGKILL)
        elif action is Action.REPORT_STUCK:
            self._report_stuck()
        elif action is Action.REPORT_SLOW:
            self._report_slow()

    def stop(self) -> None:
        """End the worker: a second to do so by itself, then SIGKILL, then leave it."""
        worker = self._worker
        self._stopped = True
        if not worker:
            return
        if self._ladder.stop(self._clock()) is Action.TERMINATE:
            worker.send_signal(signal.SIGTERM)
        while self._ladder.rung is not Rung.STUCK and not worker.wait(
            self._ladder.deadline_s - self._clock()
        ):
            if self._ladder.step(self._clock()) is Action.KILL:
                worker.send_signal(signal.SIGKILL)
        self._release(worker)

    def _start(self) -> None:
        self._resting = False
        self._errands.put(self._launch, self._launched)

    def _launch(self) -> Launch | None:
        """Choose a model and start a worker; runs as an errand, for both read the disk."""
        if self._stopped:
            return None
        choice = self._quarantine.choose(self._config.recognizer.model)
        try:
            return choice, self._spawn(worker_settings(self._config, choice.model))
        except Exception as error:  # noqa: BLE001  # whatever it is, the next try comes
            return choice, error

    def _launched(self, launch: Launch | None) -> None:
        """Take over a worker that was started, or note that there is none."""
        if not launch:
            return
        self._choice, worker = launch
        self._report("quarantine", self._choice.problem)
        if isinstance(worker, Exception):
            self._ladder.exited(self._clock())
            message = f"The vision worker cannot be started: {worker}."
            self._report("worker", Problem("worker_not_started", message, "See the log."))
        elif self._stopped:  # it came too late
            worker.send_signal(signal.SIGKILL)
            worker.close()
        else:
            self._worker, self._since_s, self._last_frame = worker, None, 0
            self._ladder.started(self._clock())
            self._selector.register(worker, selectors.EVENT_READ)
            self._selector.register(worker.exit_descriptor, selectors.EVENT_READ)

    def _note_result(self) -> None:
        now_s = self._clock()
        self._ladder.result(now_s)
        if self._since_s is None:
            self._since_s = now_s
            self._report("worker", None)
        elif now_s - self._since_s >= WORKED_S:
            self._since_s = float("inf")
            self._quarantine.worked(self._choice)

    def _bury(self, worker: WorkerProcess) -> None:
        """Note how the worker ended, and when the next one is due."""
        now_s = self._clock()
        if self._expected:
            self._expected = False
            self._ladder.exited(now_s, expected=True)
            self._release(worker)
            return
        if worker.crashed():
            self._quarantine.crashed(now_s, self._choice)
        problem = self._failure or Problem(
            "worker_ended",
            f"The vision worker ended with status {worker.poll()}.",
            "It is started again; the log tells more.",
        )
        pause_s = self._ladder.exited(now_s)
        logger.warning("%s: %s Next try in %g s.", problem.code, problem, pause_s)
        self._report("worker", problem)
        self._release(worker)

    def _release(self, worker: WorkerProcess) -> None:
        self._selector.unregister(worker.exit_descriptor)
        self._selector.unregister(worker)
        worker.close()
        self._worker = self._failure = None
        self._requests.forget()

    def _signal(self, number: signal.Signals) -> None:
        if self._worker:
            self._worker.send_signal(number)

    def _report_stuck(self) -> None:
        state = self._worker.state() if self._worker else "X"
        message = f"The camera's driver hangs: its process cannot be killed (state {state})."
        logger.error("%s", message)
        self._report("worker", Problem("camera_stuck", message, "Switch the Pi off and on."))
        allowed = self._config.supervisor.allow_reboot
        self._errands.put(
            lambda: self._reboot.request(allowed=allowed),
            lambda remedy: self._report("worker", Problem("camera_stuck", message, remedy)),
        )

    def _report_slow(self) -> None:
        message = f"The vision worker has not started for {START_S:.0f} s: the disk hangs."
        problem = Problem("worker_not_started", message, "Check the SD card or the disk.")
        logger.error("%s", problem)
        self._report("worker", problem)
