"""One classifier over a window's statistics, and its file.

A head file is one JSON object (the long lists may be shorter texts: base64 of little-endian
float32):

    {
      "name": "fall", "embedding": "movinet-a0-kinetics600", "window_s": 3.0,
      "statistics": ["mean", "max", "deviation"],
      "center": [...], "scale": [...], "weights": [...], "bias": -0.3,
      "calibration": {"slope": 1.1, "offset": -0.4}, "threshold": 0.5,
      "card": {"description": "...", "trained_on": "...", "licence": "...", "figures": {...},
               "limits": "..."}
    }

A head that was taught at home has its examples in `lesson` besides (edgehome.teaching.lessonfile).

With x = (statistics - center) / scale the score is x . weights + bias, and the probability is
sigmoid(slope * score + offset).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.heads.faults import LARGEST_BYTES, LARGEST_SCORE, faults_of, numbers_of
from edgehome.types import ModelError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Head:
    """A classifier for one label."""

    name: str
    """The label."""
    embedding: str
    """The space of embeddings that it fits, such as `movinet-a0-kinetics600`."""
    window_s: float
    """Seconds of embeddings that it sees."""
    statistics: tuple[str, ...]
    """Of STATISTICS, in the order of the numbers."""
    center: NDArray[np.float32]
    """Subtracted from the statistics, (statistics * width,)."""
    scale: NDArray[np.float32]
    """They are divided by it then, likewise."""
    weights: NDArray[np.float32]
    """Likewise."""
    bias: float
    slope: float
    """Of the calibration; above 0."""
    offset: float
    threshold: float
    """Probability from which the label is said to be there, 0-1."""
    card: Mapping[str, Any]
    """What it was made of, how good it is, and what it cannot do."""

    @property
    def width(self) -> int:
        """Return the numbers of an embedding that it expects."""
        return len(self.weights) // len(self.statistics)

    def frames(self, rate: float) -> int:
        """Return the frames of its window at `rate` frames a second."""
        return max(1, round(self.window_s * rate))

    def score(self, statistics: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the score before calibration for statistics (..., statistics * width)."""
        weights, bias = self.folded
        score: NDArray[np.float32] = statistics @ weights + np.float32(bias)
        return score

    def probability(self, statistics: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probability of the label, 0-1, for statistics (..., statistics * width)."""
        score = self.slope * self.score(statistics) + self.offset
        probability: NDArray[np.float32] = np.asarray(0.5 + 0.5 * np.tanh(0.5 * score), np.float32)
        return probability

    @property
    def reach(self) -> float:
        """Return the largest score, either way, that statistics between -1 and 1 can have."""
        with np.errstate(all="ignore"):
            weights, bias = self.folded
        return float(np.abs(weights).sum(dtype=np.float64)) + abs(bias)

    @cached_property
    def folded(self) -> tuple[NDArray[np.float32], float]:
        """Weights, (statistics * width,), and bias with centre and scale in them."""
        weights = (self.weights / self.scale).astype(np.float32)
        return weights, self.bias - float(self.center.astype(np.float64) @ weights)


def read_head(path: Path) -> Head:
    """Return the head in a file.

    Raises ModelError: `head_missing`, `head_invalid` with everything that is wrong with it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ModelError(
            "head_missing",
            f"Cannot read the head file {path}: {error.strerror or error}.",
            "Check the name and the folder, and that its owner may read it.",
        ) from error
    if len(data) > LARGEST_BYTES:
        raise _invalid(path, [f"it is larger than {LARGEST_BYTES} bytes"])
    try:
        fields = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise _invalid(path, [f"it cannot be read as JSON: {error}"]) from error
    return head_of(fields, path)


def head_of(fields: Any, name: Path | str) -> Head:  # noqa: ANN401 - it may be anything
    """Return the head that a file's JSON value is; `name` is for the message.

    Raises ModelError (`head_invalid`) with everything that is wrong with it.
    """
    faults = faults_of(fields)
    if faults:
        raise _invalid(name, faults)
    head = _head(fields)
    if not head.reach < LARGEST_SCORE:
        raise _invalid(name, ["its weights, divided by its scale, are too large"])
    return head


def write_head(path: Path, head: Head) -> None:
    """Write a head as its file, the numbers as base64 text. Raises OSError."""
    fields = fields_of(head)
    path.write_text(json.dumps(fields, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def fields_of(head: Head) -> dict[str, Any]:
    """Return a head as its file's JSON object."""
    return {
        "name": head.name,
        "embedding": head.embedding,
        "window_s": head.window_s,
        "statistics": list(head.statistics),
        "center": _text(head.center),
        "scale": _text(head.scale),
        "weights": _text(head.weights),
        "bias": head.bias,
        "calibration": {"slope": head.slope, "offset": head.offset},
        "threshold": head.threshold,
        "card": dict(head.card),
    }


def _head(fields: Mapping[str, Any]) -> Head:
    center, scale, weights = (numbers_of(fields[key]) for key in ("center", "scale", "weights"))
    assert center is not None and scale is not None and weights is not None  # noqa: S101, PT018
    return Head(
        name=fields["name"],
        embedding=fields["embedding"],
        window_s=float(fields["window_s"]),
        statistics=tuple(fields["statistics"]),
        center=center,
        scale=scale,
        weights=weights,
        bias=float(fields["bias"]),
        slope=float(fields["calibration"]["slope"]),
        offset=float(fields["calibration"]["offset"]),
        threshold=float(fields["threshold"]),
        card=fields["card"],
    )


def _text(numbers: NDArray[np.float32]) -> str:
    return base64.b64encode(numbers.astype("<f4").tobytes()).decode()


def _invalid(path: Path | str, faults: Sequence[str]) -> ModelError:
    remedy = "Correct the file, or make it anew."
    return ModelError("head_invalid", f"The head file {path}: {'; '.join(faults)}.", remedy)
