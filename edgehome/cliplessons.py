"""Clips as examples of an activity, in the form that a lesson takes them."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.footage import watch_clip
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import CameraError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgehome.shownparts import Part

PIECE_S = 30.0
"""A longer example is several; those of one clip are judged together."""


def examples_of(
    model: Path, parts: Sequence[tuple[bool, Part]], *, progress: Callable[[str], None]
) -> list[dict[str, Any]]:
    """Return examples of parts of clips, with whether each shows the activity.

    Raises CameraError, also for a part that has no frame, and ModelError.
    """
    examples: list[dict[str, Any]] = []
    at = datetime.now().astimezone().isoformat(timespec="seconds")
    seen: dict[Path, NDArray[np.float32]] = {}
    with Recognizer(model) as recognizer:
        rate = recognizer.manifest.rate
        for number, (shows, part) in enumerate(parts, 1):
            progress(f"{number} of {len(parts)}: {part.clip.name}")
            if part.clip not in seen:
                seen = {part.clip: watch_clip(recognizer, part.clip).embeddings}
            rows = seen[part.clip]
            end = len(rows) if part.end_s == float("inf") else round(part.end_s * rate)
            rows = rows[round(part.start_s * rate) : end]
            if not len(rows):
                raise CameraError("clip_short", f"{part.clip} has no such seconds.", "")
            length = round(PIECE_S * rate)
            common = {"shows": shows, "occasion": _occasion(part.clip), "at": at}
            for begin in range(0, len(rows), length):
                piece = rows[begin : begin + length]
                seconds = f"{part.start_s + begin / rate:g} s"
                source = f"clip {part.clip.name}"[:200] + f", from {seconds}"
                examples.append(_packed(piece) | common | {"rate": rate, "source": source})
    progress("")
    return examples


def _packed(rows: NDArray[np.float32]) -> dict[str, str]:
    scales = (rows.max(axis=1) / 255).clip(1e-9).astype("<f4")
    codes = np.rint(rows / scales[:, None]).clip(0, 255).astype(np.uint8)
    return {
        "codes": base64.b64encode(codes.tobytes()).decode(),
        "scales": base64.b64encode(scales.tobytes()).decode(),
    }


def _occasion(clip: Path) -> str:
    """Return a name of a clip that another one of the same name has not."""
    place = hashlib.sha256(os.fsencode(clip.absolute())).hexdigest()[:8]
    return f"clip {clip.name[:250]} {place}"
