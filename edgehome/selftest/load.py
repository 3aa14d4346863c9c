"""Minutes of work: whether the board gets hot or slow, and what the steps take in the end.

The model looks at every frame, as it does while something moves: at those of the camera, or of the
bundled pictures where the camera is not to be had.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

from edgehome.doctor.ask import Ask
from edgehome.doctor.board import firmware_bits
from edgehome.health import UNDERVOLTED, temperature
from edgehome.memory import rss_mb
from edgehome.messages import Ready
from edgehome.orders import Settings
from edgehome.process import WorkerProcess
from edgehome.selftest import player
from edgehome.selftest.board import read_watts
from edgehome.selftest.heard import scores_of

LOOK_S = 5.0
"""Between two looks at the sensors."""
SLOWED = 0xE
"""Bits of get_throttled: capped, throttled, too hot."""
PART = 10
"""The first and the last tenth of the steps are compared."""


@dataclass(slots=True)
class Load:
    """What was seen until now; `result` may be asked at any time."""

    root: Path
    ask: Ask
    source: str
    """`camera` or `pictures`."""
    steps_ms: list[float] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    degrees: list[float] = field(default_factory=list)
    watts: list[float] = field(default_factory=list)
    bits: int | None = None
    worker_mb: float | None = None
    runtime: str = ""

    def look(self, pid: int) -> None:
        """Ask every sensor once; `pid` is the worker's."""
        if (degrees := temperature(self.root / "sys")) is not None:
            self.degrees.append(degrees)
        if (bits := firmware_bits(self.root, self.ask)) is not None:
            self.bits = (self.bits or 0) | (bits & 0xF)
        if (watts := read_watts(self.ask)) is not None:
            self.watts.append(watts)
        self.worker_mb = rss_mb(pid) or self.worker_mb

    def result(self) -> dict[str, Any]:
        """Return minutes, degrees Celsius, milliseconds and watts; null where nothing says."""
        part = max(1, len(self.steps_ms) // PART)
        elapsed_s = self.times_s[-1] - self.times_s[0] if self.times_s else 0.0
        return {
            "source": self.source,
            "minutes": round(elapsed_s / 60, 2),
            "frames": len(self.steps_ms),
            "rate": round((len(self.times_s) - 1) / elapsed_s, 2) if elapsed_s else None,
            "start_c": self.degrees[0] if self.degrees else None,
            "end_c": self.degrees[-1] if self.degrees else None,
            "most_c": max(self.degrees, default=None),
            "throttled": None if self.bits is None else bool(self.bits & SLOWED),
            "undervolted": None if self.bits is None else bool(self.bits & UNDERVOLTED),
            "first_step_ms": round(median(self.steps_ms[:part]), 2) if self.steps_ms else None,
            "last_step_ms": round(median(self.steps_ms[-part:]), 2) if self.steps_ms else None,
            "watts": round(fmean(self.watts), 2) if self.watts else None,
        }


def run(load: Load, settings: Settings, seconds: float, tell: Callable[[float], None]) -> None:
    """Work for so many seconds; `tell` gets how many have passed. Raises EdgehomeError.

    What was seen until an error or Ctrl-C is in `load`.
    """
    settings = replace(settings, gate=False, snapshot=0)
    spawn = WorkerProcess.spawn if load.source == "camera" else _pictures
    worker = spawn(settings)
    try:
        _hear(load, worker, seconds, tell)
    finally:
        worker.end()


def _pictures(settings: Settings) -> WorkerProcess:
    return player.spawn(settings, 0.0)


def _hear(load: Load, worker: WorkerProcess, seconds: float, tell: Callable[[float], None]) -> None:
    began_s = look_s = None
    for said in scores_of(worker, seconds):
        if isinstance(said, Ready):
            load.runtime = said.runtime
            continue
        now_s = time.monotonic()
        began_s = now_s if began_s is None else began_s
        load.steps_ms.append(said.inference_ms)
        load.times_s.append(said.time_s)
        if look_s is None or now_s >= look_s:
            load.look(worker.pid)
            tell(now_s - began_s)
            look_s = now_s + LOOK_S
    load.look(worker.pid)
