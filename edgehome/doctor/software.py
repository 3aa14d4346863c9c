"""Python, its environment and the model's runtime: what pip and apt can do to each other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgehome.doctor.ask import settings, text_of, under
from edgehome.doctor.finding import Finding

SYSTEM_PACKAGES = "/usr/lib/python3/dist-packages"
LEAST_RUNTIME = (2, 1)
"""Of ai-edge-litert: what pyproject.toml asks for."""
REINSTALL = "Run `sudo ./install.sh`: it makes the environment anew."


def python(version: tuple[int, int, int], executable: str) -> Iterator[Finding]:
    """Yield whether this Python is one that edgehome is made for."""
    said = ".".join(map(str, version))
    supported = (3, 11) <= version[:2] <= (3, 13)
    remedy = "" if supported else "Use the Python 3.11 to 3.13 of Debian 12 or 13."
    yield Finding("python", "good" if supported else "poor", f"{said}, {executable}", remedy)


def bits(machine: str, pointer: int) -> Iterator[Finding]:
    """Yield a complaint about a 32-bit system; `pointer` is the size of one in bits.

    A Raspberry Pi's 64-bit kernel carries 32-bit systems too, and the runtime has no wheels there.
    """
    if pointer == 64 and machine in {"aarch64", "x86_64"}:
        return
    message = f"This system is {pointer}-bit on {machine}: the model's runtime needs 64 bits."
    remedy = "Write the 64-bit Raspberry Pi OS to the card; a Pi 3, 4, 5 or Zero 2 W can run it."
    yield Finding("system", "bad", message, remedy)


def environment(root: Path, prefix: Path, source: str) -> Iterator[Finding]:
    """Yield whether the virtual environment can see apt's picamera2, if the Pi camera is asked.

    `prefix` is the environment's folder (sys.prefix).
    """
    made = dict(settings(text_of(prefix / "pyvenv.cfg")))
    if source != "pi" or not made:
        return
    system = under(root, SYSTEM_PACKAGES)
    here = any((system / name).exists() for name in ("picamera2", "libcamera"))
    if made.get("include-system-site-packages") != "true":
        message = f"{prefix} was made without --system-site-packages: it cannot see " + (
            "the system's picamera2." if here else "a picamera2 that apt installs."
        )
        yield Finding("environment", "bad", message, REINSTALL)
        return
    wanted = _system_python(root)
    version = ".".join(made.get("version", "").split(".")[:2])
    if wanted and version and version != wanted:
        message = f"{prefix} is of Python {version}; the system's libcamera is of {wanted}."
        remedy = f"Make it with /usr/bin/python3, not with pyenv or uv. {REINSTALL}"
        yield Finding("environment", "bad", message, remedy)
        return
    if not here:
        message = "picamera2 is not installed on this system."
        remedy = (
            "Run: sudo apt install --no-install-recommends python3-picamera2. Only Raspberry Pi OS "
            "has it: elsewhere name another camera in camera.source."
        )
        yield Finding("environment", "bad", message, remedy)


def numpy(root: Path, packages: Path, source: str) -> Iterator[Finding]:
    """Yield a complaint when the environment's numpy hides one that apt's packages are built for.

    `packages` is the environment's site-packages. apt's simplejpeg, which picamera2 imports, then
    says "numpy.dtype size changed" (raspberrypi/picamera2 issues 1088 and 1211).
    """
    system = installed(under(root, SYSTEM_PACKAGES), "numpy")
    ours = installed(packages, "numpy")
    if source != "pi" or not system or not ours or packages == under(root, SYSTEM_PACKAGES):
        return
    if _number(ours)[:1] == _number(system)[:1] and _number(ours) >= _number(system):
        return  # numpy keeps its binary interface within a major version, for newer ones
    message = (
        f"numpy {ours} in {packages} hides the system's {system}: picamera2 then fails with "
        '"numpy.dtype size changed".'
    )
    remedy = f"{packages.parents[2]}/bin/python -m pip uninstall numpy; or: {REINSTALL}"
    yield Finding("numpy", "bad", message, remedy)


def runtime(packages: Path) -> Iterator[Finding]:
    """Yield complaints about the model's runtimes that lie in a site-packages folder."""
    litert, old = installed(packages, "ai_edge_litert"), installed(packages, "tflite_runtime")
    if litert and old:
        message = f"tflite-runtime {old} lies beside ai-edge-litert {litert}; it is not used."
        remedy = "pip uninstall tflite-runtime: the two want different versions of numpy."
        yield Finding("runtimes", "poor", message, remedy)
    elif old:
        message = f"tflite-runtime {old} is old: a damaged model file can crash it."
        yield Finding("runtimes", "poor", message, f"pip install ai-edge-litert; or: {REINSTALL}")
    elif litert and _number(litert) < LEAST_RUNTIME:
        message = f"ai-edge-litert {litert} is older than edgehome needs."
        yield Finding("runtimes", "bad", message, REINSTALL)


def processor(root: Path, service: str) -> Iterator[Finding]:
    """Yield a complaint when the runtime cannot learn what the processor can.

    It then goes on without XNNPACK, twelve times slower (measured), and says nothing. `service`
    are the unit's words for ProcSubset=.
    """
    remedy = "Remove ProcSubset=pid from the unit's drop-ins: sudo systemctl edit edgehome"
    if service == "pid":
        message = "ProcSubset=pid hides /proc/cpuinfo: the model runs without its fast kernels."
        yield Finding("processor", "bad", message, remedy)
    elif not re.search(r"(?m)^processor\s*:", text_of(under(root, "/proc/cpuinfo"))):
        message = "/proc/cpuinfo cannot be read: the model may run without its fast kernels."
        yield Finding("processor", "poor", message, "Mount the whole of /proc here.")


def installed(folder: Path, name: str) -> str:
    """Return the version of a distribution in a packages folder; empty where it is not there."""
    for kind in ("dist-info", "egg-info"):
        for found in sorted(folder.glob(f"{name}-*.{kind}")):
            return found.name.removeprefix(f"{name}-").removesuffix(f".{kind}").partition("-")[0]
    return ""


def _system_python(root: Path) -> str:
    """Return the version that /usr/bin/python3 is, such as 3.11."""
    link = under(root, "/usr/bin/python3")
    target = link.readlink().name if link.is_symlink() else ""
    return target.removeprefix("python") if target.startswith("python3.") else ""


def _number(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
