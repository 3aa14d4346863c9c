"""Disks that fail while the node runs: what is raised goes on its way, and all heals by itself."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from broker import PASSWORD, USER, Broker, Listener, wait_for

from edgehome.config.types import MqttConfig
from edgehome.delivery import Delivery
from edgehome.outbox import Outbox

ROOT = Path(__file__).resolve().parents[1]
BASE = "edgehome/t1"
ALERT = f"{BASE}/alert"
EXT4_IOC_SHUTDOWN = 0x8004587D
LONG = os.environ.get("EDGEHOME_TEST_LONG") == "1"


class LoopDisk:
    """An ext4 of its own, that can fail for real."""

    def __init__(self, place: Path) -> None:
        self.folder = place / "disk"
        self.folder.mkdir()
        self._image = place / "image"
        with self._image.open("wb") as image:
            image.truncate(24 * 1024 * 1024)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", self._image], check=True)

    def mount(self) -> None:
        command = ["mount", "-o", "loop,errors=remount-ro", self._image, self.folder]
        subprocess.run(command, check=True, capture_output=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", self.folder], check=False, capture_output=True)

    def fail(self, how: str) -> None:
        """Answer everything with EIO, or become read-only, or have no byte left."""
        if how == "eio":
            folder = os.open(self.folder, os.O_RDONLY)
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", 2))
            os.close(folder)
        elif how == "readonly":
            subprocess.run(["mount", "-o", "remount,abort", self.folder], check=False)
        else:
            with (self.folder / "rubbish").open("ab", buffering=0) as rubbish:
                for size in (65536, 4096, 1):
                    with suppress(OSError):
                        while rubbish.write(bytes(size)):
                            pass
            assert shutil.disk_usage(self.folder).free == 0

    def heal(self, how: str) -> None:
        if how == "full":
            (self.folder / "rubbish").unlink()
        else:
            self.unmount()
            self.mount()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[LoopDisk]:
    if os.geteuid() or not shutil.which("mkfs.ext4"):
        pytest.skip("a file system of its own needs root and mkfs.ext4")
    disk = LoopDisk(tmp_path)
    try:
        disk.mount()
    except subprocess.CalledProcessError:
        pytest.skip("there is no loop device to mount")
    yield disk
    disk.unmount()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def node(disk: LoopDisk, broker: Broker, tmp_path: Path) -> Iterator[Delivery]:
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    mqtt = MqttConfig(host="127.0.0.1", port=broker.port, username=USER, password_file=password)
    outbox = disk.folder / "outbox.db"
    with Delivery(mqtt=mqtt, base=BASE, outbox=outbox, jitter=lambda low, _: low) as node:
        wait_for(lambda: node.status().connected)
        yield node


def raise_some(node: Delivery, names: list[str], size: int = 600) -> None:
    for name in names:
        node.raise_alert(name, {"message": "x" * size, "severity": "warning"})


def refused(node: Delivery) -> bool:
    return "storage_failed" in {problem.code for problem in node.status().problems}


@pytest.mark.parametrize("how", ["eio", "readonly"])
def test_a_dead_disk_is_told_of_alerts_arrive_from_memory_and_it_heals_without_a_restart(
    disk: LoopDisk, broker: Broker, node: Delivery, how: str
) -> None:
    with Listener(broker, ALERT) as home:
        raise_some(node, ["before"])
        wait_for(lambda: home.ids(ALERT) == ["before"])
        disk.fail(how)
        began_s = time.monotonic()
        names = [f"during {n}" for n in range(20)]
        raise_some(node, names)
        wait_for(lambda: refused(node), 10)
        assert time.monotonic() - began_s < 10
        wait_for(lambda: set(names) <= set(home.ids(ALERT)), 10, "they arrive from memory")
        assert node.status().progress_s > began_s
        disk.heal(how)
        raise_some(node, ["after"])
        wait_for(lambda: "after" in home.ids(ALERT), 10)
        wait_for(lambda: not refused(node), 20, "the disk is tried again")
        stored = node.status().raised
        raise_some(node, ["later"])
        wait_for(lambda: node.status().raised == stored + 1)
        wait_for(lambda: not node.status().pending)
        assert node.status().dropped == 0


def test_on_a_full_disk_two_hundred_alerts_are_stored_and_the_rest_arrives_from_memory(
    disk: LoopDisk, broker: Broker, node: Delivery
) -> None:
    with Listener(broker, ALERT) as home:
        disk.fail("full")
        names = [f"a{n}" for n in range(200)]
        raise_some(node, names)
        wait_for(lambda: node.status().raised == 200)
        wait_for(lambda: set(names) == set(home.ids(ALERT)), 20)
        assert not refused(node)
        broker.kill()
        wait_for(lambda: not node.status().connected)
        more = [f"b{n}" for n in range(1500)]
        raise_some(node, more, size=12_000)
        wait_for(lambda: refused(node), 10)
        wait_for(lambda: node.status().dropped, 10, "the memory takes 64, and losses count")
        disk.heal("full")
        broker.start()
        wait_for(lambda: not refused(node), 40)
        wait_for(lambda: node.status().connected and not node.status().pending, 60)
        arrived = set(home.ids(ALERT)) - set(names)
        teller = next(name for name in arrived if name.startswith("dropped-"))
        told = next(m.json for m in home.heard(ALERT) if m.json["id"] == teller)
        assert told["event_type"] == "alerts_dropped"
        assert sum(told["dropped"].values()) == node.status().dropped
        assert len(arrived) - 1 == len(more) - node.status().dropped


WRITER = """
import sys
from pathlib import Path
from edgehome import outbox_file
from edgehome.outbox import New, Outbox
outbox_file.RESERVE_PAGES = 24
with Outbox(Path(sys.argv[1])) as outbox:
    for n in range(100):
        pair = [New(f"{n}a", b"{}", 1.0), New(f"{n}b", b"{}", 1.0)]
        outbox.append_all(pair, memory=b"%d" % n)
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler")
    built = tmp_path_factory.mktemp("shim") / "disk_shim.so"
    source = ROOT / "scripts" / "disk_shim.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, source, "-ldl"], check=True)
    return built


def test_killed_at_any_sync_the_alerts_of_a_moment_and_the_rules_memory_are_all_there_or_none(
    shim: Path, tmp_path: Path
) -> None:
    seen = set()
    for at in range(1, 41, 1 if LONG else 4):
        folder = tmp_path / str(at)
        folder.mkdir()
        environment = os.environ | {
            "LD_PRELOAD": str(shim), "DISK_FOLDER": str(folder), "DISK_KILL": str(at),
        }  # fmt: skip
        command = [sys.executable, "-S", "-c", WRITER, str(folder / "outbox.db")]
        killed = subprocess.run(command, env=environment, check=False, cwd=ROOT)
        assert killed.returncode == -signal.SIGKILL
        with Outbox(folder / "outbox.db") as outbox:
            assert outbox.damage is None
            ids = [entry.id for entry in outbox.pending(limit=999)]
            newest = len(ids) // 2 - 1
            assert ids == [f"{n}{half}" for n in range(newest + 1) for half in "ab"]
            assert outbox.memory() == (b"%d" % newest if ids else None)
            seen.add(newest)
    assert len(seen) > 5, "it was killed at many alerts"


def test_a_disk_that_fails_for_a_while_loses_nothing_that_was_committed(
    shim: Path, tmp_path: Path
) -> None:
    script = """
import sys, time
from pathlib import Path
from edgehome.outbox import Outbox
from edgehome.types import OutboxError
path, fault = Path(sys.argv[1]), Path(sys.argv[2])
for n in range(30):
    if n % 3 == 1:
        fault.touch()
    try:
        with Outbox(path) as outbox:
            outbox.append(f"a{n}", b"{}", 1.0)
            fault.touch() if n % 5 == 0 else None
            outbox.append(f"b{n}", b"{}", 1.0)
    except OutboxError as error:
        assert error.problem.code == "storage_failed"
        fault.unlink()
        with Outbox(path) as outbox:
            assert outbox.damage is None
            print(n, "refused")
            outbox.append(f"a{n}", b"{}", 1.0)
            outbox.append(f"b{n}", b"{}", 1.0)
with Outbox(path) as outbox:
    names = [entry.id for entry in outbox.pending(limit=999)]
    assert names == [f"{half}{n}" for n in range(30) for half in "ab"], names
    assert outbox.damage is None
"""
    (tmp_path / "disk").mkdir()
    environment = os.environ | {
        "LD_PRELOAD": str(shim),
        "DISK_FOLDER": str(tmp_path / "disk"),
        "DISK_FAULT": str(tmp_path / "fault"),
    }
    command = [sys.executable, "-c", script, tmp_path / "disk" / "outbox.db", tmp_path / "fault"]
    done = subprocess.run(
        command, env=environment, check=False, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("refused") > 10
