"""A Debian 13 with its own kernel in an emulated machine, and edgehome installed in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edgehome" / "vm"

BASE_FROM = ("tests/vm/make_base.sh", "tests/pi/make_root.sh")
IMAGE_FROM = (
    "edgehome", "models", "requirements", "systemd", "install.sh", "config.yaml", "scripts/lock",
    "config.schema.json", "pyproject.toml", "tests/pi", "tests/vm", "tests/movinet/originals",
)  # fmt: skip
NOT_INSTALLED = ("tests/vm/guest/", "tests/vm/test_", "tests/vm/emulator.py")
"""What the scenarios take from the shared folder changes no disk."""


def tools_missing() -> str:
    """Return why no machine can be made here, or nothing."""
    if os.geteuid() != 0:
        return "needs root, to make a disk"
    if os.uname().machine != "x86_64":
        return "the machine is an x86-64 one"
    tools = ("qemu-system-x86_64", "mmdebstrap", "unshare", "mke2fs", "gcc")
    missing = [tool for tool in tools if shutil.which(tool) is None]
    return f"needs {', '.join(missing)}" if missing else ""


def image() -> Path:
    """Return a disk with this checkout installed; made anew when what it is made of has changed."""
    sources = [name for name in _checkout() if not name.startswith(NOT_INSTALLED)]
    base = CACHE / f"base-{_hash(list(BASE_FROM))}"
    disk = CACHE / f"disk-{_hash(sources)}.img"
    CACHE.mkdir(parents=True, exist_ok=True)
    if not base.exists():
        _remove("base-*")
        python = next(path for path in (sys.executable, "/usr/bin/python3") if _has_pip(path))
        environment = os.environ | {"PYTHON": python}
        subprocess.run([HERE / "make_base.sh", base], env=environment, check=True)
    if not disk.exists():
        _remove("disk-*")
        _remove("checkout")
        checkout = CACHE / "checkout"
        for name in sources:
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, checkout / name)
        subprocess.run([HERE / "make_image.sh", base, checkout, disk], check=True)
    return disk


def boot(
    disk: Path, scenario: str, folder: Path, *, memory_mb: int = 1024, limit_s: float
) -> dict[str, Any]:
    """Boot the disk, let the scenario run in it, and return the facts that it reported.

    What is written to the disk is forgotten. Raises AssertionError, with the scenario's log, when
    it does not come to its end within the limit.
    """
    share = folder / "share"
    shutil.copytree(HERE / "guest", share)
    (share / f"scenario_{scenario}.py").rename(share / "scenario.py")
    command = [
        "qemu-system-x86_64", "-accel", os.environ.get("EDGEHOME_VM_ACCEL", "tcg"), "-cpu", "max",
        "-smp", "2", "-m", str(memory_mb), "-nodefaults", "-no-user-config", "-display", "none",
        "-no-reboot", "-serial", f"file:{folder / 'console.log'}",
        "-kernel", f"{disk}.kernel", "-initrd", f"{disk}.initrd",
        "-append", "root=/dev/vda rw console=ttyS0 panic=-1 net.ifnames=0",
        "-drive", f"file={disk},if=virtio,format=raw,snapshot=on", "-device", "virtio-rng-pci",
        "-virtfs", f"local,path={share},mount_tag=share,security_model=none",
    ]  # fmt: skip
    ended = "ended"
    try:
        subprocess.run(command, stdin=subprocess.DEVNULL, timeout=limit_s, check=True)
    except subprocess.TimeoutExpired:
        ended = f"did not end within {limit_s:.0f} s"
    log = share / "scenario.log"
    told = log.read_text(errors="replace") if log.exists() else "the scenario did not begin"
    facts = share / "facts.json"
    found: dict[str, Any] = json.loads(facts.read_text()) if facts.exists() else {}
    assert found.get("ended"), f"{scenario} {ended}: {folder}\n{told}"
    return found


def _checkout() -> list[str]:
    """Return the names of what is installed, with what is not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", *IMAGE_FROM]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, check=True, text=True).stdout
    return sorted(name for name in listed.split("\0") if (PROJECT / name).is_file() and name)


def _hash(names: list[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + (PROJECT / name).read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _has_pip(python: str) -> bool:
    asked = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)
    return asked.returncode == 0


def _remove(pattern: str) -> None:
    """Remove what is too old; never through something that a killed run left mounted."""
    old = list(CACHE.glob(pattern))
    subprocess.run(["rm", "-rf", "--one-file-system", "--", *old], check=True)
