"""In which order alerts are lost when the outbox is full: pure, and small enough to read.

Further information goes first, then further alerts of a rule, which are folded into the row
before, then the oldest of the lowest severity; the first alert of an incident after all others.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass

from edgehome.types import Severity

AHEAD = 256
"""Losses that are planned at a time: a plan reads all rows."""
RANK: dict[str, int] = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True)
class Pending:
    """An unsent alert, without its words."""

    seq: int
    severity: str
    rule: str
    first: int
    """1: the first alert of an incident."""


@dataclass(frozen=True, slots=True, order=True)
class Loss:
    """An alert that gives way; the least goes first."""

    turn: tuple[int, int, int]
    seq: int
    reason: str
    """`info`, `folded` or `oldest`."""
    rule: str
    into: int = 0
    """The seq of the row that stands for it from then on; 0 for none."""


class Plan:
    """The next losses, kept right as alerts are added; other changes need a new plan."""

    def __init__(self, ahead: int = AHEAD) -> None:
        self._ahead = ahead
        self._keepers: dict[str, int] = {}
        self._losses: list[Loss] = []
        self._complete = False

    def clear(self) -> None:
        """Forget the plan."""
        self._keepers.clear()
        self._losses.clear()
        self._complete = False

    def make(self, pending: Iterable[Pending]) -> None:
        """Plan anew; `pending` is by seq."""
        self.clear()
        losses = sorted(self._loss(alert) for alert in pending)
        self._complete = len(losses) <= self._ahead
        self._losses = losses[: self._ahead]

    def add(self, alert: Pending) -> None:
        """Take in an alert that was raised since; nothing is done without a plan."""
        if not self._losses:
            return
        loss = self._loss(alert)
        if self._complete or loss < self._losses[-1]:
            insort(self._losses, loss)

    def take(self) -> Loss | None:
        """Return the next loss; None when a new plan is needed."""
        if not self._losses:
            return None
        loss = self._losses.pop(0)
        if self._keepers.get(loss.rule) == loss.seq:
            del self._keepers[loss.rule]
        return loss

    def _loss(self, alert: Pending) -> Loss:
        rank = RANK.get(alert.severity, RANK[Severity.WARNING])
        if not alert.first and rank == RANK[Severity.INFO]:
            return Loss((0, 0, 0), alert.seq, "info", alert.rule)
        keeper = self._keepers.get(alert.rule)
        if keeper and not alert.first:
            return Loss((1, rank, 0), alert.seq, "folded", alert.rule, keeper)
        if alert.rule:
            self._keepers[alert.rule] = alert.seq
        reason = "oldest" if rank else "info"
        return Loss((2, alert.first, rank), alert.seq, reason, alert.rule)
