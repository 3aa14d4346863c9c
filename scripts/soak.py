"""Let the supervisor or the worker run for long, faster than life, and see whether it grows.

    python scripts/soak.py supervisor [--frames 1000000] [--json]
    python scripts/soak.py worker     [--frames 20000]

`supervisor`: the process as it ships, at a real broker, with frames of 0.2 s by script as fast as
it takes them: rules, history, outbox, states. `worker`: gate and model in the box, every frame a
step. Resident memory is first looked at after a twentieth. Exits with 1 when the supervisor grows
by 2 MB, the worker by 5 MB, or either has more threads or descriptors than before.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from figures import Progress, descriptors, memory_mb, report, threads  # noqa: E402

FRAMES = {"supervisor": 1_000_000, "worker": 20_000}
MOST_MB = {"supervisor": 2.0, "worker": 5.0}
STALLED_S = 60.0


def parser() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=FRAMES)
    parser.add_argument("--frames", type=int, help="so many of them")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


class Growth:
    """What a process has at the beginning, after a twentieth of the way, and at the end."""

    def __init__(self, pid: int | str) -> None:
        self._pid = pid
        self._first: tuple[float, int, int] | None = None
        self._most_mb = 0.0

    def look(self, part: float) -> float:
        """Look at it, so far on its way (0-1); return its memory in MB."""
        now_mb = memory_mb(self._pid)
        self._most_mb = max(self._most_mb, now_mb)
        if self._first is None and part >= 0.05:
            self._first = now_mb, descriptors(self._pid), threads(self._pid)
        return now_mb

    def figures(self, most_mb: float) -> tuple[dict[str, object], list[str]]:
        """Return the figures of the process and what is wrong with them."""
        now_mb, before = self.look(1.0), self._first or (0.0, 0, 0)
        files, running = descriptors(self._pid), threads(self._pid)
        figures: dict[str, object] = {
            "first_mb": round(before[0], 1),
            "most_mb": round(self._most_mb, 1),
            "grown_mb": round(now_mb - before[0], 2),
            "descriptors": [before[1], files],
            "threads": [before[2], running],
        }
        faults = [f"grew by {now_mb - before[0]:.1f} MB"] if now_mb - before[0] > most_mb else []
        faults += [f"{files} descriptors, {before[1]} before"] if files > before[1] else []
        faults += [f"{running} threads, {before[2]} before"] if running > before[2] else []
        return figures, faults


def watch_frames(told: Path, frames: int, growth: Growth) -> int:
    """Return how many frames are through, all or as many as before it stood still."""
    progress, seen, moved_s = Progress(), 0, time.monotonic()
    while seen < frames and time.monotonic() - moved_s < STALLED_S:
        time.sleep(0.1)
        now = int(told.read_text(encoding="ascii") or 0) if told.exists() else 0
        moved_s = time.monotonic() if now > seen else moved_s
        seen = max(now, seen)
        try:
            size_mb = growth.look(seen / frames)
        except (OSError, IndexError):  # it has died
            return min(seen, frames - 1)
        progress(f"{seen:,} of {frames:,} frames, {size_mb:.1f} MB")
    return seen


def soak_supervisor(frames: int) -> tuple[dict[str, object], list[str]]:
    """Return the figures and what is wrong with them."""
    from broker import Broker, Listener  # type: ignore[import-not-found] # noqa: PLC0415
    from storm.node import ALERT, Node  # type: ignore[import-not-found] # noqa: PLC0415

    with (
        tempfile.TemporaryDirectory() as folder,
        Broker(Path(folder) / "broker") as broker,
        Listener(broker, "edgehome/#") as home,
        Node(
            Path(folder) / "node", broker, port=broker.port, state=Path(folder) / "state", rate=1
        ) as node,
    ):
        told = Path(folder) / "told"
        node.use(EDGEHOME_STORM_FRAMES=str(frames), EDGEHOME_STORM_TOLD=str(told))
        for rule in node.config["rules"]:
            rule["repeat_interval"] = "5m"
        node.write()
        node.start()
        growth, began_s = Growth(node.pid), time.monotonic()
        seen = watch_frames(told, frames, growth)
        if seen < frames:
            return {}, [f"it stood still after {seen:,} frames: {node.said()[-800:]}"]
        took_s = time.monotonic() - began_s
        time.sleep(2.0)
        figures, faults = growth.figures(MOST_MB["supervisor"])
        alerts = len(set(home.ids(ALERT)))
        faults += [] if alerts == len(node.committed) else [f"{len(node.committed)} alerts raised"]
        faults += [] if alerts else ["no alert was raised: little was tried"]
        counts = {
            "frames": seen,
            "frames_a_second": round(seen / took_s),
            "alerts": alerts,
            "messages": len(home.heard()),
        }
        node.end()
    return counts | figures, faults


def soak_worker(frames: int) -> tuple[dict[str, object], list[str]]:
    """Return the figures and what is wrong with them."""
    from bench_gate import Looped, pictures_of  # noqa: PLC0415

    from edgehome.gate.gate import Gate  # noqa: PLC0415
    from edgehome.messages import encode  # noqa: PLC0415
    from edgehome.recognizer.recognizer import Recognizer  # noqa: PLC0415
    from edgehome.worker import watch  # noqa: PLC0415

    progress, growth = Progress(), Growth("self")
    steps = still = 0
    began_s = time.monotonic()
    with Recognizer(ROOT / "models" / "edgehome-a0.tflite", threads=1) as recognizer:
        size, rate = recognizer.manifest.size, recognizer.manifest.rate
        camera: Any = Looped(pictures_of("room-day-fight.mp4", size, rate), rate)
        for scores in watch(camera, recognizer, Gate(hold=recognizer.look_back)):
            encode(scores)
            still += scores.still
            steps += not scores.still
            if steps % 50 == 0:
                size_mb = growth.look(steps / frames)
                progress(f"{steps:,} of {frames:,} steps, {size_mb:.1f} MB")
            if steps >= frames:
                break
        figures, faults = growth.figures(MOST_MB["worker"])
    took_ms = (time.monotonic() - began_s) * 1000
    return {"steps": steps, "still": still, "ms_each": round(took_ms / steps, 1)} | figures, faults


def main() -> int:
    """Print the figures; return 1 when something was not as it must be."""
    options = parser().parse_args()
    frames = options.frames or FRAMES[options.what]
    soak = soak_supervisor if options.what == "supervisor" else soak_worker
    figures, faults = soak(frames)
    return report(figures, faults, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
