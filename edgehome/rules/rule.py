"""One rule from frame to frame: inactive, pending, firing."""

from __future__ import annotations

from datetime import datetime

from edgehome.config.conditions import ArmedCondition, walk
from edgehome.config.types import Rule
from edgehome.rules.nodes import Node
from edgehome.rules.states import RuleStatus, State
from edgehome.rules.timing import ROUNDING_S, Alarm, Clock, Moment
from edgehome.rules.tree import Tree, definition
from edgehome.types import Mode


class Tracker(Node):
    """A rule's state, judged after all its conditions; its value is whether it fires."""

    __slots__ = (
        "alarm", "alerted_s", "definition", "held", "index", "met", "muted", "over_s", "repeat",
        "rests", "rule", "since_at", "state", "told", "tree",
    )  # fmt: skip

    def __init__(self, rule: Rule, index: int, tree: Tree) -> None:
        super().__init__([tree.held, tree.met])
        self.held, self.met = tree.held, tree.met
        self.rule = rule
        self.index = index
        self.tree = tree
        for node in tree.nodes:
            node.owner = self
        self.definition = definition(rule.when)
        self.rests = not any(isinstance(part, ArmedCondition) for part in walk(rule.when))
        """Whether it rests while the home is disarmed: it says nothing of modes itself."""
        self.state = State.INACTIVE
        self.since_at: datetime | None = None
        """Wall clock of the frame on which it left `inactive`."""
        self.over_s: float | None = None
        """`seen_s` from which on it fires only because of `resolve_after`."""
        self.told = False
        """Whether an alert was due and not muted since it fires."""
        self.alerted_s: float | None = None
        """`true_s` of its last alert."""
        self.muted = False
        self.alarm = Alarm(self)
        self.repeat = Alarm(self)

    def look(self, clock: Clock) -> bool:
        """Go on to the state that the conditions ask for; return whether it fires."""
        before = self.state
        if self.rests and clock.mode is Mode.DISARMED:
            state = State.INACTIVE
        elif before is State.FIRING:
            state = self._go_on(clock)
        elif self.met.value:
            state = State.FIRING
        else:
            state = State.PENDING if self.held.value else State.INACTIVE
        if state is not before:
            self.state = state
            if before is State.INACTIVE:
                self.since_at = clock.at
            self.value = state is State.FIRING
            self.over_s, self.told = None, False
        return self.value

    def resting(self, clock: Clock) -> bool:
        """Return whether the home is disarmed and the rule says nothing of that."""
        return self.rests and clock.mode is Mode.DISARMED

    def goes_on(self) -> bool:
        """Return whether what the rule waits for holds in this frame."""
        return self.met.value or self.held.value

    def due(self, clock: Clock) -> bool:
        """Return whether the home is to be told now; ask for the moment when it is."""
        if self.state is not State.FIRING or not self.goes_on():
            return False
        repeat_s = self.rule.repeat_interval_s
        if self.told and not repeat_s:
            return False
        if self.alerted_s is None or clock.true_s >= self.alerted_s + repeat_s - ROUNDING_S:
            return True
        clock.true.set(self.repeat, self.alerted_s + repeat_s - ROUNDING_S)
        return False

    def alerted(self, clock: Clock) -> None:
        """Take it that the home was told, or will be with others."""
        self.told = True
        self.alerted_s = clock.true_s
        if self.rule.repeat_interval_s:
            clock.true.set(self.repeat, clock.true_s + self.rule.repeat_interval_s - ROUNDING_S)

    def begin_anew(self, last: Moment) -> None:
        """Take it that nothing was seen up to `last`; when it last told the home stays."""
        for waiting in self.tree.fors:
            waiting.stop(last)
        for node in self.tree.nodes:
            node.forget()
        self.forget()
        self.state, self.since_at, self.over_s = State.INACTIVE, None, None

    def status(self) -> RuleStatus:
        """Return how it stands."""
        level = self.tree.level()
        return RuleStatus(
            self.rule.name, self.state, level.score.value if level else 0.0, self.muted
        )

    def _go_on(self, clock: Clock) -> State:
        """Return whether a rule that fires still does."""
        if self.met.value or self.held.value:
            self.over_s = None
            return State.FIRING
        if self.over_s is None:
            self.over_s = clock.seen_s
        ends_s = self.over_s + self.rule.resolve_after_s - ROUNDING_S
        if clock.seen_s >= ends_s:
            return State.INACTIVE
        clock.seen.set(self.alarm, ends_s)
        return State.FIRING
