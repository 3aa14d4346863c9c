"""A camera whose frames go through somebody's hands on their way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, Self, TypeVar

from edgehome.camera import Camera
from edgehome.types import Frame

AnyCamera = TypeVar("AnyCamera", bound=Camera)


class Through(Generic[AnyCamera]):
    """Gives what `hand` makes of each frame of a camera; who opened that closes it."""

    def __init__(self, camera: AnyCamera, hand: Callable[[Frame], Frame]) -> None:
        self._camera = camera
        self._hand = hand

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the camera to its owner."""

    @property
    def skipped(self) -> int:
        """What the camera itself counts."""
        return self._camera.skipped

    def frames(self) -> Iterator[Frame]:
        """Yield what becomes of the camera's frames."""
        for frame in self._camera.frames():
            yield self._hand(frame)
