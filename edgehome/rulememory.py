"""How the rules stood when the node stopped, in a file, and how long ago that was.

With an alert it is not this file that is written, but the outbox, which commits both as one. An SD
card wears out with every write, so the file is written when somebody asked for something, at the
end, and once a minute while any rule is not at rest. A number that only grows tells which of the
two is the newer, whatever the clocks did.
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
UNSEEN = 1_000_000
"""What a number grows by at a start at which only one of the two could be read: the other may come
back, and has been numbered further on."""

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
        self._number = 0
        self._kept: dict[str, Any] | None = None

    @property
    def is_new(self) -> bool:
        """Nothing has been loaded or kept by this process."""
        return self._kept is None

    def load(self, stored: bytes | None = None) -> Remembered | None:
        """Return what was kept last, by this process or one before; None where that is broken.

        `stored` is what the outbox has.
        """
        if not self._kept:
            found = [self._read_file(), self._decode(stored, "the outbox") if stored else None]
            known = [kept for kept in found if kept]
            self._kept = max(known, key=_number, default=None)
            self._number = _number(self._kept or {}) + UNSEEN * (len(known) < len(found))
        if not self._kept:
            return None
        return Remembered(dict(self._kept["rules"]), self._gap_s(self._kept))

    def encode(self, memory: Mapping[str, object], seen_s: float) -> bytes:
        """Return what to store; `seen_s` is when the last frame came, on the monotonic clock."""
        now_s = self._clocks.monotonic_s()
        ago_s = max(0.0, now_s - seen_s)
        self._number += 1
        self._kept = {
            "number": self._number,
            "boot": self._clocks.boot,
            "monotonic_s": now_s - ago_s,
            "wall_s": self._clocks.wall_s() - ago_s,
            "rules": memory,
        }
        self._due_s = now_s + SAVE_S
        return json.dumps(self._kept).encode()

    def save(self, memory: Mapping[str, object], seen_s: float) -> None:
        """Have the file written, as `encode` says it."""
        self._writer.put(self._path, self.encode(memory, seen_s))

    def due(self) -> bool:
        """Return whether the last save is a minute ago."""
        return self._clocks.monotonic_s() >= self._due_s

    def _read_file(self) -> dict[str, Any] | None:
        try:
            data = self._path.read_bytes()[:MAX_BYTES]
        except FileNotFoundError:
            return None
        except OSError as error:
            logger.warning("%s cannot be read (%s)", self._path, error)
            return None
        return self._decode(data, str(self._path))

    def _decode(self, data: bytes, place: str) -> dict[str, Any] | None:
        """Return what is whole; what is broken is as good as none."""
        try:
            kept = json.loads(data)
            dict(kept["rules"])
            self._gap_s(kept)
            _number(kept)
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            logger.warning("the rules' memory in %s is broken (%r)", place, error)
            return None
        return dict(kept)

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


def _number(kept: Mapping[str, Any]) -> int:
    """Return how often a memory had been kept; 0 from before there was a number."""
    return int(kept.get("number", 0))


def boot_id() -> str:
    """Return the kernel's name for this boot, or an empty text where it has none."""
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
