"""Recorded scores: what a clip's frames said, so that rules are tried again without a model.

A text of one JSON object a line. A header begins a clip, and every other line is a frame of it:

    {"kind": "trace", "version": 1, "clip": "hall.mp4", "rate": 5, "labels": ["fall", ...], ...}
    {"t": 12.4, "s": [0.01, ...], "m": 0.2}

Reading gives the very numbers that were recorded: a score is written with as many digits as its
float32 has. No numpy, no model, and some ten microseconds a frame.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NoReturn, Self

from edgehome.messages import Probabilities, places_of
from edgehome.types import CameraState, EdgehomeError, Scores

VERSION = 1
MAX_LABELS = 10_000
FOREVER_S = 1e9
LATEST_S = 1e11
"""Seconds since 1970 of a wall clock that makes sense."""
"""A clip is no longer, in seconds; a wall clock that far ahead still exists."""

_WRONG = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
"""What a line that is JSON, but not what it should be, can lead to."""
_no_states: frozenset[CameraState] = frozenset()


class TraceError(EdgehomeError):
    """Raised when recorded scores cannot be read: `trace_missing`, `trace_invalid`."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a trace says of a clip before its frames."""

    clip: str
    """The clip's name, as it was given to the command that recorded it."""
    rate: float
    """Frames a second."""
    labels: tuple[str, ...]
    """Of the scores, in their order; `label@3s` over a window of its own."""
    start: datetime
    """Wall clock with zone at `t` 0."""
    model: str = ""
    """SHA-256 of the model."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """From which score on labels are there, where the model's makers say."""

    def line(self) -> str:
        """Return it as the trace has it."""
        fields = {
            "kind": "trace",
            "version": VERSION,
            "clip": self.clip,
            "rate": self.rate,
            "start": self.start.isoformat(),
            "model": self.model,
            "thresholds": dict(self.thresholds),
            "labels": list(self.labels),
        }
        return json.dumps(fields, ensure_ascii=False) + "\n"


class TraceFile:
    """The clips of a trace, one after the other. Use as a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._number = 0
        self._header: Header | None = None

    def __enter__(self) -> Self:
        """Open the file and read its first line. Raises TraceError."""
        try:
            self._file = self._path.open(encoding="utf-8")
        except OSError as error:
            raise TraceError(
                "trace_missing", f"Cannot read {self._path}: {error.strerror}.", "Check the name."
            ) from error
        self._lines = iter(self._file)
        try:
            for line in self._read():
                self._header = self._parsed_header(line)
                return self
            self._refuse("it is empty")
        except BaseException:
            self._file.close()
            raise

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def header(self) -> Header | None:
        """Return the header of the clip that comes next; None after the last."""
        return self._header

    def frames(self, start: datetime | None = None) -> Iterator[Scores]:
        """Yield the frames of the clip that comes next, in their order.

        `start` places the clip in another time than that of its recording. Raises TraceError with
        the line of the first thing that is wrong.
        """
        header = self._header
        if header is None:
            return
        self._header = None
        parse = _Parser(header, start)
        for line in self._read():
            try:
                yield parse(line)
            except _HeaderMet:
                self._header = self._parsed_header(line)
                return
            except _WRONG as error:
                self._refuse(_words(error))

    def skip(self) -> None:
        """Go on to the next clip, whatever the frames of this one are."""
        self._header = None
        for line in self._read():
            if '"kind"' in line:
                self._header = self._parsed_header(line)
                return

    def _read(self) -> Iterator[str]:
        """Yield the lines that are not empty, and count all."""
        try:
            for line in self._lines:
                self._number += 1
                if line != "\n":
                    yield line
        except UnicodeDecodeError:
            self._number += 1
            self._refuse("it is not a text in UTF-8")

    def _parsed_header(self, line: str) -> Header:
        try:
            return _header(_decode(line))
        except _WRONG as error:
            self._refuse(_words(error))

    def _refuse(self, why: str) -> NoReturn:
        raise TraceError(
            "trace_invalid",
            f"{self._path}:{self._number}: {why}.",
            "Record it again with: edgehome replay CLIP --record FILE.jsonl.",
        )


def clip_names(path: Path) -> list[str]:
    """Return the names of a trace's clips. Raises TraceError."""
    with TraceFile(path) as trace:
        names = []
        while header := trace.header:
            names.append(header.clip)
            trace.skip()
        return names


class _HeaderMet(Exception):  # noqa: N818 - it ends a clip and is no error
    """Raised where the next clip begins."""


class _Parser:
    """Makes scores of one clip's lines."""

    def __init__(self, header: Header, start: datetime | None) -> None:
        self._places = places_of(header.labels)
        self._row = array("f", bytes(4 * len(header.labels)))
        self._anchor, self._anchor_s = start or header.start, 0.0
        self._moved = start is not None
        self._time_s = -FOREVER_S
        self._frames = 0

    def __call__(self, line: str) -> Scores:
        """Return a line's scores. Raises what a wrong one leads to, or _HeaderMet for a header."""
        fields = _decode(line)
        time_s = fields.get("t")
        if time_s is None:
            if fields.get("kind") == "trace":
                raise _HeaderMet
            raise ValueError("t, the frame's time in seconds, is missing")
        if not self._time_s < time_s < FOREVER_S:
            raise ValueError(f"t is {time_s}, and the frame before had {self._time_s}")
        self._time_s = time_s
        if "s" in fields:
            row = array("f", fields["s"])
            if row and not (min(row) >= 0.0 and max(row) <= 1.0):
                raise ValueError("s holds a score that is not between 0 and 1")
            self._row = row
        motion = fields.get("m", 0.0)
        if not 0.0 <= motion <= 1.0:
            raise ValueError(f"m is {motion}, and not between 0 and 1")
        unusual = fields.get("u", 0.0)
        if not 0.0 <= unusual < FOREVER_S:
            raise ValueError(f"u is {unusual}, and no number of days")
        episode = fields.get("e", 0.0)
        if not 0.0 <= episode < LATEST_S:
            raise ValueError(f"e is {episode}, and no moment")
        if "at" in fields:
            self._set_clock(fields["at"])
        states = fields.get("camera")
        self._frames += 1
        return Scores(
            float(time_s),
            self._anchor + timedelta(seconds=time_s - self._anchor_s),
            Probabilities(self._places, self._row),
            self._frames,
            motion=motion,
            still=fields.get("still") is True,
            camera=frozenset(map(CameraState, states)) if states else _no_states,
            unusual=float(unusual),
            episode=float(episode),
        )

    def _set_clock(self, text: str) -> None:
        """Follow a step of the recorded wall clock."""
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise ValueError(f"at is {text!r}, and has no zone")
        if not self._moved:
            self._anchor, self._anchor_s = at, self._time_s


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


_json: Callable[[str], Any] = json.JSONDecoder(parse_constant=_no_constant).decode


def _decode(line: str) -> dict[str, Any]:
    fields = _json(line)
    if type(fields) is not dict:
        raise ValueError("it is not a JSON object")
    return fields


def _header(fields: dict[str, Any]) -> Header:
    """Return what a header says. Raises ValueError, KeyError or TypeError."""
    if fields.get("kind") != "trace":
        raise ValueError('it does not begin with a header, {"kind": "trace", ...}')
    if fields.get("version") != VERSION:
        raise ValueError(f"it is of version {fields.get('version')!r}; known is {VERSION}")
    labels = fields["labels"]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels is not a list of names")
    if len(labels) > MAX_LABELS or len(set(labels)) != len(labels):
        raise ValueError(f"labels has a name twice, or more than {MAX_LABELS}")
    rate = float(fields["rate"])
    if not 0.01 <= rate <= 1000:
        raise ValueError(f"rate is {rate:g} frames a second; 0.01 to 1000 can be")
    start = datetime.fromisoformat(fields["start"])
    if start.tzinfo is None:
        raise ValueError("start has no zone")
    thresholds = {str(label): float(value) for label, value in fields["thresholds"].items()}
    if not all(0 <= value <= 1 for value in thresholds.values()):
        raise ValueError("thresholds holds one that is not between 0 and 1")
    clip, model = str(fields["clip"]), str(fields["model"])
    return Header(clip, rate, tuple(labels), start, model, thresholds)


def _words(error: Exception) -> str:
    """Say what is wrong with a line."""
    if isinstance(error, json.JSONDecodeError):
        return f"it is not JSON ({error.msg}, column {error.colno})"
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    if isinstance(error, RecursionError | OverflowError | TypeError | AttributeError):
        return f"it is not a line of recorded scores ({error})"
    return str(error)
