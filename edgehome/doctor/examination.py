"""The order of the checks: first what is most often the matter, and nothing twice.

What takes long is begun first, side by side, and told in its turn; every trial ends by itself. The
whole takes seconds; where the camera stack is slow to load, as long as a worker may take to start.
"""

from __future__ import annotations

import os
import platform
import struct
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from edgehome import broker
from edgehome.config.types import Config
from edgehome.configfile import check
from edgehome.doctor import access, board, camera, node, service, software, storage
from edgehome.doctor.ask import Ask, ask, text_of, under
from edgehome.doctor.finding import Finding
from edgehome.doctor.unit import Unit, loosened, read_unit, startable
from edgehome.types import Delegate

ROOT = Path("/")
AT_ONCE = 4
"""Long trials, all side by side: one after the other they would take a minute and a half."""


def examine(config_file: Path, state: Path) -> Iterator[Finding]:
    """Yield a finding for every part, as it is known; none of them stops the others."""
    config, errors = check(config_file, state)
    known = config or Config()
    source = known.camera.source
    held = access.holders(ROOT, source) if source == "pi" or source.startswith("/dev/") else []
    folder = config_file.resolve().parent
    with ThreadPoolExecutor(AT_ONCE) as trials:

        def begun(what: Callable[[], Iterable[Finding]]) -> Callable[[], list[Finding]]:
            return trials.submit(lambda: list(what())).result

        vision = begun(lambda: node.vision(known, held))
        home = begun(lambda: node.home_broker(known, folder))
        self_test = begun(lambda: node.self_test(known.recognizer.model))
        walls = begun(lambda: [node.worker_walls(known, folder / broker.CREDENTIAL)])
        yield configuration(config_file, config, errors)
        unit = read_unit(ROOT)
        yield from installation(ROOT, unit, ask)
        yield from environment(ROOT, unit, source)
        if source == "pi":
            yield from camera_hardware(ROOT, held=bool(held))
        if source == "pi" or source.startswith("/dev/"):
            yield from rights(ROOT, unit, known)
        yield from vision()
        yield from machine(ROOT, ask)
        yield from disk(ROOT, state)
        yield node.clock()
        yield node.model_file(known)
        yield from node.budget(known, state)
        yield from chain(self_test(), walls(), home())


def configuration(file: Path, config: Config | None, errors: Iterable[object]) -> Finding:
    """Return whether the file is right."""
    if config:
        return Finding("config", "good", f"{file}, rules: {len(config.rules)}")
    found = list(errors)
    count = "1 mistake" if len(found) == 1 else f"{len(found)} mistakes"
    message = f"{count}, the first: {found[0]}"
    return Finding("config", "bad", message, "Run: sudo edgehome check, and correct what it lists.")


def installation(root: Path, unit: Unit | None, ask: Ask) -> Iterator[Finding]:
    """Yield what systemd knows of the service, and what is wrong with its unit."""
    said = service.shown(ask) if under(root, "/run/systemd/system").is_dir() else {}
    yield from service.service(said)
    if unit:
        yield from startable(root, unit, list(access.names_in(root, "passwd")))
        yield from loosened(unit)
    if said:
        yield from service.last_error(ask)


def environment(root: Path, unit: Unit | None, source: str) -> Iterator[Finding]:
    """Yield what is wrong with Python, its packages and the view that the runtime has."""
    packages = Path(sysconfig.get_path("purelib"))
    yield from software.bits(platform.machine(), struct.calcsize("P") * 8)
    yield from software.python(sys.version_info[:3], sys.executable)
    yield from software.environment(root, Path(sys.prefix), source)
    yield from software.numpy(root, packages, source)
    yield from software.runtime(packages)
    yield from software.processor(root, unit.last("ProcSubset") if unit else "")


def rights(root: Path, unit: Unit | None, config: Config) -> Iterator[Finding]:
    """Yield what keeps the service's user, or the asker, from the camera's devices."""
    uid, groups = os.geteuid(), frozenset({os.getegid(), *os.getgroups()})
    who = access.account(root, unit, uid, groups)
    if who is None:
        return
    accelerator = config.runtime.delegate is Delegate.EDGETPU
    found = list(access.membership(root, who, accelerator=accelerator))
    yield from found or access.devices(root, who)


def camera_hardware(root: Path, *, held: bool) -> Iterator[Finding]:
    """Yield what the firmware and the kernel lack for a Pi camera."""
    model = camera.board(root)
    path, text = camera.boot_config(root)
    found = list(camera.overlay(path, text)) if path and model else []
    yield from found or camera.kernel_camera(root, path)
    yield from camera.contiguous(text_of(under(root, "/proc/meminfo")), model, path, held=held)


def machine(root: Path, ask: Ask) -> Iterator[Finding]:
    """Yield how the board itself is: supply, heat, memory, clock speed, watchdog."""
    bits = board.firmware_bits(root, ask)
    yield from board.supply(bits)
    if not bits:
        yield from board.heat(root)
    yield from board.memory(text_of(under(root, "/proc/meminfo")))
    yield from board.governor(root)
    yield from board.watchdog(root)


def disk(root: Path, state: Path) -> Iterator[Finding]:
    """Yield how the disk is that alerts are kept on, and whether the log is."""
    folder = next(path for path in (state, *state.absolute().parents) if path.exists())
    mount = storage.mount_of(text_of(under(root, "/proc/self/mounts")), folder.resolve())
    found = list(storage.mounted(root, mount, folder))
    yield from found
    if not any(finding.state == "bad" for finding in found):
        if os.access(folder, os.W_OK):
            room = os.statvfs(folder)
            free = room.f_bavail * room.f_frsize
            yield from storage.room(folder, free, room.f_favail, room.f_files)
        else:
            remedy = "Run it as root or as the service's user: sudo edgehome doctor"
            yield Finding("disk", "bad", f"{folder} cannot be written", remedy)
    yield from storage.journal(root)
