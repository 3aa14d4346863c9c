"""Our Pi camera on the real picamera2 and libcamera, in a Debian root, without a Pi.

libcamera's `virtual` camera plays known pictures. What no test here can show: a sensor, the ISP,
its padding and its frame rates.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edgehome"
ROOT = Path(os.environ.get("EDGEHOME_PI_ROOT", CACHE / "camera-root"))

ENVIRONMENT = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "PYTHONPATH": "/opt/site:/opt/edgehome/tests/pi/stubs:/opt/edgehome/tests/pi:/opt/edgehome",
    "PYTHONDONTWRITEBYTECODE": "1",
    "LIBCAMERA_LOG_LEVELS": "*:ERROR",
    "SHIM": "/opt/camera/dma_heap_shim.so",
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


pytestmark = pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())


def in_root(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the root; its mounts vanish with it."""
    script = (
        'mount -t proc proc "$0/proc" && mount --bind -o ro "$1" "$0/opt/edgehome" '
        '&& root=$0 && shift && cd / && exec chroot "$root" env LD_PRELOAD="$SHIM" "$@"'
    )
    return subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "--kill-child",
         "sh", "-c", script, str(ROOT), str(PROJECT), *command],
        env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="session")
def root() -> Path:
    if not ROOT.is_dir():
        ROOT.parent.mkdir(parents=True, exist_ok=True)
        python = next(p for p in (sys.executable, "/usr/bin/python3", "python3") if has_pip(p))
        subprocess.run(
            [HERE / "make_root.sh", ROOT], check=True, env=os.environ | {"PYTHON": python}
        )
    shutil.copy(HERE / "virtual.yaml", ROOT / "usr/share/libcamera/pipeline/virtual/virtual.yaml")
    shim = ROOT / "opt/camera/dma_heap_shim.so"
    source = HERE / "dma_heap_shim.c"
    subprocess.run(
        ["gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", shim, source, "-ldl"],
        check=True,
    )
    made = in_root("python3", "/opt/edgehome/tests/pi/make_pictures.py")
    assert made.returncode == 0, made.stderr
    return ROOT


def has_pip(python: str) -> bool:
    asked = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)
    return asked.returncode == 0


@pytest.mark.parametrize(
    ("tests", "least"),
    [("tests/pi/in_the_root.py", 10), ("tests/test_camera_contract.py", 30)],
)
def test_the_camera_works_on_the_real_picamera2(root: Path, tests: str, least: int) -> None:
    done = in_root(
        "python3", "-m", "pytest", "-q", "-rs", "--noconftest", "-p", "no:cacheprovider",
        "-p", "virtual_camera",
        f"/opt/edgehome/{tests}",
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= least
    assert "skipped" not in done.stdout
