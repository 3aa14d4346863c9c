"""Opens a model and runs one frame: `python -m edgehome.models.trial FILE`, in its own process.

Says one JSON object on standard output: what was found, or the problem.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Frame, ModelError


def trial(model: Path) -> dict[str, Any]:
    """Return the milliseconds to open and for one frame, the labels, and the embedding's width."""
    began_s = time.perf_counter()
    with Recognizer(model, threads=1) as recognizer:
        opened_s = time.perf_counter()
        size = recognizer.manifest.size
        picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
        probabilities = recognizer.step(Frame(time_s=0.0, at=datetime.now(UTC), image=picture))
        done_s = time.perf_counter()
        if not np.isfinite(probabilities).all():
            raise ModelError("model_refused", "Its scores are not numbers.", "Do not use it.")
        embedding = recognizer.embedding
    return {
        "load_ms": (opened_s - began_s) * 1000,
        "step_ms": (done_s - opened_s) * 1000,
        "labels": len(probabilities),
        "width": 0 if embedding is None else len(embedding),
    }


def main() -> None:
    """Be the child."""
    try:
        answer = trial(Path(sys.argv[1]))
    except ModelError as error:
        problem = error.problem
        answer = {"problem": [problem.code, problem.message, problem.remedy]}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
