"""Activities that a home teaches its node: what the supervisor does about them.

It takes the seconds that were meant from the worker, has them kept and learnt from by a child
process, and gives what was learnt to the worker. Nothing here waits, and nothing knows numpy.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgehome.types import Alert, Problem

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LessonStatus:
    """How far a taught activity is."""

    name: str
    """The label."""
    version: int
    shown: int
    """Examples of the activity that count."""
    says: str
    """How good it is, in words; empty while it is too early."""
    missing: str
    """What it still needs, as a sentence; empty once it is learnt."""


class Lessons:
    """The taught activities of one home; as long as the process."""

    def told(self) -> tuple[LessonStatus, ...]:
        """Return every taught activity, by name."""
        return ()

    def note(self, name: str, *, shows: bool, seconds: float) -> None:
        """Take the last seconds as an example of an activity, or of what is normal beside it."""

    def judge(self, alert: Alert, labels: Collection[str] = (), *, normal: bool = True) -> None:
        """Take an alert's window as normal, or as the activity after all.

        `labels` are those of the activity that the alert's rule watches.
        """

    def undo(self, name: str) -> None:
        """Take back what the last version of a lesson changed."""

    def remove(self, name: str) -> None:
        """Forget an activity; `undo` brings it back."""
