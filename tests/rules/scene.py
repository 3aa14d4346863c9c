"""A camera that sees what a test says: minutes of time in microseconds."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from edgehome.config.conditions import Activity, ActivityCondition, AllCondition, Condition
from edgehome.config.types import AlertsConfig, Config, EventsConfig, Rule
from edgehome.rules import RuleEngine, Transition, Verdict
from edgehome.types import Alert, CameraState, Event, Mode, NearMiss, Scores, SunTimes

PERIOD_S = 0.2
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""A Monday."""


def activity(name: str, **fields: Any) -> ActivityCondition:
    """Begins at 0.6 and ends at 0.4 unless told otherwise."""
    return ActivityCondition(activity=Activity(name, (name,)), **fields)


def both(*conditions: Condition, **fields: Any) -> AllCondition:
    return AllCondition(conditions=conditions, **fields)


def rule(when: Condition | None = None, name: str = "Fight", **fields: Any) -> Rule:
    return Rule(name=name, when=when or activity("slap"), **fields)


class Scene:
    """Five frames a second, the first at 0 s."""

    def __init__(
        self,
        *rules: Rule,
        smoothing_s: float = 0.0,
        limit: int = 1000,
        window_s: float = 600.0,
        at: datetime = NOON,
        mode: Mode = Mode.AWAY,
        sun: SunTimes | None = None,
    ) -> None:
        self.config = Config(
            rules=rules,
            events=EventsConfig(smoothing_s=smoothing_s),
            alerts=AlertsConfig(limit=limit, window_s=window_s),
            sha256="c0",
        )
        self.sun = sun
        self.ids = count()
        self.engine = self.new_engine()
        self.time_s = 0.0
        self.base_s = 1000.0
        """What the source's clock says at 0 s."""
        self.at = at
        self.mode = mode
        self.motion = self.unusual = self.episode = 0.0
        self.resembles = ""
        self.camera: frozenset[CameraState] = frozenset()
        self.alerts: list[tuple[float, Alert]] = []
        self.misses: list[tuple[float, NearMiss]] = []
        self.changes: list[tuple[float, Transition]] = []
        self.events: list[tuple[float, Event]] = []

    def new_engine(self) -> RuleEngine:
        return RuleEngine(
            self.config,
            period_s=PERIOD_S,
            identify=lambda: f"id{next(self.ids)}",
            model="abcd",
            sun=self.sun,
        )

    def show(self, seconds: float, **scores: float) -> None:
        """Show these scores for some time."""
        for _ in range(round(seconds / PERIOD_S)):
            scene = Scores(
                self.base_s + self.time_s,
                self.at,
                scores,
                motion=self.motion,
                camera=self.camera,
                unusual=self.unusual,
                episode=self.episode,
                resembles=self.resembles,
            )
            self.note(self.engine.update(scene, self.mode))
            self.wait(PERIOD_S)

    def wait(self, seconds: float) -> None:
        """Let time go by without a frame."""
        self.time_s = round(self.time_s + seconds, 6)
        self.at += timedelta(seconds=seconds)

    def idle(self, seconds: float) -> None:
        """Let time go by without a frame, and tell the engine."""
        self.wait(seconds)
        self.note(self.engine.idle(self.base_s + self.time_s))

    def restart(self, gap_s: float, change: Any = lambda memory: memory) -> None:
        """End the process; the next frame comes `gap_s` after the last, by another clock."""
        kept = change(json.loads(json.dumps(self.engine.memory())))
        self.engine = self.new_engine()
        self.engine.restore(kept, gap_s=gap_s)
        self.wait(gap_s - PERIOD_S)
        self.base_s += 777.7

    def reload(self, *rules: Rule) -> None:
        self.config = replace(self.config, rules=rules)
        self.engine = self.engine.replaced(self.config, sun=self.sun)

    def note(self, verdict: Verdict) -> None:
        now = round(self.time_s, 3)
        self.alerts += [(now, alert) for alert in verdict.alerts]
        self.misses += [(now, missed) for missed in verdict.near_misses]
        self.changes += [(now, change) for change in verdict.transitions]
        self.events += [(now, event) for event in verdict.events]

    def times(self, name: str = "") -> list[float]:
        """When alerts came, in seconds; of one rule or of all."""
        return [now for now, alert in self.alerts if not name or alert.rule == name]

    def states(self, name: str = "Fight") -> list[tuple[float, str]]:
        """When a rule changed its state, and to which."""
        return [(now, str(change.new)) for now, change in self.changes if change.rule == name]

    def state(self, name: str = "Fight") -> str:
        return next(str(s.state) for s in self.engine.statuses() if s.name == name)

    def edges(self) -> list[tuple[float, str]]:
        return [(now, event.edge) for now, event in self.events]

    def reasons(self) -> list[tuple[float, str]]:
        return [(now, missed.reason) for now, missed in self.misses]
