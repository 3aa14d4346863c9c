"""Conditions that can never hold, as far as the file alone tells.

Covered: schedules, weekdays, sides of the sun (without an offset that reaches over) and modes that
have no moment in common; `none` of what `all` asks for; `for` longer than the schedule around it;
`above` higher than the labels' weights allow; a `count` that its `for` leaves no room for in
`window`. What it says is so; what it does not say may still never happen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from itertools import combinations
from operator import and_, or_

from edgehome.config import moments
from edgehome.config.conditions import (
    Activity,
    ActivityCondition,
    AllCondition,
    ArmedCondition,
    BetweenCondition,
    Condition,
    NoneCondition,
    SunCondition,
    ThenCondition,
    WeekdaysCondition,
    key_of,
)
from edgehome.config.lists import DAYS
from edgehome.config.moments import ALL, Moments
from edgehome.config.shadows import implies, parts_of

Tell = Callable[[Condition, str], None]
"""Takes a condition that can never hold, and why."""


@dataclass(frozen=True, slots=True)
class Span:
    """When a condition may hold."""

    possible: Moments
    """It does not hold at any other moment."""
    certain: Moments = 0
    """It holds at each of these, whatever is seen."""


def span(condition: Condition, thresholds: Mapping[str, float], tell: Tell) -> Span:
    """Return when the condition may hold; tell of each part that never can, the innermost only.

    `thresholds` are those of the model's heads: their scores are independent of each other.
    """
    inner = [span(each, thresholds, tell) for each in getattr(condition, "conditions", ())]
    bare = _bare(condition, inner, thresholds)
    if not bare.possible:
        if all(each.possible for each in inner) or isinstance(condition, NoneCondition):
            tell(condition, _why(condition, inner, thresholds))
        return bare
    if not _is_plain(condition):
        reason = _too_long(condition, bare)
        if reason:
            tell(condition, reason)
            return Span(0)
        # What is counted, in frames or in beginnings, may hold for a while after its last one.
        lasts = condition.at_least or condition.count > 1 or condition.window_s
        return Span(ALL if lasts else bare.possible)
    return bare


def _is_plain(condition: Condition) -> bool:
    own = (condition.at_least, condition.for_s, condition.count, condition.window_s)
    return own == (None, 0.0, 1, 0.0)


def _bare(condition: Condition, inner: list[Span], thresholds: Mapping[str, float]) -> Span:
    """Return when the condition may hold without what every condition may add."""
    found = Span(ALL)
    match condition:
        case BetweenCondition():
            found = _exact(moments.at_times(condition.between))
        case WeekdaysCondition():
            found = _exact(moments.on_days(condition.weekdays))
        case ArmedCondition():
            found = _exact(moments.in_modes(condition.armed))
        case SunCondition():
            found = _sun(condition)
        case ActivityCondition():
            reached = condition.above <= _highest(condition.activity, thresholds)
            found = Span(ALL if reached else 0)
        case _ if inner:
            found = _group(condition, inner)
    return found


def _group(condition: Condition, inner: list[Span]) -> Span:
    possible = reduce(and_, (each.possible for each in inner))
    certain = reduce(and_, (each.certain for each in inner))
    if isinstance(condition, AllCondition):
        return Span(0 if _excluded(condition) else possible, certain)
    if isinstance(condition, ThenCondition):
        return Span(inner[-1].possible if all(each.possible for each in inner) else 0)
    possible = reduce(or_, (each.possible for each in inner))
    certain = reduce(or_, (each.certain for each in inner))
    if isinstance(condition, NoneCondition):
        return Span(ALL & ~certain, ALL & ~possible)
    return Span(possible, certain)


def _exact(found: Moments) -> Span:
    return Span(found, found)


def _sun(condition: SunCondition) -> Span:
    side = moments.by_night(night=condition.sun in {"after sunset", "before sunrise"})
    if not condition.offset_s:
        return _exact(side)
    narrower = (condition.offset_s > 0) == condition.sun.startswith("after")
    return Span(side if narrower else ALL)


def _highest(activity: Activity, thresholds: Mapping[str, float]) -> float:
    """Return the highest score: the probabilities of labels that are no heads add up to 1."""
    weights = activity.weights or (1.0,) * len(activity.labels)
    pairs = list(zip(activity.labels, weights, strict=True))
    heads = sum(weight for label, weight in pairs if label in thresholds)
    others = max((weight for label, weight in pairs if label not in thresholds), default=0.0)
    return min(1.0, heads + others)


def _excluded(condition: AllCondition) -> Condition | None:
    """Return what a `none` excludes although it is asked for beside it."""
    beside = parts_of(_loose(condition))
    for none in beside:
        if isinstance(none, NoneCondition) and _is_plain(none):
            for excluded in none.conditions:
                if any(implies(part, excluded) for part in beside):
                    return excluded
    return None


def _too_long(condition: Condition, bare: Span) -> str:
    """Return why there is not enough time, if there is not."""
    longest = moments.longest_minutes(bare.possible)
    if longest is not None and condition.for_s >= longest * 60:
        return f"`for` asks for {_time(condition.for_s)}, and it holds for {longest} min at most"
    least_s = (condition.count - 1) * condition.for_s
    if condition.window_s and least_s > condition.window_s:
        return (
            f"{condition.count} times with `for: {_time(condition.for_s)}` take longer than "
            f"`window: {_time(condition.window_s)}`"
        )
    return ""


def _why(condition: Condition, inner: list[Span], thresholds: Mapping[str, float]) -> str:
    if isinstance(condition, ActivityCondition):
        highest = _highest(condition.activity, thresholds)
        return f"above {condition.above:g} is out of reach: with these weights {highest:g} is most"
    if isinstance(condition, NoneCondition):
        return "something of what it excludes always holds"
    excluded = _excluded(condition) if isinstance(condition, AllCondition) else None
    if excluded:
        return f"`none` excludes {words(excluded)}, which is asked for too"
    placed = zip(getattr(condition, "conditions", ()), inner, strict=True)
    for (one, first), (other, second) in combinations(placed, 2):
        if not first.possible & second.possible:
            return f"{words(one)} and {words(other)} never hold at the same time"
    return "its times, days and modes have no moment in common"


def _loose(condition: Condition) -> Condition:
    return replace(condition, at_least=None, for_s=0.0, count=1, window_s=0.0)


def words(condition: Condition) -> str:
    """Return a short name for the condition, as the file has it."""
    match condition:
        case ActivityCondition():
            return f"`{condition.activity.name}`"
        case BetweenCondition():
            return f"`between: {condition.between}`"
        case WeekdaysCondition():
            return f"`weekdays: {', '.join(DAYS[day] for day in condition.weekdays)}`"
        case ArmedCondition():
            return f"`armed: {', '.join(condition.armed)}`"
        case SunCondition():
            return f"`sun: {condition.sun}`"
        case _:
            return f"`{key_of(condition)}`"


def _time(seconds: float) -> str:
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
