"""The outbox's file: made with room to spare, checked at every opening, salvaged when damaged.

`outbox.py` reads and writes the rows. Facts behind the pragmas: https://www.sqlite.org/wal.html
(the WAL is reused from its beginning after a checkpoint and never shrinks while open) and
https://www.sqlite.org/pragma.html#pragma_locking_mode (EXCLUSIVE: no shared-memory file, which a
full disk could take away).
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from types import NoneType

from edgehome.types import Problem

logger = logging.getLogger(__name__)

VERSION = 1
RESERVE_PAGES = 512
"""Pages of 4 KiB kept free in the file, and as many in the WAL: what a full disk cannot take."""
PAGE_BYTES = 4096
LOCK_TIMEOUT_S = 2.0
LAST_SEQ = 2**53
"""No home raises so many alerts: a higher number is damage."""

SCHEMA = """
CREATE TABLE alerts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created_wall REAL NOT NULL,
    payload BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent')),
    replay INTEGER NOT NULL DEFAULT 0,
    sent_wall REAL
);
CREATE INDEX waiting ON alerts (seq) WHERE state = 'pending';
CREATE TABLE facts (store TEXT NOT NULL, dropped INTEGER NOT NULL);
"""

OUTSIDE_FAULTS = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY,
}  # fmt: skip
"""What keeps a sound file from being opened; anything else means that the file is damaged."""

Row = tuple[int, str, float, bytes, str, int, float | None]


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
        _check(connection)
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
        "wal_autocheckpoint = 64",
        "journal_size_limit = -1",
        "cache_size = -512",
        "cell_size_check = ON",
        "trusted_schema = OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")
    if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
        _create(connection, path)


def _create(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables and take over what a damaged file still has, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in filter(str.strip, SCHEMA.split(";")):
            connection.execute(statement)
        connection.execute("INSERT INTO facts VALUES (?, 0)", (secrets.token_hex(8),))
        for row in _salvage(_aside(path)):
            with suppress(sqlite3.IntegrityError):
                connection.execute("INSERT INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _check(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError unless the file is whole and of our own making."""
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    facts = connection.execute("SELECT store, dropped FROM facts").fetchall()
    if version != VERSION or len(facts) != 1 or not isinstance(facts[0][1], int):
        raise sqlite3.DatabaseError("this is not an outbox of this version")
    for (last,) in connection.execute("SELECT seq FROM sqlite_sequence"):
        if not isinstance(last, int) or not 0 <= last < LAST_SEQ:
            raise sqlite3.DatabaseError("the sequence is damaged")
    for row in connection.execute("SELECT * FROM alerts"):
        if not _is_whole(row):
            raise sqlite3.DatabaseError(f"alert {row[0]} is damaged")


def _is_whole(row: tuple[object, ...]) -> bool:
    kinds = [type(value) for value in row]
    right = [int, str, float, bytes, str, int]
    if kinds[:-1] != right or kinds[-1] not in (float, NoneType):
        return False
    return isinstance(row[0], int) and 0 < row[0] < LAST_SEQ


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


def _salvage(aside: Path) -> Iterator[Row]:
    """Yield the rows that can still be read, from both ends towards the damage."""
    if not aside.exists():
        return
    try:
        connection = sqlite3.connect(aside, isolation_level=None)
    except sqlite3.Error:
        return
    with closing(connection):
        for order in ("ASC", "DESC"):
            with suppress(sqlite3.Error, OverflowError):
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                query = f"SELECT * FROM alerts NOT INDEXED ORDER BY seq {order}"  # noqa: S608
                for row in connection.execute(query):
                    if _is_whole(row):
                        yield row


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
