"""The outbox's file: made with room to spare, checked at every opening, salvaged when damaged.

`outbox.py` reads and writes the rows. Facts behind the pragmas: https://www.sqlite.org/wal.html
(the WAL is reused from its beginning after a checkpoint and never shrinks while open) and
https://www.sqlite.org/pragma.html#pragma_locking_mode (EXCLUSIVE: no shared-memory file, which a
full disk could take away).
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from edgehome import outbox_schema as schema
from edgehome.types import Problem

logger = logging.getLogger(__name__)

RESERVE_PAGES = 512
"""Pages of 4 KiB kept free in the file, and as many in the WAL: what a full disk cannot take."""
PAGE_BYTES = 4096
LOCK_TIMEOUT_S = 2.0

OUTSIDE_FAULTS = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY,
}  # fmt: skip
"""What keeps a sound file from being opened; anything else means that the file is damaged."""


def open_file(path: Path) -> tuple[sqlite3.Connection, Problem | None]:
    """Return a connection to a sound outbox, and what was wrong with the file found there.

    A damaged file is renamed to `outbox.corrupt-1` and its readable rows are taken over. Raises
    sqlite3.Error or OSError when the disk gives no file to work with.
    """
    _spare(path).unlink(missing_ok=True)
    try:
        return _open_sound(path), None
    except sqlite3.Error as error:
        if not _is_damage(error, path):
            raise
        logger.error(  # noqa: TRY400  # a worn card is no bug of ours: no traceback
            "the outbox %s is damaged (%s): starting a new one", path, error
        )
        _set_aside(path)
    connection = _open_sound(path)
    saved = connection.execute("SELECT count(*) FROM alerts").fetchone()[0]
    return connection, Problem(
        "outbox_corrupt",
        f"The outbox was damaged; {saved} of its alerts could be read and were kept.",
        f"Check the SD card or disk; the damaged file is {_aside(path)}.",
    )


def close_file(path: Path, connection: sqlite3.Connection) -> None:
    """Close, and keep the WAL's blocks: SQLite deletes the file, and a full disk takes the space.

    The kept file gets a blank header, which SQLite reads as an empty WAL.
    """
    wal, spare = _beside(path, "-wal"), _spare(path)
    with suppress(OSError):  # a file system without hard links keeps no spare
        os.link(wal, spare)
    with suppress(sqlite3.Error):
        connection.close()
    with suppress(OSError):
        if wal.exists():  # SQLite could not empty it, so it still holds alerts
            spare.unlink(missing_ok=True)
            return
        with spare.open("r+b") as file:
            file.write(bytes(32))
            file.flush()
            os.fsync(file.fileno())  # else a power cut could bring the old header back
        spare.replace(wal)


def error_code(error: Exception) -> int:
    """Return SQLite's primary result code."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _spare(path: Path) -> Path:
    return _beside(path, "-spare")


def _aside(path: Path) -> Path:
    return path.with_name(f"{path.stem}.corrupt-1")


def _open_sound(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S, isolation_level=None)
    try:
        _prepare(connection, path)
        if schema.check(connection) < schema.VERSION:
            schema.upgrade(connection)
        schema.try_out(connection)
    except ValueError as error:  # a message of SQLite's that quotes the damage is no text
        connection.close()
        raise sqlite3.DatabaseError(repr(error)) from error
    except BaseException:
        connection.close()
        raise
    try:
        _reserve(connection, path)
    except sqlite3.Error as error:
        logger.warning("no room to keep in reserve for the outbox: %s", error)
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    for pragma in (
        "locking_mode = EXCLUSIVE",
        "journal_mode = WAL",
        "synchronous = FULL",
        "wal_autocheckpoint = 200",
        "journal_size_limit = -1",
        "cache_size = -512",
        "cell_size_check = ON",
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        schema.create(connection, *_salvage(_aside(path)))


def _is_damage(error: sqlite3.Error, path: Path) -> bool:
    """Tell a damaged file from a disk that gives none: the latter cannot even be written to."""
    code = error_code(error)
    if code not in OUTSIDE_FAULTS:
        return True
    if code not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
        return False
    try:
        with path.open("r+b"):
            return True
    except OSError:
        return False


def _set_aside(path: Path) -> None:
    """Rename the damaged file and its WAL; only the newest damaged one is kept."""
    for suffix in ("-wal", "-shm", "-journal"):
        _beside(_aside(path), suffix).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            _beside(path, suffix).replace(_beside(_aside(path), suffix))
    path.replace(_aside(path))


def _salvage(aside: Path) -> tuple[Iterator[schema.Row], Iterator[schema.Row]]:
    """Return the alerts that can still be read, and (table, key, value) of what else there is."""
    return _salvaged_alerts(aside), _salvaged_others(aside)


def _salvaged_alerts(aside: Path) -> Iterator[schema.Row]:
    """Yield rows from both ends towards the damage."""
    for columns in schema.COLUMNS.values():
        for order in ("ASC", "DESC"):
            query = f"SELECT {columns} FROM alerts NOT INDEXED ORDER BY seq {order}"  # noqa: S608
            for row in _readable(aside, query):
                if schema.is_whole(row):
                    yield (
                        row + schema.ADDED[len(row) - len(schema.KINDS) :]
                        if len(row) < len(schema.KINDS)
                        else row
                    )


def _salvaged_others(aside: Path) -> Iterator[schema.Row]:
    for row in _readable(aside, "SELECT 'notes', name, value FROM notes NOT INDEXED"):
        if isinstance(row[1], str) and isinstance(row[2], str | bytes):
            yield row
    for row in _readable(aside, "SELECT 'losses', reason, count FROM losses NOT INDEXED"):
        if isinstance(row[1], str) and isinstance(row[2], int):
            yield row
    for row in _readable(aside, "SELECT 'losses', 'oldest', dropped FROM facts"):
        if isinstance(row[2], int) and row[2] > 0:
            yield row


def _readable(aside: Path, query: str) -> Iterator[schema.Row]:
    """Yield rows up to the damage."""
    if not aside.exists():
        return
    with (
        suppress(sqlite3.Error, OverflowError, ValueError),
        closing(sqlite3.connect(aside, isolation_level=None)) as connection,
    ):
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        yield from connection.execute(query)


def grow(connection: sqlite3.Connection, path: Path) -> bool:
    """Make both files larger ahead of need and return True; False when the disk has no room.

    SQLite may use only what is on the disk already: a file that grew in the WAL alone could not
    be checkpointed on a full disk, and the WAL would then fill up too. Raises sqlite3.Error.
    """
    disk = os.statvfs(path.parent)
    room = disk.f_bavail * disk.f_frsize
    pages = next((n for n in (RESERVE_PAGES, RESERVE_PAGES // 8) if room > 4 * n * PAGE_BYTES), 0)
    if pages:
        connection.execute("PRAGMA max_page_count = 1073741823")
        connection.execute("CREATE TABLE IF NOT EXISTS reserve (filler BLOB)")
        connection.execute("INSERT INTO reserve VALUES (zeroblob(?))", (pages * PAGE_BYTES,))
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        connection.execute("DROP TABLE reserve")
    count = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {count}")
    return pages > 0


def _reserve(connection: sqlite3.Connection, path: Path) -> None:
    """Leave room for some thousand alerts that no full disk can take."""
    connection.execute("DROP TABLE IF EXISTS reserve")
    free = connection.execute("PRAGMA freelist_count").fetchone()[0]
    wal = _beside(path, "-wal")
    grown = wal.exists() and wal.stat().st_size >= RESERVE_PAGES * PAGE_BYTES
    if free < RESERVE_PAGES // 2 or not grown:
        grow(connection, path)
