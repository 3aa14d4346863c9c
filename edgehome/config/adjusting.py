"""The one threshold of a rule that may be set while it runs: `above` of its first activity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgehome.config.conditions import (
    ActivityCondition,
    AllCondition,
    AnyCondition,
    Condition,
    NoneCondition,
    ThenCondition,
)

if TYPE_CHECKING:
    from edgehome.config.types import Rule

LOWEST, HIGHEST, STEP = 0.05, 1.0, 0.01
"""What it can be set to."""


def adjusted_activity(when: Condition) -> ActivityCondition | None:
    """Return the first activity that the rule waits for, in the file's order; None without any.

    What stands under `none` is not waited for: a slider there would go the other way.
    """
    if isinstance(when, ActivityCondition):
        return when
    if isinstance(when, NoneCondition):
        return None
    inner = (adjusted_activity(child) for child in getattr(when, "conditions", ()))
    return next((found for found in inner if found), None)


def with_threshold(rule: Rule, above: float) -> Rule:
    """Return the rule with `above` of its first activity set, and `below` in the same ratio.

    Raises ValueError for a rule without an activity.
    """
    activity = adjusted_activity(rule.when)
    if activity is None:
        raise ValueError(f"{rule.name} waits for no activity")
    ratio = activity.below / activity.above if activity.above else 1.0
    new = replace(activity, above=above, below=round(above * ratio, 6))
    return replace(rule, when=_replaced(rule.when, activity, new))


def _replaced(condition: Condition, old: Condition, new: Condition) -> Condition:
    """Return the condition with one within it, by identity, replaced: two may be equal."""
    if condition is old:
        return new
    if not isinstance(condition, AllCondition | AnyCondition | NoneCondition | ThenCondition):
        return condition
    inner = tuple(_replaced(child, old, new) for child in condition.conditions)
    unchanged = all(a is b for a, b in zip(inner, condition.conditions, strict=True))
    return condition if unchanged else replace(condition, conditions=inner)
