"""Say what an alert costs an SD card: bytes written and flushes, and what the idle outbox costs.

    python scripts/bench_writes.py [--alerts 300] [--idle 60] [--json]

The outbox lies on an ext4 file system of its own on a loop device, and the kernel counts what
reaches that device (https://docs.kernel.org/block/stat.html): sectors of 512 bytes, and flushes.
Each alert is raised with the rules' memory, marked as sent, and acknowledged by the home, each in
its own transaction. `together`: alerts follow upon each other; `apart`: after each alert all that
is unwritten is written, as it is when minutes lie between: two flushes more, by the file system's
journal, which the outbox does not order and no bound is set for. Needs root. Exit status 1: an
alert costs more than 40 KiB or 3 flushes, or the idle outbox writes at all; 2: it cannot be
measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome.outbox import Outbox  # noqa: E402

MOST_KIB = 40.0
MOST_FLUSHES = 3.0
WARM = 2200
"""More alerts than an outbox keeps."""
DISK_BYTES = 64 * 1024 * 1024
SECTOR_BYTES = 512
SECTORS_WRITTEN, FLUSHES = 6, 15
"""Columns of /sys/block/<device>/stat, from 0."""
PAYLOAD = json.dumps({"event_type": "fall", "message": "x" * 560}).encode()
MEMORY = json.dumps({"rules": {"fall": "y" * 900}}).encode()


@dataclass(frozen=True, slots=True)
class Written:
    """What reached the device."""

    kib: float
    flushes: float


class Disk:
    """A mounted ext4 on a loop device."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder = folder
        self._stat = Path("/sys/block") / Path(device).name / "stat"

    def written(self) -> tuple[int, int]:
        """Return bytes and flushes since the device was made."""
        columns = self._stat.read_text(encoding="ascii").split()
        return int(columns[SECTORS_WRITTEN]) * SECTOR_BYTES, int(columns[FLUSHES])

    def settle(self) -> None:
        """Have written what is unwritten."""
        run("sync", "-f", str(self.folder))


@contextmanager
def disk() -> Iterator[Disk]:
    """Make, mount and remove it. Raises OSError or CalledProcessError where that is not allowed."""
    with tempfile.TemporaryDirectory() as place:
        image, folder = Path(place, "image"), Path(place, "disk")
        folder.mkdir()
        with image.open("wb") as file:
            file.truncate(DISK_BYTES)
        run("mkfs.ext4", "-q", str(image))
        device = run("losetup", "--find", "--show", str(image))
        try:
            run("mount", "-o", "noatime", device, str(folder))
            try:
                yield Disk(folder, device)
            finally:
                run("umount", str(folder))
        finally:
            run("losetup", "--detach", device)


def run(*command: str) -> str:
    """Return what a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def alerts_cost(disk: Disk, count: int, *, apart: bool) -> Written:
    """Return the cost of one alert of `count`."""
    with Outbox(disk.folder / "outbox.db") as outbox:
        first = outbox.cursor() or WARM
        if first == WARM:  # an outbox that has begun to forget
            deliver(outbox, disk, WARM, 0, apart=False)
        disk.settle()
        before = disk.written()
        deliver(outbox, disk, count, first, apart=apart)
        disk.settle()
        after = disk.written()
    return per(before, after, count)


def deliver(outbox: Outbox, disk: Disk, count: int, first: int, *, apart: bool) -> None:
    """Raise, send and acknowledge alerts."""
    for number in range(first, first + count):
        name = f"0123456789abcdef0123456789-{number:06}"
        seq = outbox.append(name, PAYLOAD, 1e9 + number, rule="fall", memory=MEMORY)
        outbox.mark_sent([seq], 1e9 + number)
        outbox.acknowledge([name])
        if apart:
            disk.settle()


def idle_cost(disk: Disk, seconds: float) -> Written:
    """Return what an open outbox writes by itself while nothing happens."""
    with Outbox(disk.folder / "outbox-idle.db") as outbox:
        deliver(outbox, disk, 10, 0, apart=False)
        disk.settle()
        time.sleep(min(6.0, seconds))  # the file system's own journal comes to rest
        disk.settle()
        before = disk.written()
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            outbox.pending()
            outbox.unacknowledged(16)
            outbox.cursor()
            time.sleep(0.2)
        after = disk.written()
    return per(before, after, 1)


def per(before: tuple[int, int], after: tuple[int, int], count: int) -> Written:
    """Return the difference, divided."""
    kib = (after[0] - before[0]) / 1024 / count
    return Written(round(kib, 2), round((after[1] - before[1]) / count, 2))


def main() -> int:
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--alerts", type=int, default=300)
    parser.add_argument("--idle", type=float, default=60.0, help="seconds")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if os.geteuid():
        print("a loop device needs root", file=sys.stderr)
        return 2
    try:
        with disk() as place:
            found = {
                "together": alerts_cost(place, arguments.alerts, apart=False),
                "apart": alerts_cost(place, arguments.alerts, apart=True),
                "idle": idle_cost(place, arguments.idle),
            }
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"no loop device to measure on: {error}", file=sys.stderr)
        return 2
    if arguments.json:
        print(json.dumps({name: asdict(written) for name, written in found.items()}))
    else:
        for name, written in found.items():
            print(f"{name:9} {written.kib:7.2f} KiB {written.flushes:6.2f} flushes")
    return 0 if within(found) else 1


def within(found: dict[str, Written]) -> bool:
    """Say whether the bounds are kept."""
    together, apart = found["together"], found["apart"]
    cheap = max(together.kib, apart.kib) <= MOST_KIB and together.flushes <= MOST_FLUSHES
    return cheap and found["idle"].kib == 0


if __name__ == "__main__":
    sys.exit(main())
