"""Makes the pictures that the virtual camera shows in turn. Runs inside the camera root.

    make_pictures.py bars FOLDER
    make_pictures.py CLIP FOLDER RATE

Either three bars of colour, or so many pictures a second of a clip, in the middle of 16:9.
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw

BARS = ((200, 30, 30), (30, 160, 30), (30, 30, 200))


def coded(red: int, green: int, blue: int) -> tuple[int, int, int]:
    """Return Y, Cb and Cr of a colour in limited-range BT.709.

    The virtual camera hands on the numbers in a JPEG file as they are, and says that they are
    coded so.
    """
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    cb, cr = (blue - luma) / 1.8556, (red - luma) / 1.5748
    return round(16 + luma * 219 / 255), round(128 + cb * 224 / 255), round(128 + cr * 224 / 255)


def bars(folder: Path) -> None:
    for number in range(8):
        picture = Image.new("YCbCr", (1280, 720))
        draw = ImageDraw.Draw(picture)
        for index, colour in enumerate(BARS):
            left, right = index * 1280 / 3, (index + 1) * 1280 / 3
            draw.rectangle((left, 0, right, 719), fill=coded(*colour))
        # Above the middle row, where the bars are looked at: it moves, so no two are alike.
        x = 300 + 80 * number
        draw.rectangle((x, 60, x + 60, 200), fill=coded(255, 255, 255))
        picture.save(folder / f"{number}.jpg", quality=95, subsampling=0)


def clip(path: Path, folder: Path, rate: float) -> None:
    import av
    import numpy as np

    with av.open(str(path)) as container:
        due, number = 0.0, 0
        for frame in container.decode(video=0):
            if frame.time is None or frame.time < due - 1e-6:
                continue
            due += 1 / rate
            rgb = frame.to_ndarray(format="rgb24").astype(float)
            height, width, _ = rgb.shape
            luma = rgb @ (0.2126, 0.7152, 0.0722)
            planes = (
                16 + luma * 219 / 255,
                128 + (rgb[..., 2] - luma) / 1.8556 * 224 / 255,
                128 + (rgb[..., 0] - luma) / 1.5748 * 224 / 255,
            )
            coloured = np.stack(planes, axis=-1).round().clip(0, 255).astype(np.uint8)
            picture = Image.new("YCbCr", (round(height * 16 / 9 / 2) * 2, height), (60, 128, 128))
            inner = Image.frombytes("YCbCr", (width, height), coloured.tobytes())
            picture.paste(inner, ((picture.width - width) // 2, 0))
            picture.save(folder / f"{number:03}.jpg", quality=95, subsampling=0)
            number += 1


if __name__ == "__main__":
    what, into, *more = sys.argv[1:]
    Path(into).mkdir(parents=True, exist_ok=True)
    if what == "bars":
        bars(Path(into))
    else:
        clip(Path(what), Path(into), float(more[0]))
