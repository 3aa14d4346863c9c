"""The booted machines, and the broker of the home: a process outside them.

Set EDGEHOME_TEST_SYSTEM=1. Needs root, mmdebstrap, systemd-container and a package mirror. The
machines share the host's network. Kept in order: each test finds the machine as the one before
left it, as a home does.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from broker import Broker, Listener
from home import Home
from machine import CACHE, ROOT, Machine, make_base

SUITES = {"bookworm": "3.11", "trixie": "3.13"}
"""Debian 12 and 13, and their Pythons."""
TOOLS = ("mmdebstrap", "systemd-nspawn", "nsenter", "gcc")


def reason_to_skip() -> str:
    if "EDGEHOME_TEST_SYSTEM" not in os.environ:
        return "boots two Debians, about nine minutes: set EDGEHOME_TEST_SYSTEM=1"
    if os.geteuid() != 0:
        return "only root can boot a machine"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"no {', '.join(missing)} here" if missing else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = reason_to_skip()
    for item in items:
        if reason and Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@contextmanager
def alone() -> Iterator[None]:
    """Wait for another run of the tests that makes the same things."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def bases() -> dict[str, Path]:
    """A bare system of each suite, made side by side where there is none yet."""
    with alone(), ThreadPoolExecutor() as pool:
        return dict(zip(SUITES, pool.map(make_base, SUITES), strict=True))


@pytest.fixture(scope="session")
def wheels() -> Path:
    """What `install.sh --download` fetches for both suites; it comes with a Pi's wheels."""
    folder = CACHE / "wheels"
    with alone():
        if not folder.exists():
            partial = folder.with_suffix(".partial")
            for python in SUITES.values():
                command = [ROOT / "install.sh", "--download", partial, "--for", python]
                subprocess.run(command, check=True, capture_output=True)
            partial.rename(folder)
    return folder


@pytest.fixture(scope="session", params=list(SUITES))
def home(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    bases: dict[str, Path],
    wheels: Path,
    rendered: Path,
) -> Iterator[Home]:
    folder = tmp_path_factory.mktemp(request.param)
    with (
        Machine(bases[request.param], folder, wheels) as machine,
        Broker(folder / "broker", users={Home.USER: Home.PASSWORD}) as broker,
        Listener(broker, "#", user=(Home.USER, Home.PASSWORD)) as listener,
    ):
        shutil.copy(rendered / "room-day-fight.mp4", machine.root / "srv" / "clip.mp4")
        yield Home(machine, broker, listener)
    shutil.rmtree(folder / "root")


@pytest.fixture
def machine(home: Home) -> Machine:
    return home.machine
