"""Whether a compiled model says on this machine what it said in float32 where it was made.

Its manifest keeps what the float32 network says of the last picture of every bundled scene. The
file, run here, must agree with that; and when the scenes come round again and again it must go on
saying the same. `python -m edgehome.models.selftest FILE` does it in a process of its own.
"""

from __future__ import annotations

import base64
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.models.agreement import outputs
from edgehome.models.frames import scenes
from edgehome.recognizer.manifest import load_model
from edgehome.types import ModelError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST_CORRELATION = 0.98
"""Of the file with float32. Kinetics' A0 in int8 has 0.999, a collapsed one has 0.7."""
MOST_DRIFT = 0.005
DRIFT_FRAMES = 600
_MEMORY_FRAMES = 48
"""More than the stream buffers of any MoViNet reach back; A0 reaches 28."""
_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What was found."""

    correlation: float
    """With float32, of the last picture of every scene, -1 to 1."""
    drift: float
    """1 less the correlation of the last scene with itself, DRIFT_FRAMES later."""
    scenes: int

    @property
    def good(self) -> bool:
        """Return whether the model can be trusted here."""
        return self.correlation >= LEAST_CORRELATION and self.drift <= MOST_DRIFT


def packed(said: Sequence[NDArray[np.float32]]) -> str:
    """Return the last frames of scenes, (frames, numbers) each, as text for a manifest."""
    last = np.stack([scene[-1] for scene in said]).astype("<f2")
    return base64.b64encode(last.tobytes()).decode("ascii")


def self_test(model: Path) -> SelfTest:
    """Run the test. Raises ModelError (`model_no_reference` and all of `load_model`)."""
    manifest, data = load_model(model)
    pictures = scenes(manifest.size)
    said = outputs(data, pictures)
    wanted = _unpacked(manifest.compiled.get("reference"), len(pictures), said[0].shape[1])
    correlation = _correlation(np.stack([scene[-1] for scene in said]), wanted)
    return SelfTest(round(correlation, 4), round(_drift(data, pictures[0]), 6), len(pictures))


def self_test_apart(model: Path, timeout_s: float = _TIMEOUT_S) -> SelfTest:
    """Run the test in a child, which a damaged file or a faulty driver may crash.

    Raises as it does, and ModelError `self_test_slow` when `timeout_s` seconds were not enough.
    """
    command = [sys.executable, "-m", "edgehome.models.selftest", str(model)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired as error:
        raise ModelError(
            "self_test_slow",
            f"The self-test of {model.name} was not done within {timeout_s:.0f} s.",
            "It may take its time with: edgehome bench --selftest",
        ) from error
    except ValueError as error:
        raise ModelError(
            "model_crashed", f"{model.name} does not survive its self-test.", "Do not use it."
        ) from error
    if "problem" in answer:
        problem = Problem(*answer["problem"])
        raise ModelError(problem.code, problem.message, problem.remedy)
    return SelfTest(**answer)


def _unpacked(text: object, count: int, numbers: int) -> NDArray[np.float32]:
    try:
        flat = np.frombuffer(base64.b64decode(str(text), validate=True), "<f2")
        return flat.reshape(count, numbers).astype(np.float32)
    except ValueError as error:
        raise ModelError(
            "model_no_reference",
            "Its manifest does not say what the model should say of the bundled pictures.",
            "Import the model again: edgehome models import FILE.",
        ) from error


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(np.corrcoef(one.ravel(), other.ravel())[0, 1])
    return value if math.isfinite(value) else 0.0


def _drift(data: bytes, scene: NDArray[np.uint8]) -> float:
    """Return how far the model strays while one scene comes round again for DRIFT_FRAMES.

    From the first turn on that the model's memory and its window are full of the scene.
    """
    length, settled = len(scene), -(-_MEMORY_FRAMES // len(scene)) + 1
    turns = settled + 1 + -(-DRIFT_FRAMES // length)
    (said,) = outputs(data, [np.concatenate([scene] * turns)], window=length)
    return 1 - _correlation(said[settled * length : (settled + 1) * length], said[-length:])


def main() -> None:
    """Be the child."""
    try:
        answer = asdict(self_test(Path(sys.argv[1])))
    except ModelError as error:
        answer = {"problem": [error.problem.code, error.problem.message, error.problem.remedy]}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
