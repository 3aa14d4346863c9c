"""Runs inside the camera root: makes the pictures that the virtual camera shows in turn."""

from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path("/opt/camera/frames")
BARS = ((200, 30, 30), (30, 160, 30), (30, 30, 200))


def coded(red: int, green: int, blue: int) -> tuple[int, int, int]:
    """Return Y, Cb and Cr of a colour in limited-range BT.709.

    The virtual camera hands on the numbers in a JPEG file as they are, and says that they are
    coded so.
    """
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    cb, cr = (blue - luma) / 1.8556, (red - luma) / 1.5748
    return round(16 + luma * 219 / 255), round(128 + cb * 224 / 255), round(128 + cr * 224 / 255)


FOLDER.mkdir(exist_ok=True)
for number in range(8):
    picture = Image.new("YCbCr", (1280, 720))
    draw = ImageDraw.Draw(picture)
    for index, colour in enumerate(BARS):
        draw.rectangle((index * 1280 / 3, 0, (index + 1) * 1280 / 3, 719), fill=coded(*colour))
    # Above the middle row, where the bars are looked at: it moves, so no two pictures are alike.
    draw.rectangle((300 + 80 * number, 60, 360 + 80 * number, 200), fill=coded(255, 255, 255))
    picture.save(FOLDER / f"{number}.jpg", quality=95, subsampling=0)
