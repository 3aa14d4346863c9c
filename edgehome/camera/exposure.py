"""Whether what changes in the picture is the camera's own exposure: pure, with time as argument.

libcamera tells with every frame how it was exposed. A sensor without that (a USB camera, the
virtual camera) is taken for settled; the gate then judges by the picture alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SETTLE_S = 2.0
"""Seconds of frames after which the exposure counts as settled whatever it does."""
JUMP = 1.1
"""Change from frame to frame that is one of the light. libcamera's controller for the Pi goes 15
to 20 % of the way a frame (`speed` of its tuning files): so this is light that doubles or halves
at once, and not somebody who walks in."""
CALM = 1.03
"""Change from frame to frame below which it has arrived."""
SEARCHING = 1
"""AeStateSearching of libcamera's AeState (0.5 and later); before, there was AeLocked."""


class Exposure:
    """Follows the exposure of one camera, frame by frame."""

    def __init__(self) -> None:
        self.started = False
        """The first exposure was found, or waited for long enough."""
        self._jump_s: float | None = None
        """Seconds of the frame with which it began to look for another; None: it rests."""
        self._light: float | None = None

    def settled(self, time_s: float, metadata: Mapping[str, Any]) -> bool:
        """Return whether the frame of that moment, in seconds, is exposed as the scene needs it.

        `metadata` is libcamera's, of the same frame.
        """
        change = self._change(metadata)
        if not self.started:
            if self._jump_s is None:
                self._jump_s = time_s
            if _found(metadata, change) or time_s - self._jump_s >= SETTLE_S:
                self.started, self._jump_s = True, None
            return self.started
        if self._jump_s is not None and (change < CALM or time_s - self._jump_s >= SETTLE_S):
            self._jump_s = None
        elif self._jump_s is None and change > JUMP:
            self._jump_s = time_s
        return self._jump_s is None

    def _change(self, metadata: Mapping[str, Any]) -> float:
        """Return by what factor, at least 1, the frame is exposed otherwise than the last."""
        parts = (metadata.get(key, 1.0) for key in ("AnalogueGain", "DigitalGain"))
        light = float(metadata.get("ExposureTime", 0))
        for part in parts:
            light *= float(part)
        before, self._light = self._light, light
        if not before or not light:
            return 1.0
        return max(light / before, before / light)


def _found(metadata: Mapping[str, Any], change: float) -> bool:
    """Return whether the exposure was found, by what the camera itself says where it does."""
    if "AeState" in metadata:
        return int(metadata["AeState"]) != SEARCHING
    if "AeLocked" in metadata:
        return bool(metadata["AeLocked"])
    return change < CALM
