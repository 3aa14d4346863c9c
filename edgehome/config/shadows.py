"""Rules that tell nothing which another rule has not told.

One condition implies another when the other holds whenever the one does. Covered: the same
activity, motion, camera, schedule, weekdays, modes and time since boot with equal or wider values,
the same `sun`, and lists of these; groups within a list only where they are the same but for
`for`. A rule with further conditions implies the same rule without them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edgehome.config.conditions import (
    ActivityCondition,
    AfterBootCondition,
    AllCondition,
    ArmedCondition,
    BetweenCondition,
    CameraCondition,
    Condition,
    MotionCondition,
    UnusualCondition,
    WeekdaysCondition,
    walk,
)
from edgehome.config.moments import at_times
from edgehome.config.types import Rule
from edgehome.types import Mode, Severity

SEVERITIES = tuple(Severity)
Parts = tuple[Condition, ...]
Signature = frozenset[tuple[object, ...]]


def shadowed(rules: tuple[Rule, ...]) -> Iterator[tuple[Rule, Rule]]:
    """Yield each rule that another one makes superfluous, and that other one.

    A rule that is more severe than the other is none of these: it says more.
    """
    parts = [_parts_of_rule(rule) for rule in rules]
    by_signature: dict[Signature, list[int]] = {}
    for n, mine in enumerate(parts):
        by_signature.setdefault(_signature(mine), []).append(n)
    for n, mine in enumerate(parts):
        signature = _signature(mine)
        near = [m for other, found in by_signature.items() if other <= signature for m in found]
        for m in sorted(near):
            if m != n and _is_shadow(rules[n], rules[m]) and _imply(mine, parts[m]):
                if m > n and _imply(parts[m], mine) and _is_shadow(rules[m], rules[n]):
                    continue  # they are the same: the later one is told
                yield rules[n], rules[m]
                break


def _is_shadow(rule: Rule, other: Rule) -> bool:
    return SEVERITIES.index(rule.severity) <= SEVERITIES.index(other.severity)


def _parts_of_rule(rule: Rule) -> Parts:
    """Return the parts of `when`, and that a rule which says nothing of modes rests in one."""
    parts = parts_of(rule.when)
    if any(isinstance(condition, ArmedCondition) for condition in walk(rule.when)):
        return parts
    return (*parts, ArmedCondition(armed=(Mode.HOME, Mode.AWAY, Mode.NIGHT)))


def parts_of(condition: Condition) -> Parts:
    """Return conditions which all hold exactly when this one does.

    That all hold for a time is that each has held for it, so a list's `for` goes to its items.
    """
    if not isinstance(condition, AllCondition) or _counts(condition):
        return (condition,)
    found = tuple(part for inner in condition.conditions for part in parts_of(inner))
    if not condition.for_s:
        return found
    if any(_counts(part) for part in found):
        return (condition,)
    return tuple(replace(part, for_s=part.for_s + condition.for_s) for part in found)


def _counts(condition: Condition) -> bool:
    return condition.at_least is not None or condition.count > 1 or condition.window_s > 0


def _signature(parts: Parts) -> Signature:
    """Return what must be within that of another for these to be implied by it."""
    return frozenset(_kind(part) for part in parts)


def _kind(part: Condition) -> tuple[object, ...]:
    if isinstance(part, ActivityCondition):
        return (type(part), part.activity.name, part.look_back_s)
    return (type(part),)


def _imply(mine: Parts, others: Parts) -> bool:
    return all(any(implies(part, other) for part in mine) for other in others)


def implies(one: Condition, other: Condition) -> bool:
    """Return whether the other certainly holds whenever the one does."""
    if one == other:
        return True
    if _kind(one) != _kind(other) or one.for_s < other.for_s:
        return False
    if one.at_least != other.at_least or any(c.count > 1 or c.window_s for c in (one, other)):
        return False
    return _covers(other, one)


def _covers(wide: Condition, narrow: Condition) -> bool:
    """Return whether the wide one holds at each frame at which the narrow one does."""
    match wide, narrow:
        case ActivityCondition(), ActivityCondition():
            same = wide.activity == narrow.activity
            covers = same and wide.above <= narrow.above and wide.below <= narrow.below
        case MotionCondition(), MotionCondition():
            covers = wide.motion <= narrow.motion and wide.below <= narrow.below
        case CameraCondition(), CameraCondition():
            covers = set(narrow.camera) <= set(wide.camera)
        case ArmedCondition(), ArmedCondition():
            covers = set(narrow.armed) <= set(wide.armed)
        case WeekdaysCondition(), WeekdaysCondition():
            covers = set(narrow.weekdays) <= set(wide.weekdays)
        case BetweenCondition(), BetweenCondition():
            covers = not at_times(narrow.between) & ~at_times(wide.between)
        case AfterBootCondition(), AfterBootCondition():
            covers = wide.after_boot_s <= narrow.after_boot_s
        case UnusualCondition(), UnusualCondition():
            covers = wide.unusual <= narrow.unusual
        case _:
            covers = replace(wide, for_s=0.0) == replace(narrow, for_s=0.0)
    return covers
