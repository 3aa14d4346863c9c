"""When to start, stop, kill and start again the vision worker: a pure state machine.

All times are seconds on the monotonic clock and come as arguments, so a step of the wall clock
changes nothing and an hour of trouble is tested in a millisecond.

A worker that gives no result is asked to end, then killed. A Pi's camera driver can hang in the
kernel so that even SIGKILL does not end it (raspberrypi/picamera2 #1275): that is reported, and
as the last rung the machine may be rebooted, if its owner allows it.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from math import inf

START_S = 60.0
"""Seconds from the start to the first frame: a Zero 2 W needs many to import and to load."""
RESULT_S = 4.5
"""Seconds from one result to the next, after the first: what hangs is found within 5 seconds."""
LATE_S = 1.0
"""When its keeper comes so late it was itself held up, and the worker is given its time anew."""
TERMINATE_S = 1.0
"""Seconds between SIGTERM and SIGKILL."""
ENDING_S = 2.0
"""Seconds that a worker which has said why it ends has for doing so."""
UNKILLABLE_S = 5.0
"""Seconds after SIGKILL until a worker that is still there counts as stuck."""
HEALTHY_S = 60.0
"""Seconds of results after which the next failure starts with the shortest back-off again."""
BACKOFF_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
CAMERA_S = 5.0
"""The longest pause, in seconds, where it was the camera that failed: it may come back by itself,
and pictures are to be there again within 15 seconds of that. A model does not get better."""
CRASHES = 3
CRASH_WINDOW_S = 600.0


class Action(Enum):
    """What the supervisor is to do now."""

    NOTHING = auto()
    START = auto()
    TERMINATE = auto()
    KILL = auto()
    REPORT_STUCK = auto()
    REPORT_SLOW = auto()


class Rung(Enum):
    """Where on the ladder the worker is."""

    WAITING = auto()
    STARTING = auto()
    RUNNING = auto()
    TERMINATING = auto()
    KILLING = auto()
    STUCK = auto()


_DUE = {
    Rung.WAITING: (Rung.STARTING, START_S, Action.START),
    Rung.STARTING: (Rung.STARTING, inf, Action.REPORT_SLOW),
    Rung.TERMINATING: (Rung.KILLING, UNKILLABLE_S, Action.KILL),
    Rung.KILLING: (Rung.STUCK, inf, Action.REPORT_STUCK),
    Rung.STUCK: (Rung.STUCK, inf, Action.NOTHING),
}
"""By rung: where its deadline leads, the seconds there, and what is to be done."""


class Ladder:
    """One worker's way from rung to rung."""

    def __init__(self, now_s: float) -> None:
        """Begin at `now_s`, which may be later: the first worker is due then."""
        self.rung = Rung.WAITING
        self.restarts = 0
        self._failures = 0
        self._deadline_s = now_s
        self._first_result_s: float | None = None
        self._excused = False

    @property
    def deadline_s(self) -> float:
        """When `step` has something to do if nothing else happens; infinite once it is told."""
        return self._deadline_s

    def overdue(self, now_s: float) -> bool:
        """Return whether a step that was due was not made: then nobody keeps the worker."""
        return now_s - self._deadline_s > LATE_S

    def hurry(self, now_s: float) -> None:
        """Let a worker that is waited for start now, and the next pauses be short."""
        self._failures = 0
        if self.rung is Rung.WAITING:
            self._deadline_s = now_s

    def started(self, now_s: float) -> None:
        """Note that a worker runs from now on."""
        self._go(Rung.RUNNING, now_s + START_S)
        self._first_result_s = None
        self._excused = False

    def result(self, now_s: float) -> None:
        """Note a sign of work: a frame that was processed."""
        if self.rung is not Rung.RUNNING:
            return
        if self._first_result_s is None:
            self._first_result_s = now_s
        if now_s - self._first_result_s >= HEALTHY_S:
            self._failures = 0
        self._deadline_s = now_s + RESULT_S
        self._excused = False

    def ending(self, now_s: float) -> None:
        """Note that the worker has said why it ends: if it does not soon, it is killed."""
        if self.rung is Rung.RUNNING:
            self._go(Rung.TERMINATING, now_s + ENDING_S)

    def exited(self, now_s: float, *, expected: bool = False, most_s: float = inf) -> float:
        """Note that the worker is gone; return the seconds until the next one starts.

        They grow from failure to failure, up to `most_s`.
        """
        pause_s = 0.0
        if not expected:
            pause_s = min(BACKOFF_S[min(self._failures, len(BACKOFF_S) - 1)], most_s)
            self._failures += 1
            self.restarts += 1
        self._go(Rung.WAITING, now_s + pause_s)
        return pause_s

    def stop(self, now_s: float) -> Action:
        """Ask a running worker to end, as for a new configuration."""
        if self.rung is not Rung.RUNNING:
            return Action.NOTHING
        self._go(Rung.TERMINATING, now_s + TERMINATE_S)
        return Action.TERMINATE

    def step(self, now_s: float) -> Action:
        """Return what is to be done at this moment, and move to the rung after it."""
        if now_s < self._deadline_s:
            return Action.NOTHING
        if self.rung is Rung.RUNNING:
            return self._judge(now_s)
        rung, wait_s, action = _DUE[self.rung]
        self._go(rung, now_s + wait_s)
        return action

    def _judge(self, now_s: float) -> Action:
        """End a silent worker; once, not when it was its keeper who was away."""
        if self.overdue(now_s) and not self._excused:
            self._excused = True
            self._deadline_s = now_s + RESULT_S
            return Action.NOTHING
        return self.stop(now_s)

    def _go(self, rung: Rung, deadline_s: float) -> None:
        self.rung = rung
        self._deadline_s = deadline_s


class CrashCount:
    """Which models kill their workers: three crashes within ten minutes put one in quarantine."""

    def __init__(self) -> None:
        self._crashes: dict[str, deque[float]] = {}

    def crashed(self, now_s: float, sha256: str) -> bool:
        """Note a crash with this model; return whether it is one too many."""
        times = self._crashes.setdefault(sha256, deque(maxlen=CRASHES))
        times.append(now_s)
        return len(times) == CRASHES and now_s - times[0] <= CRASH_WINDOW_S
