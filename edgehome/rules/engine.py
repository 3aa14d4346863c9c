"""All rules over every frame.

Pure: time and identities are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from edgehome.config.conditions import Activity
from edgehome.config.types import Config
from edgehome.events import Events, Score, events_of
from edgehome.rules import memory
from edgehome.rules.alerts import Alerts
from edgehome.rules.forest import Forest
from edgehome.rules.near_misses import NearMisses
from edgehome.rules.rule import Tracker
from edgehome.rules.signals import Signals
from edgehome.rules.states import RuleStatus, State, Transition, Verdict
from edgehome.rules.timing import FORGET_S, Clock, Moment
from edgehome.rules.tree import Grower
from edgehome.types import Alert, Event, Mode, NearMiss, Scores, SunTimes

NOTHING = Verdict()
"""What most frames come to."""


class RuleEngine:
    """All rules, in the order of the file."""

    def __init__(
        self,
        config: Config,
        *,
        period_s: float,
        identify: Callable[[], str],
        model: str = "",
        sun: SunTimes | None = None,
    ) -> None:
        """Take the time between two frames, what names alerts, the model's SHA-256, and the sun."""
        self._clock = Clock(period_s)
        self._events = Events(smoothing_s=config.events.smoothing_s)
        self._signals = Signals(sun)
        self._near_misses = NearMisses()
        self._alerts = Alerts(config, self._near_misses, identify=identify, model=model)
        self._limit = self._alerts.limit
        self._trackers = [
            Tracker(rule, index, Grower(self._events, self._signals).grow(rule.when))
            for index, rule in enumerate(config.rules)
        ]
        self._by_name = {tracker.rule.name: tracker for tracker in self._trackers}
        self._forest = Forest(self._trackers)
        self._anew = list(self._trackers)
        """Rules of which every node is to be looked at in the next frame."""
        self._forgotten = True
        """Whether nothing was seen since everything was forgotten."""
        self._transitions: list[Transition] = []

    @property
    def model(self) -> str:
        """SHA-256 of the model that judges; empty until it is known."""
        return self._alerts.model

    @model.setter
    def model(self, sha256: str) -> None:
        self._alerts.model = sha256

    @property
    def period_s(self) -> float:
        """Seconds between two frames, where nothing else says how long one counts."""
        return self._clock.period_s

    @period_s.setter
    def period_s(self, period_s: float) -> None:
        self._clock.period_s = period_s

    def update(self, scores: Scores, mode: Mode) -> Verdict:
        """Judge one frame."""
        clock, forest = self._clock, self._forest
        elapsed_s, forget = clock.frame(scores.time_s, scores.at)
        ended, near_misses = (
            self._forget(scores.at, scores.time_s, clock.before) if forget else ((), ())
        )
        self._forgotten = False
        alerts = self._alerts.release(scores.at, clock.true_s) if self._limit.folded else []
        if mode is not clock.mode:
            self._change_mode(mode)
        if self._anew:
            self._begin()
        levels = self._events.update(scores, elapsed_s)
        changed = self._signals.update(scores, clock)
        if levels or changed:
            self._near_misses.moved(forest.changed((*levels, *changed)))
        forest.wake(clock)
        alerts += self._judge(forest.look(clock), scores)
        near_misses += self._near_misses.frame(clock)
        if levels:
            ended += events_of(levels, scores.time_s, scores.at)
        return self._verdict(alerts, near_misses, ended)

    def idle(self, time_s: float) -> Verdict:
        """Take it that no frame has come until now, in seconds of the source's clock."""
        missing = self._clock.missing(time_s)
        if not missing:
            return NOTHING
        waited_s, at = missing
        ended: tuple[Event, ...] = ()
        near_misses: tuple[NearMiss, ...] = ()
        if waited_s > FORGET_S and not self._forgotten:
            self._forgotten = True
            ended, near_misses = self._forget(at, time_s, self._clock.now())
        true_s = self._clock.true_s + waited_s
        alerts = self._alerts.release(at, true_s) if self._limit.folded else []
        return self._verdict(alerts, near_misses, ended)

    def mute(self, rule: str, *, muted: bool) -> None:
        """Let a rule be judged without alerts, or with them again; one that is gone is ignored."""
        tracker = self._by_name.get(rule)
        if tracker:
            tracker.muted = muted
            self._anew.append(tracker)

    def silence(self, *, silent: bool) -> None:
        """Let all rules be judged without alerts, or with them again, mutes apart."""
        if silent != self._alerts.silent:
            self._alerts.silent = silent
            self._anew = list(self._trackers)

    def statuses(self) -> tuple[RuleStatus, ...]:
        """Return how every rule stands, in the config's order."""
        return tuple(tracker.status() for tracker in self._trackers)

    def scores(self) -> Mapping[tuple[Activity, float | None], Score]:
        """Return every smoothed score by its activity and look back, as they are now."""
        return self._events.scores()

    def strongest(self) -> tuple[str, float]:
        """Return the strongest activity that goes on, else an empty text, and its score, 0-1."""
        return self._events.strongest()

    def memory(self) -> dict[str, object]:
        """Return how everything stands, as JSON-able data, for `restore`."""
        return {
            **memory.of_clock(self._clock),
            "scores": memory.of_scores(self._events),
            "rules": memory.of_rules(self._trackers, self._clock),
            "limit": memory.of_limit(self._limit, self._clock),
        }

    def restore(self, kept: Mapping[str, object], *, gap_s: float) -> None:
        """Go on from a memory whose last frame was `gap_s` ago; before the first frame.

        What is broken in it is ignored, and so is what is of another rule or activity.
        """
        parts: tuple[tuple[str, Callable[[Any], None]], ...] = (
            ("scores", lambda part: memory.take_scores(part, self._events)),
            ("rules", lambda part: memory.take_rules(part, self._trackers, self._clock)),
            (
                "limit",
                lambda part: memory.take_limit(part, self._limit, self._clock, self._by_name),
            ),
        )
        with suppress(*memory.BROKEN):
            if kept["version"] != memory.VERSION:
                return
            memory.take_clock(kept, self._clock, gap_s)
            for name, take in parts:
                with suppress(*memory.BROKEN):
                    take(kept[name])
            self._forgotten = False

    def replaced(self, config: Config, *, sun: SunTimes | None = None) -> RuleEngine:
        """Return an engine for another configuration that goes on where this one stands."""
        engine = RuleEngine(
            config,
            period_s=self._clock.period_s,
            identify=self._alerts.identify,
            model=self.model,
            sun=sun,
        )
        engine.restore(self.memory(), gap_s=0.0)
        engine._clock.go_on(self._clock)
        engine._alerts.silent = self._alerts.silent
        return engine

    def _begin(self) -> None:
        """Look at every node of rules that begin anew, whatever changes."""
        for tracker in self._anew:
            self._forest.look_at((*tracker.tree.nodes, tracker))
        self._near_misses.moved(self._anew)
        self._anew = []

    def _forget(
        self, at: datetime, time_s: float, last: Moment
    ) -> tuple[tuple[Event, ...], tuple[NearMiss, ...]]:
        """Forget what was seen; return the offsets and the near misses that come with it."""
        ended = events_of(self._events.forget(at), time_s, at)
        for tracker in self._trackers:
            if tracker.state is not State.INACTIVE:
                change = Transition(time_s, at, tracker.rule.name, tracker.state, State.INACTIVE)
                self._transitions.append(change)
            tracker.begin_anew(last)
        self._near_misses.moved(self._trackers)
        self._anew = list(self._trackers)
        return ended, self._near_misses.end(self._clock)

    def _change_mode(self, mode: Mode) -> None:
        """Let rules that say nothing of modes rest while the home is disarmed, then begin anew."""
        before, self._clock.mode = self._clock.mode, mode
        resting = [tracker for tracker in self._trackers if tracker.rests]
        if before is Mode.DISARMED:
            for tracker in resting:
                tracker.begin_anew(self._clock.before)
            self._anew += resting
        elif mode is Mode.DISARMED:
            self._forest.look_at(resting)

    def _judge(self, trackers: Sequence[Tracker], scores: Scores) -> list[Alert]:
        """Let rules go on to their next state; return the alerts that are to be raised."""
        clock, alerts, moved = self._clock, [], []
        for tracker in trackers:
            old = tracker.state
            tracker.look(clock)
            if tracker.state is not old:
                name, new = tracker.rule.name, tracker.state
                self._transitions.append(Transition(scores.time_s, scores.at, name, old, new))
                if new is not State.PENDING:
                    moved.append(tracker)
            elif tracker.rests and clock.mode is Mode.DISARMED:
                moved.append(tracker)
        self._near_misses.moved(moved)
        for tracker in trackers:
            if tracker.value:
                alert = self._alerts.of(tracker, clock)
                if alert:
                    alerts.append(alert)
            elif tracker.met.value and tracker.resting(clock):
                self._near_misses.held_back(tracker, "disarmed", clock)
        return alerts

    def _verdict(
        self,
        alerts: list[Alert],
        near_misses: tuple[NearMiss, ...],
        events: tuple[Event, ...],
    ) -> Verdict:
        if not (alerts or near_misses or events or self._transitions):
            return NOTHING
        transitions, self._transitions = tuple(self._transitions), []
        return Verdict(tuple(alerts), near_misses, events, transitions)
