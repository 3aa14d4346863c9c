"""Debian for arm64 on another machine: its own programs in a folder, run by qemu's user mode.

The runtime asks /sys and /proc/cpuinfo what it runs on. Without an answer it leaves XNNPACK off and
says nothing; with that of another architecture it crashes. So they find a Raspberry Pi there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "arm64"
ENTER = Path(__file__).with_name("enter.sh")
QEMU = "/usr/bin/qemu-aarch64-static"
PROJECT, SITE, SRV = "/opt/edgehome", "/opt/site", "/srv"

_ELF = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
_REGISTER = """
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf %s "$1" >/proc/sys/fs/binfmt_misc/register
echo registered
read -r _ || true
echo -1 >"/proc/sys/fs/binfmt_misc/$0"
"""
# No maintainer script runs, so nothing is emulated to make a root; these links are such a script's.
_MERGE = (
    'cd "$1" && mkdir -p usr/bin usr/lib usr/sbin proc sys srv opt/edgehome opt/site'
    " && ln -s usr/bin usr/lib usr/sbin ."
)
_PACKAGES = "python3,python3-numpy,libstdc++6"
_LIBRARIES = "/usr/lib/aarch64-linux-gnu"


def mirror() -> str:
    """Return where this machine has its Debian packages from."""
    apt = Path("/etc/apt")
    files = [*sorted(apt.glob("sources.list.d/*.sources")), apt / "sources.list"]
    text = "".join(file.read_text(encoding="utf-8") for file in files if file.exists())
    found = re.search(r"^(?:URIs:|deb (?:\[.*\] )?)\s*(\S+/debian/?)\s", text, re.MULTILINE)
    if not found:
        raise OSError("apt has no sources of Debian here")
    return found[1]


@dataclass(frozen=True)
class Board:
    """What a Raspberry Pi's kernel says of its processor, and qemu's name for that."""

    model: str
    cpu: str
    part: str
    variant: str
    revision: int
    features: str

    def cpuinfo(self) -> str:
        """Return the text of /proc/cpuinfo."""
        core = (
            f"BogoMIPS\t: 108.00\nFeatures\t: {self.features}\nCPU implementer\t: 0x41\n"
            f"CPU architecture: 8\nCPU variant\t: {self.variant}\nCPU part\t: {self.part}\n"
            f"CPU revision\t: {self.revision}\n\n"
        )
        cores = "".join(f"processor\t: {number}\n{core}" for number in range(4))
        return f"{cores}Model\t\t: {self.model}\n"


PI_3 = Board("Raspberry Pi 3 Model B Rev 1.2", "cortex-a53", "0xd03", "0x0", 4,
             "fp asimd evtstrm crc32 cpuid")  # fmt: skip
PI_5 = Board("Raspberry Pi 5 Model B Rev 1.0", "cortex-a76", "0xd0b", "0x4", 1,
             "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc"
             " dcpop asimddp")  # fmt: skip
"""It multiplies bytes in one instruction that a Pi 3 and 4 lack; that is twice as fast here too."""


class Interpreter:
    """Has the kernel hand arm64 programs to qemu, while it is entered and not a moment longer."""

    def __init__(self) -> None:
        self._name = f"edgehome-arm64-{os.getpid()}"
        self._holder: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        entry = f":{self._name}:M::{_ELF}:{_MASK}:{QEMU}:F"
        self._holder = subprocess.Popen(
            ["unshare", "--mount", "sh", "-euc", _REGISTER, self._name, entry],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._holder.stdout
        if self._holder.stdout.readline() != "registered\n":
            _, said = self._holder.communicate()
            raise OSError(f"this kernel takes no other machine's programs: {said.strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._holder
        self._holder.communicate()  # the end of its input is its signal: also where we are killed


@dataclass
class System:
    """One release of Debian for arm64, with what a device has installed of it."""

    suite: str
    python: str
    folder: Path
    """Seen inside as /srv."""
    root: Path = field(init=False)
    wheels: list[Path] = field(init=False)
    """What `install.sh --download` gets for this system."""
    site: Path = field(init=False)

    def make(self) -> Self:
        """Make the root, with apt's numpy as on a device, and install the wheels it would get."""
        self.root = CACHE / self.suite
        if not self.root.exists():
            partial = self.root.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.parent.mkdir(parents=True, exist_ok=True)
            command = ["mmdebstrap", "--quiet", "--arch=arm64", "--variant=extract"]
            command += [f"--setup-hook={_MERGE}", f"--include={_PACKAGES}"]
            source = f"deb {mirror()} {self.suite} main"
            subprocess.run([*command, self.suite, partial, source], check=True)
            partial.rename(self.root)
        self.wheels = sorted(self._download().glob("*.whl"))
        self.site = self.wheels[0].parent.with_name(f"{self.wheels[0].parent.name}-site")
        if not self.site.exists():
            self.install(self.site, self.wheels)
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def _download(self) -> Path:
        """Return the folder of the wheels that the locks name for arm64, as `--download` has it."""
        from download_wheels import LOCKS, REQUIREMENTS, download

        locked = b"".join((REQUIREMENTS / f"{name}.txt").read_bytes() for name in LOCKS)
        wheels = CACHE / f"{self.suite}-wheels-{sha256(locked).hexdigest()[:12]}"
        if not wheels.exists():
            partial = wheels.with_suffix(".partial")
            partial.mkdir(parents=True, exist_ok=True)
            download(partial, self.python, "aarch64")
            partial.rename(wheels)
        return wheels

    def install(self, site: Path, wheels: Iterable[Path]) -> None:
        """Unpack wheels for this system into a folder, which is there as a whole or not at all."""
        partial = site.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
        command += ["--disable-pip-version-check", "--no-compile", "--target", str(partial)]
        command += ["--only-binary", ":all:", "--python-version", self.python]
        # That these are for this Python was judged when they were downloaded; pip asks its own.
        command += ["--ignore-requires-python"]
        for tag in ("manylinux_2_34", "manylinux_2_28", "manylinux_2_27", "manylinux2014"):
            command += ["--platform", f"{tag}_aarch64"]
        subprocess.run([*command, *map(str, wheels)], check=True)
        partial.rename(site)

    def start(
        self,
        *command: str,
        board: Board = PI_5,
        binds: Iterable[tuple[str, str]] = (),
    ) -> subprocess.Popen[str]:
        """Start Python on a board with these arguments; more files may be put in their places.

        Each of `binds` is a path, relative to the system's folder, and its place inside.
        """
        cpuinfo = self.folder / f"cpuinfo.{board.cpu}"
        cpuinfo.write_text(board.cpuinfo())
        places = [(cpuinfo, "/proc/cpuinfo"), (ROOT, PROJECT), (self.site, SITE)]
        places += [(self.folder / source, place) for source, place in binds]
        words = [word for source, place in places for word in (str(source), place)]
        environment = {
            "PATH": "/usr/sbin:/usr/bin",
            "HOME": SRV,
            "QEMU_CPU": board.cpu,
            "PYTHONPATH": f"{SITE}:{PROJECT}:{PROJECT}/tests",
            "PYTHONPYCACHEPREFIX": "/tmp/pycache",  # compiling anew would take half of each start
            "LD_LIBRARY_PATH": f"{_LIBRARIES}/blas:{_LIBRARIES}/lapack",
        }
        return subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", ENTER, self.root,
             self.folder, *words, "--", "/usr/bin/python3", *command],
            env=environment, cwd="/", text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
