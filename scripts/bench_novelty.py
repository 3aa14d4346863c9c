"""What a window costs the model of normal: median, 99th percentile, worst; and whether it grows.

    python scripts/bench_novelty.py [--windows 20000] [--width 480]

Made-up clips with pauses between them, as a camera sees them; every step is timed, the making of
the embedding is not. In processor time, too: on a machine with other work the clock on the wall
tells of that work. Matrices are multiplied in one thread, as in the process that watches.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome.novelty.normal import Key, Normal  # noqa: E402
from edgehome.novelty.normalfile import encode_normal  # noqa: E402
from edgehome.novelty.replayed import made_up  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAMES = 90
CLIPS = 40
PAUSE_S = 300.0
FRAME_S = 0.2
NOISES = 4096


def resident_mb() -> float:
    """Return the process's memory, in megabytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def told(name: str, seconds: NDArray[np.float32]) -> str:
    """Return what a window cost, in milliseconds."""
    median, rare, rarer = np.percentile(seconds, [50, 99, 99.9]) * 1000
    return (
        f"{name}: median {median:.3f} ms, 99 % {rare:.3f} ms, 99.9 % {rarer:.3f} ms, "
        f"worst {seconds.max() * 1000:.2f} ms, mean {seconds.mean() * 1000:.3f} ms"
    )


def main() -> None:
    """Step through the windows, and tell what they cost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--windows", type=int, default=20_000)
    parser.add_argument("--width", type=int, default=480)
    options = parser.parse_args()
    before = resident_mb()
    chance = np.random.default_rng(0)
    clips = np.stack([clip[:FRAMES] for clip in made_up(7, CLIPS, options.width)])
    noises = chance.standard_normal((NOISES, options.width), np.float32) * np.float32(0.05)
    wall, worked = (np.ones(options.windows, np.float32) for _ in range(2))  # touched now
    sizes = [resident_mb()]
    print(f"{before:.1f} MB, {sizes[0]:.1f} MB with the clips")
    normal, at = Normal(Key("", ""), options.width), 0.0
    for number in range(options.windows):
        clip = clips[number // FRAMES * 7 % CLIPS]
        embedding = clip[number % FRAMES] + noises[number * 31 % NOISES]
        passed = FRAME_S if number % FRAMES else PAUSE_S
        at += passed
        start, began = time.perf_counter(), time.thread_time()
        normal.watch(passed)
        normal.step(embedding, at, at / 3600 % 24)
        worked[number] = time.thread_time() - began
        wall[number] = time.perf_counter() - start
        if (number + 1) % (options.windows // 10) == 0:
            sizes.append(resident_mb())
            print(f"{number + 1} windows: {sizes[-1]:.1f} MB, learnt {normal.learnt:.0%}")
            sys.stdout.flush()
    print(told("on the wall", wall))
    print(told("of the processor", worked))
    print(
        f"{sizes[-1] - sizes[1]:+.1f} MB since the first tenth, {sizes[-1] - sizes[0]:.1f} in all"
    )
    print(f"{len(encode_normal(normal))} bytes as a file")


if __name__ == "__main__":
    main()
