"""What the home does not want seen: polygons burned into every picture that a camera gives.

The worker takes its frames through `PrivateCamera` alone, so the gate, the model and a snapshot
never see what lies beneath. The colour is black: it leaves the verdict `dark` to the rest of the
picture, and is one AND a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np

from edgehome.camera import LiveCamera
from edgehome.camera.through import AnyCamera, Through
from edgehome.types import Frame, Polygon, View

if TYPE_CHECKING:
    from numpy.typing import NDArray

Points = Sequence[tuple[float, float]]
"""(x, y) in pixels of an image."""


class Mask:
    """Polygons, 0-1 of the camera's whole picture, as pixels of the images that are asked for."""

    def __init__(self, polygons: Sequence[Polygon]) -> None:
        self._polygons = tuple(polygons)
        self._kept: dict[tuple[tuple[int, ...], View], NDArray[np.uint8]] = {}

    def burn(self, frame: Frame) -> Frame:
        """Return the frame with the polygons black. Raises ValueError without a view."""
        if not self._polygons:
            return frame
        if frame.view is None:
            raise ValueError("where the polygons lie in a frame without a view is not known")
        key = (frame.image.shape, frame.view)
        kept = self._kept.get(key)
        if kept is None:
            if len(self._kept) >= 2:  # the model's and the snapshot's; a camera may change its mind
                self._kept.clear()
            height, width = frame.image.shape[:2]
            hidden = rasterized(self._polygons, frame.view, width, height)
            kept = np.repeat(np.where(hidden, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)
            self._kept[key] = kept
        return replace(frame, image=frame.image & kept)


class PrivateCamera(Through[AnyCamera]):
    """A camera of which only masked pictures are to be had; who opened it closes it."""

    def __init__(self, camera: AnyCamera, polygons: Sequence[Polygon]) -> None:
        self._mask = Mask(polygons)
        super().__init__(camera, self._mask.burn)

    def set_rate(self: PrivateCamera[LiveCamera], rate: float) -> None:
        """Have the camera give so many frames a second from now on."""
        self._camera.set_rate(rate)

    def picture(self: PrivateCamera[LiveCamera]) -> Frame | None:
        """Return the camera's newest picture, masked."""
        picture = self._camera.picture()
        return self._mask.burn(picture) if picture else None

    def jpeg(self: PrivateCamera[LiveCamera], image: NDArray[np.uint8], quality: int) -> bytes:
        """Return a picture as the camera's own kind of JPEG."""
        return self._camera.jpeg(image, quality)


def rasterized(
    polygons: Sequence[Polygon], view: View, width: int, height: int
) -> NDArray[np.bool_]:
    """Return the pixels, (height, width), that may show anything of what the polygons cover.

    That is every pixel that a polygon touches, and those around it as far as scaling spreads
    what lies beneath: the mask is never smaller than what was drawn.
    """
    far = view.reach
    touched = np.zeros((height + 2 * far, width + 2 * far), bool)  # with a border of that width
    for polygon in polygons:
        points = [
            (x * view.width + view.left + far, y * view.height + view.top + far) for x, y in polygon
        ]
        touched |= _inside(points, touched.shape)
        for one, other in pairwise((*points, points[0])):
            _draw(touched, one, other)
    for axis in (0, 1):
        touched = _spread(touched, far, axis)
    return touched[far : far + height, far : far + width]


def _inside(points: Points, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels whose middle the polygon goes round, however often."""
    rows, columns = shape
    turns = np.zeros((rows, columns + 1), np.int32)  # edges that cross a row left of a pixel
    middles = np.arange(rows) + 0.5
    for (x0, y0), (x1, y1) in pairwise((*points, points[0])):
        crossed = np.flatnonzero((y0 > middles) != (y1 > middles))
        if crossed.size:
            x = x0 + (middles[crossed] - y0) / (y1 - y0) * (x1 - x0)
            turns[crossed, np.clip(np.ceil(x - 0.5), 0, columns).astype(int)] += (
                1 if y1 > y0 else -1
            )
    within: NDArray[np.bool_] = turns[:, :columns].cumsum(axis=1) != 0
    return within


def _draw(touched: NDArray[np.bool_], one: tuple[float, float], other: tuple[float, float]) -> None:
    """Mark every pixel that the line from one point to the other touches."""
    (x0, y0), (x1, y1) = sorted((one, other), key=lambda point: point[1])
    rows = touched.shape[0]
    for row in range(max(0, ceil(y0) - 1), min(rows, floor(y1) + 1)):
        ends = [x0, x1]
        if y1 > y0:
            parts = ((min(max(side, y0), y1) - y0) / (y1 - y0) for side in (row, row + 1))
            ends = [x0 + part * (x1 - x0) for part in parts]
        first, last = max(0, ceil(min(ends)) - 1), max(0, floor(max(ends)) + 1)
        touched[row, first:last] = True


def _spread(touched: NDArray[np.bool_], far: int, axis: int) -> NDArray[np.bool_]:
    """Return the pixels that lie within `far` of a touched one, along an axis."""
    spread = touched.copy()
    for step in range(1, far + 1):
        for shift in (step, -step):
            spread |= np.roll(touched, shift, axis)  # what comes round ends in the border
    return spread
