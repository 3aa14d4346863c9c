"""A state of the camera that begins and ends only when it has lasted."""

from __future__ import annotations


class Held:
    """On once a sign was there for `on_s` without a break, off once it was gone for `off_s`."""

    def __init__(self, on_s: float, off_s: float) -> None:
        self._on_s = on_s
        self._off_s = off_s
        self._since_s: float | None = None  # of a sign that speaks against the state
        self.on = False

    def tell(self, time_s: float, *, sign: bool | None) -> bool:
        """Return whether it is on at that time; None is a sign of neither, and nothing changes."""
        if sign is None or sign == self.on:
            self._since_s = None
            return self.on
        if self._since_s is None:
            self._since_s = time_s
        if time_s - self._since_s >= (self._off_s if self.on else self._on_s):
            self.on, self._since_s = sign, None
        return self.on

    def pause(self) -> None:
        """Count what goes on from the next sign: between the two nobody looked."""
        self._since_s = None
