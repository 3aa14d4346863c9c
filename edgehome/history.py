"""What the rules did, for the question why: alerts and near misses, in a ring of two files.

Lines of JSON in the state folder. They explain and deliver nothing, so a line that a power cut
spoils is passed over, nothing is synced to the disk, and a disk that refuses costs records only.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from edgehome.types import Alert, Evidence, NearMiss, Severity

CURRENT, OLDER = "history.jsonl", "history.1.jsonl"
MAX_BYTES = 512 * 1024
"""Of each of the two files; some 700 records."""
WAITING = 500
"""Records that wait for a slow disk; more are dropped."""

logger = logging.getLogger(__name__)
Record = Alert | NearMiss


class History:
    """Writes records from a thread of its own, so that no disk keeps the rules waiting."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._path = folder / CURRENT
        self._older = folder / OLDER
        self._max_bytes = max_bytes
        self._waiting: queue.Queue[Record | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._refused = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what waits; a disk that hangs is left to itself after two seconds."""
        try:
            self._waiting.put(None, timeout=1)
        except queue.Full:
            return
        self._thread.join(2)

    def add(self, record: Record) -> None:
        """Keep a record; never waits."""
        try:
            self._waiting.put_nowait(record)
        except queue.Full:
            logger.warning("the disk is too slow for the history: a record is dropped")

    def _run(self) -> None:
        while (record := self._waiting.get()) is not None:
            try:
                self._write(encode(record))
                self._refused = False
            except OSError as error:
                if not self._refused:
                    logger.warning("%s cannot be written (%s)", self._path, error)
                self._refused = True

    def _write(self, line: bytes) -> None:
        try:
            full = self._path.stat().st_size + len(line) > self._max_bytes
        except FileNotFoundError:
            full = False
        if full:
            self._path.replace(self._older)
        with self._path.open("ab") as file:
            file.write(line)


def encode(record: Record) -> bytes:
    """Return a record's line."""
    kind = "alert" if isinstance(record, Alert) else "near_miss"
    data = {"kind": kind, **asdict(record)}
    return json.dumps(data, default=_plain, ensure_ascii=False).encode() + b"\n"


def read_history(folder: Path) -> Iterator[Record]:
    """Yield all records, the oldest first; what cannot be read is passed over.

    Raises OSError when a file is there and cannot be read.
    """
    for name in (OLDER, CURRENT):
        path = folder / name
        if not path.exists():
            continue
        with path.open("rb") as file:
            for line in file:
                record = decode(line)
                if record:
                    yield record


def decode(line: bytes) -> Record | None:
    """Return the record of a line, or None where it is none."""
    try:
        data = json.loads(line)
        kind = {"alert": Alert, "near_miss": NearMiss}[data.pop("kind")]
        known = {field.name for field in fields(kind)}
        data = {name: value for name, value in data.items() if name in known}
        for name in ("at", "since"):
            if data.get(name):
                data[name] = datetime.fromisoformat(data[name])
        if "severity" in data:
            data["severity"] = Severity(data["severity"])
        data["evidence"] = tuple(_evidence(item) for item in data.get("evidence", ()))
        record: Record = kind(**data)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return record if record.at.tzinfo else None


def _evidence(item: dict[str, Any]) -> Evidence:
    since = item.get("since")
    return Evidence(
        condition=str(item["condition"]),
        value=str(item["value"]),
        threshold=str(item["threshold"]),
        met=bool(item["met"]),
        since=datetime.fromisoformat(since) if since else None,
    )


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
