"""General negatives: what is normal in other places, as numbers that come with a model.

One JSON object, at most LARGEST_BYTES:

    {"format": "edgehome-normal-1", "embedding": "movinet-a0-kinetics600", "window_s": 3.0,
     "of": "what it was made of", "step": "base64 of <f4", "clips": [0, 0, 0, 1, ...],
     "windows": "base64 of uint8"}

A window's mean embedding is its bytes times `step`, component by component.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgehome.heads.faults import numbers_of
from edgehome.heads.statistics import clip_statistics
from edgehome.types import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_BYTES = 300_000
SUFFIX = ".normal"
FORMAT = "edgehome-normal-1"
_KEYS = {"format", "embedding", "window_s", "of", "step", "clips", "windows"}
_LEAST_SCALE = 1e-3
_REMEDY = "Copy it again from where the model came from, or import the model anew."


@dataclass(frozen=True, eq=False)
class General:
    """Windows of other places in which nothing happens that anybody would teach."""

    embedding: str
    """The space of embeddings that it fits."""
    window_s: float
    """Seconds of a window."""
    windows: NDArray[np.float32]
    """Mean embeddings, (windows, width)."""
    clip: NDArray[np.int64]
    """Which clip a window is of, (windows,), from 0."""
    of: str
    """What it was made of."""

    @property
    def width(self) -> int:
        """Return the numbers in an embedding."""
        return int(self.windows.shape[1])

    @property
    def center(self) -> NDArray[np.float32]:
        """Return the mean of the windows, (width,)."""
        return np.asarray(self.windows.mean(axis=0), np.float32)

    @property
    def scale(self) -> NDArray[np.float32]:
        """Return the deviation of the windows, (width,), above 0."""
        return np.asarray(self.windows.std(axis=0).clip(_LEAST_SCALE), np.float32)


def general_of(
    clips: Sequence[NDArray[np.float32]],
    *,
    embedding: str,
    rate: float,
    window_s: float,
    of: str,
    each: int,
) -> General:
    """Return general negatives of clips' embeddings, (frames, width) each at `rate` a second.

    `each` windows of a clip are taken at most, evenly from its full ones; a clip that is shorter
    than a window gives one of all that it has.
    """
    frames = max(1, round(window_s * rate))
    rows: list[NDArray[np.float32]] = []
    numbers: list[int] = []
    for number, clip in enumerate(clips):
        means = clip_statistics(clip, frames=frames, kinds=("mean",))
        full = means[frames - 1 :] if len(means) >= frames else means[-1:]
        chosen = np.unique(np.linspace(0, len(full) - 1, each).round().astype(int))
        rows.append(full[chosen])
        numbers += [number] * len(chosen)
    return General(embedding, window_s, np.concatenate(rows), np.array(numbers, np.int64), of)


def shipped_general(embedding: str) -> General:
    """Return the general negatives that edgehome brings for a space of embeddings.

    Raises ModelError: `normal_missing` where there are none for it, `normal_invalid`.
    """
    for path in sorted(Path(__file__).parent.glob(f"*{SUFFIX}")):
        if path.stem == embedding:
            return read_general(path)
    raise ModelError(
        "normal_missing",
        f"edgehome brings no general negatives for models of {embedding}.",
        "More of what is normal here takes their place.",
    )


def encode_general(general: General) -> bytes:
    """Return the file's content. Raises ValueError where it is larger than LARGEST_BYTES."""
    step = np.maximum(general.windows.max(axis=0) / 255, 1e-9).astype("<f4")
    codes = np.clip(np.round(general.windows / step), 0, 255).astype(np.uint8)
    fields = {
        "format": FORMAT,
        "embedding": general.embedding,
        "window_s": general.window_s,
        "of": general.of,
        "clips": general.clip.tolist(),
        "step": base64.b64encode(step.tobytes()).decode(),
        "windows": base64.b64encode(codes.tobytes()).decode(),
    }
    data = json.dumps(fields, separators=(",", ":")).encode() + b"\n"
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"{len(data)} bytes are more than {LARGEST_BYTES}: take fewer windows")
    return data


def decode_general(data: bytes, name: str) -> General:
    """Return what a file holds; `name` is for the message.

    Raises ModelError (`normal_invalid`).
    """
    try:
        fields = json.loads(data) if len(data) <= LARGEST_BYTES else None
        return _general(fields)
    except (ValueError, RecursionError) as error:
        raise ModelError(
            "normal_invalid", f"{name} is not what it should be: {error}.", _REMEDY
        ) from error


def read_general(path: Path) -> General:
    """Return the general negatives in a file.

    Raises ModelError: `normal_missing`, `normal_invalid`.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise ModelError(
            "normal_missing",
            f"Cannot read the model's general negatives {path}: {error.strerror or error}.",
            _REMEDY,
        ) from error
    return decode_general(data, str(path))


def _general(fields: object) -> General:
    """Return what JSON fields hold. Raises ValueError."""
    if not isinstance(fields, dict) or fields.keys() != _KEYS or fields["format"] != FORMAT:
        raise ValueError(f"it is no object of the format {FORMAT} of at most {LARGEST_BYTES} bytes")
    _check_texts(fields)
    step = numbers_of(fields["step"]) if isinstance(fields["step"], str) else None
    if step is None or not (step > 0).all() or step.max() > 1e6:
        raise ValueError("step must be base64 of little-endian float32 above 0")
    if not isinstance(fields["windows"], str):
        raise ValueError("windows must be base64")
    codes = np.frombuffer(base64.b64decode(fields["windows"], validate=True), np.uint8)
    clips = fields["clips"]
    if not isinstance(clips, list) or not all(type(c) is int and 0 <= c < 1e6 for c in clips):
        raise ValueError("clips must be a list of numbers")
    if len(clips) < 2 or len(codes) != len(clips) * len(step):
        raise ValueError(f"{len(codes)} bytes are not {len(clips)} windows of {len(step)}")
    windows = codes.reshape(len(clips), len(step)).astype(np.float32) * step
    numbers = np.unique(np.array(clips, np.int64), return_inverse=True)[1]
    window_s = float(fields["window_s"])
    return General(fields["embedding"], window_s, windows, numbers, fields["of"])


def _check_texts(fields: Mapping[str, object]) -> None:
    if not all(isinstance(fields[key], str) and fields[key] for key in ("embedding", "of")):
        raise ValueError("embedding and of must be texts")
    seconds = fields["window_s"]
    if type(seconds) not in {int, float} or not 0 < seconds <= 60:  # type: ignore[operator]
        raise ValueError("window_s must be seconds above 0 and up to 60")
