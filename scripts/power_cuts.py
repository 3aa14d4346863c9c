"""Cut the power at every write and every sync of a real outbox, and say what is lost.

    python scripts/power_cuts.py [--seeds 6] [--every 1] [--json]

A process raises, sends and acknowledges alerts, closes the outbox and opens it again; a shim in
front of the C library (scripts/disk_shim.c) records every change to its files. Then, for each
seed and after each recorded change, the disk is put together as a power cut may leave it
(scripts/crash_disk.py), and the outbox is opened on it. Corrupt: it was found damaged. Lost: an
alert is gone whose `append` had returned. Split: the rules' memory is not that of the newest
alert. One run begins with nothing, one with a file of the first version.

The reserve of the outbox is 24 pages instead of 512 here, so that the log wraps often. Exit status
1: something is corrupt, lost or split; 2: there is no C compiler.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from crash_disk import Disk, Event, read  # noqa: E402

from edgehome import outbox_file  # noqa: E402
from edgehome.outbox import Outbox  # noqa: E402
from edgehome.types import OutboxError  # noqa: E402

RESERVE_PAGES = 24
ALERTS = 60
FIRST_VERSION = """
CREATE TABLE alerts (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    created_wall REAL NOT NULL, payload BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent')),
    replay INTEGER NOT NULL DEFAULT 0, sent_wall REAL);
CREATE INDEX waiting ON alerts (seq) WHERE state = 'pending';
CREATE TABLE facts (store TEXT NOT NULL, dropped INTEGER NOT NULL);
INSERT INTO facts VALUES ('0123456789abcdef', 3);
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""
OLD = 30
"""Alerts in the file of the first version."""


@dataclass(slots=True)
class Found:
    """What came of the cuts."""

    cuts: int = 0
    corrupt: int = 0
    lost: int = 0
    split: int = 0


def work(folder: Path) -> None:
    """Be the process that is recorded; `marks` says what was promised, in the order of events."""
    outbox_file.RESERVE_PAGES = RESERVE_PAGES
    marks = os.open(folder / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for life in range(2):
        with Outbox(folder / "outbox.db", keep_sent=16) as outbox:
            for number in range(ALERTS // 2):
                name = f"{life}-{number}"
                seq = outbox.append(name, b"x" * 700, 1e9, rule="fall", memory=name.encode())
                os.write(marks, f"+{name}\n".encode())
                if number % 3:
                    os.write(marks, f"-{name}\n".encode())
                    outbox.mark_sent([seq], 1e9)
                if number % 3 == 2:
                    outbox.acknowledge([name])
            outbox.note("life", str(life))


def first_version(folder: Path) -> dict[str, bytes]:
    """Make a file as the first version left it."""
    with closing(sqlite3.connect(folder / "outbox.db")) as connection, connection:
        connection.executescript(FIRST_VERSION)
        rows = ((f"old-{n}", b"x" * 700) for n in range(OLD))
        connection.executemany(
            "INSERT INTO alerts (id, created_wall, payload) VALUES (?, 1e9, ?)", rows
        )
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def recorded(shim: Path, place: Path, *, old: bool) -> tuple[dict[str, bytes], list[Event]]:
    """Return the files before a run, and its events."""
    folder, log = place / f"run-{old}", place / f"log-{old}"
    folder.mkdir()
    files = first_version(folder) if old else {}
    environment = os.environ | {
        "LD_PRELOAD": str(shim), "DISK_FOLDER": str(folder), "DISK_RECORD": str(log),
    }  # fmt: skip
    command = [sys.executable, __file__, "--work", str(folder)]
    subprocess.run(command, env=environment, check=True)
    return files, list(read(log.read_bytes()))


def cut_all(files: dict[str, bytes], events: list[Event], seed: int, every: int) -> Found:
    """Cut the power after every `every`th change."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    found, disk = Found(), Disk(files)
    promised = {f"old-{n}" for n in range(OLD)} if files else set()
    for number, event in enumerate(events):
        if Path(event.path).name == "marks":
            for mark in event.data.decode().split():
                (promised.add if mark[0] == "+" else promised.discard)(mark[1:])
            continue
        disk.take(event)
        if number % every == seed % every:
            judge(disk.cut(chance), promised, found)
    return found


def judge(files: dict[str, bytes], promised: set[str], found: Found) -> None:
    """Open the outbox on what a cut left, and see what it has."""
    found.cuts += 1
    with tempfile.TemporaryDirectory(dir=memory_disk()) as place:
        for name, content in files.items():
            Path(place, name).write_bytes(content)
        try:
            with Outbox(Path(place, "outbox.db")) as outbox:
                found.corrupt += outbox.damage is not None
                entries = outbox.pending(limit=9999) + outbox.unacknowledged(9999)
                found.lost += bool(promised - {entry.id for entry in entries})
                newest, memory = outbox.newest(), outbox.memory()
                of = newest.id.encode() if newest and not newest.id.startswith("old") else None
                found.split += memory != of
                outbox.append("after", b"{}", 1e9)
        except OutboxError:
            found.corrupt += 1


def memory_disk() -> str | None:
    """Return a folder in memory, where there is one: what is tested is not this machine's disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def main() -> int:
    """Record, cut, count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--every", type=int, default=1, help="cut after each n-th change only")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work)
        return 0
    if not (compiler := shutil.which("cc")):
        print("no C compiler (cc) to build scripts/disk_shim.c with", file=sys.stderr)
        return 2
    outbox_file.RESERVE_PAGES = RESERVE_PAGES
    total = Found()
    with tempfile.TemporaryDirectory(dir=memory_disk()) as folder:
        shim = Path(folder, "disk_shim.so")
        source = ROOT / "scripts" / "disk_shim.c"
        subprocess.run(
            [compiler, "-O1", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True
        )
        runs = [recorded(shim, Path(folder), old=old) for old in (False, True)]
        for files, events in runs:
            for seed in range(arguments.seeds):
                found = cut_all(files, events, seed, arguments.every)
                for name, count in asdict(found).items():
                    setattr(total, name, getattr(total, name) + count)
    if arguments.json:
        print(json.dumps(asdict(total)))
    else:
        print(", ".join(f"{count} {name}" for name, count in asdict(total).items()))
    return 1 if total.corrupt or total.lost or total.split else 0


if __name__ == "__main__":
    sys.exit(main())
