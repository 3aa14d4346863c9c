"""What the long tests have in common: how a process stands, how far one is, and what came of it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path


def memory_mb(pid: int | str = "self") -> float:
    """Return a process's resident memory in MB (2**20 bytes)."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def descriptors(pid: int | str = "self") -> int:
    """Return how many files and sockets a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def threads(pid: int | str = "self") -> int:
    """Return how many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


class Progress:
    """Says on stderr how far it is: on one line of a terminal, else every few seconds."""

    def __init__(self, period_s: float = 5.0) -> None:
        self._period_s = 0.1 if sys.stderr.isatty() else period_s
        self._said_s = -self._period_s

    def __call__(self, line: str) -> None:
        """Say it, unless something was said just before."""
        now_s = time.monotonic()
        if now_s - self._said_s >= self._period_s:
            self._said_s = now_s
            sys.stderr.write(f"\r\x1b[K{line}" if sys.stderr.isatty() else f"{line}\n")
            sys.stderr.flush()


def report(figures: Mapping[str, object], faults: list[str], *, as_json: bool) -> int:
    """Print the figures and what is wrong with them; return the exit status."""
    if as_json:
        print(json.dumps({**figures, "faults": faults}))
    else:
        for name, value in figures.items():
            print(f"{name}: {value}")
        print("\n".join(f"FAULT: {fault}" for fault in faults) or "all as promised")
    return int(bool(faults))
