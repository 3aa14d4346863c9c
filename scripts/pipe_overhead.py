"""Say what the worker adds to a model's bare invoke, from a frame in hand to scores on the pipe.

    python scripts/pipe_overhead.py MODEL [--rounds 40]

Four ways take turns of 25 frames in one process, with one thread: the bare invoke of the graph,
the recogniser's step, all that the worker does with a frame (step, scores by label, packet,
socket) while another process reads, and that with the gate, which measures motion and the camera's
view, on noise: its dearest picture. Prints the medians and the fastest, and their ratios.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome.gate.gate import Gate, Look  # noqa: E402
from edgehome.messages import MAX_BYTES  # noqa: E402
from edgehome.recognizer.litert import open_interpreter  # noqa: E402
from edgehome.recognizer.recognizer import Recognizer  # noqa: E402
from edgehome.types import Frame, ModelError  # noqa: E402
from edgehome.worker import Sender, watch  # noqa: E402

FRAMES_A_TURN = 25
PICTURES = 8
INPUT_REFUSED = 66


class Pictures:
    """A camera that gives noise at once, for ever."""

    skipped = 0

    def __init__(self, size: int, rate: float) -> None:
        shape = (PICTURES, size, size, 3)
        self._images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        self._rate = rate

    def frames(self) -> Iterator[Frame]:
        """Yield frames on the grid of the rate."""
        at, number = datetime.now(UTC), 0
        while True:
            yield Frame(number / self._rate, at, self._images[number % PICTURES])
            number += 1


class Ungated:
    """In place of the gate: it looks at nothing, so that the model's own costs are seen."""

    def look(self, _frame: Frame) -> Look:
        """Return that nothing is known to rest."""
        return Look(0.0, frozenset(), still=False)


def read_for_ever(channel: socket.socket) -> None:
    """Be the supervisor's ear, in a child process, until the other end is closed."""
    while channel.recv(MAX_BYTES):
        pass
    os._exit(0)


def measure(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of every call of each way."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            for _ in range(FRAMES_A_TURN):
                began_s = time.perf_counter()
                way()
                times[name].append((time.perf_counter() - began_s) * 1000)
    return times


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        here.close()
        read_for_ever(there)
    there.close()
    try:
        with (
            Recognizer(arguments.model, threads=1) as one,
            Recognizer(arguments.model, threads=1) as other,
            Recognizer(arguments.model, threads=1) as third,
        ):
            made = ways(arguments.model, one, other, third, Sender(here))
            times = measure(made, arguments.rounds)
    except ModelError as error:
        print(error, file=sys.stderr)
        return INPUT_REFUSED
    here.close()
    report(times)
    return 0


def ways(
    model: Path, one: Recognizer, other: Recognizer, third: Recognizer, send: Sender
) -> dict[str, Callable[[], object]]:
    """Return what is to be measured, each called once so that it is warm."""
    bare = open_interpreter(model.read_bytes(), threads=1)
    pictures: Any = Pictures(one.manifest.size, one.manifest.rate)
    gate: Any = Gate(hold=third.look_back, enabled=False)
    ungated: Any = Ungated()
    frames, scores = pictures.frames(), watch(pictures, other, ungated)
    gated = watch(pictures, third, gate)
    made: dict[str, Callable[[], object]] = {
        "bare invoke": bare.invoke,
        "step": lambda: one.step(next(frames)),
        "frame to pipe": lambda: send(next(scores)),
        "and the gate": lambda: send(next(gated)),
    }
    for way in made.values():
        way()
    return made


def report(times: dict[str, list[float]]) -> None:
    """Print every way beside the first."""
    bare = next(iter(times.values()))
    for name, values in times.items():
        median, fastest = statistics.median(values), min(values)
        print(
            f"{name:14} {median:.3f} ms, fastest {fastest:.3f}; beside the first "
            f"{median / statistics.median(bare):.3f} (medians), {fastest / min(bare):.3f} (fastest)"
        )


if __name__ == "__main__":
    sys.exit(main())
