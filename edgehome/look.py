"""`edgehome look FILE.jpg`: a picture of what the camera sees, for whoever hangs it up.

It stays on this machine. What the privacy polygons cover is black, what `motion.ignore` covers is
darker, and a frame shows the square that the model sees.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgehome.configfile import required
from edgehome.types import CameraError, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgehome.camera import LiveCamera
    from edgehome.config.types import Config

SIZE, RATE = 172, 5.0
"""Of the frames that the model in the box sees; only the picture is used."""
LONGER, QUALITY = 1280, 85
LEAVE_S = 5
"""Seconds that a camera which failed may take to be left; then the process ends itself."""
FRAME = (255, 220, 0)
EX_UNAVAILABLE = 69


def add_look(commands: Any, config: Path) -> None:  # noqa: ANN401 - argparse's own has no name
    """Add the command; `config` is the configuration that is read by default."""
    look = commands.add_parser(
        "look",
        help="write a picture of what the camera sees, to hang it up by",
        description="The node must be stopped for that long: a camera has one user. The yellow "
        "frame is what the model sees. Beside it a number for focus: the higher, the sharper.",
    )
    look.add_argument("file", type=Path, metavar="FILE.jpg")
    look.add_argument("-c", "--config", type=Path, default=config)
    look.add_argument(
        "--follow", action="store_true", help="write it anew every second, until Ctrl-C"
    )
    look.set_defaults(run=_look)


def _look(options: argparse.Namespace) -> int:
    from edgehome.camera import Aim, open_camera  # noqa: PLC0415  (numpy only where it is needed)

    config = required(options.config)
    aim = Aim(config.camera.rotation, config.camera.region)
    camera = open_camera(config.camera.source, size=SIZE, rate=RATE, picture=LONGER, aim=aim)
    with camera as opened:
        try:
            _write(opened, config, options.file, follow=options.follow)
        except CameraError as error:
            # To leave a camera that hangs may take for ever, deaf to Ctrl-C.
            sys.stderr.write(f"edgehome: {error}\n")
            signal.alarm(LEAVE_S)
            return EX_UNAVAILABLE
    return 0


def _write(camera: LiveCamera, config: Config, file: Path, *, follow: bool) -> None:
    """Write the picture that goes with the first frame, or with one each second."""
    from edgehome.privacy import PrivateCamera  # noqa: PLC0415

    private = PrivateCamera(camera, config.camera.privacy)
    next_s = 0.0
    for _ in private.frames():
        picture = private.picture()
        if picture is None or time.monotonic() < next_s:
            continue
        focus = sharpness(picture.image)
        data = camera.jpeg(drawn(picture.image, config), QUALITY)
        _keep(file, data)
        height, width, _ = picture.image.shape
        sys.stdout.write(f"{file}: {width}x{height}, focus {focus:.1f}\n")
        sys.stdout.flush()
        next_s = time.monotonic() + 1
        if not follow:
            return


def _keep(file: Path, data: bytes) -> None:
    """Write a picture that only its owner may read."""
    part = file.with_name(f".{file.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(data)
    part.replace(file)


def sharpness(image: NDArray[np.uint8]) -> float:
    """Return the mean step in brightness, of 255, from pixel to pixel in the model's square."""
    import numpy as np  # noqa: PLC0415

    left, top, side = _square(image)
    green = image[top : top + side, left : left + side, 1].astype(np.int16)
    return float(np.abs(np.diff(green, axis=1)).mean())


def drawn(image: NDArray[np.uint8], config: Config) -> NDArray[np.uint8]:
    """Return the picture, RGB, uint8, (height, width, 3), with the square and what is ignored."""
    from edgehome.privacy import rasterized  # noqa: PLC0415

    made = image.copy()
    left, top, side = _square(image)
    height, width, _ = image.shape
    if config.motion.ignore:
        view = View(left, top, side, side, 0)
        made[rasterized(config.motion.ignore, view, width, height)] //= 2
    square = made[top : top + side, left : left + side]
    thick = max(1, side // 200)
    for edge in (square[:thick], square[-thick:], square[:, :thick], square[:, -thick:]):
        edge[:] = FRAME
    return made


def _square(image: NDArray[np.uint8]) -> tuple[int, int, int]:
    """Return left, top and side of the middle square."""
    height, width, _ = image.shape
    side = min(height, width)
    return (width - side) // 2, (height - side) // 2, side
