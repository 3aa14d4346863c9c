"""`then`: one condition after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edgehome.events import Signal
from edgehome.rules.ages import age, moment, truth
from edgehome.rules.nodes import Node
from edgehome.rules.timing import ROUNDING_S, Clock


class Then(Node):
    """The children began in order, each within `gap_s` of the last moment of the one before.

    Holds while its last child does, and then starts anew.
    """

    __slots__ = ("before", "began_s", "gap_s", "last_s")

    def __init__(self, children: Sequence[Signal], gap_s: float) -> None:
        super().__init__(children)
        self.gap_s = gap_s
        self.before = [False] * len(children)
        """Whether each child held in the frame before."""
        self.began_s: list[float | None] = [None] * len(children)
        """`true_s` of the beginning that counts; None where a child's has not come."""
        self.last_s: list[float | None] = [None] * len(children)
        """`true_s` of the last moment it held from then on; None while it still does."""

    def look(self, clock: Clock) -> bool:
        """Return whether the last child holds, in its turn."""
        before, self.before = self.before, [child.value for child in self.children]
        if self.value:
            if self.before[-1]:
                return True
            self._start_anew()
        # From the last to the first: a beginning is held against what was there before this frame.
        for stage in reversed(range(len(before))):
            holds = self.before[stage]
            if holds and not before[stage]:
                if self._in_turn(stage, clock):
                    self.began_s[stage], self.last_s[stage] = clock.true_s, None
            elif not holds and before[stage] and self._goes_on(stage):
                self.last_s[stage] = clock.before.true_s
        return self._goes_on(-1)

    def measure(self, clock: Clock) -> float:
        """Return how many children have begun in their turn."""
        del clock
        return sum(began_s is not None for began_s in self.began_s)

    def forget(self) -> None:
        """Wait for the first child again."""
        super().forget()
        self.before = [False] * len(self.before)
        self._start_anew()

    def remember(self, clock: Clock) -> dict[str, Any]:
        """Return how far it has come."""
        return {
            "before": list(self.before),
            "began": [age(clock.true_s, s) for s in self.began_s],
            "last": [age(clock.true_s, s) for s in self.last_s],
        }

    def recall(self, kept: dict[str, Any], clock: Clock) -> None:
        """Take over how far it had come."""
        before = [truth(item) for item in kept["before"]]
        began_s = [moment(clock.true_s, item) for item in kept["began"]]
        last_s = [moment(clock.true_s, item) for item in kept["last"]]
        if not len(before) == len(began_s) == len(last_s) == len(self.children):
            raise ValueError("a memory of another sequence")
        self.before, self.began_s, self.last_s = before, began_s, last_s

    def _in_turn(self, stage: int, clock: Clock) -> bool:
        """Return whether a child that begins now does so in its turn."""
        if not stage:
            return True
        began_s, last_s = self.began_s[stage - 1], self.last_s[stage - 1]
        if began_s is None or began_s >= clock.true_s:
            return False
        if last_s is None:
            last_s = clock.true_s if self.before[stage - 1] else clock.before.true_s
        return clock.true_s - last_s <= self.gap_s + ROUNDING_S

    def _goes_on(self, stage: int) -> bool:
        """Return whether a child has held ever since it began in its turn."""
        return self.began_s[stage] is not None and self.last_s[stage] is None

    def _start_anew(self) -> None:
        self.began_s = [None] * len(self.children)
        self.last_s = [None] * len(self.children)
