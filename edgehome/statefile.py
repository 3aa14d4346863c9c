"""Small facts that survive a restart, in one JSON file; losing it loses comfort, never an alert."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file so that a power cut leaves the old or the new one. Raises OSError."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class StateFile:
    """A dictionary that is kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
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
        try:
            write_atomically(self._path, json.dumps(self._values).encode())
        except OSError as error:
            logger.warning("%s cannot be written (%s)", self._path, error)
