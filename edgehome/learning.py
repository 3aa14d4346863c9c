"""What the node learns from its worker at home: taught activities, and what is normal here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from edgehome.lessons import Lessons
from edgehome.messages import Ready, Said
from edgehome.normality import Normality
from edgehome.normalkeeper import NormalKeeper
from edgehome.taken import Taken
from edgehome.types import Alert, Problem


@dataclass(frozen=True, slots=True)
class Learning:
    """Both, as the loop tells them of the worker and of alerts."""

    lessons: Lessons
    normal: NormalKeeper

    def attach(
        self,
        tell: Callable[[Sequence[bytes]], bool],
        report: Callable[[str, Problem | None], None],
    ) -> None:
        """Take what tells the worker, and the home of what is wrong."""
        self.lessons.attach(tell, report)
        self.normal.attach(tell, report)

    def ready(self, ready: Ready) -> bool:
        """Note what the worker runs with; return whether it says so again, with taught labels."""
        self.normal.ready(ready)
        return self.lessons.ready(ready)

    def hear(self, message: Taken | Normality) -> None:
        """Take what the worker says."""
        if isinstance(message, Taken):
            self.lessons.taken(message)
        else:
            self.normal.said(message)

    def leave_out(self, alert: Alert) -> None:
        """Take nothing near an alert for normal by itself."""
        self.lessons.leave_out(alert)
        self.normal.leave_out(alert)

    def end(self, last_words: Iterable[Said]) -> None:
        """Take what a worker still said when it was ended."""
        for message in last_words:
            if isinstance(message, Taken | Normality):
                self.hear(message)
        self.worker_gone()

    def worker_gone(self) -> None:
        """Give up what was asked of a worker that has ended."""
        self.lessons.worker_gone()
        self.normal.worker_gone()
