"""What a worker says while it is measured."""

from __future__ import annotations

import selectors
import time
from collections.abc import Iterator
from math import inf

from edgehome.messages import Failure, Ready
from edgehome.process import WorkerProcess
from edgehome.types import EdgehomeError, Scores

START_S = 60.0
"""Until the first frame: a Pi Zero 2 W takes long to import its camera stack and to load."""
SILENCE_S = 10.0


def scores_of(worker: WorkerProcess, seconds: float) -> Iterator[Ready | Scores]:
    """Yield what a worker says, for so many seconds from its first frame on.

    Raises EdgehomeError with its own problem, or `worker_hung` when it says nothing.
    """
    silent_s, end_s = time.monotonic() + START_S, inf
    with selectors.DefaultSelector() as selector:
        selector.register(worker, selectors.EVENT_READ)
        while (now_s := time.monotonic()) < min(silent_s, end_s):
            selector.select(min(silent_s, end_s) - now_s)
            for message in worker.messages():
                if isinstance(message, Failure):
                    problem = message.problem
                    raise EdgehomeError(problem.code, problem.message, problem.remedy)
                if isinstance(message, Scores):
                    silent_s = time.monotonic() + SILENCE_S
                    end_s = min(end_s, time.monotonic() + seconds)
                if isinstance(message, Ready | Scores):
                    yield message
            if worker.gone():
                ended = f"The worker ended with status {worker.poll()}."
                raise EdgehomeError("worker_ended", ended, "Run `edgehome doctor`.")
    if time.monotonic() < end_s:
        ended = "The worker gave no frame for seconds."
        raise EdgehomeError("worker_hung", ended, "Run `edgehome doctor`.")
