"""What picamera2 and libcamera raise, told to the person who can act."""

from __future__ import annotations

import grp
import os
from collections.abc import Iterator
from pathlib import Path

from edgehome.types import CameraError

SYSTEM_PACKAGES = Path("/usr/lib/python3/dist-packages")
"""Where apt puts picamera2 and libcamera."""
REMAKE = (
    "The virtual environment must be made by /usr/bin/python3 with --system-site-packages; "
    "install.sh makes it so."
)
NODES = ("media*", "video*", "dma_heap/*")
"""Below /dev: what libcamera opens. Whoever may not open them sees no camera at all."""


def unimportable(error: Exception) -> CameraError:
    """Return the error for a picamera2 that cannot be imported."""
    words = str(error)
    name = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ValueError) or "numpy" in words.lower():
        return CameraError(
            "picamera2_numpy",
            f"picamera2 does not fit this numpy ({words}).",
            "Its parts are built for the system's numpy: remove the newer one from the virtual "
            "environment (pip uninstall numpy), or run install.sh again.",
        )
    if name not in {"picamera2", "libcamera", "_libcamera"}:
        return _not_importable(words)
    package = "picamera2" if name == "picamera2" else "libcamera"
    if (SYSTEM_PACKAGES / package).is_dir():
        return CameraError(
            f"{package}_missing",
            f"{package} is installed, but this virtual environment does not see it.",
            REMAKE,
        )
    if package == "picamera2":
        return _not_importable(words)
    return CameraError(
        "libcamera_missing",
        "picamera2 is installed, but libcamera's part for Python, which it needs, is not.",
        "Install both with: sudo apt install python3-libcamera python3-picamera2 (pip has no "
        f"libcamera). {REMAKE}",
    )


def _not_importable(words: str) -> CameraError:
    return CameraError(
        "picamera2_missing",
        f"picamera2 cannot be imported ({words}).",
        "Install it with: sudo apt install python3-picamera2. Only Raspberry Pi OS has it: "
        f"elsewhere name another camera in camera.source. {REMAKE}",
    )


def explained(error: Exception) -> CameraError:
    """Return the error for a camera that cannot be opened; picamera2 hides the cause."""
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
        return denied(words)
    if isinstance(error, IndexError) or "found" in words:
        forbidden = next(forbidden_nodes(), None)
        if forbidden:
            return denied(f"{forbidden}: permission denied")
        return CameraError(
            "camera_missing",
            "No Pi camera found: libcamera lists none.",
            "Is the ribbon cable seated at both ends, the right way round? rpicam-hello "
            "--list-cameras must name it.",
        )
    return CameraError(
        "camera_missing", f"The Pi camera cannot be started: {words}.", "Restart the Pi."
    )


def forbidden_nodes() -> Iterator[Path]:
    """Yield the device nodes of cameras that are there and may not be opened."""
    for pattern in NODES:
        for path in sorted(Path("/dev").glob(pattern)):
            if not os.access(path, os.R_OK | os.W_OK):
                yield path


def denied(words: str) -> CameraError:
    """Return the error for a camera that this user, or this service, may not open."""
    if in_group("video"):
        return CameraError(
            "camera_denied",
            f"The Pi camera may not be opened, although this user is in the group video ({words}).",
            "The service must be let at the devices: DeviceAllow=char-video4linux, char-media and "
            "char-dma_heap in its unit, as install.sh writes it.",
        )
    return CameraError(
        "camera_denied",
        f"The Pi camera may not be opened: this user is not in the group video ({words}).",
        "sudo usermod -aG video USER, then log in anew; a service needs "
        "SupplementaryGroups=video, as install.sh writes it.",
    )


def in_group(name: str) -> bool:
    """Return whether this process is root or in the group."""
    try:
        return os.geteuid() == 0 or grp.getgrnam(name).gr_gid in {os.getegid(), *os.getgroups()}
    except KeyError:
        return False
