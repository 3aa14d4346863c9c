"""Sources of frames: the Pi camera, a USB camera, a network stream, a file.

A source owns the rate: it yields the newest frame on a grid of 1 / rate and counts the others.
picamera2 and PyAV are imported when a source that needs them is opened, never before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from edgehome.camera.aim import Aim
from edgehome.types import CameraError, Frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Aim", "Camera", "LiveCamera", "open_camera", "open_clip"]


class Camera(Protocol):
    """A source of frames; entering it acquires the device, leaving it lets everything go.

    Entering and iterating raise CameraError. One source is iterated once.
    """

    @property
    def skipped(self) -> int:
        """Frames that the source produced and nobody looked at, since it was entered."""

    def __enter__(self) -> Self:
        """Acquire the device and return the camera."""

    def __exit__(self, *_: object) -> None:
        """Let the device go."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames with `time_s` increasing, at most `rate` a second."""


class LiveCamera(Camera, Protocol):
    """A camera that can also give a picture for people, and look less often."""

    def set_rate(self, rate: float) -> None:
        """Yield so many frames a second from now on, at most as many as it was opened for."""

    def picture(self) -> Frame | None:
        """Return the newest picture, whole and upright; None where there is none yet.

        Its longer side is `picture` pixels, less where the camera gives less.
        """

    def jpeg(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Return RGB, uint8, (height, width, 3), as a JPEG without metadata; quality is 1-100."""


def open_camera(
    source: str, *, size: int, rate: float, picture: int = 0, aim: Aim | None = None
) -> LiveCamera:
    """Return the live camera that `source` names.

    `source` is `pi`, a V4L2 device such as /dev/video0, a network address such as
    rtsp://host/stream, or a video file, which plays in real time, over and over.
    Frames are (size, size, 3), `rate` a second. `picture` is the longer side of what `picture()`
    gives, in pixels; without it a camera keeps no picture, and that costs nothing. `aim` turns and
    cuts every picture; views count from the whole upright one all the same. Raises CameraError
    (av_missing) here, and the others of the source when it is entered.
    """
    if source == "pi":
        from edgehome.camera.pi import PiCamera  # noqa: PLC0415  (numpy only where a frame is)

        return PiCamera(size=size, rate=rate, picture=picture, aim=aim)
    with _needs_av():
        from edgehome.camera.live import LiveVideo  # noqa: PLC0415
    return LiveVideo(source, size=size, rate=rate, picture=picture, aim=aim)


def open_clip(
    path: Path, *, size: int, rate: float, start: datetime, aim: Aim | None = None
) -> Camera:
    """Return a clip to replay on its own clock: `time_s` from 0, `at` = `start` + `time_s`.

    The same file gives the same frames every time. `start` has a zone. Frames are
    (size, size, 3). Raises CameraError (av_missing) here; clip_missing, clip_unreadable later.
    """
    with _needs_av():
        from edgehome.camera.clip import VideoClip  # noqa: PLC0415
    return VideoClip(path, size=size, rate=rate, start=start, aim=aim)


@contextmanager
def _needs_av() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        if error.name != "av":
            raise
        raise CameraError(
            "av_missing",
            "PyAV is not installed, and every source but the Pi camera needs it.",
            "Install it beside edgehome: pip install 'edgehome[video]'.",
        ) from error
