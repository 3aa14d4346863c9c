"""The picture that goes with an alert: taken in the worker, when the supervisor asks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from edgehome.messages import SNAPSHOT_BYTES, Snapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgehome.types import Frame

QUALITIES = (85, 70, 50, 30)
"""Tried one after the other until the picture is small enough, then at half the size."""
LEAST = 16
"""Pixels a side below which a picture says nothing any more."""

logger = logging.getLogger(__name__)

Write = Callable[["NDArray[np.uint8]", int], bytes]
"""Makes a JPEG of RGB, uint8, (height, width, 3), at a quality of 1-100."""


class Camera(Protocol):
    """What is needed of a camera."""

    def picture(self) -> Frame | None:
        """Return the newest picture, masked, if there is one."""

    def jpeg(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Return a picture as JPEG."""


class Photographer:
    """Answers requests between two frames; it never waits for one."""

    def __init__(
        self,
        camera: Camera,
        asked: Callable[[], str | None],
        send: Callable[[Snapshot], None],
    ) -> None:
        """Take what returns the alert that a picture is asked for, if any."""
        self._camera = camera
        self._asked = asked
        self._send = send

    def look(self) -> None:
        """Send the newest picture if it is asked for."""
        alert_id = self._asked()
        if alert_id is None:
            return
        picture = self._camera.picture()
        data = fitted(picture.image, self._camera.jpeg) if picture else b""
        if picture and data:
            self._send(Snapshot(alert_id, picture.at, data))
        else:
            logger.warning("there is no picture to go with alert %s", alert_id)


def fitted(image: NDArray[np.uint8], write: Write, most: int = SNAPSHOT_BYTES) -> bytes:
    """Return the picture as a JPEG of at most `most` bytes, as good as that allows; else none."""
    while min(image.shape[:2]) >= LEAST:
        for quality in QUALITIES:
            data = write(image, quality)
            if len(data) <= most:
                return data
        image = _halved(image)
    return b""


def _halved(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the picture at half its size, each pixel the mean of four."""
    height, width = (side // 4 * 4 for side in image.shape[:2])  # even afterwards, too
    parts = image[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    halved: NDArray[np.uint8] = parts.mean(axis=(1, 3)).round().astype(image.dtype)
    return halved
