"""Fills a folder with the wheels of a release, for `install.sh --wheels` where no network is.

Run by `install.sh --download` with the Python of a new venv: pip's own parts are all it needs.
numpy is left out: on a node it is Debian's, for the camera stack is built for that one.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement  # type: ignore[import-not-found, unused-ignore]

LOCKS = ("runtime", "video")
PYTHONS = ("3.11", "3.12", "3.13")
GLIBCS = ("2_35", "2_34", "2_31", "2_28", "2_27", "2_26", "2_24", "2_17")
"""Of the platforms that Debian 12, with its 2.36, takes; wheels are made for these."""
REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"


def pins(lock: Path, python: str) -> Iterator[str]:
    """Yield a lock's pins for a version of Python, with their hashes and without their markers.

    pip itself would judge the markers for the Python that it runs on.
    """
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            pin, _, hashes = line.partition(" --hash")
            wanted = Requirement(pin.strip())
            target = {"python_version": python, "python_full_version": f"{python}.0"}
            if not wanted.marker or wanted.marker.evaluate(target):
                wanted.marker = None
                yield f"{wanted} --hash{hashes}"


def download(folder: Path, python: str, machine: str) -> None:
    """Have pip download the wheels for a Python on a machine. Raises CalledProcessError."""
    platforms = [f"manylinux_{glibc}_{machine}" for glibc in GLIBCS] + [f"manylinux2014_{machine}"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as wanted:
        for lock in LOCKS:
            wanted.writelines(f"{pin}\n" for pin in pins(REQUIREMENTS / f"{lock}.txt", python))
        wanted.flush()
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary", ":all:", "--require-hashes"]
        command += ["--python-version", python, "--implementation", "cp", "--dest", str(folder)]
        command += [word for name in platforms for word in ("--platform", name)]
        subprocess.run([*command, "--requirement", wanted.name], check=True)


def main() -> int:
    """Fill the folder that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--for", dest="pythons", choices=PYTHONS, action="append")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for python in options.pythons or PYTHONS:
        for machine in sorted({"aarch64", platform.machine()}):
            sys.stdout.write(f"==> wheels for Python {python} on {machine}\n")
            sys.stdout.flush()
            try:
                download(options.folder, python, machine)
            except subprocess.CalledProcessError as error:
                return error.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
