"""Every locked package has a wheel where edgehome may run: set EDGEHOME_TEST_WHEELS=1.

It downloads what a checkout needs, six times. What a device needs is downloaded for arm64, and run
there, by tests/arm64.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
sys.path.insert(0, str(ROOT / "scripts"))


@pytest.mark.skipif("EDGEHOME_TEST_WHEELS" not in os.environ, reason="EDGEHOME_TEST_WHEELS=1")
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_locked_package_has_a_wheel(python: str, machine: str, tmp_path: Path) -> None:
    from download_wheels import GLIBCS, pins

    wanted = tmp_path / "wanted.txt"
    found = {pin for lock in LOCKS for pin in pins(lock, python)}  # two locks may share one
    wanted.write_text("\n".join(found))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", python, "--dest", str(tmp_path)]
    for glibc in GLIBCS:
        command += ["--platform", f"manylinux_{glibc}_{machine}"]
    command += ["--platform", f"manylinux2014_{machine}", "--requirement", str(wanted)]
    subprocess.run(command, check=True)
    assert len(list(tmp_path.glob("*.whl"))) == len(found)
