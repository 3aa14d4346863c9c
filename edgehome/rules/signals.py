"""What rules look at beside scores: the mode, the camera, what is unusual, the time, the age.

Each condition is one signal, however many rules have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from edgehome.config.conditions import (
    AfterBootCondition,
    ArmedCondition,
    BetweenCondition,
    CameraCondition,
    Condition,
    SunCondition,
    UnusualCondition,
    WeekdaysCondition,
)
from edgehome.events import Signal
from edgehome.rules.daylight import Daylight
from edgehome.rules.timing import ROUNDING_S, Clock
from edgehome.rules.words import DAYS, rarity
from edgehome.types import CameraState, Mode, Scores, SunTimes

OVER_S = 10.0
"""After so long without, what is unusual is over until the next episode."""

Judge = Callable[[Clock], bool]
Tell = Callable[[Clock], str]


class Judged(Signal):
    """A signal that is judged by a function of the clock."""

    __slots__ = ("judge", "tell")

    def __init__(self, judge: Judge, tell: Tell) -> None:
        super().__init__()
        self.judge = judge
        self.tell = tell

    def measure(self, clock: Clock) -> str:
        """Return what there is instead of a score, for example the mode."""
        return self.tell(clock)


class Occurrence:
    """Whether something so rare goes on: once in each episode, until it was over for a while.

    How rare something is rests on the highest score of an episode, which therefore counts once.
    Where nobody names episodes it is looked at frame by frame.
    """

    def __init__(self, days: float) -> None:
        """Take the days in which it comes once."""
        self._days = days
        self._episode = self._over = 0.0
        """That in which it goes on, and the one in which it did last; 0 for none."""
        self._last_s = 0.0

    def __call__(self, clock: Clock) -> bool:
        """Return whether it goes on in this frame."""
        if clock.unusual >= self._days:
            if clock.episode and clock.episode == self._over:
                return False
            self._episode, self._last_s = clock.episode, clock.true_s
            return True
        if not self._episode:
            return False
        if clock.true_s - self._last_s <= OVER_S:
            return True
        self._over, self._episode = self._episode, 0.0
        return False


class Signals:
    """Every signal that is not a score's level, from frame to frame."""

    def __init__(self, sun: SunTimes | None) -> None:
        """Take the sun over the home; without it no condition on the sun holds."""
        self._daylight = Daylight(sun) if sun else None
        self._found: dict[Condition, Judged] = {}
        self._by_minute: list[Judged] = []
        self._by_camera: list[Judged] = []
        self._by_mode: list[Judged] = []
        self._by_age: list[Judged] = []
        self._by_rarity: list[Judged] = []
        self._minute: tuple[int, int, int] | None = None
        self._camera: frozenset[CameraState] | None = None
        self._mode: Mode | None = None
        self._unusual: float | None = None

    def signal(self, condition: Condition) -> Judged:
        """Return the signal of a condition; one that is new is judged with the next frame."""
        if condition not in self._found:
            self._found[condition] = self._make(condition)
        return self._found[condition]

    def update(self, scores: Scores, clock: Clock) -> list[Signal]:
        """Return the signals that this frame changes."""
        changed: list[Signal] = []
        if scores.camera != self._camera:
            self._camera = clock.camera = scores.camera
            changed += _judge(self._by_camera, clock)
        if scores.unusual != self._unusual or any(signal.value for signal in self._by_rarity):
            self._unusual = clock.unusual = scores.unusual
            clock.episode, clock.resembles = scores.episode, scores.resembles
            changed += _judge(self._by_rarity, clock)
        if clock.mode is not self._mode:
            self._mode = clock.mode
            changed += _judge(self._by_mode, clock)
        if self._by_minute:
            at = scores.at
            minute = (at.minute, at.hour, at.toordinal())
            if minute != self._minute:
                self._minute = minute
                changed += _judge(self._by_minute, clock)
        if self._by_age:
            changed += self._grow(clock)
        return changed

    def _grow(self, clock: Clock) -> Iterator[Signal]:
        """Yield the signals for which the node is now old enough: they never change again."""
        yield from (old := _judge(self._by_age, clock))
        if old:
            self._by_age = [signal for signal in self._by_age if not signal.value]

    def _make(self, condition: Condition) -> Judged:
        match condition:
            case CameraCondition(camera=states):
                judge, tell = (lambda clock: not clock.camera.isdisjoint(states)), _tell_camera
                return self._add(self._by_camera, judge, tell)
            case ArmedCondition(armed=modes):
                return self._add(self._by_mode, lambda clock: clock.mode in modes, _tell_mode)
            case UnusualCondition():
                return self._add(self._by_rarity, Occurrence(condition.unusual), _tell_rarity)
            case AfterBootCondition(after_boot_s=seconds):
                judge = lambda clock: clock.age_s() >= seconds - ROUNDING_S  # noqa: E731
                return self._add(self._by_age, judge, _tell_age)
        return self._make_by_minute(condition)

    def _make_by_minute(self, condition: Condition) -> Judged:
        judge: Judge
        match condition:
            case BetweenCondition(between=between):
                judge, tell = (lambda clock: _minute(clock) in between), _tell_time
            case WeekdaysCondition(weekdays=days):
                judge, tell = (lambda clock: clock.wall().weekday() in days), _tell_day
            case SunCondition():
                judge, tell = (lambda clock: self._by_sun(condition, clock)), _tell_time
            case _:
                raise TypeError(f"{condition!r} is not looked at")
        return self._add(self._by_minute, judge, tell)

    def _add(self, group: list[Judged], judge: Judge, tell: Tell) -> Judged:
        signal = Judged(judge, tell)
        group.append(signal)
        self._minute = self._camera = self._mode = self._unusual = None
        return signal

    def _by_sun(self, condition: SunCondition, clock: Clock) -> bool:
        daylight = self._daylight
        return daylight is not None and daylight.holds(condition, _minute(clock))


def _judge(signals: list[Judged], clock: Clock) -> list[Signal]:
    """Return those of the signals that are not what they were."""
    changed: list[Signal] = []
    for signal in signals:
        value = signal.judge(clock)
        if value is not signal.value:
            signal.value, signal.since = value, clock.at
            changed.append(signal)
    return changed


def _minute(clock: Clock) -> datetime:
    """Return the frame's wall clock by the minute; its seconds are not looked at."""
    return clock.wall().replace(second=0, microsecond=0)


def _tell_camera(clock: Clock) -> str:
    return ", ".join(sorted(clock.camera)) or "well"


def _tell_mode(clock: Clock) -> str:
    return str(clock.mode)


def _tell_age(clock: Clock) -> str:
    return f"{clock.age_s():.0f}s"


def _tell_rarity(clock: Clock) -> str:
    like = f"; {clock.resembles}" if clock.resembles else ""
    return rarity(clock.unusual) + like


def _tell_time(clock: Clock) -> str:
    return f"{clock.wall():%H:%M}"


def _tell_day(clock: Clock) -> str:
    return DAYS[clock.wall().weekday()]
