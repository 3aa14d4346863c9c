"""What a frame tells before the model does: motion, the camera's state, whether to rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgehome.gate.motion import Motion
from edgehome.gate.picture import small
from edgehome.gate.tamper import Tamper
from edgehome.types import CameraState, Frame, Polygon

GAP_S = 2.0
"""Seconds without a frame after which the picture may be another: motion begins anew."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one frame tells."""

    motion: float
    """Part of the picture that moves, 0-1, ignored parts left out."""
    camera: frozenset[CameraState]
    still: bool
    """Nothing has moved for so long that the model would say the same again."""


class Gate:
    """Looks at every frame, and says when the model may rest.

    It may once nothing has moved for as many frames as a judgement looks back on: from then on
    every frame that the model would judge by shows the same. A frame that moves, or on which the
    camera's state changes, is never still, so the model sees the first one.

    While the camera looks for another exposure what changes is the light: motion then stays what
    it was, and the model looks for itself.
    """

    def __init__(
        self,
        *,
        hold: int,
        enabled: bool = True,
        threshold: float = 0.01,
        ignore: Sequence[Polygon] = (),
    ) -> None:
        """Take the frames that the model goes on for, and the part that counts as motion."""
        self._hold = hold
        self._enabled = enabled
        self._threshold = threshold
        self._motion = Motion(ignore)
        self._tamper = Tamper()
        self._part = 0.0
        self._calm = 0  # frames since the last that moved
        self._camera: frozenset[CameraState] = frozenset()
        self._time_s: float | None = None

    def begin_anew(self, hold: int) -> None:
        """Take other frames for which the model goes on, with nothing behind it."""
        self._hold, self._calm = hold, 0

    def look(self, frame: Frame) -> Look:
        """Return what the frame tells."""
        if self._time_s is not None and not 0.0 <= frame.time_s - self._time_s <= GAP_S:
            self._motion.forget()
            self._calm = 0
        self._time_s = frame.time_s
        picture = small(frame.image)
        if frame.settled:
            self._part = self._motion.part(picture)
        else:
            self._motion.forget()
        camera = self._tamper.look(frame, picture)
        wakes = self._part >= self._threshold or camera != self._camera or not frame.settled
        self._camera = camera
        self._calm = 0 if wakes else self._calm + 1
        return Look(self._part, camera, still=self._enabled and self._calm > self._hold)
