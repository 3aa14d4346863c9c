"""The trial itself: `python -m edgehome.recognizer.trial MODEL LIBRARY`, confined like a worker.

Says JSON objects on standard output, one a line: what it is about to do, and last what it found.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import resource
import signal
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.confinement import confine
from edgehome.recognizer.compiled import read_interface
from edgehome.recognizer.edgetpu import (
    LOST,
    NO_DEVICE,
    NO_ENTRY,
    NO_LIBRARY,
    OTHER_ABI,
    WRONG,
    edgetpu_error,
    load_edgetpu,
)
from edgehome.recognizer.litert import load_delegate, open_interpreter, runtime_version
from edgehome.recognizer.manifest import load_model
from edgehome.recognizer.stream import StreamModel
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.types import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAMES = 10
"""Of noise; the states, which go out and come in again, weigh more with every one."""
LEAST_AGREEMENT = 0.98
"""Correlation of embeddings. Two ways to compute int8 differ by single steps; see the tests."""
PR_SET_PDEATHSIG = 1
_UNRESOLVED = "unresolved custom op"

Times = list[float]


def trial(model: Path, library: str) -> dict[str, Any]:
    """Return the agreement and the milliseconds of a frame. Raises ModelError."""
    manifest, data = load_model(model)
    compiled = load_edgetpu(model, manifest)
    _say("loading the library")
    interpreter = _opened(compiled, library)
    pictures = noise(manifest.size)
    _say("running frames")
    try:
        ours, edgetpu_ms = _run(interpreter, compiled, pictures)
    except RuntimeError as error:
        raise edgetpu_error(_at_work(error), str(error)) from error
    _say("running frames on the CPU")
    theirs, cpu_ms = _run(open_interpreter(data, threads=1), data, pictures)
    agreement = _agreement(ours, theirs)
    if agreement < LEAST_AGREEMENT:
        raise edgetpu_error(WRONG, f"its embeddings agree to {agreement:.3f}")
    return {"agreement": agreement, "edgetpu_ms": edgetpu_ms, "cpu_ms": cpu_ms}


def noise(size: int) -> NDArray[np.uint8]:
    """Return pictures of coarse noise, uint8 (FRAMES, size, size, 3), always the same."""
    coarse = np.random.default_rng(0).integers(0, 256, (FRAMES, 8, 8, 3), dtype=np.uint8)
    where = np.arange(size) * 8 // size
    return np.ascontiguousarray(coarse[:, where][:, :, where])


def _opened(compiled: bytes, library: str) -> Any:  # noqa: ANN401
    try:
        delegate = load_delegate(library)
    except OSError as error:
        raise edgetpu_error(NO_LIBRARY, str(error)) from error
    except AttributeError as error:
        raise edgetpu_error(NO_ENTRY, str(error)) from error
    except (ValueError, RuntimeError) as error:
        raise edgetpu_error(NO_DEVICE, str(error)) from error
    try:
        return open_interpreter(compiled, threads=1, delegate=delegate)
    except (ValueError, RuntimeError) as error:
        raise edgetpu_error(OTHER_ABI, str(error)) from error


def _at_work(error: RuntimeError) -> str:
    """Return what is wrong when the first frames fail: the library's age shows only then."""
    return OTHER_ABI if _UNRESOLVED in str(error).lower() else LOST


def _run(
    interpreter: Any,  # noqa: ANN401
    data: bytes,
    pictures: NDArray[np.uint8],
) -> tuple[NDArray[np.float32], float]:
    """Return the embeddings, (frames, width), and the median milliseconds of a frame."""
    graph = TfliteFile(data)
    model = StreamModel(interpreter, graph, read_interface(graph))
    model.forget()
    earlier = np.zeros(model.width)
    made, times_s = [], Times()
    for picture in pictures:
        began_s = time.perf_counter()
        made.append(model.step(picture, earlier, 1.0, 0))
        times_s.append(time.perf_counter() - began_s)
    return np.stack(made), round(1000 * statistics.median(times_s), 3)


def _agreement(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    if ours.shape != theirs.shape:
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        found = float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])
    return round(found, 4) if np.isfinite(found) else 0.0


def _say(stage: str) -> None:
    sys.stdout.write(json.dumps({"stage": stage}) + "\n")
    sys.stdout.flush()


def _stand_back() -> None:
    """End with whoever started us, leave no core file, and be the first that memory is taken of."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(arguments: list[str]) -> int:
    """Be the child."""
    _stand_back()
    model, library = Path(arguments[0]), arguments[1]
    confine(model, "pi", library)
    try:
        runtime_version()
        answer: dict[str, Any] = {"problem": None, **trial(model, library)}
    except ModelError as error:
        answer = {"problem": [error.problem.code, error.problem.message, error.problem.remedy]}
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()
    return int(answer["problem"] is not None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
