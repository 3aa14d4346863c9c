"""The parts of a rule that are told as evidence, each with what it measured at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from edgehome.config.conditions import (
    ActivityCondition,
    CameraCondition,
    Condition,
    MotionCondition,
    UnusualCondition,
    key_of,
)
from edgehome.events import Level, Signal
from edgehome.rules.nodes import Node
from edgehome.rules.sequence import Then
from edgehome.rules.temporal import Count, For, Frames
from edgehome.rules.timing import Clock
from edgehome.rules.words import asked_of, duration, name_of
from edgehome.types import Evidence

SEEN = ActivityCondition | MotionCondition | CameraCondition | UnusualCondition

Standing = tuple[bool, float | str, datetime | None]
"""Whether a part holds, what it measures, and since when it has been so."""


class Part:
    """A condition, or what one adds, with the signal that tells whether it holds."""

    __slots__ = (
        "condition", "counts", "form", "name", "root", "signal", "suffix", "threshold", "wanted",
        "weight",
    )  # fmt: skip

    def __init__(self, condition: Condition, signal: Signal, *, wanted: bool, root: bool) -> None:
        self.condition = condition
        self.signal = signal
        self.wanted = wanted
        """False beneath a `none`: the rule comes closer when it does not hold."""
        self.root = root
        """Whether it is the whole of the rule's `when`, or what that adds."""
        self.counts = isinstance(signal, Frames | Count | Then)
        """Whether its measure tells how near it is."""
        seen = wanted and isinstance(condition, SEEN) and not isinstance(signal, Node)
        self.weight = 1000 if seen else 1
        """How much nearer it is once this holds: what is seen comes before all else."""
        self.name, self.threshold = _asked(condition, signal, root=root)
        self.form, self.suffix = _form(signal)
        """How the value is written: as `format` has it, and what follows."""


class Reading(NamedTuple):
    """A part of a rule as it stood at a moment."""

    part: Part
    met: bool
    measure: float | str
    since: datetime | None


def standings(parts: Sequence[Part], clock: Clock) -> list[Standing]:
    """Return how parts stand."""
    return [
        (signal.value, signal.measure(clock), signal.since)
        for part in parts
        for signal in (part.signal,)
    ]


def evidence(parts: Sequence[Part], found: Sequence[Standing]) -> tuple[Evidence, ...]:
    """Put how parts stood into words."""
    return tuple(
        [
            Evidence(
                part.name, format(measure, part.form) + part.suffix, part.threshold, met, since
            )
            for part, (met, measure, since) in zip(parts, found, strict=True)
        ]
    )


def _asked(condition: Condition, signal: Signal, *, root: bool) -> tuple[str, str]:
    """Return a part's name and what it asks for."""
    before = "" if root else f"{name_of(condition)} "
    match signal:
        case For():
            return f"{before}for", duration(signal.for_s)
        case Frames():
            return f"{before}at_least", str(signal.at_least)
        case Count():
            return f"{before}count", f"{signal.count} within {duration(signal.window_s)}"
    if isinstance(condition, ActivityCondition):
        return f"{condition.activity.name} above", asked_of(condition)
    return key_of(condition), asked_of(condition)


def _form(signal: Signal) -> tuple[str, str]:
    match signal:
        case Level():
            return ".3f", ""
        case For():
            return ".1f", "s"
        case Frames():
            return "", f" of {signal.at_least.of}"
        case Count():
            return "", ""
        case Node():
            return "", f" of {len(signal.children)}"
    return "", ""
