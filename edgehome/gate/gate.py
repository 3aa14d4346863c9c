"""Between the camera and the model: whether this frame is worth the model's while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgehome.gate.motion import Motion
from edgehome.gate.picture import small
from edgehome.gate.tamper import Tamper
from edgehome.types import CameraState, Frame, Polygon

GAP_S = 2.0
"""Seconds without a frame after which nothing is known of the scene; the recogniser's own too."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a frame says before the model sees it."""

    motion: float
    """Part of the picture that moves, 0-1, masked parts left out."""
    camera: frozenset[CameraState]
    """What is wrong with the camera's view."""
    run: bool
    """Whether the model is to see it."""


class Gate:
    """Lets the model rest while nothing moves.

    It runs from the very frame on which more than `threshold` of the picture moves, or on which
    the state of the camera changes, until `window_s` after the last such frame: then all that it
    looks back on is stillness, and it would say the same again. So it does after the start.
    """

    def __init__(
        self,
        *,
        window_s: float,
        threshold: float = 0.01,
        ignore: Sequence[Polygon] = (),
        rests: bool = True,
    ) -> None:
        """Take how far the model looks back; without `rests` it runs on every frame."""
        self._window_s = window_s
        self._threshold = threshold
        self._rests = rests
        self._motion = Motion(ignore)
        self._tamper = Tamper()
        self._time_s: float | None = None  # of the last frame
        self._awake_s = 0.0  # it runs until then
        self._camera: frozenset[CameraState] = frozenset()

    def look(self, frame: Frame) -> Look:
        """Return what this frame says, which comes after all that were shown before."""
        now_s = frame.time_s
        begins = self._time_s is None or not 0.0 <= now_s - self._time_s <= GAP_S
        self._time_s = now_s
        if begins:
            self._motion.forget()
            self._tamper.pause()
        picture = small(frame.image)
        motion = self._motion.part(picture)
        camera = self._tamper.states(frame.image, picture, now_s)
        if begins or motion > self._threshold or camera != self._camera:
            self._awake_s = now_s + self._window_s
        self._camera = camera
        return Look(motion, camera, run=not self._rests or now_s <= self._awake_s)
