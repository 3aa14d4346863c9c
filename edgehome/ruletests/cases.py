"""Tests of rules as values: what happens, and what should come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from edgehome.replay.differences import Expected
from edgehome.rules import State
from edgehome.types import CameraState, Mode


@dataclass(frozen=True, slots=True)
class ExpectedState:
    """How a rule should stand at a moment."""

    rule: str
    at_s: float
    state: State
    place: str


@dataclass(frozen=True, slots=True)
class ExpectedMiss:
    """A near miss that should be told."""

    rule: str
    at_s: float | None
    within_s: float
    reason: str | None
    message: str | None
    place: str


@dataclass(frozen=True, slots=True)
class Story:
    """What happens, frame by frame; a list that is shorter goes on with its last item."""

    interval_s: float
    scores: Mapping[str, list[float | str]]
    """By label; MISSING and STILL among them."""
    motion: list[float | str]
    camera: list[frozenset[CameraState]]
    armed: list[Mode]
    unusual: list[float]
    """Days in which such a frame comes once."""

    @property
    def frames(self) -> int:
        """Return how many frames there are, those that never come among them."""
        of_scores = max(map(len, self.scores.values()), default=0)
        others = len(self.motion), len(self.camera), len(self.armed), len(self.unusual)
        return max(of_scores, *others)


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test."""

    name: str
    place: str
    """Where it is written: `rules.test.yaml:12:5`."""
    start: datetime
    story: Story
    alerts: tuple[Expected, ...]
    states: tuple[ExpectedState, ...]
    misses: tuple[ExpectedMiss, ...] | None
    """None where the test says nothing of near misses."""
