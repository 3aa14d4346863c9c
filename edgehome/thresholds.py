"""Thresholds that the home has set, over those of the file, kept over restarts.

The file wins when it changes: a kept threshold counts only while the rule's first activity and its
`above` in the file are those over which it was set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgehome.config.adjusting import HIGHEST, LOWEST, adjusted_activity, with_threshold
from edgehome.config.types import Config, Rule
from edgehome.statefile import StateFile

KEY = "thresholds"


class Thresholds:
    """What was set, by rule, in the node's small memory."""

    def __init__(self, memory: StateFile) -> None:
        self._memory = memory

    def over(self, config: Config) -> Config:
        """Return the file's configuration with the thresholds that were set."""
        kept = self._memory.get(KEY, {})
        return replace(config, rules=tuple(_adjusted(rule, kept) for rule in config.rules))

    def set(self, config: Config, name: str, above: float) -> None:
        """Keep a threshold over the file's configuration; the file's own is kept as none.

        What was set for rules that are gone, or that the file says otherwise of, is forgotten.
        """
        old = self._memory.get(KEY, {})
        new = {}
        for rule in config.rules:
            activity = adjusted_activity(rule.when)
            if not rule.adjustable or not activity:
                continue
            value = above if rule.name == name else _kept(rule, old)
            if value is not None and value != activity.above:
                of = [activity.activity.name, activity.above]
                new[rule.name] = {"of": of, "above": value}
        self._memory.set(KEY, new)


def threshold_of(rule: Rule) -> float | None:
    """Return `above` of an adjustable rule's first activity, None for any other rule."""
    activity = adjusted_activity(rule.when) if rule.adjustable else None
    return activity.above if activity else None


def _adjusted(rule: Rule, kept: Mapping[str, Any]) -> Rule:
    above = _kept(rule, kept)
    return rule if above is None else with_threshold(rule, above)


def _kept(rule: Rule, kept: Mapping[str, Any]) -> float | None:
    """Return what was set for the rule as the file has it; None where nothing that counts was."""
    activity = adjusted_activity(rule.when) if rule.adjustable else None
    item = kept.get(rule.name)
    if not activity or not isinstance(item, dict):
        return None
    above = item.get("above")
    same = item.get("of") == [activity.activity.name, activity.above]
    if not same or not isinstance(above, float) or not LOWEST <= above <= HIGHEST:
        return None
    return above
