"""What every condition may add: so many of the last frames, for so long, so often."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any

from edgehome.config.conditions import AtLeast
from edgehome.events import Signal
from edgehome.rules.ages import age, moment, number, truth
from edgehome.rules.nodes import Node
from edgehome.rules.timing import ROUNDING_S, Alarm, Clock, Moment


class Frames(Node):
    """The child held in at least N of the last M frames."""

    __slots__ = ("at_least", "mask", "ring")

    def __init__(self, child: Signal, at_least: AtLeast) -> None:
        super().__init__([child])
        self.at_least = at_least
        self.mask = (1 << at_least.of) - 1
        self.ring = 0
        """A bit for each of the last frames, the newest lowest."""

    def look(self, clock: Clock) -> bool:
        """Shift the ring; ask for the next frame too while its bits differ."""
        self.ring = (self.ring << 1 | self.children[0].value) & self.mask
        if self.ring not in (0, self.mask):
            clock.again.append(self)
        return self.ring.bit_count() >= self.at_least.frames

    def measure(self, clock: Clock) -> float:
        """Return in how many of the last frames the child held."""
        del clock
        return self.ring.bit_count()

    def forget(self) -> None:
        """Take it that there were no frames before."""
        super().forget()
        self.ring = 0

    def remember(self, clock: Clock) -> dict[str, Any]:
        """Return the ring."""
        del clock
        return {"ring": f"{self.ring:x}"}

    def recall(self, kept: dict[str, Any], clock: Clock) -> None:
        """Take the ring over."""
        del clock
        self.ring = int(kept["ring"], 16) & self.mask


class For(Node):
    """The child has held for so long without a break."""

    __slots__ = ("alarm", "for_s", "longest_at", "longest_s", "started_s")

    def __init__(self, child: Signal, for_s: float) -> None:
        super().__init__([child])
        self.for_s = for_s
        self.started_s: float | None = None
        """`seen_s` from which on the child has held; None while it does not."""
        self.longest_s = 0.0
        """The longest time for which it did; who asks for it begins it from 0 again."""
        self.longest_at: datetime | None = None
        """Wall clock of the last moment of that time."""
        self.alarm = Alarm(self)

    def look(self, clock: Clock) -> bool:
        """Return whether the time is over; ask for its end when it is not."""
        if not self.children[0].value:
            self.stop(clock.before)
            return False
        if self.started_s is None:
            self.started_s = clock.seen_s
        ends_s = self.started_s + self.for_s - ROUNDING_S
        if clock.seen_s >= ends_s:
            return True
        clock.seen.set(self.alarm, ends_s)
        return False

    def stop(self, last: Moment) -> None:
        """Take it that `last` was the last moment at which the child held, if it did."""
        if self.started_s is not None:
            held_s = last.seen_s - self.started_s
            if held_s >= self.longest_s:
                self.longest_s, self.longest_at = held_s, last.at
            self.started_s = None

    def measure(self, clock: Clock) -> float:
        """Return for how long the child has held, in seconds."""
        return 0.0 if self.started_s is None else clock.seen_s - self.started_s

    def forget(self) -> None:
        """Begin to wait again."""
        super().forget()
        self.started_s = None

    def remember(self, clock: Clock) -> dict[str, Any]:
        """Return since when it has held."""
        return {"held": age(clock.seen_s, self.started_s)}

    def recall(self, kept: dict[str, Any], clock: Clock) -> None:
        """Take over since when it has held."""
        self.started_s = moment(clock.seen_s, kept["held"])


class Count(Node):
    """The child has begun so often within the last `window_s`."""

    __slots__ = ("alarm", "before", "began_s", "count", "window_s")

    def __init__(self, child: Signal, count: int, window_s: float) -> None:
        super().__init__([child])
        self.count = count
        self.window_s = window_s
        self.before = False
        self.began_s: deque[float] = deque(maxlen=count)
        """`true_s` of the last beginnings; more than are asked for tell nothing."""
        self.alarm = Alarm(self)

    def look(self, clock: Clock) -> bool:
        """Return whether the beginnings are enough; ask for the moment when they no more are."""
        holds = self.children[0].value
        if holds and not self.before:
            self.began_s.append(clock.true_s)
        self.before = holds
        if len(self.began_s) < self.count:
            return False
        ends_s = self.began_s[0] + self.window_s + ROUNDING_S
        if clock.true_s >= ends_s:
            return False
        clock.true.set(self.alarm, ends_s)
        return True

    def measure(self, clock: Clock) -> float:
        """Return how many of the last `count` beginnings are within the window."""
        since_s = clock.true_s - self.window_s - ROUNDING_S
        return sum(began_s > since_s for began_s in self.began_s)

    def forget(self) -> None:
        """Let what goes on begin again; what was counted stays."""
        super().forget()
        self.before = False

    def remember(self, clock: Clock) -> dict[str, Any]:
        """Return the beginnings."""
        return {"before": self.before, "began": [age(clock.true_s, s) for s in self.began_s]}

    def recall(self, kept: dict[str, Any], clock: Clock) -> None:
        """Take over the beginnings."""
        began_s = sorted(clock.true_s - number(s) for s in kept["began"])
        self.before = truth(kept["before"])
        self.began_s.extend(began_s)
