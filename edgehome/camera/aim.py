"""How a camera is held and what of its picture counts: pure."""

from __future__ import annotations

from dataclasses import dataclass

from edgehome.types import WHOLE, Region, View


@dataclass(frozen=True, slots=True)
class Aim:
    """What makes the picture that a person sees of the one that a camera gives."""

    rotation: int = 0
    """Degrees clockwise by which its picture is turned to be upright: 0, 90, 180 or 270."""
    region: Region = WHOLE
    """The part of the whole upright picture that counts."""

    @property
    def turns(self) -> int:
        """Return the rotation in quarter turns counterclockwise, as numpy counts them."""
        return -self.rotation // 90 % 4


def unturned(region: Region, turns: int) -> Region:
    """Return where a region lay before the picture made quarter turns counterclockwise."""
    for _ in range(turns % 4):
        x, y, width, height = region
        region = (1 - y - height, x, height, width)
    return region


def turned(view: View, size: tuple[int, int], turns: int) -> View:
    """Return the view of an image of (width, height) after quarter turns counterclockwise."""
    for _ in range(turns % 4):
        left, top, width, height, reach = view
        view = View(top, size[0] - left - width, height, width, reach)
        size = (size[1], size[0])
    return view


def cut(size: tuple[int, int], region: Region, grid: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return left, top, width and height in pixels of the region of a picture of (width, height).

    All are multiples of the grid, and at least one of it, as far as the picture has as much.
    """
    sides = []
    for length, start, share, step in zip(size, region[:2], region[2:], grid, strict=True):
        steps = max(1, length // step)
        first = min(round(start * length / step), steps - 1)
        last = min(max(round((start + share) * length / step), first + 1), steps)
        sides.append((first * step, (last - first) * step))
    (left, width), (top, height) = sides
    return left, top, width, height
