"""A vision worker's keeper at work without a broker: real processes, and what it reports when."""

from __future__ import annotations

import os
import selectors
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

from edgehome.config.types import (
    CameraConfig,
    Config,
    MotionConfig,
    RecognizerConfig,
    RuntimeConfig,
)
from edgehome.errands import Errands
from edgehome.messages import Ready
from edgehome.quarantine import Quarantine
from edgehome.reboot import Reboot
from edgehome.statefile import FileWriter, StateFile
from edgehome.types import Problem, Scores
from edgehome.vision import Vision

FAULTS = Path(__file__).resolve().parent / "faults"
ROOT = FAULTS.parents[1]


def with_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processes that are started from now on have tests/faults."""
    path = os.pathsep.join([str(FAULTS), str(ROOT)])
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setattr("daemon.ROOT", path)


class Keeper:
    """Drives `Vision` as the supervisor's loop does; `with` starts its threads."""

    def __init__(
        self,
        folder: Path,
        *,
        model: Path,
        source: Path | str,
        clock: Callable[[], float] = time.monotonic,
        writer: FileWriter | None = None,
        runtime: RuntimeConfig | None = None,
        motion: MotionConfig | None = None,
        **more: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.clock = clock
        self.reports: list[tuple[float, str, Problem | None]] = []
        self.frames: list[float] = []
        self.ready: list[Ready] = []
        self.ends = 0
        self._stack = ExitStack()
        self.writer = writer or FileWriter()
        self.state = StateFile(folder / "state.json", self.writer)
        self.errands = Errands()
        self._selector = selectors.DefaultSelector()
        self.vision = Vision(
            Config(
                camera=CameraConfig(source=str(source)),
                recognizer=RecognizerConfig(model=model),
                runtime=runtime or RuntimeConfig(threads=1),
                motion=motion or MotionConfig(),
            ),
            selector=self._selector,
            errands=self.errands,
            quarantine=Quarantine(self.state),
            reboot=Reboot(folder / "reboot-requested", self.state, time.time),
            report=lambda part, problem: self.reports.append((self.clock(), part, problem)),
            clock=clock,
            **more,
        )

    def __enter__(self) -> Self:
        self._stack.enter_context(self._selector)
        self._stack.enter_context(self.writer)
        self._stack.enter_context(self.errands)
        self._selector.register(self.errands, selectors.EVENT_READ)
        return self

    def __exit__(self, *_: object) -> None:
        self.vision.stop()
        self._stack.close()

    @property
    def pid(self) -> int:
        worker = self.vision._worker
        assert worker, self.reports
        return worker.pid

    def turn(self, longest_s: float = 0.02) -> None:
        self._selector.select(longest_s)
        self.errands.collect()
        for message in self.vision.hear():
            if isinstance(message, Scores):
                self.frames.append(self.clock())
            elif isinstance(message, Ready):
                self.ready.append(message)
            elif message is None:
                self.ends += 1
        self.vision.climb()

    def when(self, code: str, since_s: float = 0.0) -> float | None:
        """Return when a problem was reported first after a time."""
        times = [at_s for at_s, _, p in self.reports if p and p.code == code and at_s >= since_s]
        return times[0] if times else None


def turn_until(keepers: list[Keeper], done: Callable[[Keeper], object], timeout_s: float) -> None:
    """Turn all of them, until it is true of each."""
    until_s = time.monotonic() + timeout_s
    while sum(bool(done(keeper)) for keeper in keepers) < len(keepers):  # each is asked
        assert time.monotonic() < until_s, [keeper.reports for keeper in keepers]
        for keeper in keepers:
            keeper.turn(0.02 / len(keepers))
