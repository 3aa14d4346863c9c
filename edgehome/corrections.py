"""Feedback on alerts of what came with the model: which labels, and how low. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from edgehome.config.conditions import ActivityCondition, walk
from edgehome.config.types import Rule
from edgehome.lessonstore import lesson_name
from edgehome.types import Alert, EdgehomeError, Problem, Scores

DEEPEST = 8.5
"""Logits between an alert's score and its rule's level: the recogniser lowers no further than
that and a margin (edgehome.recognizer.corrections)."""
AFTER_S = 5.0
"""What raised an alert goes on after it for so long."""
_LOWEST, _HIGHEST = 0.02, 0.98
_CERTAIN = 1e-6


class Clarity:
    """How clearly the labels of the newest alert were seen: most often more so after it."""

    def __init__(self) -> None:
        self._alert: Alert | None = None
        self._highest: dict[str, float] = {}

    def follow(self, alert: Alert, rule: Rule) -> None:
        """Begin with an alert; one that goes on, told again, is followed on."""
        before, self._alert = self._alert, alert
        if before is None or (before.rule, before.since) != (alert.rule, alert.since):
            self._highest = dict.fromkeys(levels_of(rule), 0.0)

    def look(self, scores: Scores) -> None:
        """Take a frame's probabilities, while it belongs to the alert."""
        if self._alert and (scores.at - self._alert.at).total_seconds() <= AFTER_S:
            for label, highest in self._highest.items():
                self._highest[label] = max(highest, scores.probabilities.get(label, 0.0))

    def of(self, alert: Alert) -> Mapping[str, float]:
        """Return the highest probability by label, of none where another alert was followed."""
        return self._highest if self._alert and self._alert.id == alert.id else {}


def levels_of(rule: Rule) -> dict[str, float]:
    """Return below which probability each label that a rule watches does not raise it."""
    levels: dict[str, float] = {}
    for condition in walk(rule.when):
        if isinstance(condition, ActivityCondition) and condition.activity.labels:
            labels = condition.activity.labels
            weights = condition.activity.weights or (1.0,) * len(labels)
            level = condition.above / max(math.fsum(weights), 1.0)
            level = min(max(level, _LOWEST), _HIGHEST)
            for label in labels:
                levels[label] = min(level, levels.get(label, 1.0))
    return levels


def correctable(
    levels: Mapping[str, float], own: Collection[str], taught: Collection[str]
) -> dict[str, tuple[str, float]]:
    """Return the labels that are the model's own, by the names that their corrections have."""
    found: dict[str, tuple[str, float]] = {}
    for label, level in levels.items():
        try:
            name = lesson_name(label.partition("@")[0])
        except EdgehomeError:
            continue
        if label in own and name not in taught:
            found[name] = label.partition("@")[0], level
    return found


def too_clear(label: str, score: float, level: float) -> Problem | None:
    """Return what is told where a label was seen too clearly to be lowered below the level."""
    if _logit(score) - _logit(level) <= DEEPEST:
        return None
    return Problem(
        "correction_bound",
        f"{label} was seen too clearly ({score:.3f}, where {level:.2g} is asked for) to be "
        "corrected without hiding true ones.",
        "Raise the rule's `above`, or teach the activity anew at home.",
    )


def _logit(probability: float) -> float:
    share = min(max(probability, _CERTAIN), 1 - _CERTAIN)
    return math.log(share / (1 - share))
