"""The engine's time: what a frame's clock says, what a gap is, and what is due when.

Two counts of seconds. `true_s` goes on whether frames come or not; `seen_s` stands still where
they do not: a gap counts there for as long as one frame takes. Both are told from the source's
monotonic clock by adding, not by summing up, so a day of frames does not drift.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from edgehome.types import CameraState, Mode

if TYPE_CHECKING:
    from edgehome.rules.nodes import Node

ROUNDING_S = 1e-6
"""Frames on a grid of 0.2 s add up to a hair less than 2 s: that is two seconds all the same."""
GAP_S = 2.0
"""Seconds without a frame after which frames are missing."""
FORGET_S = 30.0
"""Seconds without a frame after which what was seen before says nothing of now."""
LONGEST_S = 1e9
"""No gap is longer, in seconds."""


class Alarm:
    """Has a node looked at when its time comes."""

    __slots__ = ("node", "wakes_s")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.wakes_s: float | None = None


class Deadlines:
    """Which alarms ring when; each waits for one time, the nearest that it was set to."""

    __slots__ = ("_heap", "_numbers", "next_s")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._numbers = count()
        self.next_s = float("inf")

    def set(self, alarm: Alarm, time_s: float) -> None:
        """Let it ring at this time; one that rings sooner is set anew then, if need be."""
        if alarm.wakes_s is not None and alarm.wakes_s <= time_s:
            return
        alarm.wakes_s = time_s
        heappush(self._heap, (time_s, next(self._numbers), alarm))
        self.next_s = self._heap[0][0]

    def due(self, time_s: float) -> list[Node]:
        """Return those whose time has come."""
        found = []
        while self._heap and self._heap[0][0] <= time_s:
            wakes_s, _, alarm = heappop(self._heap)
            if alarm.wakes_s == wakes_s:
                alarm.wakes_s = None
                found.append(alarm.node)
        self.next_s = self._heap[0][0] if self._heap else float("inf")
        return found


class Moment(NamedTuple):
    """A frame's place in time."""

    true_s: float
    seen_s: float
    at: datetime | None


class Clock:
    """The time of the frame at hand, and what else conditions ask of it."""

    def __init__(self, period_s: float) -> None:
        """Take the time between two frames in seconds."""
        self.period_s = period_s
        self.at: datetime | None = None
        self.time_s = 0.0
        self.true_s = self.seen_s = 0.0
        self.before = Moment(0.0, 0.0, None)
        """The frame before this one."""
        self.started_s: float | None = None
        """`true_s` of the node's start."""
        self.mode: Mode | None = None
        self.camera: frozenset[CameraState] = frozenset()
        self.unusual = 0.0
        """Days in which such a frame comes once."""
        self.episode = 0.0
        """The part of the day in which it is unusual; 0 where nobody says."""
        self.resembles = ""
        """What the unusual is most like."""
        self.seen = Deadlines()
        self.true = Deadlines()
        self.again: list[Node] = []
        """Who is to be looked at with the next frame, whatever it is."""
        self._gap_s = period_s
        """From the last frame to the first moment of this clock."""
        self._waiting_s = 0.0
        """From the last frame to the last moment of this clock, while no frame has come."""
        self._framed = False
        self._last_s: float | None = None
        self._true_offset = self._seen_offset = 0.0

    def begin(self, gap_s: float) -> None:
        """Take it that the last frame was `gap_s` before the first moment that comes."""
        known = gap_s >= 0  # not for a number that is none
        self._gap_s = min(gap_s, LONGEST_S) if known else FORGET_S + self.period_s
        self._waiting_s = self._gap_s

    def go_on(self, before: Clock) -> None:
        """Take over the source's time from the clock of the same node's rules before a reload.

        This clock is new: it begins at 0 with the last frame of the other.
        """
        self.time_s, self._last_s, self._gap_s = before.time_s, before._last_s, before._gap_s
        self._waiting_s, self._framed = before._waiting_s, before._framed
        if before._last_s is not None:
            self._true_offset = before._true_offset - before.true_s
            self._seen_offset = before._seen_offset - before.seen_s
        if before.started_s is not None:
            self.started_s = before.started_s - before.true_s

    def waiting_s(self) -> float:
        """Return the seconds of a gap that began before this clock and is not yet over."""
        if self._framed or self.at is None:
            return 0.0
        return self._waiting_s

    def frame(self, time_s: float, at: datetime) -> tuple[float, bool]:
        """Go on to a frame; return the seconds it counts for, and whether to forget all before.

        A clock that goes backwards is that of a source that began anew: nobody knows when.
        """
        step_s = self._waited(time_s)
        missing = not 0 <= step_s <= GAP_S
        if missing:
            if step_s < 0:
                step_s = FORGET_S + self.period_s
            self._true_offset = self.true_s + step_s - time_s
            self._seen_offset = self.seen_s + self.period_s - time_s
        self.before = self.now()
        self.true_s = time_s + self._true_offset
        self.seen_s = time_s + self._seen_offset
        self._last_s = self.time_s = time_s
        self._framed = True
        self.at = at
        return (self.period_s if missing else step_s), missing and step_s > FORGET_S

    def now(self) -> Moment:
        """Return this frame's place in time."""
        return Moment(self.true_s, self.seen_s, self.at)

    def wall(self) -> datetime:
        """Return the frame's wall clock with zone."""
        if self.at is None:
            raise ValueError("no frame has come yet")
        return self.at

    def age_s(self) -> float:
        """Return how long the node has run, in seconds."""
        return 0.0 if self.started_s is None else self.true_s - self.started_s

    def missing(self, time_s: float) -> tuple[float, datetime] | None:
        """Return for how long no frame has come and what the wall clock would say; or None."""
        waited_s = self._waited(time_s)
        if self.at is None or waited_s < 0:
            return None
        return waited_s, self.at + timedelta(seconds=waited_s)

    def _waited(self, time_s: float) -> float:
        """Return the seconds since the last frame."""
        if self._last_s is None:
            self._last_s = time_s - self._gap_s
            self._true_offset = self.true_s - self._last_s
            self._seen_offset = self.seen_s - self._last_s
        if self.started_s is None:
            self.started_s = time_s + self._true_offset
        self._waiting_s = max(0.0, time_s - self._last_s)
        return time_s - self._last_s
