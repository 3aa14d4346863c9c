"""Pictures cut, scaled and written as JPEG by FFmpeg."""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import TYPE_CHECKING

import av
import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame as Picture

from edgehome.camera.aim import Aim, cut, turned, unturned
from edgehome.types import View

if TYPE_CHECKING:
    from av.video.format import VideoFormat
    from numpy.typing import NDArray

__all__ = ["Picture", "Square", "Whole", "jpeg"]


LEAST_REACH = 4
"""Pixels: bilinear scaling down spreads light over one neighbour and colour over three (measured);
scaled up, colour reaches three pixels of the source."""


class Square:
    """Cuts out the middle square and scales it, in FFmpeg; the cut goes first, it is the cheaper.

    The square is one on the screen: where pixels are not square, the cut is not either. It is the
    middle of the region that counts.
    """

    def __init__(self, size: int, aim: Aim | None = None) -> None:
        self._size = size
        self._aim = aim or Aim()
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str, Fraction, int] | None = None
        self._scaled: tuple[float, float, float, float, int] = (0, 0, 0, 0, 0)
        self._turns = 0

    @property
    def view(self) -> View:
        """What of the picture the last image shows."""
        return turned(View(*self._scaled), self._target, self._turns)

    def image(self, frame: Picture, aspect: Fraction) -> NDArray[np.uint8]:
        """Return a frame's part, upright; `aspect` is the width of a pixel by its height."""
        # Phones store the sensor's picture and the angle (counterclockwise) to show it at.
        turns = (round(frame.rotation / 90) + self._aim.turns) % 4
        self._turns = turns
        shape = (frame.width, frame.height, frame.format.name, aspect, turns)
        if self._graph is None or shape != self._shape:
            self._shape = shape
            self._graph = self._built(frame.width, frame.height, frame.format, aspect)
        self._graph.push(frame)
        image = self._graph.pull().to_ndarray()
        return np.ascontiguousarray(np.rot90(image, self._turns))

    def _sizes(
        self, width: int, height: int, aspect: Fraction
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the cut from the middle and what it is scaled to, (width, height) each."""
        side = min(width * aspect, Fraction(height))
        return (max(1, round(side / aspect)), max(1, round(side))), (self._size, self._size)

    def _built(self, width: int, height: int, pixels: VideoFormat, aspect: Fraction) -> Graph:
        # The cut begins and ends between samples of colour, as FFmpeg would have it anyway.
        grid = _grid(pixels)
        left, top, wide, high = cut((width, height), unturned(self._aim.region, self._turns), grid)
        part, self._target = self._sizes(wide, high, aspect)
        at = [
            start + round((n - m) / 2) // g * g
            for start, n, m, g in zip((left, top), (wide, high), part, grid, strict=True)
        ]
        part = (
            max(grid[0], part[0] // grid[0] * grid[0]),
            max(grid[1], part[1] // grid[1] * grid[1]),
        )
        across, down = self._target[0] / part[0], self._target[1] / part[1]
        reach = max(LEAST_REACH, 2 + ceil(3 * max(across, down)))
        self._scaled = (-at[0] * across, -at[1] * down, width * across, height * down, reach)
        graph = Graph()
        source = graph.add_buffer(
            width=width, height=height, format=pixels, time_base=Fraction(1, av.time_base)
        )
        crop = graph.add("crop", f"w={part[0]}:h={part[1]}:x={at[0]}:y={at[1]}")
        to = f"w={self._target[0]}:h={self._target[1]}"
        scale = graph.add("scale", f"{to}:flags=bilinear:threads=1")
        rgb = graph.add("format", "pix_fmts=rgb24")
        graph.link_nodes(source, crop, scale, rgb, graph.add("buffersink")).configure()
        return graph


class Whole(Square):
    """Scales the whole region that counts to a longer side of at most `size` pixels."""

    def _sizes(
        self, width: int, height: int, aspect: Fraction
    ) -> tuple[tuple[int, int], tuple[int, int]]:
        shown = width * aspect, Fraction(height)
        share = min(Fraction(1), self._size / max(shown))
        across, down = (max(2, round(side * share / 2) * 2) for side in shown)
        return (width, height), (across, down)


def _grid(pixels: VideoFormat) -> tuple[int, int]:
    """Return the pixels, across and down, that share a sample of colour."""
    wide, high = pixels.chroma_width(1024), pixels.chroma_height(1024)
    return (1024 // wide if wide else 1, 1024 // high if high else 1)


def jpeg(image: NDArray[np.uint8], quality: int | None = None) -> bytes:
    """Return a picture, RGB, uint8, (height, width, 3), as a JPEG file without metadata.

    `quality` is 1-100; without it FFmpeg's own choice, which is small.
    """
    height, width, _ = image.shape
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 1)
    encoder.options = {"flags": "+bitexact"}  # else a comment names FFmpeg's version
    if quality is not None:
        steps = str(round(2 + (100 - quality) * 29 / 99))  # its own scale: 2 is best, 31 worst
        encoder.options |= {"qmin": steps, "qmax": steps}
    frame = Picture.from_ndarray(image, format="rgb24").reformat(format="yuvj420p")
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
