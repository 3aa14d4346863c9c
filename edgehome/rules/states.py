"""What the rules say of a frame."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from edgehome.types import Alert, Event, NearMiss


class State(StrEnum):
    """Where a rule stands."""

    INACTIVE = "inactive"
    """What it waits for does not hold."""
    PENDING = "pending"
    """It holds, but not yet for as long, or as often, as the rule asks."""
    FIRING = "firing"
    """It has held for that long and has not been over for `resolve_after`."""


class Transition(NamedTuple):
    """A rule's change of state. A named tuple: a thousand rules may change in one frame."""

    time_s: float
    """Seconds on the source's monotonic clock, of the frame that changed it."""
    at: datetime
    """Wall clock with zone, of that frame."""
    rule: str
    old: State
    new: State


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that the rules say of one frame."""

    alerts: tuple[Alert, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()
    events: tuple[Event, ...] = ()
    transitions: tuple[Transition, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """One rule of the config, as it stands."""

    name: str
    state: State
    score: float
    """Of its first activity, smoothed; without one, of the motion it waits for; 0-1."""
    muted: bool
