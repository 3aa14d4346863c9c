"""Safe mode: after three starts that ended badly within five minutes, camera and model rest.

Every start is counted on the disk before anything is tried that could end it, and struck off when
the service was healthy for a while or ended as it was told to. Times are those of the monotonic
clock of one boot: a Pi's wall clock jumps. One small write a start, and one file removed.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from edgehome.statefile import write_atomically
from edgehome.types import EdgehomeError, Problem

BAD_STARTS = 3
WITHIN_S = 300.0
REST_S = 300.0
"""Safe mode ends by itself after so long."""
HEALTHY_S = 120.0
"""Seconds at work after which a start was a good one, whatever happens then."""
MAX_BYTES = 4096

logger = logging.getLogger(__name__)
Start = tuple[str, float]
"""The boot, and seconds on its monotonic clock."""

SAFE_MODE = Problem(
    "safe_mode",
    "The service ended unexpectedly three times within five minutes: camera and model rest for "
    "five minutes, nothing is watched.",
    "Press Retry in Home Assistant, or wait; `sudo journalctl -u edgehome` tells how it ended.",
)


class StartCount:
    """The starts of which nothing good is known; `with` counts this one, before all else."""

    def __init__(self, path: Path, *, boot: str, clock: Callable[[], float]) -> None:
        """Take the file, the kernel's name for this boot, and its monotonic clock in seconds."""
        self._path = path
        self._boot = boot
        self._clock = clock
        self.too_many = False
        """Whether the starts before this one ask for safe mode."""

    def __enter__(self) -> Self:
        now_s = self._clock()
        bad = [start for start in self._read() if self._is_recent(start, now_s)][-BAD_STARTS:]
        self.too_many = len(bad) == BAD_STARTS
        self._write([*bad, (self._boot, round(now_s, 1))][-BAD_STARTS:])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None
    ) -> None:
        """Strike the starts off at a clean end; one with a reason that was told is clean too."""
        if kind is None or issubclass(kind, EdgehomeError):
            self.forgive()

    def forgive(self) -> None:
        """Strike all starts off. If a power cut undoes it one too many is counted, no harm."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("%s cannot be removed (%s)", self._path, error)

    def _is_recent(self, start: Start, now_s: float) -> bool:
        boot, at_s = start
        if boot == self._boot and at_s <= now_s:
            return now_s - at_s <= WITHIN_S
        # Before this boot: at least as long ago as the boot, and nothing says how long.
        return now_s <= WITHIN_S

    def _read(self) -> list[Start]:
        try:
            kept = json.loads(self._path.read_bytes()[:MAX_BYTES])
            starts = [(str(boot), float(at_s)) for boot, at_s in kept]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, RecursionError) as error:
            logger.warning("%s cannot be read (%s): counting from nought", self._path, error)
            return []
        return [start for start in starts if math.isfinite(start[1])]

    def _write(self, starts: list[Start]) -> None:
        """Write what survives a power cut of the next moment; go on without if the disk refuses."""
        try:
            write_atomically(self._path, json.dumps(starts).encode())
            folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            logger.warning(
                "this start is not counted: %s cannot be written (%s)", self._path, error
            )
