"""One attempt of a rule: how close it came, and why there was no alert."""

from __future__ import annotations

import math
from datetime import datetime

from edgehome.events import Score
from edgehome.rules.parts import Part, Reading, Standing, evidence, standings
from edgehome.rules.reasons import blocked, missed
from edgehome.rules.rule import Tracker
from edgehome.rules.temporal import For
from edgehome.rules.timing import Clock
from edgehome.types import Mode, NearMiss

NO_SCORE = Score("")
"""Of a rule that waits for no activity."""


class Attempt:
    """From when a rule's first activity begins, or nearly does, until the last one ends.

    The closest moment is the one at which most conditions were met, activities before all others,
    and of those the one with the highest score. How long `for` was held is told of the longest
    time, wherever that was.
    """

    __slots__ = (
        "at", "began_s", "closest", "found", "highest", "last_alert_s", "reason", "score",
        "seen_s", "told", "tracker", "watch_above",
    )  # fmt: skip

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.reason = ""
        """Why there was no alert although all conditions held; else empty."""
        self.told = False
        """Whether there was an alert: then it is no near miss."""
        self.at: datetime | None = None
        """Wall clock of the closest moment."""
        self.found: list[Standing] = []
        """How the rule's parts stood at that moment."""
        self.closest = (-1, 0.0)
        """The weight of the conditions met, and how far those came that count something."""
        self.highest = 0.0
        """The score at that moment."""
        self.score = NO_SCORE
        """The score of the activity that goes on, or else of the first."""
        self.watch_above = math.inf
        """A higher score is a closer moment, as long as nothing else changes."""
        self.last_alert_s = 0.0
        """At the closest moment, the seconds since the rule's last alert."""
        self.began_s: float | None = None
        """`seen_s` from which on that activity has gone on."""
        self.seen_s = 0.0
        """The longest time for which it did."""
        for node in tracker.tree.fors:
            node.longest_s, node.longest_at = 0.0, None

    def look(self, clock: Clock) -> None:
        """Keep the moment if it is the closest so far: something in the rule's tree changed."""
        tracker = self.tracker
        tracker.stale = False
        level = tracker.tree.level()
        if level:
            self.score = level.score
            if level.value is (self.began_s is None):
                self._time(clock, goes_on=level.value)
        self.watch_above = math.inf
        if tracker.rests and clock.mode is Mode.DISARMED:
            return
        met, progress = 0, 0.0
        for signal, wanted, weight, counts in tracker.tree.weighed:
            if signal.value is wanted:
                met += weight
            elif counts:
                progress += float(signal.measure(clock))
        closest = (met, progress)
        if closest >= self.closest:
            if closest > self.closest or self.score.value > self.highest:
                self.closest = closest
                self.keep(clock)
            self.watch_above = self.highest

    def keep(self, clock: Clock) -> None:
        """Take it that this is the closest moment."""
        tracker = self.tracker
        self.at = clock.at
        self.highest = self.watch_above = self.score.value
        self.found = standings(tracker.tree.parts, clock)
        if tracker.alerted_s is not None:
            self.last_alert_s = clock.true_s - tracker.alerted_s

    def missed(self, clock: Clock) -> NearMiss | None:
        """Return what is told of it in the end; None where there was an alert."""
        if self.told or self.at is None:
            return None
        self._time(clock, goes_on=False)
        tree, rule = self.tracker.tree, self.tracker.rule
        found = [_longest(*pair) for pair in zip(tree.parts, self.found, strict=True)]
        if self.reason:
            message = blocked(self.reason, rule, self.at, self.last_alert_s)
            return NearMiss(self.at, rule.name, self.reason, message, evidence(tree.parts, found))
        readings = [Reading(part, *one) for part, one in zip(tree.parts, found, strict=True)]
        at, reason, message = missed(rule.when, readings, self.at, self.seen_s)
        return NearMiss(at, rule.name, reason, message, evidence(tree.parts, found))

    def _time(self, clock: Clock, *, goes_on: bool) -> None:
        """Note for how long the activity goes on."""
        if goes_on:
            if self.began_s is None:
                self.began_s = clock.seen_s
        elif self.began_s is not None:
            self.seen_s = max(self.seen_s, clock.before.seen_s - self.began_s)
            self.began_s = None


def _longest(part: Part, standing: Standing) -> Standing:
    """Return how a part stood; of a `for` that was not over, the longest time that it was held."""
    met, measure, since = standing
    node = part.signal
    if met or not isinstance(node, For) or isinstance(measure, str):
        return standing
    return met, max(measure, node.longest_s), since
