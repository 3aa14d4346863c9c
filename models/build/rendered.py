"""Rendered scenes as labelled clips to learn from, beside the filmed ones."""

from __future__ import annotations

import csv
import logging
from collections.abc import Sequence
from pathlib import Path

from edgehome.clips import LabelledClip, read_clips
from models.build.scenes import Labels, scene
from models.build.scenes.clips import COLUMNS, segments, write_video

_log = logging.getLogger(__name__)

RATE = 10
"""Frames a second, as in the list of filmed clips."""
SECONDS = 5
SIZE = 208
"""Pixels a side."""
LISTING = "clips.csv"
PERSONS = "person.csv"
"""When somebody is seen and when nobody is, as in the list of filmed clips of that name."""


def render_scenes(folder: Path, count: int) -> Path:
    """Write scenes of the seeds 1 to `count`, those that are missing, and return their list.

    All are of the split `train`; each is a group of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(1, count + 1):
        row_file = folder / f"scene-{seed:05}.row"
        if row_file.exists():
            continue
        path = folder / f"scene-{seed:05}.mp4"
        kind, clip, labels = scene(seed, frames=RATE * SECONDS, rate=RATE, size=SIZE)
        write_video(path, clip)
        with row_file.open("w", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(_row(path, kind, labels))
        if seed % 25 == 0:
            _log.info("rendered %d of %d scenes", seed, count)
    _write_persons(folder / PERSONS, read_clips(_write_list(folder, count)))
    return folder / LISTING


def _write_list(folder: Path, count: int) -> Path:
    listing = folder / LISTING
    rows = [(folder / f"scene-{seed:05}.row").read_text("utf-8") for seed in range(1, count + 1)]
    listing.write_text(",".join(COLUMNS) + "\n" + "".join(rows), encoding="utf-8")
    return listing


def _write_persons(path: Path, clips: Sequence[LabelledClip]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(("path", "labels", "segments", "group", "split"))
        for clip in clips:
            seen = [(s.start_s, s.end_s) for s in clip.segments if s.name == "person"]
            edges = [0.0, *(edge for span in seen for edge in span), float(SECONDS)]
            empty = [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b > a]
            spans = sorted([(*span, "person") for span in seen] + [(*e, "nobody") for e in empty])
            text = "; ".join(f"{name}[{a:.1f} to {b:.1f}]" for a, b, name in spans)
            label = "person" if seen else "nobody"
            table.writerow((clip.path.name, label, text, clip.group, clip.split))


def _row(path: Path, kind: str, labels: Labels) -> dict[str, str]:
    shown = [name for name in ("fall", "fighting") if labels[name].any()]
    return {
        "path": path.name,
        "labels": ";".join(shown) or "normal",
        "segments": "; ".join(segments(labels)),
        "seconds": f"{SECONDS:.1f}",
        "source": f"rendered by edgehome: {kind}",
        "licence": "Apache-2.0",
        "group": f"rendered-{path.stem}",
        "split": "train",
    }
