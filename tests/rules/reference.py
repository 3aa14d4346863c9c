"""The rules' semantics as plainly as they can be written: slow, and nothing of the engine in it.

Every condition is worked out for every frame from the whole history. `docs/reference/rules.md` is
what it is written from; the property test holds the engine to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Any

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
    NoneCondition,
    SunCondition,
    ThenCondition,
    UnusualCondition,
    WeekdaysCondition,
)
from edgehome.config.types import Config, Rule
from edgehome.types import Mode, Scores, SunDay

TINY_S = 1e-6
GAP_S = 2.0
FORGET_S = 30.0


def plain_sun(day: date, zone: tzinfo) -> SunDay:
    """A sun that keeps to the clock, and in December does not rise."""
    if day.month == 12:
        return SunDay(None, None, up=False)
    at = datetime(day.year, day.month, day.day, tzinfo=zone)
    return SunDay(at + timedelta(hours=6), at + timedelta(hours=20), up=True)


@dataclass
class Seen:
    """One frame, and where it stands in time."""

    scores: Scores
    mode: Mode
    true_s: float
    seen_s: float
    age_s: float
    elapsed_s: float
    forgets: bool


@dataclass
class Standing:
    """One rule's state from frame to frame."""

    rule: Rule
    state: str = "inactive"
    over_s: float | None = None
    told: bool = False
    alerted_s: float | None = None
    muted: bool = False
    begins: list[int] = field(default_factory=list)
    """Frames at which it began anew."""


@dataclass
class Outcome:
    """What an operation came to."""

    alerts: list[tuple[str, int, str]] = field(default_factory=list)
    """Rule, folded, message."""
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    """Rule, old state, new state."""
    edges: list[tuple[str, str]] = field(default_factory=list)
    """Activity, edge."""


class Reference:
    """All rules, one frame after the other."""

    def __init__(self, config: Config, period_s: float) -> None:
        self.config = config
        self.period_s = period_s
        self.frames: list[Seen] = []
        self.rules = [Standing(rule) for rule in config.rules]
        self.last_s: float | None = None
        self.gap_s: float | None = period_s
        self.waited_s = 0.0
        self.seen_one = True
        self.booted_s: float | None = None
        self.forgot = True
        self.raised_s: list[float] = []
        self.last_alert_s: dict[str, float] = {}
        self.folded: dict[str, int] = {}
        self.cache: dict[Any, Any] = {}

    # What may happen

    def frame(self, scores: Scores, mode: Mode) -> Outcome:
        outcome = Outcome()
        step_s = self._step(scores.time_s)
        backwards = step_s < 0
        if backwards:
            step_s = FORGET_S + self.period_s
        missing = step_s > GAP_S
        before = self.frames[-1] if self.frames else None
        true_s = (before.true_s if before else 0.0) + step_s
        seen_s = (before.seen_s if before else 0.0) + (self.period_s if missing else step_s)
        if self.booted_s is None:
            self.booted_s = true_s
        forgets = missing and step_s > FORGET_S
        if forgets:
            self._forget(outcome)
        seen = Seen(
            scores, mode, true_s, seen_s, true_s - self.booted_s,
            self.period_s if missing else step_s, forgets or self.forgot,
        )  # fmt: skip
        self.forgot = False
        self.frames.append(seen)
        self.cache.clear()
        self.last_s, self.gap_s, self.seen_one = scores.time_s, None, True
        self._release(true_s, outcome)
        for rule in self.rules:
            self._judge(rule, before, outcome)
        outcome.edges += self._edges()
        return outcome

    def idle(self, time_s: float) -> Outcome:
        outcome = Outcome()
        step_s = self._step(time_s)
        true_s = (self.frames[-1].true_s if self.frames else 0.0) + step_s
        if self.booted_s is None:
            self.booted_s = true_s
        if not self.frames:
            return outcome
        if step_s > FORGET_S and not self.forgot:
            self._forget(outcome)
            self.forgot = True
        self._release(true_s, outcome)
        return outcome

    def restart(self, gap_s: float) -> None:
        """Another process, whose first moment comes `gap_s` after the last frame.

        Where the last process saw none, the time for which it waited counts too.
        """
        if self.frames:
            waited_s = 0.0 if self.seen_one else self.waited_s
            self.gap_s = self.waited_s = gap_s + waited_s
            self.last_s, self.seen_one = None, False
        else:
            self.gap_s, self.last_s = self.period_s, None
        self.booted_s = None

    def mute(self, name: str, *, muted: bool) -> None:
        for standing in self.rules:
            if standing.rule.name == name:
                standing.muted = muted

    # Time

    def _step(self, time_s: float) -> float:
        if self.last_s is None:
            self.last_s = time_s - (self.gap_s or 0.0)
        self.waited_s = max(0.0, time_s - self.last_s)
        return time_s - self.last_s

    def _forget(self, outcome: Outcome) -> None:
        for standing in self.rules:
            if standing.state != "inactive":
                outcome.changes.append((standing.rule.name, standing.state, "inactive"))
            standing.state, standing.over_s = "inactive", None
        for key in self._watched():
            if self.frames and not self.forgot and self._level(key)[-1]:
                outcome.edges.append((key[0].name, "offset"))
        self.forgot = True

    # Scores and their levels

    def _score(self, activity: Any, look_back_s: float | None) -> list[float]:
        score, found = 0.0, []
        for frame in self.frames:
            if frame.forgets:
                score = 0.0
            raw = 0.0
            for n, label in enumerate(activity.labels):
                value = frame.scores.probabilities.get(label, 0.0)
                if look_back_s:
                    value = frame.scores.probabilities.get(f"{label}@{look_back_s:g}s", value)
                raw += (activity.weights[n] if activity.weights else 1.0) * value
            smoothing_s = self.config.events.smoothing_s
            keep = math.exp(-frame.elapsed_s / smoothing_s) if smoothing_s else 0.0
            score = keep * score + (1 - keep) * min(1.0, raw)
            found.append(score)
        return found

    def _hysteresis(self, values: list[float], above: float, below: float) -> list[bool]:
        on, found = False, []
        for frame, value in zip(self.frames, values, strict=True):
            if frame.forgets:
                on = False
            on = value > below if on else value >= above
            found.append(on)
        return found

    def _level(self, key: Any) -> list[bool]:
        if key not in self.cache:
            activity, look_back_s, above, below = key
            self.cache[key] = self._hysteresis(self._score(activity, look_back_s), above, below)
        found: list[bool] = self.cache[key]
        return found

    def _watched(self) -> list[Any]:
        keys = {}
        for standing in self.rules:
            for condition in _walk(standing.rule.when):
                if isinstance(condition, ActivityCondition):
                    keys[_key(condition)] = None
        return list(keys)

    def _edges(self) -> list[tuple[str, str]]:
        edges = []
        for key in self._watched():
            level = self._level(key)
            before = len(level) > 1 and not self.frames[-1].forgets and level[-2]
            if level[-1] != before:
                edges.append((key[0].name, "onset" if level[-1] else "offset"))
        return edges

    # Conditions, each as a list of what it was in every frame

    def _series(self, condition: Condition, begins: list[int], until: str = "count") -> list[bool]:
        """Return a condition with what it adds, up to `at_least`, `for` or `count`."""
        found = self._bare(condition, begins)
        if condition.at_least:
            frames, of = condition.at_least.frames, condition.at_least.of
            found = [
                sum(found[max(_begin(begins, n), n - of + 1) : n + 1]) >= frames
                for n in range(len(found))
            ]
        if until == "at_least":
            return found
        if condition.for_s:
            found = [self._held_for(found, n, begins, condition.for_s) for n in range(len(found))]
        if condition.window_s:
            began = [
                n
                for n, holds in enumerate(found)
                if holds and (n == _begin(begins, n) or not found[n - 1])
            ]
            found = [
                sum(
                    self.frames[n].true_s - self.frames[b].true_s < condition.window_s + TINY_S
                    for b in began
                    if b <= n
                )
                >= condition.count
                for n in range(len(found))
            ]
        return found

    def _held_for(self, series: list[bool], n: int, begins: list[int], for_s: float) -> bool:
        if not series[n]:
            return False
        first = n
        while first > _begin(begins, n) and series[first - 1]:
            first -= 1
        return self.frames[n].seen_s - self.frames[first].seen_s >= for_s - TINY_S

    def _bare(self, condition: Condition, begins: list[int]) -> list[bool]:
        match condition:
            case ActivityCondition():
                return self._level(_key(condition))
            case MotionCondition():
                values = [frame.scores.motion for frame in self.frames]
                return self._hysteresis(values, condition.motion, condition.below)
            case UnusualCondition():
                return [frame.scores.unusual >= condition.unusual for frame in self.frames]
            case AllCondition() | AnyCondition() | NoneCondition() | ThenCondition():
                inner = [self._series(child, begins) for child in condition.conditions]
                return self._group(condition, inner, begins)
        return [_at(condition, frame) for frame in self.frames]

    def _group(
        self, condition: Condition, inner: list[list[bool]], begins: list[int]
    ) -> list[bool]:
        columns = list(zip(*inner, strict=True))
        if isinstance(condition, AllCondition):
            return [all(column) for column in columns]
        if isinstance(condition, AnyCondition):
            return [any(column) for column in columns]
        if isinstance(condition, NoneCondition):
            return [not any(column) for column in columns]
        assert isinstance(condition, ThenCondition)
        found: list[bool] = []
        for begin, end in zip(begins, [*begins[1:], len(columns)], strict=True):
            found += self._then([column[begin:end] for column in inner], begin, condition.gap_s)
        return found

    def _then(self, inner: list[list[bool]], offset: int, gap_s: float) -> list[bool]:
        """Return `then` from one beginning to the next; `offset` is the number of its first frame.

        `anew`: from this frame on beginnings count, those before were used up.
        """
        time_s = [frame.true_s for frame in self.frames[offset : offset + len(inner[0])]]
        found, anew, n = [False] * len(time_s), 0, 0
        while n < len(time_s):
            if not _last_begins(inner, time_s, anew, n, gap_s):
                n += 1
                continue
            while n < len(time_s) and inner[-1][n]:
                found[n] = True
                n += 1
            anew = n
        return found

    # Rules

    def _judge(self, standing: Standing, before: Seen | None, outcome: Outcome) -> None:
        rule, now = standing.rule, self.frames[-1]
        rests = not any(isinstance(item, ArmedCondition) for item in _walk(rule.when))
        armed_again = (
            rests
            and before is not None
            and before.mode is Mode.DISARMED
            and now.mode is not Mode.DISARMED
        )
        if now.forgets or armed_again or not standing.begins:
            standing.begins.append(len(self.frames) - 1)
        held = self._series(rule.when, standing.begins, until="at_least")[-1]
        met = self._series(rule.when, standing.begins)[-1]
        old = standing.state
        standing.state = _next(standing, rests and now.mode is Mode.DISARMED, held, met, now)
        if standing.state != old:
            outcome.changes.append((rule.name, old, standing.state))
            if standing.state == "firing":
                standing.told = False
        if standing.state == "firing" and (held or met) and not standing.muted:
            self._alert(standing, now, outcome)

    def _alert(self, standing: Standing, now: Seen, outcome: Outcome) -> None:
        rule = standing.rule
        if standing.told and not rule.repeat_interval_s:
            return
        if standing.alerted_s is not None:
            since_s = now.true_s - standing.alerted_s
            if since_s < rule.repeat_interval_s - TINY_S:
                return
        standing.told, standing.alerted_s = True, now.true_s
        last_s = self.last_alert_s.get(rule.name)
        self.last_alert_s[rule.name] = now.true_s
        window_s = self.config.alerts.window_s
        first = last_s is None or now.true_s - last_s >= window_s - TINY_S
        if first or self._room(now.true_s):
            self.raised_s.append(now.true_s)
            outcome.alerts.append((rule.name, 0, rule.message))
        else:
            self.folded[rule.name] = self.folded.get(rule.name, 0) + 1

    def _room(self, true_s: float) -> bool:
        recent = [s for s in self.raised_s if true_s - s < self.config.alerts.window_s - TINY_S]
        return len(recent) < self.config.alerts.limit

    def _release(self, true_s: float, outcome: Outcome) -> None:
        if not self.folded or not self._room(true_s):
            return
        self.raised_s.append(true_s)
        order = ["critical", "warning", "info"]
        severity = {rule.name: str(rule.severity) for rule in self.config.rules}
        most = sorted(self.folded, key=lambda name: (-self.folded[name], name))
        worst = min(most, key=lambda name: order.index(severity[name]))
        total = sum(self.folded.values())
        listed = ", ".join(f"{name} {self.folded[name]}" for name in most)
        plural = "" if total == 1 else "s"
        outcome.alerts.append((worst, total, f"{total} more alert{plural}: {listed}"))
        self.folded = {}


def _next(standing: Standing, rests: bool, held: bool, met: bool, now: Seen) -> str:
    if rests:
        standing.over_s = None
        return "inactive"
    if standing.state != "firing":
        standing.over_s = None
        return "firing" if met else "pending" if held else "inactive"
    if held or met:
        standing.over_s = None
        return "firing"
    if standing.over_s is None:
        standing.over_s = now.seen_s
    if now.seen_s - standing.over_s >= standing.rule.resolve_after_s - TINY_S:
        standing.over_s = None
        return "inactive"
    return "firing"


def _last_begins(
    inner: list[list[bool]], time_s: list[float], anew: int, n: int, gap_s: float
) -> bool:
    """Return whether the last stage begins in its turn at frame n."""
    counts: list[list[int]] = []
    for stage, series in enumerate(inner):
        rises = [k for k in range(anew, n + 1) if series[k] and (k == 0 or not series[k - 1])]
        if stage:
            before = counts[-1]
            rises = [k for k in rises if _in_turn(inner[stage - 1], before, time_s, k, gap_s)]
        counts.append(rises)
    return n in counts[-1]


def _in_turn(
    series: list[bool], before: list[int], time_s: list[float], k: int, gap_s: float
) -> bool:
    earlier = [b for b in before if b < k and time_s[b] < time_s[k]]
    if not earlier:
        return False
    last = earlier[-1]
    while last < k and series[last + 1]:
        last += 1
    return time_s[k] - time_s[last] <= gap_s + TINY_S


def _at(condition: Condition, frame: Seen) -> bool:
    at = frame.scores.at.replace(second=0, microsecond=0)
    match condition:
        case CameraCondition():
            return any(state in frame.scores.camera for state in condition.camera)
        case ArmedCondition():
            return frame.mode in condition.armed
        case AfterBootCondition():
            return frame.age_s >= condition.after_boot_s - TINY_S
        case WeekdaysCondition():
            return at.weekday() in condition.weekdays
        case BetweenCondition():
            start, end, now = condition.between.start, condition.between.end, at.time()
            return start <= now < end if start < end else now >= start or now < end
        case SunCondition():
            return _sun(condition, at)
    raise AssertionError(condition)


def _sun(condition: SunCondition, at: datetime) -> bool:
    """Under the plain sun: rises at six, sets at twenty, not at all in December."""
    zone = at.tzinfo
    assert zone is not None
    offset = timedelta(seconds=condition.offset_s)
    turns = []
    for n in range(-3, 4):
        day = plain_sun(at.date() + timedelta(days=n), zone)
        turns += [(day.sunrise, True)] if day.sunrise else []
        turns += [(day.sunset, False)] if day.sunset else []
    if not turns:
        return condition.sun in {"after sunset", "before sunrise"}
    long_ago, far = at - timedelta(days=30), at + timedelta(days=30)
    if turns[0][1]:
        turns.insert(0, (long_ago, False))
    turns.append((far, not turns[-1][1]))
    for (begin, up), (end, _) in pairwise(turns):
        if up is (condition.sun in {"after sunrise", "before sunset"}):
            after = condition.sun.startswith("after")
            shift = timedelta(0) if begin == long_ago and after else offset
            shift = timedelta(0) if end == far and not after else shift
            if (begin + shift <= at < end) if after else (begin <= at < end + shift):
                return True
    return False


def _key(condition: ActivityCondition) -> tuple[Any, float | None, float, float]:
    return (condition.activity, condition.look_back_s, condition.above, condition.below)


def _walk(condition: Condition) -> list[Condition]:
    inner = [item for child in getattr(condition, "conditions", ()) for item in _walk(child)]
    return [condition, *inner]


def _begin(begins: list[int], n: int) -> int:
    return max(begin for begin in begins if begin <= n)
