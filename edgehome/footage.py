"""A clip as the recogniser sees it: frame by frame, embeddings and probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgehome.camera import open_clip
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Footage:
    """What the recogniser said of a clip's frames, `rate` a second."""

    embeddings: NDArray[np.float32]
    """(frames, width)."""
    probabilities: NDArray[np.float32]
    """Of the recogniser's labels, heads among them, (frames, labels)."""


def watch_clip(
    recognizer: Recognizer, clip: Path, *, phase: int = 0, phases: int = 1, rate: float = 0.0
) -> Footage:
    """Return a clip as seen from its start by a recogniser that has seen nothing before.

    A source can have more frames than the recogniser takes: of `phases` times its rate, phase 0
    takes the first and every `phases` after it, phase 1 begins with the second. `rate` is the
    recogniser's, in frames a second, where it is not its model's. Raises
    CameraError, and ModelError (`model_no_embedding`).
    """
    manifest = recognizer.manifest
    recognizer.reset()
    embeddings, probabilities = [], []
    rate = (rate or manifest.rate) * phases
    with open_clip(clip, size=manifest.size, rate=rate, start=_START) as camera:
        for frame in islice(camera.frames(), phase, None, phases):
            probabilities.append(recognizer.step(frame))
            if recognizer.embedding is None:
                raise _no_embedding(manifest.name)
            embeddings.append(np.array(recognizer.embedding))
    if not embeddings:  # a clip of one frame has no phase 1
        return Footage(np.empty((0, 0), np.float32), np.empty((0, 0), np.float32))
    return Footage(np.stack(embeddings), np.stack(probabilities))


def _no_embedding(name: str) -> ModelError:
    return ModelError(
        "model_no_embedding",
        f"{name} gives no embedding, and a head needs one.",
        "Import the file with: edgehome models import FILE.",
    )
