"""A Debian root in which picamera2 finds a camera: made once, dressed anew for every run.

A kernel without cameras is enough. Other tests may use the parts: `make_root.sh` makes the system,
`dress_root.sh` puts the camera into any Debian 13 with picamera2, ENVIRONMENT is what its programs
need.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edgehome"
MADE_FROM = (HERE / "make_root.sh", PROJECT / "requirements" / "runtime.txt")
PICTURES = "usr/local/share/camera-pictures"
TIMES = 4
"""How often the virtual camera shows each picture."""
ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "PYTHONPATH": "/opt/edgehome:/opt/node-packages",
    "PYTHONDONTWRITEBYTECODE": "1",
    "LIBCAMERA_LOG_LEVELS": "*:ERROR",
    "LD_PRELOAD": "/usr/local/lib/virtual-camera.so",
    "EDGEHOME_SHIM_FPS": "20",
    "EDGEHOME_SHIM_STALL": "/tmp/stall",
    "EDGEHOME_VIRTUAL_CAMERA": "1",
}


def reason_to_skip() -> str:
    if os.environ.get("EDGEHOME_TEST_PI") != "1":
        return "builds a Debian root in about a minute; set EDGEHOME_TEST_PI=1"
    if os.geteuid() != 0:
        return "needs root, for chroot"
    if os.uname().machine != "x86_64":
        return "the root is made for x86_64"
    tools = [tool for tool in ("mmdebstrap", "unshare", "gcc") if shutil.which(tool) is None]
    return f"needs {', '.join(tools)}" if tools else ""


def made_root() -> Path:
    """Return the root, made where there is none yet of these packages, and dressed."""
    told = os.environ.get("EDGEHOME_PI_ROOT")
    made_from = hashlib.sha256(b"".join(path.read_bytes() for path in MADE_FROM)).hexdigest()
    root = Path(told) if told else CACHE / f"camera-root-{made_from[:8]}"
    if not root.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        python = next(p for p in (sys.executable, "/usr/bin/python3", "python3") if _has_pip(p))
        environment = os.environ | {"PYTHON": python}
        subprocess.run([HERE / "make_root.sh", root], check=True, env=environment)
    subprocess.run([HERE / "dress_root.sh", root], check=True)
    return root


def _has_pip(python: str) -> bool:
    asked = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)
    return asked.returncode == 0


def command_in(root: Path, *command: str, share: Path | None = None) -> Sequence[str]:
    """Return what runs a command in the root; its mounts and its processes end with it.

    The project is at /opt/edgehome, read only; `share` is at its own path.
    """
    script = (
        'mount -t proc proc "$0/proc" && mount --bind -o ro "$1" "$0/opt/edgehome" && root=$0 '
        '&& if [ -n "$2" ]; then mkdir -p "$root$2" && mount --bind "$2" "$root$2"; fi '
        '&& shift 2 && cd / && exec chroot "$root" "$@"'
    )
    return [
        "unshare", "--mount", "--pid", "--fork", "--kill-child",
        "sh", "-c", script, str(root), str(PROJECT), str(share or ""), *command,
    ]  # fmt: skip


def settings(more: Mapping[str, str] | None = None) -> list[str]:
    """Return the command before a command that sets its environment in the root."""
    wanted = ENVIRONMENT | dict(more or {})
    return ["env", "-i", *(f"{name}={value}" for name, value in wanted.items())]


def in_root(
    root: Path, *command: str, timeout_s: float = 240, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in the root to its end."""
    return subprocess.run(
        command_in(root, *settings(more), *command),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )


def show(root: Path, pictures: Path) -> None:
    """Have the next camera that is opened show the JPEGs of a folder."""
    shown = root / PICTURES
    shutil.rmtree(shown, ignore_errors=True)
    shutil.copytree(pictures, shown)
