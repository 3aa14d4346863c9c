"""Writes what a replay sees as a trace."""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TextIO

from edgehome.config.conditions import ActivityCondition, walk
from edgehome.config.types import Config
from edgehome.replay.play import Clip
from edgehome.replay.trace import Header
from edgehome.rules import RuleEngine, Verdict
from edgehome.types import EdgehomeError, Scores


class TraceWriter:
    """Writes the frames of clips. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._labels: Sequence[str] = ()
        self._row: list[str] = []

    def __enter__(self) -> Self:
        """Open the file, an older one is overwritten. Raises OSError."""
        self._file: TextIO = self._path.open("w", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def begin(self, header: Header) -> None:
        """Begin a clip."""
        self._labels, self._row = header.labels, []
        self._file.write(header.line())

    def write(self, scores: Scores) -> None:
        """Write a frame. Scores that are the very same as before are left out."""
        parts = [f'{{"t": {scores.time_s!r}']
        row = [_shortest(scores.probabilities[label]) for label in self._labels]
        if row != self._row:
            self._row = row
            parts.append(f'"s": [{", ".join(row)}]')
        if scores.motion:
            parts.append(f'"m": {scores.motion!r}')
        if scores.still:
            parts.append('"still": true')
        if scores.camera:
            parts.append(f'"camera": {json.dumps(sorted(scores.camera))}')
        if scores.unusual:
            parts.append(f'"u": {scores.unusual!r}')
            if scores.episode:
                parts.append(f'"e": {scores.episode!r}')
        self._file.write(", ".join(parts) + "}\n")


def _shortest(value: float) -> str:
    """Return the fewest digits that are this float32 and no other."""
    for digits in (4, 5, 6, 7, 8):
        text = f"{value:.{digits}g}"
        if array("f", (float(text),))[0] == value:
            return text
    return f"{value:.9g}"


class TraceSink:
    """Writes a trace of every label that the rules look at; of all where there is no rule."""

    def __init__(self, writer: TraceWriter, config: Config) -> None:
        self._writer = writer
        self._wanted = watched(config)

    def begin(self, clip: Clip, engine: RuleEngine) -> None:
        """Begin a clip."""
        del engine
        wanted = self._wanted
        labels = tuple(label for label in clip.labels if not wanted or label in wanted)
        thresholds = {k: v for k, v in clip.thresholds.items() if k in labels}
        header = Header(clip.name, clip.rate, labels, clip.start, clip.model, thresholds)
        self._writer.begin(header)

    def frame(self, scores: Scores) -> None:
        """Write a frame."""
        self._writer.write(scores)

    def told(self, time_s: float, verdict: Verdict) -> None:
        """Pass over what the rules said."""

    def end(self, failure: EdgehomeError | None) -> None:
        """End the clip."""


def watched(config: Config) -> set[str]:
    """Return every label that a rule looks at, those over a look back of its own too."""
    found: set[str] = set()
    for rule in config.rules:
        for condition in walk(rule.when):
            if isinstance(condition, ActivityCondition):
                found |= set(condition.activity.labels)
                if condition.look_back_s:
                    suffix = f"@{condition.look_back_s:g}s"
                    found |= {f"{label}{suffix}" for label in condition.activity.labels}
    return found
