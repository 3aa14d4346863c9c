"""What the home is told of rules that fire."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from edgehome.config.conditions import CameraCondition, UnusualCondition
from edgehome.config.types import Config
from edgehome.config.values import MESSAGE
from edgehome.rules.limit import Limit, summary
from edgehome.rules.near_misses import NearMisses
from edgehome.rules.parts import evidence, standings
from edgehome.rules.rule import Tracker
from edgehome.rules.timing import Clock
from edgehome.types import Alert, Evidence

_NO_ACTIVITY = UnusualCondition | CameraCondition
_LONGEST = 250
"""Characters of a message, as in the configuration."""


class Alerts:
    """Makes alerts of rules that fire, unless something holds them back."""

    def __init__(
        self, config: Config, near_misses: NearMisses, *, identify: Callable[[], str], model: str
    ) -> None:
        """Take what names alerts and the model's SHA-256."""
        self.model = model
        self.identify = identify
        self.silent = False
        """Whether no rule raises anything."""
        self.limit = Limit(config.alerts)
        self._config = config
        self._near_misses = near_misses

    def of(self, tracker: Tracker, clock: Clock) -> Alert | None:
        """Return the alert of a firing rule, if one is due and nothing holds it back."""
        rule = tracker.rule
        if not tracker.due(clock):
            if not tracker.told:
                self._near_misses.held_back(tracker, "repeat_interval", clock)
            return None
        if tracker.muted or self.silent:
            reason = "muted" if tracker.muted else "silenced"
            self._near_misses.held_back(tracker, reason, clock)
            return None
        tracker.alerted(clock)
        if self.limit.passes(rule.name, clock.true_s):
            self._near_misses.told(tracker)
            return self._alert(tracker, clock)
        self._near_misses.held_back(tracker, "folded", clock)
        label, score = _strongest(tracker)
        self.limit.fold(rule, label, score, clock.wall())
        return None

    def release(self, at: datetime, true_s: float) -> list[Alert]:
        """Return the alert that stands for those that were folded, when there is room for it."""
        folded = [] if self.silent else self.limit.release(true_s)
        if not folded:
            return []
        alert = summary(folded, self.identify(), at)
        return [replace(alert, model=self.model, config=self._config.sha256)]

    def _alert(self, tracker: Tracker, clock: Clock) -> Alert:
        rule, parts, at = tracker.rule, tracker.tree.parts, clock.wall()
        label, score = _strongest(tracker)
        told = evidence(parts, standings(parts, clock))
        return Alert(
            id=self.identify(),
            at=at,
            rule=rule.name,
            label=label,
            severity=rule.severity,
            message=_without_activity(tracker, told)
            or rule.message.format(
                rule=rule.name, label=label, severity=str(rule.severity), score=score, at=at
            ),
            score=score,
            evidence=told,
            since=tracker.since_at,
            model=self.model,
            config=self._config.sha256,
        )


def _strongest(tracker: Tracker) -> tuple[str, float]:
    """Return the first activity of a rule that goes on, else its first, and the score, 0-1."""
    level = tracker.tree.level()
    return (level.score.name, level.score.value) if level else (tracker.rule.label, 0.0)


def _without_activity(tracker: Tracker, told: Sequence[Evidence]) -> str:
    """Return what went on where it was no activity and the rule has no words of its own."""
    level = tracker.tree.level()
    if tracker.rule.message == MESSAGE and not (level and level.value):
        for part, one in zip(tracker.tree.parts, told, strict=True):
            if one.met and part.wanted and isinstance(part.condition, _NO_ACTIVITY):
                return f"{one.condition}: {one.value}"[:_LONGEST]
    return ""
