"""From a rule's conditions to the nodes that judge them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from edgehome.config.conditions import (
    ActivityCondition,
    AllCondition,
    AnyCondition,
    CameraCondition,
    Condition,
    MotionCondition,
    NoneCondition,
    ThenCondition,
    UnusualCondition,
)
from edgehome.events import NEAR, Events, Level, Score, Signal
from edgehome.rules.nodes import All, AnyOf, Node, NoneOf
from edgehome.rules.parts import Part
from edgehome.rules.sequence import Then
from edgehome.rules.signals import Signals
from edgehome.rules.temporal import Count, For, Frames

Group = AllCondition | AnyCondition | NoneCondition | ThenCondition
"""A condition that is made of others."""


@dataclass(slots=True)
class Tree:
    """A rule's conditions as nodes."""

    held: Signal
    """The whole without the rule's own `for` and `count`."""
    met: Signal
    """The whole."""
    parts: list[Part]
    """Everything that is told as evidence, in the file's order."""
    nodes: list[Node]
    """Every node, children first."""
    near: list[Signal]
    """Any of these: somebody may wonder why the rule did not fire."""
    fors: list[For]
    """Those of the nodes that wait for a time."""
    levels: list[Level]
    """The activities that the rule waits for; without any, its motion."""

    weighed: list[tuple[Signal, bool, int, bool]]
    """Of each part its signal, whether it is wanted, its weight, and whether its measure counts."""

    def level(self) -> Level | None:
        """Return the first of its activities that goes on, else its first; None without any."""
        for level in self.levels:
            if level.value:
                return level
        return self.levels[0] if self.levels else None


@dataclass(slots=True)
class Grower:
    """Makes the nodes of one rule; signals and scores are shared with other rules."""

    events: Events
    signals: Signals
    parts: list[Part] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    near: list[Signal] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)

    def grow(self, when: Condition) -> Tree:
        """Return the tree of a rule's `when`."""
        held, met = self._grow(when, wanted=True, root=True)
        activities = [level for level in self.levels if level.told]
        fors = [node for node in self.nodes if isinstance(node, For)]
        near = list(dict.fromkeys(self.near))
        weighed = [(part.signal, part.wanted, part.weight, part.counts) for part in self.parts]
        levels = activities or self.levels
        return Tree(held, met, self.parts, self.nodes, near, fors, levels, weighed)

    def _grow(self, condition: Condition, *, wanted: bool, root: bool) -> tuple[Signal, Signal]:
        """Return the signals of a condition without and with its own `for` and `count`."""
        signal: Signal
        if isinstance(condition, Group):
            signal = self._group(condition, wanted=wanted, root=root)
        else:
            signal = self._leaf(condition, wanted=wanted)
            self.parts.append(Part(condition, signal, wanted=wanted, root=root))
        held = signal
        for node in self._added(condition, signal):
            self.nodes.append(node)
            self.parts.append(Part(condition, node, wanted=wanted, root=root))
            signal = node
            if isinstance(node, Frames):
                held = node
        return held, signal

    def _group(self, condition: Group, *, wanted: bool, root: bool) -> Node:
        place = len(self.parts)
        inner = wanted is not isinstance(condition, NoneCondition)
        children = [
            self._grow(child, wanted=inner, root=False)[1] for child in condition.conditions
        ]
        node = _node(condition, children)
        self.nodes.append(node)
        if not (root and isinstance(condition, AllCondition)):
            self.parts.insert(place, Part(condition, node, wanted=wanted, root=root))
        return node

    def _leaf(self, condition: Condition, *, wanted: bool) -> Signal:
        match condition:
            case ActivityCondition():
                score = self.events.score(condition.activity, condition.look_back_s)
                return self._level(score, condition.above, condition.below, wanted=wanted)
            case MotionCondition():
                return self._level(
                    self.events.motion, condition.motion, condition.below, wanted=wanted
                )
            case _:
                signal = self.signals.signal(condition)
                if wanted and isinstance(condition, CameraCondition):
                    self.near.append(signal)
                if wanted and isinstance(condition, UnusualCondition):
                    nearly = UnusualCondition(unusual=NEAR * condition.unusual)
                    self.near.append(self.signals.signal(nearly))
                return signal

    def _level(self, score: Score, above: float, below: float, *, wanted: bool) -> Level:
        level = score.level(above, below, told=score is not self.events.motion)
        if wanted:
            self.near.append(score.near(above, below))
            self.levels.append(level)
        return level

    @staticmethod
    def _added(condition: Condition, signal: Signal) -> Iterator[Node]:
        """Yield what a condition adds to what it is, in the order in which it is applied."""
        if condition.at_least:
            yield (signal := Frames(signal, condition.at_least))
        if condition.for_s:
            yield (signal := For(signal, condition.for_s))
        if condition.window_s:
            yield Count(signal, condition.count, condition.window_s)


def definition(when: Condition) -> str:
    """Return a text that is the same for the same conditions, today and after a restart."""
    return sha256(repr(when).encode()).hexdigest()[:32]


def _node(condition: Group, children: list[Signal]) -> Node:
    match condition:
        case AllCondition():
            return All(children)
        case AnyCondition():
            return AnyOf(children)
        case NoneCondition():
            return NoneOf(children)
        case ThenCondition():
            return Then(children, condition.gap_s)
