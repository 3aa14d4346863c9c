"""Why there was no alert, as a sentence for a person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from edgehome.config.conditions import (
    ActivityCondition,
    AllCondition,
    AnyCondition,
    Condition,
    MotionCondition,
    NoneCondition,
    ThenCondition,
    is_group,
)
from edgehome.config.types import Rule
from edgehome.rules.parts import Reading
from edgehome.rules.temporal import Count, For, Frames
from edgehome.rules.words import asked_of, duration, name_of

HELD_BACK = {
    "muted": "the rule was muted",
    "silenced": "all rules were silenced for a time",
    "folded": "there had been as many alerts as `alerts: limit` allows: it was counted in one",
    "disarmed": "the home was disarmed",
}


def blocked(reason: str, rule: Rule, at: datetime, last_alert_s: float) -> str:
    """Return why a rule that fired told nobody; `last_alert_s` is how long ago it last did."""
    why = HELD_BACK.get(reason) or (
        f"its last alert was {_ago(last_alert_s)} before and "
        f"`repeat_interval` is {duration(rule.repeat_interval_s)}"
    )
    return f"would have fired at {at:%H:%M:%S}, but {why}"


def missed(
    when: Condition, readings: Sequence[Reading], at: datetime, seen_s: float
) -> tuple[datetime, str, str]:
    """Return why conditions did not all hold, of which `readings` are the closest that they came.

    Wall clock of the closest moment, the reason, and a sentence. `seen_s` is for how long the
    rule's activity was seen.
    """
    blamed = _blame(when, readings)
    condition = blamed.part.condition
    match blamed.part.signal:
        case For() as node:
            return _too_short(node, blamed, node.longest_at or at)
        case Frames() as node:
            return (
                at,
                "too_short",
                (
                    f"{_subject(condition)} held in only {blamed.measure} of the last "
                    f"{node.at_least.of} frames; `at_least: {node.at_least}`"
                ),
            )
        case Count() as node:
            return (
                at,
                "condition",
                (
                    f"{_subject(condition)} began only {blamed.measure} of {node.count} times "
                    f"within {duration(node.window_s)}"
                ),
            )
    return at, *_leaf(blamed, readings, seen_s)


def _too_short(node: For, blamed: Reading, at: datetime) -> tuple[datetime, str, str]:
    held_s = _number(blamed)
    then = at + timedelta(seconds=max(0.0, node.for_s - held_s))
    what = "" if blamed.part.root else f"{_subject(blamed.part.condition)} "
    return (
        at,
        "too_short",
        (
            f"would have fired at {then:%H:%M:%S}, but {what}`for: {duration(node.for_s)}` "
            f"was held only {held_s:.1f} s"
        ),
    )


def _leaf(blamed: Reading, readings: Sequence[Reading], seen_s: float) -> tuple[str, str]:
    condition = blamed.part.condition
    if blamed.part.wanted and isinstance(condition, ActivityCondition | MotionCondition):
        asked = condition.above if isinstance(condition, ActivityCondition) else condition.motion
        return "too_low", f"{name_of(condition)} reached only {_number(blamed):.2f} of {asked:.2f}"
    return "condition", f"{_seen(readings, seen_s)}, but {_unmet(blamed)}"


def _unmet(blamed: Reading) -> str:
    condition = blamed.part.condition
    if not blamed.part.wanted:
        return f"{_subject(condition)} held, under `none`"
    if isinstance(condition, ThenCondition):
        of = len(condition.conditions)
        return f"only {blamed.measure} of the {of} steps of `then` came in their order"
    return f"`{name_of(condition)}: {asked_of(condition)}` did not hold: it was {blamed.measure}"


def _seen(readings: Sequence[Reading], seen_s: float) -> str:
    """Return what was seen, for how long: the first activity or motion that held."""
    for reading in readings:
        condition = reading.part.condition
        scored = isinstance(condition, ActivityCondition | MotionCondition)
        if reading.met and scored and not hasattr(reading.part.signal, "children"):
            return f"{name_of(condition)} was seen for {seen_s:.1f} s ({_number(reading):.2f})"
    return "something was seen"


def _subject(condition: Condition) -> str:
    """Return what did or did not hold, for the middle of a sentence."""
    if is_group(condition):
        return f"`{name_of(condition)}`"
    if isinstance(condition, ActivityCondition | MotionCondition):
        return name_of(condition)
    return f"`{name_of(condition)}: {asked_of(condition)}`"


def _blame(when: Condition, readings: Sequence[Reading]) -> Reading:
    """Return the part that kept the whole from holding: the first one, from the inside out."""
    own = [reading for reading in readings if reading.part.condition is when]
    inner = getattr(when, "conditions", ())
    if isinstance(when, AllCondition) and not all(_holds(child, readings) for child in inner):
        first = next(child for child in inner if not _holds(child, readings))
        return _blame(first, readings)
    if isinstance(when, NoneCondition):
        held = [child for child in inner if _holds(child, readings)]
        if held:
            return _last(held[0], readings)
    if isinstance(when, AnyCondition) and not any(_holds(child, readings) for child in inner):
        return _blame(max(inner, key=lambda child: _met(child, readings)), readings)
    return next((reading for reading in own if not reading.met), readings[0])


def _holds(condition: Condition, readings: Sequence[Reading]) -> bool:
    last = _last(condition, readings)
    return last.met


def _last(condition: Condition, readings: Sequence[Reading]) -> Reading:
    """Return the reading of a condition with all that it adds."""
    return [reading for reading in readings if reading.part.condition is condition][-1]


def _met(condition: Condition, readings: Sequence[Reading]) -> float:
    """Return how near a condition was: the part of its own readings that held."""
    own = [reading for reading in readings if reading.part.condition is condition]
    return sum(reading.met for reading in own) / len(own)


def _number(reading: Reading) -> float:
    return reading.measure if isinstance(reading.measure, int | float) else 0.0


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
