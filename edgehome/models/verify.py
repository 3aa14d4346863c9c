"""Whether a model file is what it says, opens, runs, and has heads that fit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edgehome.models.describe import beside, heads_of
from edgehome.recognizer.manifest import Manifest, read_manifest
from edgehome.types import ModelError

TIMEOUT_S = 120.0
"""Seconds in which the file must open and run one frame; a Pi Zero 2 W needs a few."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    part: Literal["hash", "frame", "head"]
    good: bool
    message: str
    remedy: str = ""

    def fields(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def verify(model: Path) -> Iterator[Finding]:
    """Yield what is found, the first fault of the file itself being the last finding.

    Raises ModelError (`model_missing`) when there is no such file, and (`runtime_missing`).
    """
    try:
        manifest = read_manifest(model)
    except ModelError as error:
        if error.problem.code == "model_missing":
            raise
        yield Finding("hash", False, error.problem.message, error.problem.remedy)
        return
    yield _hash(manifest)
    frame, width = _frame(model)
    yield frame
    if frame.good:
        yield from _heads(model, width)


def _hash(manifest: Manifest) -> Finding:
    short = f"SHA-256 {manifest.sha256[:12]}..."
    if manifest.pinned:
        return Finding("hash", True, f"{short} is the one that is known of {manifest.name}")
    return Finding("hash", True, f"{short}; no manifest says what it should be")


def _frame(model: Path) -> tuple[Finding, int]:
    """Run one frame in a child process, which a bad file may take down."""
    command = [sys.executable, "-m", "edgehome.models.trial", str(model)]
    try:
        child = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return Finding("frame", False, f"one frame took longer than {TIMEOUT_S:.0f} s"), 0
    if child.returncode < 0:
        name = signal.Signals(-child.returncode).name
        remedy = "Do not use this file."
        return Finding("frame", False, f"the process that ran it crashed with {name}", remedy), 0
    if child.returncode:
        raise RuntimeError(child.stderr)  # a bug of ours, not of the file
    answer = json.loads(child.stdout.splitlines()[-1])
    if "problem" in answer:
        code, message, remedy = answer["problem"]
        if code == "runtime_missing":
            raise ModelError(code, message, remedy)
        return Finding("frame", False, message, remedy), 0
    text = f"opens in {answer['load_ms']:.0f} ms, runs one frame in {answer['step_ms']:.1f} ms"
    return Finding("frame", True, f"{text}, {answer['labels']} labels"), answer["width"]


def _heads(model: Path, width: int) -> Iterator[Finding]:
    space = beside(model).get("embedding", "")
    for head in heads_of(model):
        if head.fault:
            yield Finding("head", False, f"{head.path.name}: {head.fault}", "Copy it again.")
        elif head.embedding != space:
            yield Finding(
                "head",
                False,
                f"{head.name} was made for the embedding {head.embedding!r}, and this model's is "
                f"{space or 'not named'!r}",
                "Move it to the model that it was made for.",
            )
        else:
            yield Finding("head", True, f"{head.name} fits ({width} numbers a frame)")
