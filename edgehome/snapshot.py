"""The picture that goes with an alert: taken in the worker, when the supervisor asks.

`Photographer` is the worker's side of it, `Requests` the supervisor's.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from edgehome.messages import SNAPSHOT_BYTES, MessageError, Snapshot

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgehome.types import Frame

QUALITIES = (85, 70, 50, 30)
"""Tried one after the other until the picture is small enough, then at half the size."""
PAUSE_S = 1.0
"""A picture is asked for at most this often, whatever the number of alerts."""
UNDER_WAY = 8
"""Requests that are remembered: a worker that does not answer is asked on and on."""
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


class Requests:
    """What was asked for and has not come, so that a picture that nobody asked for is found out."""

    def __init__(self) -> None:
        self._asked: deque[str] = deque(maxlen=UNDER_WAY)
        self._next_s = 0.0

    def ask(self, alert_id: str, now_s: float, send: Callable[[str], bool]) -> None:
        """Have a request sent, unless the last one was less than PAUSE_S ago."""
        if now_s >= self._next_s and send(alert_id):
            self._next_s = now_s + PAUSE_S
            self._asked.append(alert_id)

    def answered(self, snapshot: Snapshot) -> None:
        """Take an answer; raises MessageError for a picture that nobody asked for."""
        if snapshot.alert_id not in self._asked:
            raise MessageError("a picture that nobody asked for")
        while self._asked.popleft() != snapshot.alert_id:
            pass  # a request that a later one overtook

    def forget(self) -> None:
        """Begin anew with a worker that was asked for nothing."""
        self._asked.clear()


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
