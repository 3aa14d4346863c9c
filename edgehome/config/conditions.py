"""What a rule can wait for: one class a condition, named in the file by its first key.

    - activity: climbing      # the key that says which condition it is
      above: 0.5              # keys of its own
      for: 2s                 # keys that every condition may have

A frame makes a condition true or false. What every condition may add is applied in the order of
`Condition`'s fields: first N of M frames, then how long, then how often. docs/reference/rules.md
has the meaning of each in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time

from edgehome.config import lists, values
from edgehome.config.options import conditions, option
from edgehome.types import CameraState, Mode


@dataclass(frozen=True, slots=True)
class Activity:
    """A named group of model labels; a plain label is a group of one."""

    name: str
    labels: tuple[str, ...]
    weights: tuple[float, ...] = ()
    """What each label's probability is multiplied by; none: 1 for all."""


@dataclass(frozen=True, slots=True)
class AtLeast:
    """So many of the last frames."""

    frames: int
    of: int

    @classmethod
    def parse(cls, value: str) -> AtLeast:
        """Return the frames of `3 of 5`; raise ValueError for anything else."""
        return cls(*values.frames_of(value))

    def __str__(self) -> str:
        return f"{self.frames} of {self.of}"


@dataclass(frozen=True, slots=True)
class Between:
    """A daily schedule, over midnight when `start` is later than `end`; `start` in, `end` out."""

    start: time
    end: time

    @classmethod
    def parse(cls, value: str) -> Between:
        """Return the schedule of `22:00-06:00`; raise ValueError for anything else."""
        start, dash, end = value.partition("-")
        if not dash:
            raise ValueError(f"{value!r} is not a span of the day; write for example 22:00-06:00")
        between = cls(values.time_of_day(start), values.time_of_day(end))
        if between.start == between.end:
            raise ValueError("begins when it ends; leave it out for the whole day")
        return between

    def __contains__(self, moment: datetime) -> bool:
        """Return whether the moment's own wall clock is within the schedule."""
        now = moment.time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """What every condition may add, applied in this order."""

    at_least: AtLeast | None = option(
        AtLeast.parse, None, "So many of the last frames, for example 3 of 5."
    )
    for_s: float = option(
        values.Within(values.duration, 0, 86400, "0s to 24h"),
        0.0,
        "How long it must hold without a break.",
        key="for",
    )
    count: int = option(
        values.Within(values.integer, 1, 100, "1 to 100"),
        1,
        "How often it must begin within `window`.",
    )
    window_s: float = option(
        values.Within(values.duration, 1, 86400, "1s to 24h"),
        0.0,
        "The time within which `count` counts.",
        key="window",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityCondition(Condition):
    """Something is going on, by the model's smoothed score."""

    activity: Activity = option(
        values.text, Activity("", ()), "An activity of this file, a pack, or a label of the model."
    )
    above: float = option(
        values.probability,
        0.6,
        "Score at which it begins, 0 to 1; when left out a head's or a pack's own.",
    )
    below: float = option(
        values.probability, 0.4, "Score at which it ends; two thirds of `above` when left out."
    )
    look_back_s: float | None = option(
        values.Within(values.duration, 0.5, 60, "500ms to 60s"),
        None,
        "A shorter look back than the recogniser's, for the model's own labels.",
        key="look_back",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionCondition(Condition):
    """Something moves; 0 is a still picture, 1 is all of it."""

    motion: float = option(values.probability, 0.05, "Part of the picture that moves, 0 to 1.")
    below: float = option(
        values.probability, 0.025, "Motion at which it ends; half of `motion` when left out."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraCondition(Condition):
    """Something is wrong with the camera's view: one of these."""

    camera: tuple[CameraState, ...] = option(
        lists.words(*CameraState), (), "covered, moved, defocused, frozen or dark; one or a list."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BetweenCondition(Condition):
    """It is this time of day."""

    between: Between = option(
        Between.parse,
        Between(time(0), time(12)),
        "Time of day, over midnight too, for example 22:00-06:00.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekdaysCondition(Condition):
    """It is one of these days."""

    weekdays: tuple[int, ...] = option(
        lists.WEEKDAYS, (), "mon, tue, wed, thu, fri, sat, sun, a span such as mon-fri, or a list."
    )
    """0 is Monday, as in `datetime.weekday`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SunCondition(Condition):
    """The sun is on this side of its rise or set; needs `location`."""

    sun: str = option(
        values.Choice(("after sunset", "before sunrise", "after sunrise", "before sunset")),
        "after sunset",
        "after sunset or before sunrise (both by night), after sunrise or before sunset (by day).",
    )
    offset_s: float = option(
        values.Within(values.signed_duration, -43200, 43200, "-12h to 12h"),
        0.0,
        "Moves the sunset or sunrise that is named, for example 30m or -1h.",
        key="offset",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmedCondition(Condition):
    """The home is in one of these modes."""

    armed: tuple[Mode, ...] = option(
        lists.words(*Mode, every="any"),
        (),
        "home, away, night, disarmed or any; one or a list. Set from Home Assistant.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AfterBootCondition(Condition):
    """The node has run for so long: nothing of its first moments counts."""

    after_boot_s: float = option(
        values.Within(values.duration, 1, 86400, "1s to 24h"),
        60.0,
        "So long after the node's start.",
        key="after_boot",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusualCondition(Condition):
    """Something goes on that is rare here, by what the node has learnt of the place."""

    unusual: float = option(
        values.rarity, 7.0, "once_a_day, once_a_week, once_a_month or a time such as once_in: 3d."
    )
    """Days in which it may come once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllCondition(Condition):
    """All of these hold."""

    conditions: tuple[Condition, ...] = conditions("All of these hold.", key="all")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyCondition(Condition):
    """At least one of these holds."""

    conditions: tuple[Condition, ...] = conditions("At least one of these holds.", key="any")


@dataclass(frozen=True, slots=True, kw_only=True)
class NoneCondition(Condition):
    """Not one of these holds."""

    conditions: tuple[Condition, ...] = conditions("Not one of these holds.", key="none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThenCondition(Condition):
    """These begin one after the other, each soon after the one before; held by the last."""

    conditions: tuple[Condition, ...] = conditions(
        "These begin in this order, each within `gap` of the last moment of the one before.",
        key="then",
    )
    gap_s: float = option(
        values.Within(values.duration, 0.1, 86400, "100ms to 24h"),
        10.0,
        "The longest time between one and the next.",
        key="gap",
    )


CONDITIONS: dict[str, type[Condition]] = {
    "activity": ActivityCondition,
    "motion": MotionCondition,
    "camera": CameraCondition,
    "between": BetweenCondition,
    "weekdays": WeekdaysCondition,
    "sun": SunCondition,
    "armed": ArmedCondition,
    "after_boot": AfterBootCondition,
    "unusual": UnusualCondition,
    "all": AllCondition,
    "any": AnyCondition,
    "none": NoneCondition,
    "then": ThenCondition,
}
"""Every condition by the key that says which it is."""


def label_of(condition: Condition) -> str:
    """Return the first activity's name in it; the first condition's own key where there is none."""
    first = ""
    for inner in walk(condition):
        if isinstance(inner, ActivityCondition):
            return inner.activity.name
        first = first or ("" if is_group(inner) else key_of(inner))
    return first


def walk(condition: Condition) -> Iterator[Condition]:
    """Yield the condition and all within it, as the file has them, from top to bottom."""
    yield condition
    for inner in getattr(condition, "conditions", ()):
        yield from walk(inner)


def is_group(condition: Condition) -> bool:
    """Return whether it is made of other conditions."""
    return isinstance(condition, AllCondition | AnyCondition | NoneCondition | ThenCondition)


def key_of(condition: Condition) -> str:
    """Return the key that names the condition in the file."""
    return next(key for key, kind in CONDITIONS.items() if kind is type(condition))
