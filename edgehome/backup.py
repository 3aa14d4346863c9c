"""`edgehome backup FILE` and `--restore FILE`: what a home taught its node, as one file.

A tar of config.yaml, taught/NAME.json and normal.bin; never the broker's password. What is in one
is held to these names, to a size, and to what it should be before anything is written.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgehome.lessonstore import FOLDER, LARGEST_BYTES, LessonStore, is_name, kept_of
from edgehome.statefile import write_atomically
from edgehome.types import EdgehomeError

CONFIG, NORMAL = "config.yaml", "normal.bin"
MOST_MEMBERS = 64
_READABLE, _PRIVATE = 0o644, 0o600


def add_backup(commands: Any, config: Path) -> None:  # noqa: ANN401 - argparse's own has no name
    """Add the command; `config` is the default."""
    backup = commands.add_parser(
        "backup",
        help="write config, taught activities and what is normal here as one file, or read it",
        description="Writes a tar of config.yaml, of what was taught and of what is normal here; "
        "without the broker's password, but with what config.yaml says: a camera's address may "
        "hold one. With --restore, and the node stopped, it is put back.",
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    backup.add_argument("--restore", action="store_true", help="put back what is in FILE")
    backup.add_argument("-c", "--config", type=Path, default=config, help="(%(default)s)")
    backup.add_argument("--state", type=Path, help="the state folder (the service's)")
    backup.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.restore:
        names = restore(options.file, config=options.config, state=options.state)
    else:
        names = write(options.file, config=options.config, state=options.state)
    for name in names:
        sys.stdout.write(f"{'restored' if options.restore else 'kept'}  {name}\n")
    return 0


def write(file: Path, *, config: Path, state: Path) -> list[str]:
    """Write a backup, for its owner alone; return what is in it. Raises OSError."""
    found = dict(_found(config, state))
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, data in found.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), _PRIVATE
            tar.addfile(member, io.BytesIO(data))
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content.getvalue())
        out.flush()
        os.fsync(out.fileno())
    return list(found)


def restore(file: Path, *, config: Path, state: Path) -> list[str]:
    """Put back all that is in a backup, or nothing of it; return what.

    Raises EdgehomeError: `backup_invalid`, `node_running`; and OSError.
    """
    from edgehome.purge import refuse_while_running  # noqa: PLC0415 - it takes the broker's modules

    found = _members(file)
    refuse_while_running(state)
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    store = LessonStore(state)
    with store.locked():
        for name, data in found.items():
            if name != CONFIG:
                write_atomically(state / name, data)
    if CONFIG in found:
        mode = config.stat().st_mode & 0o777 if config.exists() else _READABLE
        write_atomically(config, found[CONFIG])
        config.chmod(mode)
    return list(found)


def _found(config: Path, state: Path) -> Iterator[tuple[str, bytes]]:
    store = LessonStore(state)
    if config.exists():
        yield CONFIG, config.read_bytes()
    for name in store.names():
        data = store.read(name)
        if data is not None:
            yield f"{FOLDER}/{name}.json", data
    if (state / NORMAL).exists():
        yield NORMAL, (state / NORMAL).read_bytes()


def _members(file: Path) -> dict[str, bytes]:
    """Return what is in a backup, all of it looked at. Raises EdgehomeError and OSError."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                data = tar.extractfile(member) if member.isreg() else None
                if data is None or member.size > LARGEST_BYTES or len(found) >= MOST_MEMBERS:
                    raise _invalid(file, f"{member.name[:80]!r} is no file of a backup")
                found[member.name] = data.read()
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise _invalid(file, str(error)) from error
    for name, content in found.items():
        _look(file, name, content)
    return found


def _look(file: Path, name: str, data: bytes) -> None:
    """Raise EdgehomeError (`backup_invalid`) for what does not belong into a backup."""
    folder, _, lesson = name.rpartition("/")
    stem = lesson.removesuffix(".json")
    is_lesson = folder == FOLDER and lesson.endswith(".json") and is_name(stem)
    if not is_lesson and name not in {CONFIG, NORMAL}:
        raise _invalid(file, f"{name[:80]!r} is none of a node's files")
    try:
        if is_lesson:
            kept_of(data, stem)
        elif name == CONFIG:
            data.decode()
    except ValueError as error:
        raise _invalid(file, f"{name[:80]!r}: {error}") from error


def _invalid(file: Path, why: str) -> EdgehomeError:
    return EdgehomeError(
        "backup_invalid",
        f"{file} is no backup that can be used: {why}.",
        "Take the file that `edgehome backup` wrote; nothing was changed.",
    )
