"""Tries a model on an Edge TPU where a crash or a hang hurts nobody.

Loading a delegate runs its code, and one made for another version of the runtime can end the
process with SIGSEGV (google-coral/edgetpu issues 401 and 660) or never come back, so a child
process (`trial`) goes first.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgehome.recognizer.edgetpu import CRASHED, HUNG, edgetpu_problem
from edgehome.types import Problem

TRIAL_S = 25.0
"""Seconds for the whole trial. A worker that starts has 60 until its first frame; a stick takes
some three to be loaded with its firmware and to come back under its other name."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a trial found."""

    problem: Problem | None
    """None: the Edge TPU is good."""
    agreement: float = 0.0
    """Correlation of its embeddings with the CPU's, -1 to 1."""
    edgetpu_ms: float = 0.0
    """Of a frame, the median."""
    cpu_ms: float = 0.0
    """The same on the CPU, with one thread."""


def command(model: Path, library: str) -> list[str]:
    """Return what is to be run, for `heard` to read what it says on standard output."""
    return [sys.executable, "-m", "edgehome.recognizer.trial", str(model), library]


def probe(model: Path, library: str, timeout_s: float = TRIAL_S) -> Tried:
    """Load the library, run some frames, and hold them against the CPU's, in a child."""
    with subprocess.Popen(
        command(model, library),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as child:
        try:
            said, _ = child.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            child.kill()
            said, _ = child.communicate()
            return heard(said, None)
    return heard(said, child.returncode)


def heard(said: bytes, status: int | None) -> Tried:
    """Return what a trial's output and its exit status mean; None: it was ended for taking long."""
    stage, answer, other = "starting", dict[str, Any](), ""
    for line in said.decode("utf-8", "replace").splitlines():
        try:
            words = json.loads(line)
            stage = words.pop("stage", stage)
            answer |= words
        except (ValueError, AttributeError, TypeError):  # a library prints what it likes
            other = line.strip() or other
    if status is None:
        return Tried(edgetpu_problem(HUNG, f"while {stage}"))
    if status < 0:
        name = signal.Signals(-status).name
        return Tried(edgetpu_problem(CRASHED, f"with {name} while {stage}"))
    try:
        problem = answer.pop("problem")
        return Tried(Problem(*problem) if problem else None, **answer)
    except (KeyError, TypeError):
        why = f"with status {status} while {stage}: {other[-100:]}".rstrip(": ")
        return Tried(edgetpu_problem(CRASHED, why))
