"""From events to alerts: inactive, pending, firing, in Prometheus' words.

Pure: time and identities are arguments. `for`, `repeat_interval` and all other durations go by
the source's monotonic clock, `between` by the wall clock of the frame, so a step of the wall
clock can neither shorten nor stretch a rule. After a gap in frames a pending rule begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

from edgehome.config.types import Rule
from edgehome.events import Level, Moment, Watch
from edgehome.types import Alert, Evidence

ROUNDING_S = 1e-6
"""Frames on a grid of 0.2 s add up to a hair less than 2 s: that is two seconds all the same."""


class State(StrEnum):
    """Where a rule stands."""

    INACTIVE = "inactive"
    """The condition does not hold."""
    PENDING = "pending"
    """It holds, but not yet for as long as `for` asks."""
    FIRING = "firing"
    """It has held for that long and has not ended."""


class RuleEvaluator:
    """One rule's state from moment to moment."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.state = State.INACTIVE
        self.score = 0.0
        self._watch = Watch.of(rule)
        self._since_s: float | None = None
        self._alerted_s: float | None = None

    def update(self, moment: Moment, identify: Callable[[], str]) -> Alert | None:
        """Return an alert when one is due at this moment."""
        level = moment.levels[self._watch]
        self.score = level.score
        if not (level.active and self._in_schedule(moment)):
            self.state, self._since_s = State.INACTIVE, None
            return None
        if self._since_s is None or (moment.gap and self.state is not State.FIRING):
            self._since_s = moment.time_s
        if self.state is not State.FIRING:
            lasted = moment.time_s - self._since_s >= self.rule.for_s - ROUNDING_S
            self.state = State.FIRING if lasted else State.PENDING
            fresh = lasted
        else:
            fresh = False
        if self.state is not State.FIRING or not self._due(moment.time_s, fresh=fresh):
            return None
        self._alerted_s = moment.time_s
        return self._alert(moment, level, identify())

    def reset(self) -> None:
        """Go back to inactive, as when the node is disarmed; an alert's interval goes on."""
        self.state, self._since_s = State.INACTIVE, None

    def _in_schedule(self, moment: Moment) -> bool:
        return self.rule.between is None or moment.at in self.rule.between

    def _due(self, time_s: float, *, fresh: bool) -> bool:
        """Return whether to alert: on firing, then again each `repeat_interval` while it lasts."""
        if self._alerted_s is None or time_s < self._alerted_s:
            return True
        if not self.rule.repeat_interval_s:
            return fresh
        return time_s - self._alerted_s >= self.rule.repeat_interval_s - ROUNDING_S

    def _alert(self, moment: Moment, level: Level, alert_id: str) -> Alert:
        rule = self.rule
        message = rule.message.format(
            rule=rule.name,
            label=rule.when.name,
            severity=str(rule.severity),
            score=level.score,
            at=moment.at,
        )
        return Alert(
            id=alert_id,
            at=moment.at,
            rule=rule.name,
            label=rule.when.name,
            severity=rule.severity,
            message=message,
            score=level.score,
            evidence=self._evidence(moment, level),
        )

    def _evidence(self, moment: Moment, level: Level) -> tuple[Evidence, ...]:
        rule = self.rule
        lasted_s = moment.time_s - (moment.time_s if self._since_s is None else self._since_s)
        evidence = [
            Evidence(
                f"{rule.when.name} above", f"{level.score:.3f}", f"{rule.above:g}", level.active
            ),
            Evidence("for", f"{lasted_s:.1f}s", f"{rule.for_s:g}s", self.state is State.FIRING),
        ]
        if rule.between:
            now = f"{moment.at:%H:%M}"
            evidence.append(Evidence("between", now, str(rule.between), self._in_schedule(moment)))
        return tuple(evidence)


class RuleEngine:
    """All rules, in the order of the file."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.evaluators = tuple(RuleEvaluator(rule) for rule in rules)

    def watches(self) -> list[Watch]:
        """Return what the rules want to be told of."""
        return [Watch.of(evaluator.rule) for evaluator in self.evaluators]

    def update(self, moment: Moment, identify: Callable[[], str]) -> list[Alert]:
        """Return the alerts due at this moment; `identify` gives each an id, unique for ever."""
        alerts = (evaluator.update(moment, identify) for evaluator in self.evaluators)
        return [alert for alert in alerts if alert]

    def reset(self) -> None:
        """Forget what is pending and firing."""
        for evaluator in self.evaluators:
            evaluator.reset()
