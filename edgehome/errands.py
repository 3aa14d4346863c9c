"""Jobs that may wait for a disk, done by a thread of their own, so that the loop never does.

The thread lives as long as the process: a worker that it starts is killed by the kernel when the
thread that started it ends (PR_SET_PDEATHSIG, prctl(2)).
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Self, TypeVar

END_S = 2.0
"""At the end a job that hangs is left to itself after so long."""

Answer = TypeVar("Answer")
Job = tuple[Callable[[], Any], Callable[[Any], None]]

logger = logging.getLogger(__name__)


class Errands:
    """Does one job after the other; readable for a selector when one is done."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._done: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="errands", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for what goes on, not for what hangs; nobody is told any more."""
        self._jobs.put(None)
        self._thread.join(END_S)
        if self._thread.is_alive():
            logger.error("an errand takes more than %g s: it is left to itself", END_S)
        else:
            os.close(self._event)

    def fileno(self) -> int:
        """Return what a selector is to watch."""
        return self._event

    def put(self, job: Callable[[], Answer], then: Callable[[Answer], None]) -> None:
        """Have a job done, and `then` told what it gave by the next `collect` after it."""
        self._jobs.put((job, then))

    def collect(self) -> None:
        """Tell what is done, on the thread that asks; never waits."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event)
        with contextlib.suppress(Empty):
            while True:
                tell = self._done.get_nowait()
                tell()

    def _run(self) -> None:
        while (item := self._jobs.get()) is not None:
            job, then = item
            try:
                answer = job()
            except Exception:  # whatever is wrong with one job, the next one is done
                logger.exception("an errand failed")
                continue
            self._done.put(partial(then, answer))
            os.eventfd_write(self._event, 1)
