"""What the board is, and what its sensors say."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path
from typing import Any

from edgehome.doctor.ask import Ask, settings, text_of, under
from edgehome.doctor.camera import board, memory_kb

RAIL = re.compile(r"(?m)^\s*(\w+)_([AV])\s+(?:current|volt)\(\d+\)=([0-9.]+)[AV]")
"""A line of `vcgencmd pmic_read_adc`, on a Raspberry Pi 5."""


def facts(root: Path) -> dict[str, Any]:
    """Return what the board and its system are; nothing that tells one board from its like."""
    release = dict(settings(text_of(under(root, "/etc/os-release"))))
    total = memory_kb(text_of(under(root, "/proc/meminfo")), "MemTotal")
    return {
        "model": board(root) or None,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "memory_mb": total // 1024 if total else None,
        "system": release.get("PRETTY_NAME", "").strip('"') or None,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def watts(said: str) -> float | None:
    """Return the power of all rails that a Pi 5's `pmic_read_adc` tells; None without any.

    A rail counts that has both current and voltage. What hangs on USB, and what the supply's own
    converter loses, is not among them.
    """
    found: dict[str, dict[str, float]] = {}
    for rail, kind, value in RAIL.findall(said):
        found.setdefault(rail, {})[kind] = float(value)
    powers = [rail["A"] * rail["V"] for rail in found.values() if len(rail) == 2]
    return round(sum(powers), 2) if powers else None


def read_watts(ask: Ask) -> float | None:
    """Return the power that the board takes now, in watts; None where nothing says."""
    return watts(ask("vcgencmd", "pmic_read_adc") or "")
