"""Why a rule did not fire: attempts are followed while somebody might expect an alert."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from edgehome.rules.parts import Reading, Standing, evidence, standings
from edgehome.rules.reasons import blocked, missed
from edgehome.rules.rule import Tracker
from edgehome.rules.states import State
from edgehome.rules.temporal import For
from edgehome.rules.timing import ROUNDING_S, Clock
from edgehome.types import NearMiss

PAUSE_S = 10.0
"""At most one near miss of a rule in so many seconds."""

Closeness = tuple[int, float, float]
"""How many conditions are met, for how many seconds, and the score: greater is closer."""


@dataclass(slots=True, eq=False)
class Attempt:
    """From when a rule's first activity begins, or nearly does, until the last one ends."""

    tracker: Tracker
    reason: str = ""
    """Why there was no alert although all conditions held; else empty."""
    told: bool = False
    """Whether there was an alert: then it is no near miss."""
    closest: Closeness = (-1, 0.0, 0.0)
    at: datetime | None = None
    """Wall clock of the closest moment."""
    found: list[Standing] = field(default_factory=list)
    """How the rule's parts stood at that moment."""
    last_alert_s: float = 0.0
    """At that moment, the seconds since the rule's last alert."""


class NearMisses:
    """Every rule's attempt, from frame to frame."""

    def __init__(self) -> None:
        self._attempts: dict[Tracker, Attempt] = {}
        self._watched: dict[Tracker, Attempt] = {}
        """Those whose closest moment may still come."""
        self._ending: dict[Tracker, Attempt] = {}
        self._last_s: dict[str, float] = {}
        """`true_s` of each rule's last near miss."""

    def moved(self, tracker: Tracker) -> None:
        """Begin an attempt, or let it end with this frame: something that may do so changed."""
        attempt = self._attempts.get(tracker)
        if _goes_on(tracker):
            if attempt is None:
                # A rule that fires and has told so goes on, or comes back within `resolve_after`.
                told = tracker.told and tracker.state is State.FIRING
                attempt = self._attempts[tracker] = Attempt(tracker, told=told)
                if not told:
                    self._watched[tracker] = attempt
            self._ending.pop(tracker, None)
        elif attempt:
            self._ending[tracker] = attempt

    def told(self, tracker: Tracker) -> None:
        """Take it that there is an alert."""
        if attempt := self._attempts.get(tracker):
            attempt.told = True
            self._watched.pop(tracker, None)

    def held_back(self, tracker: Tracker, reason: str, clock: Clock) -> None:
        """Take it that all conditions hold and there is no alert all the same."""
        attempt = self._attempts.get(tracker)
        if attempt and not attempt.reason:
            attempt.reason = reason
            _read(attempt, clock)
            self._watched.pop(tracker, None)

    def frame(self, clock: Clock) -> tuple[NearMiss, ...]:
        """Look at every attempt after a frame; return what ended with it and was none."""
        if self._watched:
            for attempt in self._watched.values():
                _watch(attempt, clock)
        return self.end(clock) if self._ending else ()

    def end(self, clock: Clock) -> tuple[NearMiss, ...]:
        """Return what ended."""
        ended, self._ending = self._ending, {}
        for tracker in ended:
            del self._attempts[tracker]
            self._watched.pop(tracker, None)
        return tuple(self._tell(ended.values(), clock))

    def _tell(self, attempts: Iterable[Attempt], clock: Clock) -> Iterable[NearMiss]:
        for attempt in attempts:
            rule = attempt.tracker.rule
            if attempt.told or attempt.at is None:
                continue
            last_s = self._last_s.get(rule.name)
            if last_s is not None and clock.true_s < last_s + PAUSE_S - ROUNDING_S:
                continue
            self._last_s[rule.name] = clock.true_s
            yield _near_miss(attempt, attempt.at)


def _near_miss(attempt: Attempt, at: datetime) -> NearMiss:
    rule, parts = attempt.tracker.rule, attempt.tracker.tree.parts
    if attempt.reason:
        message = blocked(attempt.reason, rule, at, attempt.last_alert_s)
        reason = attempt.reason
    else:
        readings = [Reading(part, *one) for part, one in zip(parts, attempt.found, strict=True)]
        reason, message = missed(rule.when, readings, at)
    return NearMiss(at, rule.name, reason, message, evidence(parts, attempt.found))


def _goes_on(tracker: Tracker) -> bool:
    return (
        tracker.state is State.FIRING
        or tracker.tree.met.value
        or any(signal.value for signal in tracker.tree.near)
    )


def _watch(attempt: Attempt, clock: Clock) -> None:
    """Keep the moment if it is the closest so far."""
    tracker = attempt.tracker
    if tracker.resting(clock):
        return
    tree = tracker.tree
    met = 0
    held_s = 0.0
    for part in tree.parts:
        signal = part.signal
        if signal.value is part.wanted:
            met += 1
        if type(signal) is For and signal.started_s is not None:
            held_s = max(held_s, clock.seen_s - signal.started_s)
    closeness = (met, held_s, tree.strongest()[1])
    if closeness > attempt.closest:
        attempt.closest = closeness
        _read(attempt, clock)


def _read(attempt: Attempt, clock: Clock) -> None:
    tracker = attempt.tracker
    attempt.at = clock.at
    attempt.found = standings(tracker.tree.parts, clock)
    if tracker.alerted_s is not None:
        attempt.last_alert_s = clock.true_s - tracker.alerted_s
