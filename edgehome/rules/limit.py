"""One limit for all rules: a flood of alerts becomes one that counts them."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edgehome.config.types import AlertsConfig, Rule
from edgehome.rules.timing import ROUNDING_S
from edgehome.types import Alert, Severity

SEVERITIES = tuple(Severity)
"""From the least to the most severe."""


@dataclass(slots=True)
class Folded:
    """A rule's alerts that are held back."""

    rule: str
    label: str
    severity: Severity
    score: float
    """Of the last of them."""
    since: datetime
    """Wall clock of the first of them."""
    count: int = 0


class Limit:
    """At most so many alerts in a sliding window; the first of an incident always passes."""

    def __init__(self, config: AlertsConfig) -> None:
        self._config = config
        self.raised_s: deque[float] = deque(maxlen=config.limit)
        """`true_s` of the last alerts, as many as the limit."""
        self.last_s: dict[str, float] = {}
        """`true_s` at which each rule last had an alert, raised or folded."""
        self.folded: dict[str, Folded] = {}
        """What is held back, by rule."""

    def passes(self, rule: str, true_s: float) -> bool:
        """Return whether a rule's alert may be raised now, and count it; else fold it."""
        last_s = self.last_s.get(rule)
        self.last_s[rule] = true_s
        first = last_s is None or not self._within(last_s, true_s)
        if not first and not self.has_room(true_s):
            return False
        self.raised_s.append(true_s)
        return True

    def fold(self, rule: Rule, label: str, score: float, at: datetime) -> None:
        """Hold a rule's alert back until there is room for one that stands for all."""
        found = self.folded.get(rule.name)
        if found is None:
            found = Folded(rule.name, label, rule.severity, score, at)
            self.folded[rule.name] = found
        found.count += 1
        found.label, found.severity, found.score = label, rule.severity, score

    def has_room(self, true_s: float) -> bool:
        """Return whether an alert may be raised now."""
        full = len(self.raised_s) == self._config.limit
        return not full or not self._within(self.raised_s[0], true_s)

    def release(self, true_s: float) -> list[Folded]:
        """Return what was held back, if there is room for one alert that stands for it."""
        if not self.folded or not self.has_room(true_s):
            return []
        self.raised_s.append(true_s)
        found, self.folded = list(self.folded.values()), {}
        return found

    def _within(self, then_s: float, true_s: float) -> bool:
        return true_s < then_s + self._config.window_s - ROUNDING_S


def summary(folded: Sequence[Folded], alert_id: str, at: datetime) -> Alert:
    """Return one alert that stands for all, in the name of the most severe and then most frequent.

    It has no evidence: the near misses of those that it stands for do.
    """
    ranked = sorted(folded, key=lambda item: (-item.count, item.rule))
    worst = max(ranked, key=lambda item: SEVERITIES.index(item.severity))
    total = sum(item.count for item in ranked)
    counts = ", ".join(f"{item.rule} {item.count}" for item in ranked)
    return Alert(
        id=alert_id,
        at=at,
        rule=worst.rule,
        label=worst.label,
        severity=worst.severity,
        message=f"{total} more alert{'s' if total > 1 else ''}: {counts}",
        score=worst.score,
        since=min(item.since for item in ranked),
        folded=total,
    )
