"""Home Assistant's coming and going, as its birth and will messages tell it.

It keeps no session: what is published while it is away reaches no one, at any QoS, and other
subscribers make the broker's acknowledgement look like success.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

LOOK_BACK_S = 90.0
"""Its will comes up to 1.5 keepalives (of 60 s) after it lost power, and it got nothing since."""
HOLD_S = 600.0
"""Alerts are held back no longer than this: others may listen, and `online` can be missed."""
DELAY_S = (2.0, 5.0)
"""Wait after `online`, by chance: every device answers the birth message."""


class Birth:
    """Says when to hold alerts, when to announce again, and which alerts Home Assistant missed.

    All times are seconds on one monotonic clock.
    """

    def __init__(
        self,
        jitter: Callable[[float, float], float],
        *,
        delay_s: tuple[float, float] = DELAY_S,
        look_back_s: float = LOOK_BACK_S,
        hold_s: float = HOLD_S,
    ) -> None:
        """Take `jitter(a, b)`, which gives a number between the two."""
        self._jitter = jitter
        self._delay_s = delay_s
        self._look_back_s = look_back_s
        self._hold_s = hold_s
        self._away = False
        self._held_until_s = 0.0
        self._missed_since_s = inf
        self._back_s = inf
        self._greet_s = inf

    @property
    def away(self) -> bool:
        """Whether Home Assistant said that it went, and nothing since."""
        return self._away

    def holding(self, now_s: float) -> bool:
        """Say whether alerts have to wait for Home Assistant."""
        return self._away and now_s < self._held_until_s

    def next_step_s(self, now_s: float) -> float:
        """Return when `holding` or `greeting` may answer differently."""
        times = [self._greet_s, self._held_until_s]
        return min((at_s for at_s in times if at_s > now_s), default=inf)

    def connected(self, now_s: float) -> tuple[float, float] | None:
        """Begin a connection; return the time of which alerts have to be sent again, if any.

        Home Assistant may have returned while there was no connection, so nothing is held.
        """
        missed = (self._missed_since_s, now_s) if self._away else None
        self._away = False
        self._greet_s = inf
        self._missed_since_s = now_s - self._look_back_s
        return missed

    def went(self, now_s: float) -> None:
        """Take `offline`."""
        self._greet_s = inf
        if not self._away:
            self._away = True
            self._missed_since_s = now_s - self._look_back_s
            self._held_until_s = now_s + self._hold_s

    def came(self, now_s: float) -> None:
        """Take `online`."""
        self._back_s = now_s
        self._greet_s = now_s + self._jitter(*self._delay_s)
        self._held_until_s = max(self._held_until_s, self._greet_s)
        self._missed_since_s = min(self._missed_since_s, now_s - self._look_back_s)

    def greeting(self, now_s: float) -> tuple[float, float] | None:
        """Return, once and when it is time, the time of which alerts have to be sent again."""
        if now_s < self._greet_s:
            return None
        missed = (self._missed_since_s, self._back_s)
        self._away = False
        self._greet_s = self._missed_since_s = inf
        return missed
