"""How the rules stood when the node stopped, in a file, and how long ago that was.

An SD card wears out with every write, so a rule's state is written when somebody was told or asked
for something, at the end, and once a minute while any rule is not at rest.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgehome.statefile import FileWriter

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SAVE_S = 60.0
LONG_S = 86400.0
"""Seconds that a gap counts for whose length cannot be known, and at most over a reboot."""
MAX_BYTES = 4 * 1024 * 1024

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Clocks:
    """What tells one moment from another over restarts."""

    monotonic_s: Callable[[], float]
    """Seconds since the boot."""
    wall_s: Callable[[], float]
    """Seconds since 1970, as the machine believes."""
    boot: str
    """Another at each boot; empty where it is not known."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What `RuleMemory.load` found."""

    memory: Mapping[str, Any]
    """As the node gave it."""
    gap_s: float
    """Seconds since the last frame that the rules saw."""


class RuleMemory:
    """The rules' memory in one file."""

    def __init__(self, path: Path, writer: FileWriter, clocks: Clocks) -> None:
        self._path = path
        self._writer = writer
        self._clocks = clocks
        self._due_s = 0.0
        self._kept: dict[str, Any] | None = None

    def load(self) -> Remembered | None:
        """Return what was saved last, by this process or one before; None where that is broken."""
        try:
            kept = self._kept or json.loads(self._path.read_bytes()[:MAX_BYTES])
            remembered = Remembered(dict(kept["rules"]), self._gap_s(kept))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            logger.warning("%s cannot be read (%r): the rules begin anew", self._path, error)
            return None
        return remembered

    def save(self, memory: Mapping[str, object], seen_s: float) -> None:
        """Have it written; `seen_s` is when the last frame came, on the monotonic clock."""
        now_s = self._clocks.monotonic_s()
        ago_s = max(0.0, now_s - seen_s)
        self._kept = {
            "boot": self._clocks.boot,
            "monotonic_s": now_s - ago_s,
            "wall_s": self._clocks.wall_s() - ago_s,
            "rules": memory,
        }
        self._writer.put(self._path, json.dumps(self._kept).encode())
        self._due_s = now_s + SAVE_S

    def due(self) -> bool:
        """Return whether the last save is a minute ago."""
        return self._clocks.monotonic_s() >= self._due_s

    def _gap_s(self, kept: Mapping[str, Any]) -> float:
        monotonic_s, wall_s = float(kept["monotonic_s"]), float(kept["wall_s"])
        if kept["boot"] and kept["boot"] == self._clocks.boot:
            gap_s = self._clocks.monotonic_s() - monotonic_s
        else:
            gap_s = self._clocks.wall_s() - wall_s
            if gap_s > LONG_S:
                return LONG_S
        # A clock that went back: a Pi without a battery wakes up in the past.
        return gap_s if math.isfinite(gap_s) and gap_s >= 0 else LONG_S


def boot_id() -> str:
    """Return the kernel's name for this boot, or an empty text where it has none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
