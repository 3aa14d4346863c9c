"""How signals and other threads reach the supervisor's loop: a socket that turns readable."""

from __future__ import annotations

import contextlib
import queue
import signal
import socket
from types import FrameType
from typing import Any, Self

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Wakeup:
    """Signals become flags, what other threads put becomes a list, and both end a `select`."""

    def __init__(self) -> None:
        self.stop_requested = False
        self.reload_requested = False
        self._commands: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._previous: dict[signal.Signals, Any] = {}
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def __enter__(self) -> Self:
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._previous = {number: signal.signal(number, self._note) for number in HANDLED}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        self._reader.close()
        self._writer.close()

    def fileno(self) -> int:
        """Return what a selector is to watch."""
        return self._reader.fileno()

    def put(self, command: object) -> None:
        """Hand over a command from another thread."""
        self._commands.put(command)
        with contextlib.suppress(BlockingIOError, OSError):  # full or closed: it wakes all the same
            self._writer.send(b"\0")

    def drain(self) -> list[Any]:
        """Return the commands put since, and be quiet until the next."""
        with contextlib.suppress(BlockingIOError):
            while self._reader.recv(4096):
                pass
        commands = []
        with contextlib.suppress(queue.Empty):
            while True:
                commands.append(self._commands.get_nowait())
        return commands

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self.reload_requested = True
        else:
            self.stop_requested = True
