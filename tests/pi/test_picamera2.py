"""Our Pi camera on the real picamera2 and libcamera, in a Debian root, without a Pi.

libcamera's `virtual` camera plays known pictures. What no test here can show: a sensor, the ISP,
its padding and its frame rates.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from camera_root import PICTURES, in_root, made_root, reason_to_skip

pytestmark = pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())


@pytest.fixture(scope="session")
def root() -> Path:
    root = made_root()
    shutil.rmtree(root / PICTURES, ignore_errors=True)
    made = in_root(
        root, "python3", "/opt/edgehome/tests/pi/make_pictures.py", "bars", f"/{PICTURES}"
    )
    assert made.returncode == 0, made.stderr
    return root


@pytest.mark.parametrize(
    ("tests", "least"),
    [("tests/pi/in_the_root.py", 10), ("tests/test_camera_contract.py", 26)],
)
def test_the_camera_works_on_the_real_picamera2(root: Path, tests: str, least: int) -> None:
    done = in_root(
        root, "python3", "-m", "pytest", "-q", "-rs", "--noconftest", "-p", "no:cacheprovider",
        f"/opt/edgehome/{tests}",
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= least
    assert "skipped" not in done.stdout
