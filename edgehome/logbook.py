"""The log, written by a thread of its own: a journal or a terminal that hangs holds nobody up."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import Self, TextIO

WAITING = 1000
"""Lines that wait for a slow reader; more are dropped, and counted."""
END_S = 2.0


class Logbook(logging.Handler):
    """Takes the place of the root logger's handlers while it is entered; keeps their format."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self._dropped = 0
        self._before: list[logging.Handler] = []
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._before = root.handlers[:]
        self.setFormatter(self._before[0].formatter if self._before else None)
        root.handlers[:] = [self]
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Write what waits; a reader that hangs is left after two seconds."""
        logging.getLogger().handlers[:] = self._before
        self._lines.put(None)
        self._thread.join(END_S)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record; never waits."""
        if self._lines.qsize() >= WAITING:
            self._dropped += 1
            return
        try:
            self._lines.put(self.format(record))
        except Exception:  # noqa: BLE001  # logging's own way with a record that is broken
            self.handleError(record)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            more = f"{dropped} lines of the log were dropped\n" if dropped else ""
            with suppress(OSError, ValueError):  # nobody reads any more
                self._stream.write(f"{more}{line}\n")
                self._stream.flush()
