"""An hour in which no rule raises alerts, asked for by the home; it ends by itself.

It goes by the monotonic clock. Over a restart only the wall clock is left, and one that is wrong
never makes it longer than an hour more.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

from edgehome.statefile import StateFile

KEY = "silenced_until"
SILENCE_S = 3600.0


class Silence:
    """Until when the home wants no alerts."""

    def __init__(
        self, memory: StateFile, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        """Take the node's small memory, seconds of a monotonic clock, and seconds since 1970."""
        self._memory = memory
        self._clock = clock
        self._wall = wall
        kept = memory.get(KEY, 0.0)
        left_s = min(kept - wall(), SILENCE_S) if math.isfinite(kept) else 0.0
        self.deadline_s = clock() + left_s if left_s > 0 else math.inf
        """When it ends, on the monotonic clock; infinity while there is none."""

    @property
    def until(self) -> datetime | None:
        """Wall clock with the local zone of its end; None while there is none."""
        if self.deadline_s == math.inf:
            return None
        left_s = self.deadline_s - self._clock()
        return datetime.fromtimestamp(round(self._wall() + left_s), UTC).astimezone()

    def begin(self) -> None:
        """Let it last for an hour from now."""
        self.deadline_s = self._clock() + SILENCE_S
        self._memory.set(KEY, self._wall() + SILENCE_S)

    def end(self) -> None:
        """End it."""
        self.deadline_s = math.inf
        self._memory.set(KEY, 0.0)

    def over(self) -> bool:
        """Return whether its time is up; it is ended then."""
        if self._clock() < self.deadline_s:
            return False
        self.end()
        return True
