"""Video through PyAV: files, network streams and V4L2 devices, decoded and scaled by FFmpeg.

One decoding thread: a second one adds 11 MB of memory for frames in flight, and the recogniser
has a better use for the core.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

import av
from av.error import ExitError, FFmpegError, HTTPForbiddenError, HTTPUnauthorizedError
from av.error import TimeoutError as FFmpegTimeoutError

from edgehome.camera.address import without_password
from edgehome.camera.aim import Aim
from edgehome.camera.scale import Picture, Square, Whole, jpeg
from edgehome.types import CameraError, View

if TYPE_CHECKING:
    import numpy as np
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

__all__ = ["Decoder", "Picture", "VideoFile", "Whole", "explained", "jpeg", "silent"]

log = logging.getLogger(__name__)

DEFAULT_PERIOD_S = 1 / 25
"""Seconds between frames where the container does not say."""
ENDS_EARLY_S = 1.0
"""A clip that ends this much before its stated duration, in seconds, was cut off."""


class NoPictureError(Exception):
    """Raised where FFmpeg can open something, but finds no video stream in it."""


class Decoder:
    """Decodes the first video stream of whatever FFmpeg can open.

    Raises FFmpegError on entering and between frames, and NoPictureError on entering; the
    sources turn them into sentences.
    """

    def __init__(
        self,
        address: str,
        *,
        size: int,
        format: str | None = None,  # noqa: A002  (FFmpeg's word)
        options: dict[str, str] | None = None,
        timeout_s: float | None = None,
        aim: Aim | None = None,
    ) -> None:
        self.broken = 0
        """Frames that could not be decoded, so far."""
        self.period_s = DEFAULT_PERIOD_S
        """Seconds between frames, as the container states it."""
        self._address = address
        self._format = format
        self._options = options or {}
        self._timeout_s = timeout_s
        self._square = Square(size, aim)

    def __enter__(self) -> Self:
        self._container = self._open()
        if not self._container.streams.video:
            self._container.close()
            raise NoPictureError(self._address)
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = 1
        if self._stream.average_rate:
            self.period_s = float(1 / self._stream.average_rate)
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()
        # With them go the frames that they hold: some 20 MB at 1080p.
        del self._stream, self._container, self._square

    def _open(self) -> InputContainer:
        address, began_s = self._address, time.monotonic()
        try:
            return av.open(
                address, format=self._format, options=self._options, timeout=self._timeout_s
            )
        except FFmpegError as error:
            # FFmpeg says "invalid data" of an RTSP server whose silence it was told to end.
            if self._timeout_s and time.monotonic() - began_s >= self._timeout_s:
                raise FFmpegTimeoutError(errno.ETIMEDOUT, "it says nothing", address) from error
            raise

    def packets(self) -> Iterator[list[Picture]]:
        """Yield the frames of each packet, none or several; broken ones are counted and left out.

        Raises FFmpegError when the stream itself breaks.
        """
        for packet in self._container.demux(self._stream):
            yield self._decoded(packet)

    def _decoded(self, packet: Packet[VideoStream]) -> list[Picture]:
        try:
            frames = self._stream.codec_context.decode(packet)
        except FFmpegError as error:
            self.broken += 1
            log.debug("a frame of %s is broken: %s", without_password(self._address), error)
            return []
        whole = [frame for frame in frames if not frame.is_corrupt]
        self.broken += len(frames) - len(whole)
        return whole

    @property
    def view(self) -> View:
        """What of the picture the last image shows."""
        return self._square.view

    def image(self, frame: Picture) -> NDArray[np.uint8]:
        """Return the middle of a frame, upright: RGB, uint8, (size, size, 3), contiguous."""
        return self._square.image(frame, self.aspect())

    def aspect(self) -> Fraction:
        """Return the width of a pixel by its height."""
        said = self._stream.sample_aspect_ratio or self._stream.codec_context.sample_aspect_ratio
        # PyAV 19 has a type of its own for this, which may stand for infinity.
        known = said is not None and said.numerator > 0 and said.denominator > 0
        return Fraction(said.numerator, said.denominator) if said and known else Fraction(1)


class VideoFile(Decoder):
    """Decodes a file. Entering raises CameraError: clip_missing, clip_unreadable."""

    def __init__(self, path: Path, *, size: int, aim: Aim | None = None) -> None:
        super().__init__(
            f"file:{path}", size=size, aim=aim
        )  # else a colon in it would be a protocol
        self.fault = ""
        """What is wrong with the file, as a clause; known when the pictures have ended."""
        self._path = path

    def __enter__(self) -> Self:
        try:
            return super().__enter__()
        except FileNotFoundError as error:
            raise CameraError(
                "clip_missing", f"There is no file {self._path}.", "Check the name and the folder."
            ) from error
        except NoPictureError as error:
            raise self._unreadable("it has no picture") from error
        except FFmpegError as error:
            raise self._unreadable(error.strerror or str(error)) from error

    def pictures(self) -> Iterator[Picture]:
        """Yield the frames; a broken tail ends them, and is a fault.

        Raises CameraError (clip_unreadable) when not one frame can be decoded.
        """
        picture = None
        try:
            for pictures in self.packets():
                for picture in pictures:
                    yield picture
        except FFmpegError as error:
            self.fault = f"{self._path} breaks off: {error.strerror}"
        if picture is None:
            raise self._unreadable("not one frame of it can be decoded")
        missing_s = self._end_s - (picture.time or self._end_s)
        if missing_s > ENDS_EARLY_S:
            self.fault = f"{self._path} ends {missing_s:.1f} s early: it was cut off"
        elif self.broken:
            self.fault = f"{self.broken} frames of {self._path} are broken and were left out"

    @property
    def _end_s(self) -> float:
        """Stamp at which the container says the file ends; 0 where it does not say."""
        start = self._container.start_time or 0
        return ((self._container.duration or 0) + start) / av.time_base

    def _unreadable(self, why: str) -> CameraError:
        return CameraError(
            "clip_unreadable",
            f"{self._path} cannot be read as a video: {why}.",
            "Is the file complete? Try to play it with ffplay or another player.",
        )


@contextmanager
def explained(source: str) -> Iterator[None]:
    """Turn what FFmpeg says of a live source into a CameraError for the person who can act."""
    try:
        yield
    except NoPictureError as error:
        raise missing(source, "it sends no picture") from error
    except FFmpegError as error:
        raise _live_error(source, error) from error


def _live_error(source: str, error: FFmpegError) -> CameraError:
    name = without_password(source)
    if isinstance(error, (ExitError, TimeoutError, EOFError)):
        return silent(source)
    if isinstance(error, (HTTPUnauthorizedError, HTTPForbiddenError)):
        return CameraError(
            "camera_denied",
            f"{name} refuses the user or the password.",
            "Write them into the address: rtsp://user:password@host/stream.",
        )
    if error.errno == errno.EACCES and os.access(source, os.R_OK | os.W_OK):
        # It is the worker's walls, which know the devices that were there when it began.
        return missing(source, "it was plugged in only just now")
    if isinstance(error, PermissionError):
        return CameraError(
            "camera_denied",
            f"{name} may not be opened by this user.",
            "Add the user to the group video: sudo usermod -aG video USER; the service is in it.",
        )
    if error.errno == errno.EBUSY:
        return CameraError(
            "camera_busy",
            f"{name} is in use by another process.",
            f"Stop the other one; sudo fuser -v {name} names it.",
        )
    return missing(source, error.strerror or str(error))


def missing(source: str, why: str) -> CameraError:
    """Return the error for a camera that is not there."""
    return CameraError(
        "camera_missing",
        f"{without_password(source)} gives no video: {why}.",
        "Is it plugged in and switched on, and is the address right? Try it with ffplay.",
    )


def silent(source: str) -> CameraError:
    """Return the error for a camera that is there and sends nothing."""
    return CameraError(
        "camera_timeout",
        f"{without_password(source)} sends no more frames.",
        "Is it switched on, and is the network up? edgehome tries again by itself.",
    )
