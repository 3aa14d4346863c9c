"""What may be wrong with a worker as its keeper sees it, in words for a person."""

from __future__ import annotations

from edgehome.ladder import START_S
from edgehome.types import Problem

HUNG = Problem(
    "worker_hung",
    "The camera or the model gave nothing for seconds.",
    "The worker is started again.",
)
SLOW = Problem(
    "worker_not_started",
    f"The vision worker has not started for {START_S:.0f} s: the disk hangs.",
    "Check the SD card or the disk.",
)


def not_started(error: Exception) -> Problem:
    """Return what is wrong when a worker cannot be started."""
    message = f"The vision worker cannot be started: {error}."
    return Problem("worker_not_started", message, "See the log.")


def ended(status: int | None) -> Problem:
    """Return what is wrong when a worker ended without a word."""
    message = f"The vision worker ended with status {status}."
    return Problem("worker_ended", message, "It is started again; the log tells more.")


def stuck(state: str, remedy: str = "Switch the Pi off and on.") -> Problem:
    """Return what is wrong when a worker outlives SIGKILL; `state` is the kernel's letter."""
    message = f"The camera's driver hangs: its process cannot be killed (state {state})."
    return Problem("camera_stuck", message, remedy)
