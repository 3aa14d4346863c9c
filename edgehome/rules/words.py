"""A rule's conditions in the file's own words."""

from __future__ import annotations

from edgehome.config.conditions import (
    ActivityCondition,
    AfterBootCondition,
    AllCondition,
    AnyCondition,
    ArmedCondition,
    BetweenCondition,
    CameraCondition,
    Condition,
    MotionCondition,
    SunCondition,
    ThenCondition,
    UnusualCondition,
    WeekdaysCondition,
    key_of,
)
from edgehome.config.values import RARITIES

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UNITS = (("d", 86400), ("h", 3600), ("m", 60))


def duration(seconds: float) -> str:
    """Return seconds as the file has them: `500ms`, `2s`, `10m`, `1h`."""
    if 0 < abs(seconds) < 1:
        return f"{seconds * 1000:g}ms"
    for unit, size in _UNITS:
        if seconds and seconds % size == 0:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"


def rarity(days: float) -> str:
    """Return how rare something is that comes once in so many days: `once in 5.2d`."""
    for word, usual in RARITIES.items():
        if days == usual:
            return word
    return f"once in {days:.3g}d" if days else "nothing unusual"


def name_of(condition: Condition) -> str:
    """Return what a condition is called in a sentence: its activity, or its key."""
    return (
        condition.activity.name if isinstance(condition, ActivityCondition) else key_of(condition)
    )


def asked_of(condition: Condition) -> str:
    """Return what a condition asks for, without what it adds."""
    match condition:
        case ActivityCondition():
            return f"{condition.above:g}"
        case MotionCondition():
            return f"{condition.motion:g}"
        case AllCondition():
            return "all"
        case AnyCondition():
            return "any"
        case ThenCondition():
            return f"{len(condition.conditions)} within {duration(condition.gap_s)}"
    return _state_asked(condition)


def _state_asked(condition: Condition) -> str:
    """Return what a condition on no score asks for; of `none`, that nothing holds."""
    match condition:
        case CameraCondition(camera=words) | ArmedCondition(armed=words):
            return ", ".join(map(str, words))
        case AfterBootCondition():
            return duration(condition.after_boot_s)
        case UnusualCondition():
            return rarity(condition.unusual)
        case BetweenCondition():
            return str(condition.between)
        case WeekdaysCondition():
            return ", ".join(DAYS[day] for day in condition.weekdays)
    return _sun(condition) if isinstance(condition, SunCondition) else "0"


def _sun(condition: SunCondition) -> str:
    if not condition.offset_s:
        return condition.sun
    sign = "+" if condition.offset_s > 0 else ""
    return f"{condition.sun} {sign}{duration(condition.offset_s)}"
