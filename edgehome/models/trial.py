"""Opens a model and runs one frame: `python -m edgehome.models.trial FILE`, in its own process.

Says one JSON object on standard output: what was found, or the problem.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.models.describe import ModelFile, read_model
from edgehome.movinet.published import read_published
from edgehome.recognizer.litert import open_interpreter
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Frame, ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def trial(model: Path) -> dict[str, Any]:
    """Return the milliseconds to open and for one frame, the labels, and the embedding's width.

    Raises ModelError.
    """
    found = read_model(model)
    return _compiled(model) if found.compiled else _published(found)


def _compiled(model: Path) -> dict[str, Any]:
    began_s = time.perf_counter()
    with Recognizer(model, threads=1) as recognizer:
        opened_s = time.perf_counter()
        size = recognizer.manifest.size
        picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
        probabilities = recognizer.step(Frame(time_s=0.0, at=datetime.now(UTC), image=picture))
        done_s = time.perf_counter()
        embedding = recognizer.embedding
    width = 0 if embedding is None else len(embedding)
    return _answer(probabilities, width, (began_s, opened_s, done_s))


def _published(found: ModelFile) -> dict[str, Any]:
    """Run a frame of zeros: whether it runs, not how well."""
    began_s = time.perf_counter()
    interpreter = open_interpreter(found.data, threads=1)
    opened_s = time.perf_counter()
    for given in interpreter.get_input_details():
        interpreter.set_tensor(given["index"], np.zeros(given["shape"], given["dtype"]))
    interpreter.invoke()
    done_s = time.perf_counter()
    logits = interpreter.get_tensor(read_published(found.graph).logits).reshape(-1)
    return _answer(logits, 0, (began_s, opened_s, done_s))


def _answer(
    scores: NDArray[Any], width: int, times_s: tuple[float, float, float]
) -> dict[str, Any]:
    if not np.isfinite(scores).all():
        raise ModelError("model_refused", "Its scores are not numbers.", "Do not use it.")
    began_s, opened_s, done_s = times_s
    return {
        "load_ms": (opened_s - began_s) * 1000,
        "step_ms": (done_s - opened_s) * 1000,
        "labels": len(scores),
        "width": width,
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
