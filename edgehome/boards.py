"""What a board calls itself, and the runtime that it has; without loading either."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

DEVICE_TREE = Path("/proc/device-tree/model")
CPUINFO = Path("/proc/cpuinfo")
RUNTIMES = ("ai-edge-litert", "tflite-runtime")
"""In the order in which the recogniser looks for them."""


def board_name(device_tree: Path = DEVICE_TREE, cpuinfo: Path = CPUINFO) -> str:
    """Return a name such as `Raspberry Pi 4 Model B Rev 1.4, 4 cores`; never raises."""
    name = _device_tree(device_tree) or _processor(cpuinfo) or platform.machine()
    cores = len(os.sched_getaffinity(0))
    return f"{name[:150]}, {cores} {'core' if cores == 1 else 'cores'}"


def installed_runtime() -> str:
    """Return the name and version of the runtime that is installed, empty where there is none."""
    for package in RUNTIMES:
        with suppress(PackageNotFoundError):
            return f"{package} {version(package)}"
    return ""


def _device_tree(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace").strip("\0 \n")
    except OSError:
        return ""


def _processor(file: Path) -> str:
    with suppress(OSError):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return ""
