"""Resident memory, of this process and of the supervisor's."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

_SUPERVISOR = """
import sys, time
from pathlib import Path
import edgehome.app
from edgehome.config.types import MqttConfig
from edgehome.delivery import Delivery
nobody = MqttConfig(host="127.0.0.1", port=1)
with Delivery(mqtt=nobody, base="edgehome/bench", outbox=Path(sys.argv[1])) as delivery:
    began_s = delivery.status().progress_s
    while delivery.status().progress_s == began_s:
        time.sleep(0.05)
    print(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])
"""
"""Broker apart, since a benchmark has none: a connection takes half a megabyte more."""


def supervisor_mb() -> float:
    """Return the resident memory of a process with all that the supervisor has, in MB."""
    with tempfile.TemporaryDirectory(prefix="edgehome-bench-") as folder:
        command = [sys.executable, "-c", _SUPERVISOR, f"{folder}/outbox.db"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return round(int(done.stdout) / 1024, 1)


def resident_mb() -> float:
    """Return the resident memory of this process, in MB."""
    return rss_mb("self") or 0.0


def rss_mb(pid: int | str) -> float | None:
    """Return the resident memory of a process in MB; None when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        return int(status.split("VmRSS:")[1].split()[0]) / 1024
    except (OSError, IndexError):
        return None
