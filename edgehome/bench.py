"""How long a model's step takes here, against another way of running one.

A is edgehome's way with `model`. B is the bare invoke of the same graph; or with `against`, a
published file, the usual way to run that: its signature runner, fed with a dictionary of states,
as in TensorFlow's example for the Raspberry Pi (tensorflow/examples,
lite/examples/video_classification/raspberry_pi/video_classifier.py); or edgehome's way with
another compiled file. Each runs in a process of its own, so its memory is its own, and they take
turns, A B A B, so what else the machine does falls on both.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from edgehome.memory import resident_mb, supervisor_mb
from edgehome.movinet.published import pixel_values, read_published
from edgehome.recognizer.compiled import read_interface
from edgehome.recognizer.litert import open_interpreter, runtime_version
from edgehome.recognizer.recognizer import Recognizer
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.types import Frame, ModelError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    Step = Callable[[int, NDArray[np.uint8]], None]

FRAMES_A_TURN = 25
"""Steps that A or B makes before it is the other's turn."""
_WARM_UP_FRAMES = 10
_PICTURES = 8
_ENSEMBLE = "ensemble of "


def run_bench(
    model: Path,
    against: Path | None = None,
    *,
    ensemble: int = 1,
    threads: int = 2,
    rounds: int = 10,
) -> Mapping[str, object]:
    """Return times, memory and their ratios, ready for JSON.

    Without `against`, B is the bare invoke of the same graph: what is above 1 is our overhead.
    With an `ensemble` above 1, A is that and B the model alone. Raises ModelError when one of the
    files cannot be used.
    """
    if against:
        other = (_way_of(against), against)
    else:
        other = ("invoke" if ensemble == 1 else "recognizer", model)
    way = _ENSEMBLE + str(ensemble) if ensemble > 1 else "recognizer"
    a, b = compare((way, model), other, threads=threads, rounds=rounds)
    return {
        "ratio": round(a["median_ms"] / b["median_ms"], 3),
        "ratio_min": round(a["min_ms"] / b["min_ms"], 3),
        "threads": threads,
        "frames": rounds * FRAMES_A_TURN,
        "runtime": runtime_version(),
        "supervisor_mb": supervisor_mb(),
        "a": a,
        "b": b,
    }


def compare(*ways: tuple[str, Path], threads: int, rounds: int) -> list[dict[str, Any]]:
    """Return the times of each way and its model, which take turns. Raises ModelError."""
    with ExitStack() as stack:
        runs = [stack.enter_context(_Run(way, path, threads)) for way, path in ways]
        for _ in range(rounds):
            for run in runs:
                run.turn()
        return [run.result() for run in runs]


def render(result: Mapping[str, Any]) -> str:
    """Return the result as a few lines for a person."""
    lines = [
        f"A/B {result['ratio']:.2f} (medians), {result['ratio_min']:.2f} (fastest)",
        f"{result['frames']} frames each, {result['threads']} threads, {result['runtime']}",
        f"supervisor: {result['supervisor_mb']:.0f} MB resident, with its outbox open",
    ]
    for name in ("a", "b"):
        way = result[name]
        lines.append(
            f"{name.upper()}  {way['median_ms']:.2f} ms a step (fastest {way['min_ms']:.2f}), "
            f"{way['state_bytes'] / 1e6:.2f} MB of states a step, {way['rss_mb']:.0f} MB resident: "
            f"{way['model']}, {way['way']}"
        )
    return "\n".join(lines)


class _Run:
    """One way of running a model, in a child process that waits for its turn."""

    def __init__(self, way: str, model: Path, threads: int) -> None:
        self._arguments = [way, str(model), str(threads)]
        self._model = model
        self._times_ms: list[float] = []
        self._about: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "edgehome.bench", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._about = self._answer()
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.communicate()

    def turn(self) -> None:
        """Have it make FRAMES_A_TURN steps."""
        assert self._child.stdin  # noqa: S101  (it is a pipe)
        self._child.stdin.write("turn\n")
        self._child.stdin.flush()
        answer = self._answer()
        self._times_ms += answer.pop("times_ms")
        self._about |= answer

    def result(self) -> dict[str, Any]:
        """Return what it said, with the median, the fastest and the 95th of a hundred steps."""
        return {
            "model": self._model.name,
            "median_ms": round(statistics.median(self._times_ms), 3),
            "min_ms": round(min(self._times_ms), 3),
            "p95_ms": round(sorted(self._times_ms)[int(0.95 * len(self._times_ms))], 3),
            **self._about,
        }

    def _answer(self) -> dict[str, Any]:
        assert self._child.stdout  # noqa: S101  (it is a pipe)
        line = self._child.stdout.readline()
        if not line:
            raise ModelError(
                "model_crashed",
                f"The process that runs {self._model.name} ended with status {self._child.wait()}.",
                "Do not use this model here.",
            )
        answer: dict[str, Any] = json.loads(line)
        if "problem" in answer:
            problem = Problem(*answer["problem"])
            raise ModelError(problem.code, problem.message, problem.remedy)
        return answer


def _recognizer_way(
    stack: ExitStack, model: Path, threads: int, ensemble: int = 1
) -> tuple[Step, dict[str, Any]]:
    recognizer = stack.enter_context(Recognizer(model, threads=threads, ensemble=ensemble))
    rate, at = recognizer.manifest.rate, datetime.now(UTC)

    def step(number: int, picture: NDArray[np.uint8]) -> None:
        recognizer.step(Frame(time_s=number / rate, at=at, image=picture))

    return step, {
        "way": "edgehome" if ensemble == 1 else f"edgehome, an ensemble of {ensemble}",
        "state_bytes": recognizer.state_bytes,
        "size": recognizer.manifest.size,
    }


def _signature_way(_stack: ExitStack, model: Path, threads: int) -> tuple[Step, dict[str, Any]]:
    data = model.read_bytes()
    graph = TfliteFile(data)
    interface = read_published(graph)
    runner = open_interpreter(data, threads=threads).get_signature_runner(graph.signatures[0].key)
    inputs = runner.get_input_details()
    logits = next(n for n, i in graph.signatures[0].outputs.items() if i == interface.logits)
    image = next(n for n, i in graph.signatures[0].inputs.items() if i == interface.image)
    values = pixel_values(graph.tensors[interface.image], 0.0, 1.0)
    states = {n: np.zeros(d["shape"], d["dtype"]) for n, d in inputs.items() if n != image}

    def step(_number: int, picture: NDArray[np.uint8]) -> None:
        nonlocal states
        states = runner(**states, **{image: values[picture][np.newaxis, np.newaxis]})
        states.pop(logits)

    return step, {
        "way": "signature runner, states in a dictionary",
        "state_bytes": sum(state.nbytes for state in states.values()),
        "size": interface.size,
    }


def _invoke_way(_stack: ExitStack, model: Path, threads: int) -> tuple[Step, dict[str, Any]]:
    data = model.read_bytes()
    graph = TfliteFile(data)
    size = read_interface(graph).size
    interpreter = open_interpreter(data, threads=threads)

    def step(_number: int, _picture: NDArray[np.uint8]) -> None:
        interpreter.invoke()

    return step, {"way": "invoke alone", "state_bytes": 0, "size": size}


_WAYS: Mapping[str, Callable[[ExitStack, Path, int], tuple[Step, dict[str, Any]]]] = {
    "recognizer": _recognizer_way,
    "signature": _signature_way,
    "invoke": _invoke_way,
}


def _opened(way: str, stack: ExitStack, model: Path, threads: int) -> tuple[Step, dict[str, Any]]:
    if way.startswith(_ENSEMBLE):
        return _recognizer_way(stack, model, threads, int(way.removeprefix(_ENSEMBLE)))
    return _WAYS[way](stack, model, threads)


def _way_of(model: Path) -> str:
    """Return how another file is run: as published, or as ours when we compiled it."""
    try:
        read_interface(TfliteFile(model.read_bytes()))
    except ModelError as error:
        if error.problem.code == "model_not_compiled":
            return "signature"
        raise
    except OSError as error:
        raise ModelError(
            "model_missing", f"Cannot read {model}: {error.strerror}.", "Check the name."
        ) from error
    return "recognizer"


def _say(answer: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _serve(arguments: Sequence[str]) -> None:
    """Be the child: load the model, then make FRAMES_A_TURN steps for every line that comes."""
    way, model, threads = arguments
    with ExitStack() as stack:
        try:
            step, about = _opened(way, stack, Path(model), int(threads))
        except ModelError as error:
            problem = error.problem
            _say({"problem": [problem.code, problem.message, problem.remedy]})
            return
        shape = (_PICTURES, about["size"], about["size"], 3)
        pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        for number in range(_WARM_UP_FRAMES):
            step(number, pictures[number % _PICTURES])
        _say(about)
        number = _WARM_UP_FRAMES
        for _line in sys.stdin:
            times_ms = []
            for _ in range(FRAMES_A_TURN):
                began_s = time.perf_counter()
                step(number, pictures[number % _PICTURES])
                times_ms.append((time.perf_counter() - began_s) * 1000)
                number += 1
            _say({"times_ms": times_ms, "rss_mb": round(resident_mb(), 1)})


if __name__ == "__main__":
    _serve(sys.argv[1:])
