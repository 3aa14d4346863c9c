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

from edgehome.heads.head import read_head
from edgehome.heads.names import head_files
from edgehome.models.describe import ModelFile, network_of, read_model
from edgehome.recognizer.manifest import Manifest
from edgehome.types import ModelError

TIMEOUT_S = 120.0
"""Seconds in which the file must open and run one frame; a Pi Zero 2 W needs a few."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    part: Literal["hash", "frame", "network", "head"]
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
        found = read_model(model)
    except ModelError as error:
        if error.problem.code == "model_missing":
            raise
        yield Finding("hash", False, error.problem.message, error.problem.remedy)
        return
    yield _hash(found.manifest)
    frame, width = _frame(model)
    yield frame
    if frame.good and found.compiled:
        yield from _heads(model, found.manifest.embedding, width)
    elif frame.good:
        yield _network(found)


def _hash(manifest: Manifest) -> Finding:
    short = f"SHA-256 {manifest.sha256[:12]}..."
    if manifest.pinned:
        return Finding("hash", True, f"{short} is the one that is known of {manifest.name}")
    return Finding("hash", True, f"{short}; nothing says what it should be")


def _network(found: ModelFile) -> Finding:
    network = network_of(found)
    if "fault" in network:
        return Finding("network", False, network["fault"], "It cannot be imported.")
    name = f"MoViNet {network['architecture']}, {network['precision']}"
    return Finding("network", True, f"{name}: can be imported (edgehome models import FILE)")


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


def _heads(model: Path, space: str, width: int) -> Iterator[Finding]:
    for path in head_files(model):
        try:
            head = read_head(path)
        except ModelError as error:
            yield Finding("head", False, error.problem.message, error.problem.remedy)
            continue
        if head.embedding != space:
            message = f"{head.name} is not used: it is for another model's {head.embedding!r}"
            yield Finding("head", True, message)
        elif head.width == width:
            yield Finding("head", True, f"{head.name} fits")
        else:
            message = f"{head.name} takes embeddings of {head.width} numbers, these have {width}"
            yield Finding("head", False, message, "Make it anew for this model.")
