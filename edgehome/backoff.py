"""How long to wait before trying again."""

from __future__ import annotations

from collections.abc import Callable


class BackOff:
    """Pauses of 1, 2, 4 ... seconds up to a longest one, spread by chance.

    The spread keeps the devices of a home from marching in step after a power cut.
    """

    def __init__(self, jitter: Callable[[float, float], float], *, longest_s: float = 30.0) -> None:
        """Take `jitter(a, b)`, which gives a number between the two."""
        self._jitter = jitter
        self._longest_s = longest_s
        self._count = 0
        self.until_s = 0.0
        """Monotonic seconds before which nothing is to be tried."""

    def fail(self, now_s: float) -> float:
        """Note one more failure; return the seconds to wait."""
        pause_s = min(self._longest_s, 2.0 ** min(self._count, 10)) * self._jitter(0.5, 1.0)
        self._count += 1
        self.until_s = now_s + pause_s
        return pause_s

    def succeed(self) -> None:
        """Note a success: no wait now, and a short one after the next failure."""
        self._count = 0
        self.until_s = 0.0
