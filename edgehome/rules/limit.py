"""One limit for all rules: a flood of alerts becomes one that counts them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from edgehome.config.types import AlertsConfig
from edgehome.rules.timing import ROUNDING_S
from edgehome.types import Alert, Severity

SEVERITIES = tuple(Severity)
"""From the least to the most severe."""


@dataclass(slots=True)
class Folded:
    """A rule's alerts that were held back."""

    count: int
    alert: Alert
    """The last of them, with the time of the first as its `since`."""


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

    def fold(self, alert: Alert) -> None:
        """Hold an alert back until there is room for one that stands for all."""
        before = self.folded.get(alert.rule)
        if before:
            kept = replace(alert, since=before.alert.since)
            self.folded[alert.rule] = Folded(before.count + 1, kept)
        else:
            self.folded[alert.rule] = Folded(1, replace(alert, since=alert.at))

    def has_room(self, true_s: float) -> bool:
        """Return whether an alert may be raised now."""
        full = len(self.raised_s) == self._config.limit
        return not full or not self._within(self.raised_s[0], true_s)

    def release(self, true_s: float) -> Alert | None:
        """Return what was folded as one alert, without id and time, when there is room for it."""
        if not self.folded or not self.has_room(true_s):
            return None
        self.raised_s.append(true_s)
        alert = summary(self.folded.values())
        self.folded = {}
        return alert

    def _within(self, then_s: float, true_s: float) -> bool:
        return true_s < then_s + self._config.window_s - ROUNDING_S


def summary(folded: Iterable[Folded]) -> Alert:
    """Return one alert that stands for all: the most severe one, or of those the most frequent."""
    ranked = sorted(folded, key=lambda item: (-item.count, item.alert.rule))
    worst = max(ranked, key=lambda item: SEVERITIES.index(item.alert.severity)).alert
    total = sum(item.count for item in ranked)
    counts = ", ".join(f"{item.alert.rule} {item.count}" for item in ranked)
    return replace(
        worst,
        message=f"{total} more alert{'s' if total > 1 else ''}: {counts}",
        since=min((item.alert.since for item in ranked if item.alert.since), default=None),
        folded=total,
    )
