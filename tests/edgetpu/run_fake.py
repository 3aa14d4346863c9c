"""Run a model on a delegate and on the CPU: `run_fake.py MODEL LIBRARY`; needs edgehome alone.

Says one JSON object: what did the work, what was said of the Edge TPU, and how far the embeddings
of twenty pictures lie apart. Status 1: the Edge TPU was not used, or says something else.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Delegate, EdgehomeError, Frame


def embeddings(model: Path, delegate: Delegate, library: str) -> tuple[np.ndarray, Recognizer]:
    """Return those of twenty pictures, begun anew, and who made them."""
    found = []
    with Recognizer(model, threads=1, delegate=delegate, library=library) as recognizer:
        size = recognizer.manifest.size
        pictures = np.random.default_rng(5).integers(0, 256, (20, size, size, 3), dtype=np.uint8)
        for number, picture in enumerate(pictures):
            recognizer.step(Frame(time_s=number / 5, at=datetime.now(UTC), image=picture))
            found.append(recognizer.embedding)
    return np.stack(found), recognizer


def main() -> int:
    """Compare the two."""
    model, library = Path(sys.argv[1]), sys.argv[2]
    try:
        made, recognizer = embeddings(model, Delegate.EDGETPU, library)
    except EdgehomeError as error:
        print(json.dumps({"lost": error.problem.code, "message": error.problem.message}))
        return 1
    wanted, _ = embeddings(model, Delegate.CPU, library)
    apart = float(np.abs(made - wanted).max())
    degraded = recognizer.degraded.code if recognizer.degraded else None
    answer = {"runtime": recognizer.runtime, "delegate": recognizer.delegate, "degraded": degraded}
    print(json.dumps(answer | {"apart": apart}))
    return int(recognizer.delegate is not Delegate.EDGETPU or apart > 0.02)


if __name__ == "__main__":
    sys.exit(main())
