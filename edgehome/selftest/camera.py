"""What the camera really gives: how many frames, how evenly, in which format.

`python -m edgehome.selftest.camera SOURCE SIZE RATE SECONDS` opens it without a model, in a process
that a driver may hang.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from edgehome.camera import open_camera
from edgehome.selftest.spread import percentile
from edgehome.types import EdgehomeError

START_S = 45.0
"""For the imports and for the first frame."""


def measure(source: str, *, size: int, rate: float, seconds: float) -> dict[str, Any]:
    """Return what a camera gives in so many seconds. Raises EdgehomeError with its problem."""
    command = [sys.executable, "-m", "edgehome.selftest.camera", source, str(size), str(rate)]
    try:
        done = subprocess.run(
            [*command, str(seconds)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=START_S + seconds,
            check=False,
        )
        said = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        message, remedy = "The camera gave no frame.", "Check its cable, and run `edgehome doctor`."
        raise EdgehomeError("camera_timeout", message, remedy) from error
    except (ValueError, IndexError) as error:
        message = f"The process that opened the camera ended with status {done.returncode}."
        raise EdgehomeError("worker_ended", message, "Run `edgehome doctor`.") from error
    if "problem" in said:
        raise EdgehomeError(*said["problem"])
    return dict(said)


def kind(source: str) -> str:
    """Return what a source is, without its address or its path."""
    if source == "pi":
        return "pi"
    if "://" in source:
        return "network"
    return "device" if source.startswith("/dev/") else "file"


def figures(times_s: Sequence[float], rate: float, skipped: int) -> dict[str, Any]:
    """Return rate and jitter of frames' times in seconds; `skipped` are those nobody looked at.

    Jitter is how far a gap between two frames is from the one that was asked for.
    """
    gaps = [after - before for before, after in pairwise(times_s)]
    off = [abs(gap - 1 / rate) * 1000 for gap in gaps]
    elapsed_s = times_s[-1] - times_s[0]
    return {
        "asked_rate": rate,
        "rate": round(len(gaps) / elapsed_s, 3),
        "camera_rate": round((len(gaps) + skipped) / elapsed_s, 2),
        "frames": len(times_s),
        "skipped": skipped,
        "jitter_median_ms": round(median(off), 2),
        "jitter_p95_ms": round(percentile(off, 0.95), 2),
    }


def _watch(source: str, size: int, rate: float, seconds: float) -> dict[str, Any]:
    with open_camera(source, size=size, rate=rate) as camera:
        times_s: list[float] = []
        skipped = 0
        for frame in camera.frames():
            if not times_s:
                until_s, before = time.monotonic() + seconds, camera.skipped
            times_s.append(frame.time_s)
            skipped = camera.skipped - before
            if time.monotonic() >= until_s and len(times_s) > 1:
                break
        layout = getattr(camera, "layout", None)  # a Pi camera's, once it is configured
    if len(times_s) < 2:
        raise EdgehomeError("camera_ended", "The camera gives no more frames.", "")
    given = {key: getattr(layout, key, None) for key in ("format", "width", "height", "stride")}
    return {"source": kind(source), **figures(times_s, rate, skipped), **given}


def main(arguments: Sequence[str]) -> None:
    """Be the child."""
    source, size, rate, seconds = arguments
    try:
        said = _watch(source, int(size), float(rate), float(seconds))
    except EdgehomeError as error:
        problem = error.problem
        said = {"problem": [problem.code, problem.message, problem.remedy]}
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
