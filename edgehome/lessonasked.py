"""What the supervisor has asked for lessons and waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edgehome import lessontraining
from edgehome.corrections import AFTER_S
from edgehome.lessontraining import Change
from edgehome.taken import Taken
from edgehome.types import Alert, Problem

SHORTEST_S, LONGEST_S = 1.0, 60.0
"""Of an example."""
BEFORE_S = 3.0
"""An alert's window begins so long before its rule began to wait: a head looks back."""

Told = Callable[[Problem | None], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """A label that came with the model, and what an alert of it is to stay below."""

    label: str
    level: float
    clear: Problem | None
    """Where it was seen too clearly for that."""


@dataclass(slots=True)
class Asked:
    """What the worker was asked for, and what for."""

    name: str
    shows: bool
    source: str
    span: tuple[float, float]
    then: Told
    judged: Judged | None = None

    def change(self, taken: Taken) -> Change:
        """Return what the worker's answer changes."""
        if self.judged:
            its = self.judged
            return lessontraining.judged(taken, self.span[1], its.label, its.level, its.clear)
        return lessontraining.shown(taken, self.span[1], shows=self.shows, source=self.source)


def span_of(alert: Alert, now: float) -> tuple[float, float]:
    """Return the seconds that an alert is about, on the wall clock."""
    at = alert.at.timestamp()
    since = max((alert.since or alert.at).timestamp() - BEFORE_S, at - LONGEST_S)
    return since, max(at, min(at + AFTER_S, now))


@dataclass(slots=True)
class Waiting:
    """Changes to a lesson that wait for their turn, and who is told of them."""

    changes: list[Change] = field(default_factory=list)
    then: list[Told] = field(default_factory=list)
