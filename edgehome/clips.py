"""A list of labelled clips: a CSV file with a row a clip.

Columns: `path`, relative to the file's folder; `labels`, what the clip shows, several of them with
semicolons between, empty where nothing is known; `group`, the footage that it was cut from;
`source`, who filmed it, or where; `split`, such as train or val; `segments`, where it is known when
things are seen: `Walking[0 to 1.7]; Falling[1.7 to 6]`, in seconds. Others are passed over.
`group`, `source`, `split` and `segments` may be missing or empty; a clip without a group is a group
of its own.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from os.path import normpath
from pathlib import Path
from typing import TYPE_CHECKING

from edgehome.types import EdgehomeError

if TYPE_CHECKING:
    from _csv import Reader

_TIMED = re.compile(r"([^;|\[\]]*)\[([^\[\]]*)\]")
_OTHERS = {";": "semicolons", "\t": "tabs"}
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*to\s*(\d+(?:\.\d+)?)\s*")


class ClipsError(EdgehomeError):
    """Raised when a list of clips cannot be used."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A time in a clip, and what is seen then."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """One row."""

    path: Path
    labels: frozenset[str]
    group: str
    """Clips of one group share footage: they are never on both sides of a split."""
    split: str
    segments: tuple[Segment, ...]
    source: str = ""
    """Where it is from; the group's name where the list does not say."""

    def stretches(self, label: str) -> list[tuple[float, float, bool]]:
        """Return times, (from, to, whether it shows `label`), in seconds.

        A clip without the label does not show it anywhere. One with it does so where a segment's
        name begins with the label (`Falling` with `fall`), and does not in its other segments;
        without such a segment, it does so somewhere.
        """
        if label not in self.labels:
            return [(0.0, float("inf"), False)]
        shown = [s for s in self.segments if s.name.casefold().startswith(label.casefold())]
        if not shown:
            return [(0.0, float("inf"), True)]
        found = [(s.start_s, s.end_s, True) for s in shown]
        for other in self.segments:
            if other not in shown:
                # Notes by hand overlap; what is said of the label counts.
                later = [s.start_s for s in shown if s.end_s > other.start_s]
                end_s = min([other.end_s, *later])
                found.append((other.start_s, end_s, False))
        return sorted(stretch for stretch in found if stretch[1] > stretch[0])


def read_clips(path: Path, *, folder: Path | None = None, split: str = "") -> list[LabelledClip]:
    """Return the clips of a list, those of one split only where `split` is given.

    `folder` is where the clips lie, the list's own without. Raises ClipsError: `clips_missing`,
    and `clips_invalid` with every line that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ClipsError(
            "clips_missing", f"Cannot read {path}: {error.strerror}.", "Check the name."
        ) from error
    except ValueError as error:
        raise _invalid([f"{path}:1: it is not a text in UTF-8"]) from error
    rows = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        clips, faults = _parsed(rows, path, folder or path.parent)
    except csv.Error as error:
        raise _invalid([f"{path}:{rows.line_num}: {error}"]) from error
    if faults:
        raise _invalid(faults)
    chosen = [clip for clip in clips if not split or clip.split == split]
    if not chosen:
        splits = ", ".join(sorted({clip.split for clip in clips if clip.split})) or "none"
        among = f" in the split {split!r}; there are: {splits}" if split else ""
        raise _invalid([f"{path}:1: it lists no clip{among}"])
    return chosen


def _parsed(rows: Reader, path: Path, folder: Path) -> tuple[list[LabelledClip], list[str]]:
    columns = [name.strip() for name in next(rows, [])]
    missing = [name for name in ("path", "labels") if name not in columns]
    if missing:
        said = ", ".join(columns)[:200] or "nothing"
        other = next((name for mark, name in _OTHERS.items() if mark in said), "")
        hint = f"; there are {other} between the columns: write commas" if other else ""
        return [], [
            f"{path}:1: no column is called {' or '.join(missing)}; there are: {said}{hint}"
        ]
    clips: list[LabelledClip] = []
    faults = []
    lines: dict[str, int] = {}
    for cells in rows:
        place = f"{path}:{rows.line_num}"
        row = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
        if not any(row.values()):
            continue
        if len(cells) != len(columns):
            faults.append(f"{place}: {len(cells)} values for {len(columns)} columns")
        elif not row["path"] or "\0" in row["path"]:
            faults.append(f"{place}: path is empty")
        elif (before := lines.setdefault(normpath(row["path"]), rows.line_num)) != rows.line_num:
            faults.append(
                f"{place}: {row['path']} is listed already in line {before}: give a clip one row, "
                "with all its labels and segments"
            )
        else:
            try:
                clips.append(_clip(row, folder))
            except ValueError as error:
                faults.append(f"{place}: segments: {error}")
    return clips, faults


def _clip(row: dict[str, str], folder: Path) -> LabelledClip:
    labels = frozenset(label.strip() for label in row["labels"].split(";") if label.strip())
    group = row.get("group") or row["path"]
    segments = tuple(_segments(row.get("segments", "")))
    source = row.get("source") or group
    return LabelledClip(folder / row["path"], labels, group, row.get("split", ""), segments, source)


def _segments(text: str) -> list[Segment]:
    """Return what is timed in `text`. Raises ValueError for a time that is none."""
    found = []
    for name, spans in _TIMED.findall(text):
        for span in spans.split(";"):
            match = _SPAN.fullmatch(span)
            if not match or float(match[1]) > float(match[2]):
                raise ValueError(f"{span.strip()!r} is not a time such as 1.5 to 4")
            if float(match[1]) < float(match[2]):  # a moment without length says nothing
                found.append(Segment(name.strip(), float(match[1]), float(match[2])))
    return found


def _invalid(faults: list[str]) -> ClipsError:
    return ClipsError("clips_invalid", "\n".join(faults), "")
