"""The Raspberry Pi camera through picamera2, which is imported when the camera is opened.

Facts about picamera2 are those of its source at 0.3.38.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from edgehome.camera import pi_modes, yuv
from edgehome.camera.aim import Aim, cut, turned, unturned
from edgehome.camera.exposure import Exposure
from edgehome.camera.pace import Pace
from edgehome.camera.pi_errors import explained, unimportable
from edgehome.types import WHOLE, CameraError, Frame, Region, View

if TYPE_CHECKING:
    from numpy.typing import NDArray

SILENCE_S = 3.0
"""Without a limit, capture_request() of a dead camera waits for ever, and raises nothing."""
BUFFERS = 4
"""One being filled, one next, one held by picamera2, one read by us."""


class PiCamera:
    """A CSI camera: a small YUV stream with the sensor's own aspect; the newest frame only.

    Where pictures for people are wanted the small one is the camera's second stream, beside a
    larger one: the image processor scales both. It also cuts out the region, and the sensor turns
    the picture upside down, where they can; the rest is done here, on the small picture.

    After a CameraError the process has to end, and the next one tries again: every failed open
    leaks a descriptor, and a camera that a failed open had acquired stays busy. To leave a
    camera that fell silent may take for ever, with the interpreter's lock held: say first why.
    """

    def __init__(self, *, size: int, rate: float, picture: int = 0, aim: Aim | None = None) -> None:
        self._size = size
        self._longer = picture
        self._stream = "lores" if picture else "main"
        """What picamera2 calls the stream that the model sees."""
        self._buffer: tuple[float, datetime, NDArray[np.uint8], Region | None] | None = None
        """The newest picture for people, as it came, when, and where the whole picture lies."""
        self._rate = rate
        self._aim = aim or Aim()
        self._turns = self._aim.turns
        """Quarter turns counterclockwise that are left to be made here."""
        self._region: Region = WHOLE
        """What is left to be cut out here, of the picture as it comes."""
        self._pace = Pace(rate)
        self._exposure = Exposure()
        self._missed = 0
        """Frames that picamera2 threw away because a newer one had come, or the first ones, with
        an exposure that was not found yet."""
        self._sequence: int | None = None
        self._silent = False

    def __enter__(self) -> Self:
        """Open, configure and start the camera.

        Raises CameraError: picamera2_missing, picamera2_numpy, libcamera_missing, camera_missing,
        camera_busy, camera_denied, camera_unsupported.
        """
        self._picamera = _opened()
        try:
            self._configure()
            self._picamera.start()
        except (OSError, RuntimeError) as error:
            self._picamera.close()
            raise explained(error) from error
        except CameraError:
            self._picamera.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if not self._silent:
            self._picamera.close()
            return
        with suppress(RuntimeError, OSError):  # it is broken already, and that has been said
            self._picamera.cancel_all_and_flush()  # else the next frame goes to who waited last
            self._picamera.stop()
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
                frame = self._frame(request)
            finally:
                request.release()
            if frame is not None:
                yield frame

    def set_rate(self, rate: float) -> None:
        """Yield so many frames a second from now on; the sensor itself goes on as it does."""
        self._pace.change(rate)

    def picture(self) -> Frame | None:
        """Return the newest picture, whole but for the region; it is converted only now."""
        if self._buffer is None:
            return None
        time_s, at, buffer, outer = self._buffer
        planes, outer = self._part(buffer, self._main, outer)
        height, width = planes[0].shape
        # A camera may give more than it was asked for.
        step = max(1, max(width, height) // max(self._longer, self._size))
        image = yuv.whole(planes, self._coding, step)
        left, top, across, down = (side / step for side in outer)
        view = View(left, top, across, down, yuv.REACH)
        return Frame(time_s, at, *self._upright(image, view))

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

        known, controls = self._picamera.camera_controls, {}
        if "FrameDurationLimits" in known:
            controls["FrameDurationLimits"] = pi_modes.frame_durations(self._rate)
        sensor, shape = {}, self._picamera.sensor_resolution
        if "ScalerCrop" in known:
            least_fps = self._rate * pi_modes.FRAMES_PER_DUE
            mode = pi_modes.widest_mode(self._picamera.sensor_modes, least_fps)
            if mode is not None:
                shape = mode["size"]
                sensor = {"output_size": shape, "bit_depth": mode["bit_depth"]}
        small, large = self._streams(shape, cropped="ScalerCrop" in known)
        # Of a Pi's sensor only: libcamera's virtual camera says that it turns, and does not.
        upside_down = self._turns == 2 and "ScalerCrop" in known
        configuration = self._picamera.create_video_configuration(
            main=large if self._longer else small,
            lores=small if self._longer else None,
            raw=None,
            sensor=sensor,
            transform=libcamera.Transform(hflip=upside_down, vflip=upside_down),
            colour_space=libcamera.ColorSpace.Sycc(),
            buffer_count=BUFFERS,
            controls=controls,
        )
        self._picamera.configure(configuration)
        given = self._picamera.camera_configuration()
        self.layout = pi_modes.layout(given[self._stream])
        """How the stream that the model sees lies in memory, as it was given."""
        self._main = pi_modes.layout(given["main"])
        self._coding = pi_modes.coding(given["colour_space"])
        made = 2 if given["transform"].hflip and given["transform"].vflip else 0
        self._turns = (self._aim.turns - made) % 4
        self._crop()

    def _streams(
        self, sensor: tuple[int, int], *, cropped: bool
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what to ask for, for the model and for people; `cropped`: of the region only."""
        region = unturned(self._aim.region, self._aim.turns)
        shorter, longer = pi_modes.enlarged(sensor, region, whole=not cropped)
        shape: tuple[float, float] = sensor
        if cropped:
            shape = (sensor[0] * region[2], sensor[1] * region[3])
        small = pi_modes.stream_size(shape, self._size * shorter)
        large = pi_modes.picture_size(shape, self._size * shorter, self._longer * longer)
        return {"size": small, "format": "YUV420"}, {"size": large, "format": "YUV420"}

    def _crop(self) -> None:
        """Have the region cut out by the image processor, where it can, else later here."""
        self._region = unturned(self._aim.region, self._turns)
        self._maximum: tuple[int, int, int, int] | None = None
        known = self._picamera.camera_controls
        if self._region == WHOLE or "ScalerCrop" not in known:
            return
        self._maximum = tuple(known["ScalerCrop"][1])
        crop = pi_modes.scaler_crop(self._maximum, self._region)
        # libcamera takes the crops of the single streams before the common one, and picamera2
        # sets them unasked.
        several = "ScalerCrops" in known
        crops = [crop] * (1 + bool(self._longer))
        self._picamera.set_controls({"ScalerCrops": crops} if several else {"ScalerCrop": crop})
        self._cropped, self._region = crop, WHOLE

    def _capture(self) -> Any:  # noqa: ANN401  (picamera2 has no types)
        try:
            return self._picamera.capture_request(wait=SILENCE_S)
        except TimeoutError as error:
            self._silent = True
            raise CameraError(
                "camera_timeout",
                f"The camera has sent no frame for {SILENCE_S:g} s.",
                "edgehome opens it anew; if this comes back, check the ribbon cable and the "
                "power supply.",
            ) from error

    def _frame(self, request: Any) -> Frame | None:  # noqa: ANN401
        """Return the frame of a request, None where none is due."""
        metadata = request.get_metadata()
        time_s = metadata["SensorTimestamp"] / 1e9
        self._count(request.request.sequence)
        settled = self._exposure.settled(time_s, metadata)
        if not self._exposure.started:
            self._missed += 1
            return None
        if not self._pace.due(time_s):
            return None
        at = _wall_clock(time_s)
        buffer = request.make_buffer(self._stream)
        planes, outer = self._part(buffer, self.layout, self._outer(self.layout, metadata))
        image = yuv.square(planes, self._size, self._coding)
        height, width = planes[0].shape
        view = yuv.square_view((width, height), self._size, outer)
        if self._longer:
            # Copied, since the camera fills the buffer again: half a megabyte.
            larger = request.make_buffer("main").copy()
            self._buffer = (time_s, at, larger, self._outer(self._main, metadata))
        return Frame(time_s, at, *self._upright(image, view), settled=settled)

    def _count(self, sequence: int) -> None:
        if self._sequence is not None:
            self._missed += max(0, sequence - self._sequence - 1)
        self._sequence = sequence

    def _outer(self, layout: yuv.Layout, metadata: Mapping[str, Any]) -> Region | None:
        """Return where the whole picture lies, in pixels of a stream; None: it is the stream."""
        if self._maximum is None:
            return None
        crop = metadata.get("ScalerCrop", self._cropped)
        return pi_modes.outer(self._maximum, crop, (layout.width, layout.height))

    def _part(
        self, buffer: NDArray[np.uint8], layout: yuv.Layout, outer: Region | None
    ) -> tuple[tuple[yuv.Plane, yuv.Plane, yuv.Plane], Region]:
        """Return the planes of what counts, and where in pixels of these the whole picture lies."""
        planes = yuv.unpack(buffer, layout)
        box = cut((layout.width, layout.height), self._region, (2, 2))
        left, top, width, height = outer or (0, 0, layout.width, layout.height)
        return yuv.cut_out(planes, box), (left - box[0], top - box[1], width, height)

    def _upright(self, image: NDArray[np.uint8], view: View) -> tuple[NDArray[np.uint8], View]:
        if not self._turns:
            return image, view
        height, width, _ = image.shape
        upright = np.ascontiguousarray(np.rot90(image, self._turns))
        return upright, turned(view, (width, height), self._turns)


def _opened() -> Any:  # noqa: ANN401
    try:
        from picamera2 import Picamera2  # noqa: PLC0415
    except (ImportError, ValueError) as error:
        raise unimportable(error) from error
    try:
        return Picamera2()
    except (IndexError, OSError, RuntimeError) as error:
        raise explained(error) from error


def _wall_clock(time_s: float) -> datetime:
    """Return when the frame was born: now, less the age that the monotonic clock gives it."""
    age_s = max(0.0, time.monotonic() - time_s)
    return datetime.now(UTC).astimezone() - timedelta(seconds=age_s)
