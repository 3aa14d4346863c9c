"""Feedback on alerts of what came with the model: which labels, and how low. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from edgehome.config.conditions import ActivityCondition, walk
from edgehome.config.types import Rule
from edgehome.lessonstore import lesson_name
from edgehome.types import EdgehomeError, Problem

DEEPEST = 5.5
"""Logits between an alert's score and its rule's level: the recogniser lowers no further than
that and a margin (edgehome.recognizer.corrections)."""
_LOWEST, _HIGHEST = 0.02, 0.98
_CERTAIN = 1e-6


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
