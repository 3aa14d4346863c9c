"""The outbox's tables, and what a sound row in them looks like.

https://www.sqlite.org/lang_altertable.html#otheralter: a constraint may be changed in the schema's
text where it only becomes wider.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable
from types import UnionType

VERSION = 2
LAST_SEQ = 2**53
"""No home raises so many alerts: a higher number is damage."""

SCHEMA = """
CREATE TABLE alerts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created_wall REAL NOT NULL,
    payload BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'acknowledged')),
    replay INTEGER NOT NULL DEFAULT 0,
    sent_wall REAL,
    severity TEXT NOT NULL DEFAULT 'warning',
    rule TEXT NOT NULL DEFAULT '',
    first INTEGER NOT NULL DEFAULT 1,
    folded INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE facts (store TEXT NOT NULL);
CREATE TABLE losses (reason TEXT PRIMARY KEY, count INTEGER NOT NULL);
CREATE TABLE notes (name TEXT PRIMARY KEY, value NOT NULL);
"""

FROM_1 = """
ALTER TABLE alerts ADD COLUMN severity TEXT NOT NULL DEFAULT 'warning';
ALTER TABLE alerts ADD COLUMN rule TEXT NOT NULL DEFAULT '';
ALTER TABLE alerts ADD COLUMN first INTEGER NOT NULL DEFAULT 1;
ALTER TABLE alerts ADD COLUMN folded INTEGER NOT NULL DEFAULT 0;
CREATE TABLE losses (reason TEXT PRIMARY KEY, count INTEGER NOT NULL);
INSERT INTO losses SELECT 'oldest', dropped FROM facts WHERE dropped > 0;
DROP INDEX waiting;
ALTER TABLE facts DROP COLUMN dropped;
CREATE TABLE notes (name TEXT PRIMARY KEY, value NOT NULL);
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(
    sql, '''pending'', ''sent''', '''pending'', ''sent'', ''acknowledged'''
) WHERE name = 'alerts';
PRAGMA writable_schema = RESET;
"""
"""From the first version without copying a row, so that it also fits on a full disk."""

FIRST_COLUMNS = "seq, id, created_wall, payload, state, replay, sent_wall"
COLUMNS = {1: FIRST_COLUMNS, VERSION: f"{FIRST_COLUMNS}, severity, rule, first, folded"}
KINDS: tuple[type | UnionType, ...] = (
    int, str, float, bytes, str, int, float | None, str, str, int, int,
)  # fmt: skip
ADDED = ("warning", "", 1, 0)
"""What a row of the first version gets in the columns that it lacks."""

NOTE = "INSERT INTO notes VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
LOSS = (
    "INSERT INTO losses VALUES (?, ?)"
    " ON CONFLICT (reason) DO UPDATE SET count = count + excluded.count"
)
INSERT = (
    "INSERT INTO alerts (id, created_wall, payload, severity, rule, first)"
    " VALUES (?, ?, ?, ?, ?, ?)"
)
SENT = "state = 'sent', sent_wall = ? WHERE seq = ? AND state = 'pending'"
REOPENED = "state = 'pending', replay = 1 WHERE seq = ? AND state = 'sent'"
ACKNOWLEDGED = "state = 'acknowledged' WHERE id = ?"

Row = tuple[object, ...]
"""The columns of `COLUMNS[VERSION]`."""


def create(connection: sqlite3.Connection, rows: Iterable[Row], others: Iterable[Row]) -> None:
    """Make the tables with alerts and (table, key, value) of others, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        run(connection, SCHEMA)
        connection.execute("INSERT INTO facts VALUES (?)", (secrets.token_hex(8),))
        places = ", ".join("?" * len(KINDS))
        for row in rows:
            connection.execute(f"INSERT OR IGNORE INTO alerts VALUES ({places})", row)  # noqa: S608
        for table, key, value in others:
            connection.execute(
                f"INSERT OR IGNORE INTO {table} VALUES (?, ?)",  # noqa: S608
                (key, value),
            )
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        roll_back(connection)
        raise


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a sound file of the first version to this one, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        run(connection, FROM_1)
        cookie = connection.execute("PRAGMA schema_version").fetchone()[0]
        connection.execute(f"PRAGMA schema_version = {cookie + 1}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        roll_back(connection)
        raise


def check(connection: sqlite3.Connection) -> int:
    """Return the version; raise sqlite3.DatabaseError unless the file is whole and ours."""
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version not in COLUMNS or len(connection.execute("SELECT store FROM facts").fetchall()) != 1:
        raise sqlite3.DatabaseError("this is not an outbox of a version that is known")
    for (last,) in connection.execute("SELECT seq FROM sqlite_sequence"):
        if not isinstance(last, int) or not 0 <= last < LAST_SEQ:
            raise sqlite3.DatabaseError("the sequence is damaged")
    for row in connection.execute(f"SELECT {COLUMNS[version]} FROM alerts"):  # noqa: S608
        if not is_whole(row):
            raise sqlite3.DatabaseError(f"alert {row[0]} is damaged")
    counts = "SELECT count FROM losses" if version > 1 else "SELECT dropped FROM facts"
    for (count,) in connection.execute(counts):
        if not isinstance(count, int):
            raise sqlite3.DatabaseError("a counter is damaged")
    return version


def try_out(connection: sqlite3.Connection) -> None:
    """Raise sqlite3.DatabaseError unless the tables take what they are to take; changes nothing.

    Damage in the schema's own text is text, too, and shows in no check of the file.
    """
    trial = f"trial {secrets.token_hex(8)}"
    connection.execute("BEGIN IMMEDIATE")
    try:
        seq = connection.execute(INSERT, (trial, 1.0, b"{}", "info", "rule", 1)).lastrowid
        find = f"SELECT {COLUMNS[VERSION]} FROM alerts WHERE id = ?"  # noqa: S608
        row = connection.execute(find, (trial,)).fetchone()
        expected = (seq, trial, 1.0, b"{}", "pending", 0, None, "info", "rule", 1, 0)
        for change, values in ((SENT, (2.0, seq)), (REOPENED, (seq,)), (ACKNOWLEDGED, (trial,))):
            changed = connection.execute(f"UPDATE alerts SET {change}", values).rowcount  # noqa: S608
            if row != expected or changed != 1:
                raise sqlite3.DatabaseError("the tables are not what they were made as")
        for statement in (NOTE, LOSS) * 2:
            connection.execute(statement, (trial, 1))
    finally:
        roll_back(connection)


def is_whole(row: Row) -> bool:
    """Say whether an alert's columns are of their kinds, in either version."""
    if not all(isinstance(value, kind) for value, kind in zip(row, KINDS, strict=False)):
        return False
    return isinstance(row[0], int) and 0 < row[0] < LAST_SEQ


def run(connection: sqlite3.Connection, statements: str) -> None:
    """Execute statements, within the caller's transaction."""
    for statement in filter(str.strip, statements.split(";")):
        connection.execute(statement)


def roll_back(connection: sqlite3.Connection) -> None:
    """End a transaction that SQLite has not ended itself."""
    if connection.in_transaction:
        connection.execute("ROLLBACK")
