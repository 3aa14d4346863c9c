"""How long the disk takes until it has what it was given: an alert waits for that."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from edgehome.selftest.spread import spread

WRITES = 50
BYTES = 4096


def flush_times(folder: Path, writes: int = WRITES) -> dict[str, Any]:
    """Return the times of writes of 4 KiB, each with an fsync, in a folder. Raises OSError."""
    times_ms = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(writes):
            began_s = time.perf_counter()
            file.write(b"x" * BYTES)
            os.fsync(file.fileno())
            times_ms.append((time.perf_counter() - began_s) * 1000)
    return {"writes": writes, **spread(times_ms)}
