"""Live video: a thread decodes as frames come, and the newest one that is due waits to be taken.

A file can stand in for a camera: it plays in real time, over and over.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from edgehome.camera.address import without_password
from edgehome.camera.aim import Aim
from edgehome.camera.newest import Newest
from edgehome.camera.pace import Pace, Timeline
from edgehome.camera.video import (
    Decoder,
    Picture,
    VideoFile,
    Whole,
    explained,
    jpeg,
    silent,
)
from edgehome.types import Frame

if TYPE_CHECKING:
    from fractions import Fraction

    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger(__name__)

SILENCE_S = 4.0
"""A camera that sends nothing for so many seconds is given up."""
JOIN_S = 1.0
"""Seconds that the thread has to end. A driver that hangs must not hang us: it ends with us."""
POLL_S = 0.5
LATE_S = 1.0
"""A file that is decoded this much too slowly, in seconds, is played later instead."""
LONGEST_GAP_S = 2.0
"""A jump in a file's stamps that is longer than this, in seconds, is not waited for."""

DEVICE = {"video_size": "640x480"}
"""Small: a USB 2 camera sends this uncompressed. The driver takes the nearest size it has."""
RTSP = {"rtsp_transport": "tcp"}
"""UDP loses packets on a home's wireless network, and each loss smears the picture."""
PROBE = {"analyzeduration": "1000000"}
"""At most a second (in microseconds) to find out what a stream holds, instead of five."""


class LiveVideo:
    """A V4L2 device, a network stream, or a file that plays in real time, over and over."""

    def __init__(
        self, source: str, *, size: int, rate: float, picture: int = 0, aim: Aim | None = None
    ) -> None:
        self._source = source
        self._size = size
        self._aim = aim
        self._whole = Whole(picture, aim) if picture else None
        self._decoded: tuple[float, datetime, Picture, Fraction] | None = None
        """The newest picture that was due, as it was decoded, where pictures are wanted."""
        self._pace = Pace(rate)
        self._newest: Newest[Frame] = Newest()
        self._broken = 0
        self._start_s = 0.0
        """Monotonic seconds at which a file's clock is 0."""
        self._progress_s = 0.0
        """Monotonic seconds at which the source last sent something."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def __enter__(self) -> Self:
        self._progress_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(JOIN_S)
        if self._thread.is_alive():
            log.warning("%s does not let go; it ends with us", without_password(self._source))

    @property
    def skipped(self) -> int:
        """Frames that were not due, overwritten by newer ones, or broken."""
        return self._pace.skipped + self._newest.overwritten + self._broken

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frame whenever there is one.

        Raises CameraError: camera_missing, camera_denied, camera_busy, camera_timeout;
        clip_missing and clip_unreadable where a file stands in.
        """
        while not self._stop.is_set():
            frame = self._newest.take(POLL_S)
            if frame is not None:
                yield frame
            elif time.monotonic() - self._progress_s > SILENCE_S:
                raise silent(self._source)

    def set_rate(self, rate: float) -> None:
        """Yield so many frames a second from now on."""
        self._pace.change(rate)

    def picture(self) -> Frame | None:
        """Return the newest picture, whole; it is scaled only now."""
        if self._whole is None or self._decoded is None:
            return None
        time_s, at, decoded, aspect = self._decoded
        image = self._whole.image(decoded, aspect)
        return Frame(time_s, at, image, self._whole.view)

    def jpeg(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Return a picture, RGB, uint8, (height, width, 3), as a JPEG; quality is 1-100."""
        return jpeg(image, quality)

    def _run(self) -> None:
        try:
            if self._source.startswith("/dev/") or "://" in self._source:
                self._follow()
            else:
                self._play(Path(self._source))
        except Exception as error:  # noqa: BLE001  (raised again where the frames are taken)
            self._newest.fail(error)

    def _follow(self) -> None:
        """Take what the camera sends, stamped on arrival."""
        decoder = camera_decoder(self._source, size=self._size, aim=self._aim)
        with explained(self._source), decoder:
            for pictures in decoder.packets():
                now_s = time.monotonic()
                if now_s - self._progress_s > SILENCE_S:
                    break  # FFmpeg gave up waiting, and this is what it still had
                self._progress_s = now_s
                self._broken = decoder.broken
                for picture in pictures:
                    self._offer(decoder, picture, now_s)
                if self._stop.is_set():
                    return
        raise silent(self._source)

    def _play(self, path: Path) -> None:
        """Play a file on its own clock, which goes on over the seam when it starts again."""
        self._start_s = time.monotonic()
        timeline: Timeline | None = None
        broken = 0
        while not self._stop.is_set():
            with VideoFile(path, size=self._size, aim=self._aim) as file:
                first_time = timeline is None
                timeline = timeline or Timeline(file.period_s, longest_gap_s=LONGEST_GAP_S)
                self._play_once(file, timeline)
                broken += file.broken
                self._broken = broken
            if first_time and file.fault:
                log.warning("%s, each time it is played", file.fault)

    def _play_once(self, file: VideoFile, timeline: Timeline) -> None:
        for picture in file.pictures():
            time_s = timeline.at(picture.time)
            late_s = time.monotonic() - (self._start_s + time_s)
            if late_s > LATE_S:
                self._start_s += late_s
            if self._stop.wait(max(0.0, -late_s)):
                return
            self._progress_s = time.monotonic()
            self._offer(file, picture, self._start_s + time_s)

    def _offer(self, decoder: Decoder, picture: Picture, time_s: float) -> None:
        if self._pace.due(time_s):
            at = datetime.now(UTC).astimezone()
            if self._whole:
                self._decoded = (time_s, at, picture, decoder.aspect())
            self._newest.put(Frame(time_s, at, decoder.image(picture), decoder.view))


def camera_decoder(source: str, *, size: int, aim: Aim | None = None) -> Decoder:
    """Return the decoder of a V4L2 device or of a network address, with what each needs."""
    if source.startswith("/dev/"):
        return Decoder(
            source, size=size, format="v4l2", options=DEVICE, timeout_s=SILENCE_S, aim=aim
        )
    options = PROBE | (RTSP if source.startswith(("rtsp://", "rtsps://")) else {})
    return Decoder(source, size=size, options=options, timeout_s=SILENCE_S, aim=aim)
