"""Which nodes are looked at in a frame: those below which something changed, and no others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgehome.events import Signal
from edgehome.rules.nodes import Node
from edgehome.rules.rule import Tracker
from edgehome.rules.timing import Clock


class Forest:
    """The trees of all rules, and the queue of what is to be looked at."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        ranks = 1 + max((tracker.rank for tracker in trackers), default=0)
        self._buckets: list[list[Node]] = [[] for _ in range(ranks)]
        self._any = False
        self._listeners: dict[Signal, list[Node]] = {}
        self._near: dict[Signal, list[Tracker]] = {}
        for tracker in trackers:
            for node in (*tracker.tree.nodes, tracker):
                self._wire(node)
            for signal in tracker.tree.near:
                self._near.setdefault(signal, []).append(tracker)

    def changed(self, signals: Iterable[Signal]) -> list[Tracker]:
        """Have those who listen to the signals looked at; return the rules to which they are near.

        Near: their attempts may begin or end with it.
        """
        near: list[Tracker] = []
        for signal in signals:
            if signal in self._listeners:
                self.look_at(self._listeners[signal])
            if signal in self._near:
                near += self._near[signal]
        return near

    def look_at(self, nodes: Iterable[Node]) -> None:
        """Have nodes looked at in this frame."""
        for node in nodes:
            if not node.queued:
                node.queued = True
                self._buckets[node.rank].append(node)
                self._any = True

    def wake(self, clock: Clock) -> None:
        """Have those looked at whose time has come."""
        if clock.again:
            nodes, clock.again = clock.again, []
            self.look_at(nodes)
        if clock.seen.next_s <= clock.seen_s:
            self.look_at(clock.seen.due(clock.seen_s))
        if clock.true.next_s <= clock.true_s:
            self.look_at(clock.true.due(clock.true_s))

    def look(self, clock: Clock) -> Sequence[Tracker]:
        """Look at what is queued, children first; return the rules to be judged, in order."""
        if not self._any:
            return ()
        trackers = []
        for bucket in self._buckets:
            for node in bucket:
                node.queued = False
                owner = node.owner
                owner.stale = True
                if owner is node and isinstance(node, Tracker):
                    trackers.append(node)
                    continue
                value = node.look(clock)
                if value is not node.value:
                    node.value, node.since = value, clock.at
                    self.look_at(node.parents)
            bucket.clear()
        self._any = False
        trackers.sort(key=_index)
        return trackers

    def _wire(self, node: Node) -> None:
        for child in dict.fromkeys(node.children):
            if isinstance(child, Node):
                child.parents.append(node)
            else:
                self._listeners.setdefault(child, []).append(node)


def _index(tracker: Tracker) -> int:
    return tracker.index
