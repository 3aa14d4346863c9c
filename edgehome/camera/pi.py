"""The Raspberry Pi camera through picamera2, which is imported when the camera is opened.

Facts about picamera2 are those of its source at 0.3.38.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self

from edgehome.camera import yuv
from edgehome.camera.pace import Pace
from edgehome.types import CameraError, Frame, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SILENCE_S = 3.0
"""Without a limit, capture_request() of a dead camera waits for ever, and raises nothing."""
FRAMES_PER_DUE = 2
"""The camera runs at a multiple of the rate: its shutter is then open for at most half the time
between two frames that are used, so a movement in the dark smears over half of it at most."""
BUFFERS = 4
"""One being filled, one next, one held by picamera2, one read by us."""
SAME_VIEW = 0.98
"""Sensor modes that see this share of the widest view see the same."""


class PiCamera:
    """A CSI camera: a small YUV stream with the sensor's own aspect; the newest frame only.

    Where pictures for people are wanted the small one is the camera's second stream, beside a
    larger one: the image processor scales both.

    After a CameraError the process has to end, and the next one tries again: a camera that fell
    silent is not closed, every failed open leaks a descriptor, and a camera that a failed open
    had acquired stays busy.
    """

    def __init__(self, *, size: int, rate: float, picture: int = 0) -> None:
        self._size = size
        self._longer = picture
        self._stream = "lores" if picture else "main"
        """What picamera2 calls the stream that the model sees."""
        self._buffer: tuple[float, datetime, NDArray[np.uint8]] | None = None
        """The newest picture for people, as it came, and when."""
        self._rate = rate
        self._pace = Pace(rate)
        self._missed = 0
        """Frames that picamera2 threw away because a newer one had come."""
        self._sequence: int | None = None
        self._silent = False

    def __enter__(self) -> Self:
        """Open, configure and start the camera.

        Raises CameraError: picamera2_missing, camera_missing, camera_busy, camera_denied,
        camera_unsupported.
        """
        self._picamera = _opened()
        try:
            self._configure()
            self._picamera.start()
        except (OSError, RuntimeError) as error:
            self._picamera.close()
            raise _explained(error) from error
        except CameraError:
            self._picamera.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if not self._silent:
            self._picamera.close()

    @property
    def skipped(self) -> int:
        """Frames that were not due, or that a newer one replaced before we came."""
        return self._pace.skipped + self._missed

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frame that is due, stamped by the sensor.

        Raises CameraError (camera_timeout) when no frame comes for SILENCE_S seconds.
        """
        while True:
            request = self._capture()
            try:
                time_s = request.get_metadata()["SensorTimestamp"] / 1e9
                self._count(request.request.sequence)
                image = self._image(request) if self._pace.due(time_s) else None
                if image is not None and self._longer:
                    # Copied, since the camera fills the buffer again: half a megabyte.
                    larger = request.make_buffer("main").copy()
                    self._buffer = (time_s, _wall_clock(time_s), larger)
            finally:
                request.release()
            if image is not None:
                yield Frame(time_s, _wall_clock(time_s), image, self._view)

    def set_rate(self, rate: float) -> None:
        """Yield so many frames a second from now on; the sensor itself goes on as it does."""
        self._pace.change(rate)

    def picture(self) -> Frame | None:
        """Return the newest picture, whole; it is converted only now."""
        if self._buffer is None:
            return None
        time_s, at, buffer = self._buffer
        width, height = self._main.width, self._main.height
        # A camera may give more than it was asked for.
        step = max(1, max(width, height) // max(self._longer, self._size))
        image = yuv.whole(yuv.unpack(buffer, self._main), self._coding, step)
        return Frame(time_s, at, image, View(0, 0, width / step, height / step, yuv.REACH))

    def jpeg(self, image: NDArray[np.uint8], quality: int) -> bytes:
        """Return a picture, RGB, uint8, (height, width, 3), as a JPEG; quality is 1-100.

        By Pillow, which picamera2 has loaded anyway.
        """
        from PIL import Image  # noqa: PLC0415

        data = BytesIO()
        Image.fromarray(image).save(data, "JPEG", quality=min(95, quality))
        return data.getvalue()

    def _configure(self) -> None:
        import libcamera  # noqa: PLC0415

        controls = {}
        if "FrameDurationLimits" in self._picamera.camera_controls:
            frame_us = round(1e6 / (self._rate * FRAMES_PER_DUE))
            controls["FrameDurationLimits"] = (frame_us, frame_us)
        sensor, shape = {}, self._picamera.sensor_resolution
        if "ScalerCrop" in self._picamera.camera_controls:
            mode = widest_mode(self._picamera.sensor_modes, self._rate * FRAMES_PER_DUE)
            if mode is not None:
                shape = mode["size"]
                sensor = {"output_size": shape, "bit_depth": mode["bit_depth"]}
        small = {"size": stream_size(shape, self._size), "format": "YUV420"}
        large = {"size": picture_size(shape, self._size, self._longer), "format": "YUV420"}
        configuration = self._picamera.create_video_configuration(
            main=large if self._longer else small,
            lores=small if self._longer else None,
            raw=None,
            sensor=sensor,
            colour_space=libcamera.ColorSpace.Sycc(),
            buffer_count=BUFFERS,
            controls=controls,
        )
        self._picamera.configure(configuration)
        given = self._picamera.camera_configuration()
        self._layout, self._main = layout(given[self._stream]), layout(given["main"])
        self._coding = coding(given["colour_space"])
        self._view = yuv.square_view(self._layout, self._size)

    def _capture(self) -> Any:  # noqa: ANN401  (picamera2 has no types)
        try:
            return self._picamera.capture_request(wait=SILENCE_S)
        except TimeoutError as error:
            # libcamera stops a camera with the interpreter's lock held: when the driver hangs, no
            # thread of ours ever runs again, and nobody would hear why. So it is left as it is.
            self._silent = True
            atexit.unregister(self._picamera.close)
            raise CameraError(
                "camera_timeout",
                f"The camera has sent no frame for {SILENCE_S:g} s.",
                "edgehome opens it anew; if this comes back, check the ribbon cable and the "
                "power supply.",
            ) from error

    def _count(self, sequence: int) -> None:
        if self._sequence is not None:
            self._missed += max(0, sequence - self._sequence - 1)
        self._sequence = sequence

    def _image(self, request: Any) -> NDArray[np.uint8]:  # noqa: ANN401
        planes = yuv.unpack(request.make_buffer(self._stream), self._layout)
        return yuv.square(planes, self._size, self._coding)


def stream_size(sensor: Sequence[int], size: int) -> tuple[int, int]:
    """Return the smallest even (width, height) with the sensor's aspect that holds the square.

    `sensor` is its (width, height), `size` the model's, all in pixels.
    """
    width, height = sensor
    short = size + size % 2
    long = round(short * max(width, height) / min(width, height) / 2) * 2
    return (long, short) if width >= height else (short, long)


def picture_size(sensor: Sequence[int], size: int, longer: int) -> tuple[int, int]:
    """Return an even (width, height) with the sensor's aspect, its longer side `longer` pixels.

    It is nowhere smaller than the model's stream: the second stream may not be the larger one.
    """
    least = stream_size(sensor, size)
    width, height = (round(longer * side / max(sensor) / 2) * 2 for side in sensor)
    return (max(width, least[0]), max(height, least[1]))


def widest_mode(modes: Sequence[Mapping[str, Any]], rate: float) -> Mapping[str, Any] | None:
    """Return the smallest sensor mode that sees all that the sensor can, at `rate` or faster.

    Left alone, a small picture would get a small mode, and those show only the middle.
    `modes` is Picamera2.sensor_modes. None when no mode says what it sees.
    """

    def view(mode: Mapping[str, Any]) -> int:
        _, _, width, height = mode["crop_limits"]
        return int(width * height)

    known = [mode for mode in modes if "crop_limits" in mode and mode["fps"] >= rate]
    if not known:
        return None
    widest = max(map(view, known))
    full = [mode for mode in known if view(mode) >= SAME_VIEW * widest]
    return min(full, key=lambda mode: (mode["size"][0] * mode["size"][1], mode["bit_depth"]))


def layout(stream: Mapping[str, Any]) -> yuv.Layout:
    """Return the layout that a stream really has, from camera_configuration()["main"].

    Raises CameraError (camera_unsupported) for a format that is not YUV 4:2:0.
    """
    if stream["format"] not in yuv.FORMATS:
        raise CameraError(
            "camera_unsupported",
            f"The camera gives {stream['format']} and not YUV420: it is not a Pi camera.",
            "For a USB camera, set camera.source to its device, such as /dev/video0.",
        )
    width, height = stream["size"]
    return yuv.Layout(stream["format"], width, height, stream["stride"])


def coding(colour_space: Any) -> yuv.Coding:  # noqa: ANN401
    """Return the coding that libcamera's ColorSpace stands for."""
    encoding = colour_space.ycbcrEncoding.name
    red, blue = yuv.BT709 if encoding == "Rec709" else yuv.BT601
    return yuv.Coding(red, blue, full=colour_space.range.name == "Full")


def _opened() -> Any:  # noqa: ANN401
    try:
        from picamera2 import Picamera2  # noqa: PLC0415
    except (ImportError, ValueError) as error:  # ValueError: its parts are built for another numpy
        raise CameraError(
            "picamera2_missing",
            f"picamera2 cannot be imported ({error}).",
            "Install it with: sudo apt install python3-picamera2; the virtual environment must "
            "be made by /usr/bin/python3 with --system-site-packages.",
        ) from error
    try:
        return Picamera2()
    except (IndexError, OSError, RuntimeError) as error:
        raise _explained(error) from error


def _explained(error: Exception) -> CameraError:
    """Return the error for the person who can act; picamera2 hides the cause behind others."""
    causes = [error]
    while isinstance(causes[-1].__cause__, Exception):
        causes.append(causes[-1].__cause__)
    words = str(causes[-1])
    if "busy" in words or "in use" in words:
        return CameraError(
            "camera_busy",
            "The Pi camera is in use by another process.",
            "Stop the other one (rpicam-apps, motion, a second edgehome); sudo fuser -v "
            "/dev/media* names it.",
        )
    if isinstance(causes[-1], PermissionError) or "dma" in words.lower():
        return CameraError(
            "camera_denied",
            f"The Pi camera may not be opened by this user ({words}).",
            "Add the user to the group video, and let the service have /dev/dma_heap, "
            "/dev/media* and /dev/video*.",
        )
    if isinstance(error, IndexError) or "found" in words:
        return CameraError(
            "camera_missing",
            "No Pi camera found: libcamera lists none.",
            "Is the ribbon cable seated at both ends, the right way round? rpicam-hello "
            "--list-cameras must name it.",
        )
    return CameraError(
        "camera_missing", f"The Pi camera cannot be started: {words}.", "Restart the Pi."
    )


def _wall_clock(time_s: float) -> datetime:
    """Return when the frame was born: now, less the age that the monotonic clock gives it."""
    age_s = max(0.0, time.monotonic() - time_s)
    return datetime.now(UTC).astimezone() - timedelta(seconds=age_s)
