"""Corrupted outbox files: the next start must always come, and keep what can be read."""

from __future__ import annotations

import logging
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from damage import damaged  # type: ignore[import-not-found]
from figures import Progress, descriptors, memory_mb

from edgehome.outbox import Outbox

ALERTS = 60
WARM = 20


def fuzz_outbox(count: int, seed: int) -> tuple[dict[str, object], list[str]]:
    """Return the figures and what is wrong with them."""
    logging.getLogger("edgehome").setLevel(logging.CRITICAL)
    chance = random.Random(seed)  # noqa: S311  # to be repeated
    seen: Counter[str] = Counter()
    faults: list[str] = []
    progress = Progress()
    start_mb, start_fds, kept = 0.0, 0, 0
    with _folder() as place:
        sound = [_dense(place / "a"), *_torn(place / "b")]
        for number in range(count):
            if number == count // WARM:
                start_mb, start_fds = memory_mb(), descriptors()
            files = list(sound[0] if number % 4 else sound[1])
            spoilt = chance.randrange(len(files))
            files[spoilt] = damaged(files[spoilt], chance)
            try:
                found = open_one(place / "spoilt", files)
            except Exception as error:  # noqa: BLE001  # any at all is what is looked for
                faults.append(f"case {number}: {error!r}")
                continue
            seen["set aside" if found is not None else "opened as it was"] += 1
            kept += found or 0
            progress(f"{number:,} of {count:,} files: {dict(seen)}")
        grown_mb, more_fds = memory_mb() - start_mb, descriptors() - start_fds
    faults += [f"memory grew by {grown_mb:.1f} MB"] if grown_mb > 2.0 else []
    faults += [f"{more_fds} descriptors more"] if more_fds else []
    figures: dict[str, object] = {
        "files": count,
        **seen,
        "alerts_read_from_those_set_aside": kept,
        "grown_mb": round(grown_mb, 2),
    }
    return figures, faults


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def open_one(place: Path, files: list[bytes]) -> int | None:
    """Open an outbox of these files, use it, and return how many alerts a salvage kept.

    None: it was sound enough to go on with. Raises whatever the outbox does, RuntimeError when
    a new alert is not the last one pending.
    """
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, content in zip(("outbox.db", "outbox.db-wal"), files, strict=False):
        (place / name).write_bytes(content)
    with Outbox(place / "outbox.db") as outbox:
        kept = outbox.pending_count if outbox.damage else None
        outbox.append("new", b"{}", 1.0)
        pending = outbox.pending(limit=10_000)
        if not pending or pending[-1].id != "new":
            raise RuntimeError("a new alert is not the last one pending")
        outbox.mark_sent([pending[-1].seq], 2.0)
    return kept


def _dense(place: Path) -> list[bytes]:
    """Return a database without the reserve that would soak up the damage."""
    with Outbox(place / "outbox.db") as outbox:
        seqs = [outbox.append(f"a{n}", b'{"message": "%d"}' % n, 1.0) for n in range(ALERTS)]
        outbox.mark_sent(seqs[: ALERTS // 2], 2.0)
    connection = sqlite3.connect(place / "outbox.db")
    connection.execute("VACUUM INTO ?", (str(place / "dense.db"),))
    connection.close()
    return [(place / "dense.db").read_bytes()]


def _torn(place: Path) -> Iterator[list[bytes]]:
    """Yield a database with its write-ahead log, as a power cut leaves the two."""
    with Outbox(place / "outbox.db") as outbox:
        for n in range(ALERTS):
            outbox.append(f"a{n}", b'{"message": "%d"}' % n, 1.0)
        files = [place / "outbox.db", place / "outbox.db-wal"]
        contents = [file.read_bytes() for file in files]
    yield [contents[0], contents[1][: 100 * 4096]]
