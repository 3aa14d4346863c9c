"""What a report is made of: a clip's scores, states, alerts and pictures, as they came."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from edgehome.types import Alert, CameraState, NearMiss

GAP_S = 2.0
"""Seconds without a frame from which on a line is broken."""
ROUNDING_S = 1e-6
"""Frames on a grid of 0.2 s add up to a hair less or more."""
MAX_PICTURES = 24
"""Pictures kept at most while a clip runs; the page shows half of them."""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when something was so, in seconds of the clip."""

    start_s: float
    end_s: float
    what: str


class Spans:
    """A value that changes now and then, as spans."""

    def __init__(self, what: str = "") -> None:
        """Take what it is at first; empty: nothing worth a span."""
        self._what = what
        self._since_s = 0.0
        self._done: list[Span] = []

    def change(self, time_s: float, what: str) -> None:
        """Note what it is from `time_s` on."""
        if what == self._what:
            return
        if self._what and time_s > self._since_s:
            self._done.append(Span(self._since_s, time_s, self._what))
        self._what, self._since_s = what, time_s

    def until(self, end_s: float) -> list[Span]:
        """Return all spans, the last one to the clip's end."""
        last = Span(self._since_s, max(end_s, self._since_s), self._what)
        return [*self._done, last] if self._what else self._done


@dataclass(slots=True)
class Recording:
    """One clip."""

    name: str
    start: datetime
    """Wall clock with zone at its first frame."""
    period_s: float
    """Seconds between two frames."""
    activities: tuple[str, ...]
    """What the rules look at."""
    rules: tuple[str, ...]
    mode: str
    times: array[float] = field(default_factory=lambda: array("d"))
    """Of the frames, in seconds."""
    motion: array[float] = field(default_factory=lambda: array("f"))
    scores: list[array[float]] = field(default_factory=list)
    """Smoothed, by activity, then by frame."""
    states: dict[str, Spans] = field(default_factory=dict)
    """Pending and firing, by rule."""
    camera: dict[CameraState, Spans] = field(default_factory=dict)
    still: Spans = field(default_factory=Spans)
    alerts: list[tuple[float, Alert]] = field(default_factory=list)
    misses: list[tuple[float, NearMiss]] = field(default_factory=list)
    pictures: list[tuple[float, bytes]] = field(default_factory=list)
    """JPEG, by the time of the frame."""
    differences: tuple[str, ...] | None = None
    """From what was expected; None where nothing was said."""
    failure: str = ""
    """Why the clip could not be read to its end."""

    def __post_init__(self) -> None:
        self.scores = [array("f") for _ in self.activities]
        self.states = {rule: Spans() for rule in self.rules}
        self.camera = {state: Spans() for state in CameraState}

    @property
    def seconds(self) -> float:
        """Return how long the clip is."""
        return self.times[-1] + self.period_s if self.times else 0.0

    def at(self, time_s: float) -> datetime:
        """Return the wall clock at a moment of the clip."""
        return self.start + timedelta(seconds=time_s)

    def time_of(self, at: datetime) -> float:
        """Return the moment of the clip, in seconds, at which the wall clock showed `at`."""
        return (at - self.start).total_seconds()


def columns(times: Sequence[float], most: int) -> list[tuple[int, int]]:
    """Return at most some `most` ranges of frames, none across a gap, in order."""
    each = max(1, -(-len(times) // most))
    ranges: list[tuple[int, int]] = []
    begin = 0
    for index in range(1, len(times) + 1):
        ended = index == len(times)
        if ended or index - begin >= each or times[index] - times[index - 1] > GAP_S:
            ranges.append((begin, index))
            begin = index
    return ranges if times else []


def evenly(items: Sequence[tuple[float, bytes]], count: int) -> list[tuple[float, bytes]]:
    """Return at most `count` of the items, spread over all of them."""
    if len(items) <= count:
        return list(items)
    return [items[int((number + 0.5) * len(items) / count)] for number in range(count)]


class Pictures:
    """When a picture of a clip is worth keeping, however long the clip will be."""

    def __init__(self) -> None:
        self._every_s = 0.0
        self._next_s = 0.0
        self.kept: list[tuple[float, bytes]] = []

    def due(self, time_s: float) -> bool:
        """Return whether a picture of this moment is wanted."""
        return time_s >= self._next_s - ROUNDING_S

    def keep(self, time_s: float, jpeg: bytes) -> None:
        """Keep one; every second one goes when there are too many, and fewer are wanted."""
        self.kept.append((time_s, jpeg))
        if len(self.kept) > MAX_PICTURES:
            self.kept = self.kept[::2]
        if len(self.kept) > 1:
            self._every_s = self.kept[1][0] - self.kept[0][0]
        self._next_s = self.kept[-1][0] + self._every_s
