"""Why a rule did not fire: attempts are followed while somebody might expect an alert."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edgehome.rules.attempt import Attempt
from edgehome.rules.rule import Tracker
from edgehome.rules.states import State
from edgehome.rules.timing import ROUNDING_S, Clock
from edgehome.types import NearMiss

PAUSE_S = 10.0
"""At most one near miss of a rule in so many seconds."""


class NearMisses:
    """Every rule's attempt, from frame to frame."""

    def __init__(self) -> None:
        self._attempts: dict[Tracker, Attempt] = {}
        self._watched: dict[Tracker, Attempt] = {}
        """Those whose closest moment may still come."""
        self._ending: dict[Tracker, Attempt] = {}
        self._last_s: dict[str, float] = {}
        """`true_s` of each rule's last near miss."""

    def moved(self, trackers: Iterable[Tracker]) -> None:
        """Begin attempts, or let them end with this frame: something that may do so changed."""
        attempts, ending = self._attempts, self._ending
        for tracker in trackers:
            if tracker not in attempts:
                if _goes_on(tracker):
                    self._begin(tracker)
            elif not _goes_on(tracker):
                ending[tracker] = attempts[tracker]
            elif ending:
                ending.pop(tracker, None)

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
            attempt.keep(clock)
            self._watched.pop(tracker, None)

    def frame(self, clock: Clock) -> tuple[NearMiss, ...]:
        """Look at every attempt after a frame; return what ended with it and was none."""
        for tracker, attempt in self._watched.items():
            if tracker.stale:
                attempt.look(clock)
            elif attempt.score.value > attempt.watch_above:
                attempt.keep(clock)
        return self.end(clock) if self._ending else ()

    def end(self, clock: Clock) -> tuple[NearMiss, ...]:
        """Return what ended."""
        ended, self._ending = self._ending, {}
        for tracker in ended:
            del self._attempts[tracker]
            self._watched.pop(tracker, None)
        return tuple(self._tell(ended.values(), clock))

    def _begin(self, tracker: Tracker) -> None:
        attempt = self._attempts[tracker] = Attempt(tracker)
        # A rule that fires and has told so goes on, or comes back within `resolve_after`.
        if tracker.told and tracker.state is State.FIRING:
            attempt.told = True
        else:
            self._watched[tracker] = attempt
            tracker.stale = True

    def _tell(self, attempts: Iterable[Attempt], clock: Clock) -> Iterator[NearMiss]:
        for attempt in attempts:
            name = attempt.tracker.rule.name
            last_s = self._last_s.get(name)
            if last_s is not None and clock.true_s < last_s + PAUSE_S - ROUNDING_S:
                continue
            missed = attempt.missed(clock)
            if missed:
                self._last_s[name] = clock.true_s
                yield missed


def _goes_on(tracker: Tracker) -> bool:
    if tracker.value or tracker.met.value:
        return True
    for signal in tracker.tree.near:  # noqa: SIM110 - a third of the time of any()
        if signal.value:
            return True
    return False
