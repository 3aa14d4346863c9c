"""The walls around the worker: no network, no secret, nothing to write, nobody else's memory.

A model file is a program, and a picture from the network is somebody else's: whoever takes the
worker over is to find nothing in it. The kernel may lack one wall or the other; `edgehome doctor`
tries them (`tried`) and says so.

`python -m edgehome.confinement MODEL SOURCE DELEGATE FILE SECRET` is that trial.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from edgehome import landlock, seccomp
from edgehome.heads.names import FOLDER

PR_SET_DUMPABLE = 4
TRIAL_S = 20.0

PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
DNS = 53

SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/opt/vc", "/proc", "/sys")
"""Programs and libraries; cpuinfo, without which the runtime is twelve times slower; the devices'
tree."""
SETTINGS = (
    "ld.so.*", "localtime", "timezone", "nsswitch.conf", "passwd", "group", "os-release",
    "python3*", "libcamera", "hosts", "host.conf", "gai.conf", "resolv.conf", "services",
    "protocols", "ssl", "ca-certificates*", "udev",
)  # fmt: skip
"""Below /etc: what the C library, FFmpeg and libcamera look up. Not /etc/edgehome."""
RUN = ("/run/udev", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf")
"""What udev knows of the devices; where resolv.conf may really be."""
DEVICES = (
    "null", "zero", "full", "random", "urandom", "video*", "media*", "v4l*", "dma_heap", "udmabuf",
    "dri", "vchiq", "vcsm-cma", "vcio", "rpivid-*", "apex_*", "bus",
)  # fmt: skip
"""Below /dev: cameras, the memory they fill, and accelerators (Coral: apex_*, bus/usb)."""


@dataclass(frozen=True, slots=True)
class Walls:
    """What a confined process cannot do, as far as this kernel allows."""

    network: bool
    """No sockets but Unix sockets; with a network camera, TCP to its port alone."""
    memory: bool
    """Neither trace nor read another process."""
    secrets: bool
    """Read no file but programs, the model and the clip."""
    writes: bool
    """Write nothing on a disk."""


def guard_supervisor() -> None:
    """Keep the password that we hold out of core files and from others of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def confine(model: Path, source: str, delegate: str = "") -> bool:
    """Take from this process what a worker with these settings does not need; it stays so.

    Must come before the threads of camera and model, which inherit it. Returns False where the
    kernel has not all of it: the worker goes on, a home is not left unwatched for that.
    """
    seccomp.no_new_privileges()
    network = is_network(source)
    files = landlock.restrict(
        read=readable(model, source, delegate),
        write=devices(source),
        # Where edgehome itself lies: a worker starts the Edge TPU's trial, which must find it.
        listed=(Path("/dev"), model.parent, Path(__file__).parents[1]),
        ports=ports(source),
    )
    return seccomp.apply_filter(network=network) and files


def is_network(source: str) -> bool:
    """Say whether a camera's source is an address: only then has the worker a network."""
    return "://" in source


def ports(source: str) -> Iterator[int]:
    """Yield the TCP ports that a camera's source needs: its own, and the name server's."""
    if not is_network(source):
        return
    yield DNS
    try:
        address = urlsplit(source)
        port = address.port or PORTS.get(address.scheme)
    except ValueError:  # FFmpeg will say what is wrong with it
        return
    if port:
        yield port
    if address.scheme.startswith("http"):  # a camera's page may lead on to one of these
        yield from (PORTS["http"], PORTS["https"])


def readable(model: Path, source: str, delegate: str) -> Iterator[Path]:
    """Yield what a worker reads: programs, libraries, its model with what belongs to it, its clip.

    Files one by one where a folder may hold a secret as well.
    """
    yield from map(Path, (*SYSTEM, *RUN))
    yield from map(Path, {sys.prefix, sys.base_prefix, sys.exec_prefix} - {"/"})
    yield from (Path(path) for path in sys.path if path.endswith("-packages"))
    yield Path(__file__).parent
    for pattern in SETTINGS:
        yield from Path("/etc").glob(pattern)
    yield from (model, model.with_suffix(".json"), model.parent / FOLDER)
    yield model.with_name(f"{model.stem}_edgetpu.tflite")
    yield from _label_files(model)
    if not is_network(source):
        yield Path(source)
    if "/" in delegate:
        yield Path(delegate)


def devices(source: str) -> Iterator[Path]:
    """Yield the devices that a worker opens to read and write."""
    for pattern in DEVICES:
        yield from Path("/dev").glob(pattern)
    if source.startswith("/dev/"):
        yield Path(source)


def _label_files(model: Path) -> Iterator[Path]:
    """Yield where the recogniser may look for labels, see `recognizer.manifest`."""
    yield from (model.with_suffix(".txt"), model.with_name("labels.txt"))
    try:
        yield model.with_name(json.loads(model.with_suffix(".json").read_bytes())["labels_file"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return


def tried(model: Path, source: str, delegate: str = "", secret: Path | None = None) -> Walls:
    """Confine a process of its own as a worker with these settings, and return what holds it.

    `secret` is a file that must not be readable in it, beside one that is made for the purpose.
    Raises OSError, ValueError or subprocess.TimeoutExpired when the trial cannot be made.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file"
        file.write_text("secret", encoding="ascii")
        command = [sys.executable, "-m", "edgehome.confinement", str(model), source, delegate]
        trial = subprocess.run(
            [*command, str(file), str(secret or file)],
            capture_output=True,
            timeout=TRIAL_S,
            check=False,
        )
    return Walls(**json.loads(trial.stdout))


def _attempt(source: str, file: str, secret: str) -> Walls:
    """Do what a worker must not, and return what of it failed."""
    return Walls(
        network=_no_network(local=not is_network(source)),
        memory=_no_memory_of_others(),
        secrets=_denied(file, os.O_RDONLY) and _denied(secret, os.O_RDONLY),
        writes=_denied(file, os.O_WRONLY) and _denied(f"{file}.new", os.O_WRONLY | os.O_CREAT),
    )


def _no_network(*, local: bool) -> bool:
    try:
        with socket.socket() as probe:
            return not local and probe.connect_ex(("127.0.0.1", 9)) == errno.EACCES
    except OSError:
        return local


def _no_memory_of_others() -> bool:
    library = ctypes.CDLL(None, use_errno=True)
    return (
        library.process_vm_readv(os.getppid(), None, 0, None, 0, 0) < 0
        and ctypes.get_errno() == errno.EPERM
    )


def _denied(path: str, flags: int) -> bool:
    try:
        os.close(os.open(path, flags, 0o600))
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def main(arguments: list[str]) -> int:
    """Confine this process and print as JSON what holds it."""
    model, source, delegate, file, secret = arguments
    confine(Path(model), source, delegate)
    print(json.dumps(asdict(_attempt(source, file, secret))))  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
