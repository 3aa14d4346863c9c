"""What each condition of a rule measured, and what was asked of it, in the file's own words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from edgehome.config.conditions import (
    ActivityCondition,
    AfterBootCondition,
    ArmedCondition,
    BetweenCondition,
    CameraCondition,
    Condition,
    MotionCondition,
    SunCondition,
    ThenCondition,
    WeekdaysCondition,
    key_of,
)
from edgehome.events import Level
from edgehome.rules.nodes import Node, NoneOf
from edgehome.rules.temporal import Count, For, Frames
from edgehome.rules.timing import Clock
from edgehome.rules.tree import Part
from edgehome.types import Evidence

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UNITS = (("d", 86400), ("h", 3600), ("m", 60))

Measure = float | str
"""What a part measured, before it is put into words."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A part of a rule at a moment."""

    part: Part
    met: bool
    measure: Measure
    since: datetime | None


def read(part: Part, clock: Clock) -> Reading:
    """Return how a part stands."""
    signal = part.signal
    return Reading(part, signal.value, _measure(part, clock), signal.since)


def evidence(reading: Reading) -> Evidence:
    """Put a reading into words."""
    name, value, threshold = _words(reading.part, reading.measure)
    return Evidence(name, value, threshold, reading.met, reading.since)


def duration(seconds: float) -> str:
    """Return seconds as the file has them: `500ms`, `2s`, `10m`, `1h`."""
    if 0 < abs(seconds) < 1:
        return f"{seconds * 1000:g}ms"
    for unit, size in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def name_of(condition: Condition) -> str:
    """Return what a condition is called in a sentence: its activity, or its key."""
    return (
        condition.activity.name if isinstance(condition, ActivityCondition) else key_of(condition)
    )


def _measure(part: Part, clock: Clock) -> Measure:
    signal = part.signal
    if isinstance(signal, Level):
        return signal.score.value
    if isinstance(signal, Node):
        return signal.measure(clock)
    return _state(part.condition, clock)


def _state(condition: Condition, clock: Clock) -> str:
    """Return what the clock says to a condition that looks at no score."""
    match condition:
        case CameraCondition():
            return ", ".join(sorted(clock.camera)) or "well"
        case ArmedCondition():
            return str(clock.mode)
        case AfterBootCondition():
            return f"{clock.age_s():.0f}s"
        case WeekdaysCondition():
            return DAYS[clock.wall().weekday()]
    return f"{clock.wall():%H:%M}"


def _words(part: Part, measure: Measure) -> tuple[str, str, str]:
    """Return name, value and threshold."""
    condition = part.condition
    before = "" if part.root else f"{name_of(condition)} "
    match part.signal:
        case For() as node:
            return f"{before}for", f"{measure:.1f}s", duration(node.for_s)
        case Frames() as node:
            of = node.at_least.of
            return f"{before}at_least", f"{measure} of {of}", str(node.at_least)
        case Count() as node:
            asked = f"{node.count} within {duration(node.window_s)}"
            return f"{before}count", f"{measure}", asked
        case Node() as node:
            of = len(node.children)
            return key_of(condition), f"{measure} of {of}", _asked(condition, node)
    return _leaf_words(condition, measure)


def _asked(condition: Condition, node: Node) -> str:
    of = len(node.children)
    if isinstance(condition, ThenCondition):
        return f"{of} within {duration(condition.gap_s)}"
    if isinstance(node, NoneOf):
        return "0"
    return key_of(condition)


def _leaf_words(condition: Condition, measure: Measure) -> tuple[str, str, str]:
    match condition:
        case ActivityCondition():
            return f"{condition.activity.name} above", f"{measure:.3f}", f"{condition.above:g}"
        case MotionCondition():
            return "motion", f"{measure:.3f}", f"{condition.motion:g}"
    return key_of(condition), str(measure), asked_of(condition)


def asked_of(condition: Condition) -> str:
    """Return what a condition that looks at no score asks for, in the file's words."""
    match condition:
        case CameraCondition():
            return ", ".join(condition.camera)
        case ArmedCondition():
            return ", ".join(condition.armed)
        case AfterBootCondition():
            return duration(condition.after_boot_s)
        case BetweenCondition():
            return str(condition.between)
        case WeekdaysCondition():
            return ", ".join(DAYS[day] for day in condition.weekdays)
    return _sun(condition) if isinstance(condition, SunCondition) else ""


def _sun(condition: SunCondition) -> str:
    if not condition.offset_s:
        return condition.sun
    sign = "+" if condition.offset_s > 0 else ""
    return f"{condition.sun} {sign}{duration(condition.offset_s)}"
