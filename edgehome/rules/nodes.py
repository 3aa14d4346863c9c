"""A rule's conditions as a tree: each node is looked at in a frame only if something below changed.

What the leaves look at (a score's level, the mode, the camera, the time of day) is a `Signal` that
all rules share. Everything above is a rule's own, so that a rule can begin anew by itself.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgehome.events import Signal

if TYPE_CHECKING:
    from edgehome.rules.timing import Clock


class Node(Signal):
    """A condition that is made of others."""

    __slots__ = ("children", "owner", "parents", "queued", "rank", "stale")

    def __init__(self, children: Sequence[Signal]) -> None:
        super().__init__()
        self.children = tuple(children)
        self.rank = 1 + max((getattr(child, "rank", 0) for child in children), default=0)
        """More than that of every child: a frame's nodes are looked at by rank."""
        self.parents: list[Node] = []
        self.owner: Node = self
        """The rule's own node."""
        self.queued = False
        self.stale = False
        """Of an owner: something in its tree was looked at, and its attempt does not know yet."""

    @abstractmethod
    def look(self, clock: Clock) -> bool:
        """Return whether it holds in this frame; called at most once a frame."""

    def measure(self, clock: Clock) -> float:
        """Return what is told as evidence: of a group, how many children hold."""
        del clock
        return sum(child.value for child in self.children)

    def forget(self) -> None:
        """Take it that nothing was seen before."""
        self.value, self.since = False, None

    def remember(self, clock: Clock) -> dict[str, Any]:
        """Return what must be kept over a restart, beside `value`; JSON-able, times as ages."""
        del clock
        return {}

    def recall(self, kept: dict[str, Any], clock: Clock) -> None:
        """Take it over again. Raises KeyError, TypeError or ValueError when it is broken."""


class All(Node):
    """All children hold."""

    __slots__ = ()

    def look(self, clock: Clock) -> bool:
        """Return whether it holds in this frame."""
        del clock
        return all(child.value for child in self.children)


class AnyOf(Node):
    """At least one child holds."""

    __slots__ = ()

    def look(self, clock: Clock) -> bool:
        """Return whether it holds in this frame."""
        del clock
        return any(child.value for child in self.children)


class NoneOf(Node):
    """Not one child holds."""

    __slots__ = ()

    def look(self, clock: Clock) -> bool:
        """Return whether it holds in this frame."""
        del clock
        return not any(child.value for child in self.children)
