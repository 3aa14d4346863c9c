"""What the firmware and the kernel say of a Pi camera, before libcamera is asked.

Facts: https://www.raspberrypi.com/documentation/computers/config_txt.html and camera_software.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgehome.doctor.ask import settings, text_of, under
from edgehome.doctor.finding import Finding

CONFIGS = ("/boot/firmware/config.txt", "/boot/config.txt")
"""Since Bookworm, and before."""
SENSOR = re.compile(
    r"(imx|ov|gc|arducam|ar0|irs1125|tc358743|adv728|sc|veye|camera-mux)[a-z0-9_-]*"
)
"""What the overlays of cameras begin with."""
RECEIVER = re.compile(r"unicam|rp1-cfe")
"""The kernel's names of a camera port with a sensor behind it, Pi 4 and before, and Pi 5."""
LEAST_CMA_KB = 64 * 1024
LEAST_FREE_CMA_KB = 24 * 1024
"""Four raw pictures of a twelve-megapixel sensor's binned mode and our small ones, rounded up."""
TRY = "Then `rpicam-hello --list-cameras` must name it; switch the Pi off before you touch a cable."


def board(root: Path) -> str:
    """Return the Raspberry Pi's model, such as `Raspberry Pi 5 Model B Rev 1.0`; or empty."""
    model = text_of(under(root, "/proc/device-tree/model")).strip("\0\n ")
    return model if model.startswith("Raspberry Pi") else ""


def boot_config(root: Path) -> tuple[str, str]:
    """Return the firmware's config file and its text; both empty where there is none."""
    for path in CONFIGS:
        if text := text_of(under(root, path)):
            return path, text
    return "", ""


def overlay(path: str, text: str) -> Iterator[Finding]:
    """Yield what in config.txt keeps a camera from being found.

    Lines under a filter such as [pi4] count too: which board is meant is the firmware's to say.
    """
    said = list(settings(text))
    plain = dict(said)
    sensors = [
        value for key, value in said if key == "dtoverlay" and SENSOR.match(value.split(",")[0])
    ]
    if plain.get("start_x") == "1":
        message = f"start_x=1 in {path} asks for the old camera stack, which libcamera cannot use."
        remedy = f"Remove start_x and gpu_mem from {path}, write camera_auto_detect=1, reboot."
        yield Finding("overlay", "bad", message, remedy)
    elif plain.get("camera_auto_detect") != "1" and not sensors:
        message = f"{path} neither finds a camera by itself nor names one."
        remedy = (
            f"In {path} write camera_auto_detect=1; for a camera that is not Raspberry Pi's own, "
            f"camera_auto_detect=0 and its overlay, such as dtoverlay=imx519. Reboot. {TRY}"
        )
        yield Finding("overlay", "bad", message, remedy)


def kernel_camera(root: Path, path: str) -> Iterator[Finding]:
    """Yield a complaint when the kernel of a Raspberry Pi knows no camera at its ports."""
    names = [text_of(name) for name in root.glob("sys/class/video4linux/video*/name")]
    if not board(root) or any(RECEIVER.search(name) for name in names):
        return
    message = "The kernel has found no camera at this Pi's camera ports."
    remedy = (
        "Switch the Pi off and seat the ribbon cable at both ends, contacts the right way round. "
        "For a camera that is not Raspberry Pi's own, write its dtoverlay= into "
        f"{path or CONFIGS[0]} and reboot. {TRY}"
    )
    yield Finding("sensor", "bad", message, remedy)


def contiguous(meminfo: str, model: str, path: str, *, held: bool) -> Iterator[Finding]:
    """Yield a complaint about too little contiguous memory; a Pi 5's camera needs none.

    `held`: somebody has the camera open, and so part of that memory.
    """
    total, free = memory_kb(meminfo, "CmaTotal"), memory_kb(meminfo, "CmaFree")
    if not total or "Raspberry Pi 5" in model:
        return
    remedy = f"In {path or CONFIGS[0]} write dtoverlay=vc4-kms-v3d,cma-128 and reboot."
    if total < LEAST_CMA_KB:
        message = f"Only {total // 1024} MB of contiguous memory (CMA) for camera buffers."
        yield Finding("cma", "poor", message, remedy)
    elif free is not None and free < LEAST_FREE_CMA_KB and not held:
        message = f"Only {free // 1024} of {total // 1024} MB of contiguous memory (CMA) are free."
        remedy = f"Stop what uses it, such as a desktop or a video player. Or: {remedy}"
        yield Finding("cma", "poor", message, remedy)


def memory_kb(meminfo: str, key: str) -> int | None:
    """Return a line of /proc/meminfo in kB; None where it has no such line."""
    found = re.search(rf"(?m)^{key}:\s*(\d+) kB", meminfo)
    return int(found[1]) if found else None
