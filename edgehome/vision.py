"""The vision worker's keeper: starts it, hears it, ends it, as the ladder says."""

from __future__ import annotations

import logging
import math
import selectors
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from edgehome import workerproblems
from edgehome.config.types import Config
from edgehome.coral import Coral
from edgehome.errands import Errands
from edgehome.governor import Governor
from edgehome.health import Machine
from edgehome.ladder import CAMERA_S, Action, Ladder, Rung
from edgehome.messages import Failure, Measuring, MessageError, Paced, Ready, Said, Snapshot
from edgehome.process import Spawn, WorkerProcess
from edgehome.quarantine import Choice, Quarantine
from edgehome.reboot import Reboot
from edgehome.snapshot import Requests
from edgehome.types import Problem, Scores

WORKED_S = 120.0
"""Seconds of frames after which a model counts as one that works."""

Report = Callable[[str, Problem | None], None]
"""Told of what is wrong with a part, or None when that is over."""

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
        governor: Governor | None = None,
    ) -> None:
        """Take the selector that is to wake for the worker, and a monotonic clock in seconds.

        `errands` reads the model and starts the worker; the first one starts after `rest_s`.
        `governor` says what it runs with; without one nothing is measured.
        """
        self._config = config
        self._selector = selector
        self._errands = errands
        self._quarantine = quarantine
        self._reboot = reboot
        self._report = report
        self._clock = clock
        self._spawn = spawn
        self._governor = governor or Governor(config, report)
        self._coral = Coral(config.runtime, errands, partial(report, "delegate"))
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
        """Start now what is waited for, and look again at a model in quarantine."""
        self._ladder.hurry(self._clock())
        self._coral.hurry(self._clock())
        if self._choice.problem:
            self._renew()

    def heed(self, machine: Machine) -> None:
        """Have the worker do less on a machine that is strained, and more again after it."""
        if self._governor.look(self._clock(), machine):
            self._follow()

    def ask_snapshot(self, alert_id: str) -> None:
        """Ask for the picture that goes with an alert, where they are enabled; never waits.

        It comes among what `hear` yields, or never.
        """
        if self._worker and self._config.snapshots.enabled:
            self._requests.ask(alert_id, self._clock(), self._worker.ask_snapshot)

    def tell(self, packets: Sequence[bytes]) -> bool:
        """Have the worker told; return whether it can be; never waits."""
        return self._worker is not None and self._worker.tell(packets)

    def hear(self) -> Iterator[Said | None]:
        """Yield what the worker said since, and None when it has ended."""
        worker = self._worker
        if not worker:
            return
        try:
            for message in worker.messages():
                if isinstance(message, Failure):
                    self._fail(message.problem)
                elif isinstance(message, Measuring):
                    self._ladder.started(self._clock())  # the time to its first frame begins anew
                    self._governor.measuring()
                else:
                    yield self._note(message)
        except MessageError as error:
            logger.warning("the worker talks nonsense and is ended: %s", error)
            worker.send_signal(signal.SIGKILL)
        if worker.gone():
            self._bury(worker)
            yield None

    def _fail(self, problem: Problem) -> None:
        """Note why the worker ends, and see that it does."""
        self._failure = problem
        self._report("worker", problem)
        self._ladder.ending(self._clock())

    def _follow(self) -> None:
        """Have the worker do what the governor wants: at once, or as another one."""
        governor = self._governor
        if governor.wants_another_model:
            self._renew()
        elif self._worker and governor.wants_another_rate:
            self._worker.ask_rate(governor.step.rate)

    def _renew(self) -> None:
        """End the worker for another one, which is not held against it."""
        if self._ladder.stop(self._clock()) is Action.TERMINATE:
            self._expected = True
            self._signal(signal.SIGTERM)

    def climb(self) -> None:
        """Do what the ladder says is due."""
        if self._coral.step(self._clock()):
            self._renew()
        action = self._ladder.step(self._clock())
        if action is Action.START:
            self._resting = False
            self._errands.put(self._launch, self._launched)
        elif action is Action.TERMINATE:
            self._failure = self._failure or workerproblems.HUNG
            self._report("worker", self._failure)
            self._signal(signal.SIGTERM)
        elif action is Action.KILL:
            self._signal(signal.SIGKILL)
        elif action is Action.REPORT_STUCK:
            self._report_stuck()
        elif action is Action.REPORT_SLOW:
            logger.error("%s", workerproblems.SLOW)
            self._report("worker", workerproblems.SLOW)

    def stop(self) -> list[Said]:
        """End the worker: a second to do so by itself, then SIGKILL, then leave it.

        Returns what it still said.
        """
        worker, heard = self._worker, list[Said]()
        self._stopped = True
        if not worker:
            return heard
        if self._ladder.stop(self._clock()) is Action.TERMINATE:
            worker.send_signal(signal.SIGTERM)
        while self._ladder.rung is not Rung.STUCK and not worker.hear_out(
            self._ladder.deadline_s - self._clock(), heard
        ):
            if self._ladder.step(self._clock()) is Action.KILL:
                worker.send_signal(signal.SIGKILL)
        self._release(worker)
        return heard

    def _launch(self) -> Launch | None:
        """Choose a model and start a worker; runs as an errand, for both read the disk."""
        if self._stopped:
            return None
        choice = self._quarantine.choose(self._governor.model())
        try:
            return choice, self._spawn(self._coral.settings(self._governor.settings(choice)))
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
            self._report("worker", workerproblems.not_started(worker))
        elif self._stopped:  # it came too late
            worker.send_signal(signal.SIGKILL)
            worker.close()
        else:
            self._worker, self._since_s, self._last_frame = worker, None, 0
            self._ladder.started(self._clock())
            self._selector.register(worker, selectors.EVENT_READ)
            self._selector.register(worker.exit_descriptor, selectors.EVENT_READ)

    def _note(self, message: Said) -> Said:
        """Take what the worker says into account, and return it as the home is to hear it."""
        if isinstance(message, Scores):
            self._governor.saw(self._clock(), message)
            if message.frame > self._last_frame:
                self._last_frame = message.frame
                self._note_result()
        elif isinstance(message, Ready):
            message = self._coral.ready(message, self._clock())
            self._governor.begun(message)
            self._follow()
        elif isinstance(message, Paced):
            self._governor.paced(message.rate)
        elif isinstance(message, Snapshot):
            self._requests.answered(message)
        return message

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
        self._governor.ended()
        if self._expected:
            self._expected = False
            self._ladder.exited(now_s, expected=True)
            self._release(worker)
            return
        crashed = worker.crashed()
        if not self._coral.ended(self._failure, now_s, crashed=crashed) and crashed:
            self._quarantine.crashed(now_s, self._choice)
        problem = self._failure or workerproblems.ended(worker.poll())
        camera = problem.code.startswith("camera_")
        pause_s = self._ladder.exited(now_s, most_s=CAMERA_S if camera else math.inf)
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
        problem = workerproblems.stuck(state)
        logger.error("%s", problem.message)
        self._report("worker", problem)
        allowed = self._config.supervisor.allow_reboot
        self._errands.put(
            lambda: self._reboot.request(allowed=allowed),
            lambda remedy: self._report("worker", workerproblems.stuck(state, remedy)),
        )
