"""Say what a still scene costs the worker beside a busy one, from a frame in hand to the pipe.

    python scripts/bench_gate.py [MODEL ...] [--turns 60] [--json]

A busy scene (a rendered fight) and a still one (an empty room with the noise of a sensor) take
turns of 25 frames through the worker's own loop: gate, model, packet, socket; one thread, nothing
is decoded, and another process reads. Then the gate's parts alone. Processor time; the ratio is
of medians, and beside it of the fastest turns, which other work on the machine disturbs least.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome.camera import open_clip  # noqa: E402
from edgehome.gate.gate import Gate  # noqa: E402
from edgehome.gate.motion import Motion  # noqa: E402
from edgehome.gate.picture import small  # noqa: E402
from edgehome.gate.tamper import Tamper  # noqa: E402
from edgehome.messages import MAX_BYTES, encode  # noqa: E402
from edgehome.recognizer.recognizer import Recognizer  # noqa: E402
from edgehome.types import Frame, ModelError, Scores  # noqa: E402
from edgehome.worker import Sender, watch  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pictures = list[NDArray[np.uint8]]

START = datetime(2000, 1, 1, tzinfo=UTC)
TURN = 25
INPUT_REFUSED = 66


class Looped:
    """A camera that gives pictures over and over, forth and back."""

    skipped = 0

    def __init__(self, pictures: Pictures, rate: float) -> None:
        self._pictures = [*pictures, *pictures[-2:0:-1]]
        self._rate = rate

    def frames(self) -> Iterator[Frame]:
        """Yield frames on the grid of the rate, each in memory of its own."""
        for number, picture in enumerate(cycle(self._pictures)):
            yield Frame(number / self._rate, START, picture.copy())


def pictures_of(clip: str, size: int, rate: float) -> Pictures:
    """Return the frames of one of the clips in the box."""
    path = ROOT / "models" / "clips" / clip
    with open_clip(path, size=size, rate=rate, start=START) as camera:
        return [frame.image for frame in camera.frames()]


def noisy(picture: NDArray[np.uint8], count: int) -> Pictures:
    """Return a picture so many times, each with a sensor's noise."""
    chance = np.random.default_rng(0)
    noise = chance.normal(0, 2, (count, *picture.shape))
    return list((picture + noise).round().clip(0, 255).astype(np.uint8))


def cost_us(work: Callable[[], object]) -> float:
    """Return the processor time of a turn's frames, in microseconds a frame."""
    began_s = time.process_time()
    for _ in range(TURN):
        work()
    return (time.process_time() - began_s) / TURN * 1e6


def compare(model: Path, turns: int, send: Sender) -> dict[str, Any]:
    """Return what a model's worker costs with both scenes, in microseconds a frame."""
    with Recognizer(model, threads=1) as one, Recognizer(model, threads=1) as other:
        size, rate = one.manifest.size, one.manifest.rate
        scenes: dict[str, tuple[Any, Recognizer]] = {
            "busy": (Looped(pictures_of("room-day-fight.mp4", size, rate), rate), one),
            "still": (Looped(noisy(pictures_of("room-day-empty.mp4", size, rate)[0], 50), rate),
                      other),
        }  # fmt: skip
        seen: dict[str, list[Scores]] = {name: [] for name in scenes}
        sources = {
            name: watch(camera, recognizer, Gate(hold=recognizer.look_back))
            for name, (camera, recognizer) in scenes.items()
        }

        def step(name: str) -> None:
            scores = next(sources[name])
            send(scores)
            seen[name].append(scores)

        for name in scenes:
            for _ in range(2 * one.look_back):
                step(name)
            seen[name].clear()
        costs: dict[str, list[float]] = {name: [] for name in scenes}
        for _ in range(turns):
            for name in scenes:
                costs[name].append(cost_us(lambda name=name: step(name)))  # type: ignore[misc]
    busy, still = (statistics.median(costs[name]) for name in ("busy", "still"))
    return {
        "still_beside_busy": round(still / busy, 4),
        "still_beside_busy_fastest": round(min(costs["still"]) / min(costs["busy"]), 4),
        "model": model.name,
        "still_us": round(still, 1),
        "busy_us": round(busy, 1),
        **{f"{n}_rested": round(sum(s.still for s in a) / len(a), 4) for n, a in seen.items()},
    }


def sentence(found: dict[str, Any]) -> str:
    """Say what a model's worker costs."""
    return (
        f"still costs {found['still_beside_busy']:.1%} of busy "
        f"({found['still_beside_busy_fastest']:.1%} by the fastest turns): {found['model']}, "
        f"{found['still_us']:.0f} of {found['busy_us']:.0f} us a frame; rested in "
        f"{found['still_rested']:.0%} of still frames, {found['busy_rested']:.0%} of busy ones"
    )


def parts(turns: int) -> dict[str, float]:
    """Return what the gate is made of, on a still scene, in microseconds a frame."""
    images = noisy(pictures_of("room-day-empty.mp4", 172, 5.0)[0], 50)
    frames = Looped(images, 5.0).frames()
    motion, tamper, gate = Motion(), Tamper(), Gate(hold=50)

    def see() -> tuple[Frame, NDArray[np.float32]]:
        frame = next(frames)
        return frame, small(frame.image)

    scores = Scores(0.2, START, {}, still=True, motion=0.001)
    ways: dict[str, Callable[[], object]] = {
        "copy of the frame, small picture": see,
        "the same and motion": lambda: motion.part(see()[1]),
        "the same and tamper": lambda: tamper.look(*see()),
        "the whole gate": lambda: gate.look(next(frames)),
        "packet": lambda: encode(scores),
    }
    return {
        name: round(statistics.median(cost_us(work) for _ in range(turns)), 1)
        for name, work in ways.items()
    }


def read_for_ever(channel: socket.socket) -> None:
    """Be the supervisor's ear, in a child process, until the other end is closed."""
    while channel.recv(MAX_BYTES):
        pass
    os._exit(0)


def main() -> int:
    """Measure and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("models", type=Path, nargs="*", metavar="MODEL")
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    arguments = parser.parse_args()
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        here.close()
        read_for_ever(there)
    there.close()
    try:
        models = arguments.models or [ROOT / "models" / "edgehome-a0.tflite"]
        found = [compare(model, arguments.turns, Sender(here)) for model in models]
    except ModelError as error:
        print(error, file=sys.stderr)
        return INPUT_REFUSED
    here.close()
    alone = parts(arguments.turns)
    if arguments.json:
        print(json.dumps({"models": found, "parts_us": alone}))
        return 0
    print(*map(sentence, found), sep="\n")
    for name, cost in alone.items():
        print(f"  {name}: {cost:.0f} us")
    return 0


if __name__ == "__main__":
    sys.exit(main())
