"""Small facts that survive a restart, in JSON files; losing one loses comfort, never an alert."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import threading
from pathlib import Path
from typing import Any, Self

FLUSH_S = 5.0
"""A disk is waited for so long at the end."""
ROOT = 0

logger = logging.getLogger(__name__)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file so that a power cut leaves the old or the new one. Raises OSError.

    One that root writes belongs to the folder's owner.
    """
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        if os.geteuid() == ROOT:  # a command with sudo: the service must read it as well
            folder = path.parent.stat()
            with contextlib.suppress(OSError):  # a file system without owners
                os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class FileWriter:
    """Writes files from a thread of its own, so that no disk keeps the caller waiting.

    Of several contents for one file only the last is written. `with` starts the thread, and
    writes what is left at the end.
    """

    def __init__(self) -> None:
        self._waiting: dict[Path, bytes] = {}
        self._changed = threading.Condition()
        self._busy = self._ending = False
        self._refused: set[Path] = set()
        self._thread = threading.Thread(target=self._run, name="files", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join(FLUSH_S)
        if self._thread.is_alive():
            logger.error("the disk takes more than %g s: the last state is not kept", FLUSH_S)

    def put(self, path: Path, data: bytes) -> None:
        """Have a file replaced soon; a disk that refuses is logged, once until it takes again."""
        with self._changed:
            self._waiting[path] = data
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all is written, or for five seconds."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._busy, FLUSH_S)

    def _run(self) -> None:
        while (item := self._next()) is not None:
            path, data = item
            try:
                write_atomically(path, data)
                self._refused.discard(path)
            except OSError as error:
                if path not in self._refused:
                    logger.warning("%s cannot be written (%s)", path, error)
                self._refused.add(path)

    def _next(self) -> tuple[Path, bytes] | None:
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting or self._ending)
            if not self._waiting:
                return None
            self._busy = True
            path = next(iter(self._waiting))
            return path, self._waiting.pop(path)


class StateFile:
    """A dictionary that is kept in a file."""

    def __init__(self, path: Path, writer: FileWriter | None = None) -> None:
        """Take the file, and who writes it; without one `set` waits for the disk."""
        self._path = path
        self._writer = writer
        self._values: dict[str, Any] = {}

    def load(self) -> None:
        """Read the file; one that is missing or broken counts as empty."""
        try:
            values = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, ValueError, RecursionError) as error:
            logger.warning("%s cannot be read (%s): starting with defaults", self._path, error)
            return
        if isinstance(values, dict):
            self._values = values

    def get(self, key: str, default: Any) -> Any:  # noqa: ANN401
        """Return a kept value, or the default when there is none of the default's type."""
        value = self._values.get(key, default)
        return value if isinstance(value, type(default)) else default

    def set(self, key: str, value: Any) -> None:  # noqa: ANN401
        """Keep a value; a disk that refuses is logged and the value holds until the restart."""
        if self._values.get(key) == value:
            return
        self._values[key] = value
        data = json.dumps(self._values).encode()
        if self._writer:
            self._writer.put(self._path, data)
            return
        try:
            write_atomically(self._path, data)
        except OSError as error:
            logger.warning("%s cannot be written (%s)", self._path, error)

    def flush(self) -> None:
        """Wait until what was set is on the disk."""
        if self._writer:
            self._writer.flush()
