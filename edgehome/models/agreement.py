"""How far two models agree on the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgehome.recognizer.compiled import read_interface
from edgehome.recognizer.litert import open_interpreter
from edgehome.recognizer.pooling import Window
from edgehome.recognizer.stream import StreamModel
from edgehome.recognizer.tflite_file import TfliteFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float32]
    Pictures = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two models' logits, frame by frame."""

    correlation: float
    """Of all logits of all frames, -1 to 1."""
    top1: float
    """Share of the frames on which both name the same label, 0-1."""
    frames: int

    @classmethod
    def of(cls, ours: Sequence[Values], theirs: Sequence[Values]) -> Agreement:
        """Compare the logits, (frames, labels), of some scenes."""
        a, b = np.concatenate(ours), np.concatenate(theirs)
        with np.errstate(invalid="ignore", divide="ignore"):
            correlation = float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
        same = float((a.argmax(axis=1) == b.argmax(axis=1)).mean())
        return cls(
            round(correlation if np.isfinite(correlation) else 0.0, 4), round(same, 4), len(a)
        )


def outputs(data: bytes, streams: Sequence[Pictures], *, window: int = 50) -> list[Values]:
    """Return what a compiled file says of every frame of each stream, begun anew for each.

    That is its logits, (frames, labels), or its embeddings where it has no classifier; `window`
    is how many frames it pools over.
    """
    graph = TfliteFile(data)
    interface = read_interface(graph)
    model = StreamModel(open_interpreter(data, threads=1), graph, interface)
    return [_run(model, stream, window, logits=interface.logits is not None) for stream in streams]


def _run(model: StreamModel, stream: Pictures, window: int, *, logits: bool) -> Values:
    model.forget()
    pool = Window(frames=window, width=model.width)
    said = []
    for picture in stream:
        parts = model.step(picture, pool.earlier, pool.inverse, pool.place)
        pool.add(parts)
        said.append(model.logits().copy() if logits else parts)
    return np.stack(said)
