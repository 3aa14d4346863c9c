"""Runs a stream model in LiteRT, or in tflite-runtime where only that is; nothing else does."""

from __future__ import annotations

import logging
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from edgehome.recognizer.delegate import probe, unusable
from edgehome.recognizer.head import (
    Head,
    HeadNotFoundError,
    find_head,
    gives_probabilities,
    identity,
    softmax,
)
from edgehome.recognizer.interface import read_interface
from edgehome.recognizer.manifest import Manifest, load_model
from edgehome.recognizer.pooling import ResetPooling, WindowPooling
from edgehome.recognizer.stream import StreamModel
from edgehome.recognizer.tflite_file import TfliteFile, refused
from edgehome.recognizer.trim import trim
from edgehome.types import ModelError, Problem

try:
    from ai_edge_litert import interpreter as _runtime

    _PACKAGE = "ai-edge-litert"
except ImportError:
    try:
        from tflite_runtime import interpreter as _runtime

        _PACKAGE = "tflite-runtime"
    except ImportError:
        _runtime = None

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgehome.recognizer.interface import Interface
    from edgehome.types import Frame

_log = logging.getLogger(__name__)

DELEGATE_ERRORS = (OSError, ValueError, AttributeError, RuntimeError)
"""What the runtimes raise for a delegate without its file, device, entry point or operators."""

GAP_S = 2.0
"""Seconds between two frames after which the model must forget what it saw before."""

_LEAST_AGREEMENT = 0.8
"""Correlation of our head with the file's logits on one frame; 0.93 to 0.99 for Google's file."""


def runtime_version() -> str:
    """Return the name and version of the installed runtime.

    Raises ModelError (`runtime_missing`).
    """
    if _runtime is None:
        raise ModelError(
            "runtime_missing",
            "Neither ai-edge-litert nor tflite-runtime is installed.",
            "Install edgehome with install.sh, or: pip install ai-edge-litert.",
        )
    return f"{_PACKAGE} {version(_PACKAGE)}"


def open_interpreter(model: bytes, *, threads: int, delegate: str = "") -> Any:  # noqa: ANN401
    """Return the runtime's interpreter of a model, its memory allocated.

    Raises ModelError (`runtime_missing`, `model_refused`). With a delegate, one of
    DELEGATE_ERRORS instead, if the process survives it.
    """
    runtime_version()
    delegates = [_runtime.load_delegate(delegate)] if delegate else None
    try:
        interpreter = _runtime.Interpreter(
            model_content=model, num_threads=threads, experimental_delegates=delegates
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        if delegate:
            raise
        raise refused(f"the runtime says: {error}") from error
    return interpreter


def try_delegate() -> None:
    """Run the model on standard input once, with the delegate that the first argument names.

    For a child process: says on standard output what is wrong, and ends with status 1.
    """
    try:
        open_interpreter(sys.stdin.buffer.read(), threads=1, delegate=sys.argv[1]).invoke()
    except DELEGATE_ERRORS as error:
        sys.stdout.write(f"{error}\n")
        sys.exit(1)


class Recognizer:
    """Gives the probability of every label, frame by frame, for as long as frames come.

    Use as a context manager. `pooling` says how the model is kept from pooling over all that it
    has ever seen, which fades its scores: `window`, the mean of the last `window_s` seconds of
    embeddings, in float32 and outside the graph; or, for a file whose embedding is not found,
    `reset`: its sums are set to zero every `window_s`, and what it says is faded over that.
    """

    manifest: Manifest
    runtime: str
    """Name and version, such as `ai-edge-litert 2.3.0`."""
    pooling: Literal["window", "reset"]
    degraded: Problem | None
    """Set when a delegate was asked for and the CPU does the work."""
    embedding: NDArray[np.float32] | None
    """Of the last frame, (width,); None before the first, and when `pooling` is `reset`."""

    def __init__(
        self, model: Path, *, threads: int = 2, delegate: str = "", window_s: float = 10.0
    ) -> None:
        self._path = model
        self._threads = threads
        self._delegate = delegate
        self._window_s = window_s
        self._time_s: float | None = None  # of the last frame
        self._turn = 0  # frames since the model's own sums were last at zero

    def __enter__(self) -> Self:
        """Hold the file to its hash, then load it. Raises ModelError, which names the file."""
        self.runtime = runtime_version()
        try:
            self._load()
        except ModelError as error:
            code, message, remedy = error.problem.code, error.problem.message, error.problem.remedy
            if self._path.name in message:
                raise
            raise ModelError(code, f"{self._path}: {message}", remedy) from error
        self.reset()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the interpreter and its memory go."""
        del self._model

    def step(self, frame: Frame) -> NDArray[np.float32]:
        """Return the probability of every label, (labels,), after this frame.

        A clock that jumps by more than GAP_S, or backwards, makes it forget what went before.
        """
        if self._time_s is not None and not 0.0 <= frame.time_s - self._time_s <= GAP_S:
            _log.info("a gap of %.1f s: the model begins anew", frame.time_s - self._time_s)
            self.reset()
        self._time_s = frame.time_s
        if self._turn == self._frames:
            self._model.zero(state for state in self._interface.states if state.is_pool)
            self._turn = 0
        self._turn += 1
        self._model.step(frame.image)
        values = self._model.read(self._output)
        if self.pooling == "window":
            self.embedding = values
        return self._pool.add(values)

    @property
    def state_bytes(self) -> int:
        """Return the bytes of state that are carried from frame to frame."""
        return self._model.carried_bytes

    def reset(self) -> None:
        """Forget every frame, as if just opened."""
        self._model.zero(self._interface.states)
        self._pool.clear()
        self._turn = 0
        self._time_s = None
        self.embedding = None

    def _load(self) -> None:
        self.manifest, data = load_model(self._path)
        graph = TfliteFile(data)
        self._interface = read_interface(graph)
        self._frames = max(1, round(self._window_s * self.manifest.rate))
        self._finish = identity if gives_probabilities(graph, self._interface.logits) else softmax
        _check_fit(self.manifest, self._interface)
        try:
            self._open_for_window(graph, data)
        except HeadNotFoundError as reason:
            _log.info("pooling: sums start anew every %d frames, as %s", self._frames, reason)
            self._open_for_reset(graph, data)
        else:
            _log.info("pooling: the mean embedding of the last %d frames", self._frames)

    def _open_for_window(self, graph: TfliteFile, data: bytes) -> None:
        """Pool outside the graph. Raises HeadNotFoundError where that cannot be trusted."""
        found = find_head(graph, self._interface)
        trimmed = trim(graph, self._interface, found.embedding)
        if trimmed is None:
            raise HeadNotFoundError("the graph has operators that work unseen")
        picture = _test_picture(self._interface.size)
        whole = self._drive(graph, self._interface, open_interpreter(data, threads=self._threads))
        whole.step(picture)
        logits = whole.read(self._interface.logits)
        del whole  # before the other is opened, so that it can have its memory
        self._interface = trimmed.interface
        self._model = self._drive(graph, trimmed.interface, self._open(trimmed.data))
        self._model.step(picture)
        head = Head(graph, found)
        agreement = np.corrcoef(head(self._model.read(found.embedding)), logits)[0, 1]
        if not agreement >= _LEAST_AGREEMENT:
            raise HeadNotFoundError(f"the head outside the graph agrees only to {agreement:.2f}")
        self._pool: WindowPooling | ResetPooling
        self._pool = WindowPooling(head=head, finish=self._finish, frames=self._frames)
        self._output, self.pooling = found.embedding, "window"

    def _open_for_reset(self, graph: TfliteFile, data: bytes) -> None:
        """Run the file as it is."""
        self._interface = read_interface(graph)
        self._model = self._drive(graph, self._interface, self._open(data))
        self._pool = ResetPooling(finish=self._finish, frames=self._frames)
        self._output, self.pooling = self._interface.logits, "reset"

    def _drive(self, graph: TfliteFile, interface: Interface, interpreter: Any) -> StreamModel:  # noqa: ANN401
        low, high = self.manifest.low, self.manifest.high
        model = StreamModel(
            interpreter=interpreter, graph=graph, interface=interface, low=low, high=high
        )
        model.zero(interface.states)
        return model

    def _open(self, data: bytes) -> Any:  # noqa: ANN401
        """Open with the delegate, if one is asked for and works, or else on the CPU."""
        self.degraded = probe(data, self._delegate) if self._delegate else None
        if self._delegate and not self.degraded:
            try:
                return open_interpreter(data, threads=self._threads, delegate=self._delegate)
            except DELEGATE_ERRORS as error:
                self.degraded = unusable(self._delegate, str(error))
        if self.degraded:
            _log.warning("%s", self.degraded)
        return open_interpreter(data, threads=self._threads)


def _check_fit(manifest: Manifest, interface: Interface) -> None:
    for what, said, found in (
        ("labels", len(manifest.labels), interface.classes),
        ("pixels a side", manifest.size, interface.size),
    ):
        if said != found:
            raise ModelError(
                "manifest_invalid",
                f"The manifest of {manifest.name} says {said} {what}, the model has {found}.",
                "Correct the manifest or the list of labels.",
            )


def _test_picture(size: int) -> NDArray[np.uint8]:
    """Return a picture with edges and colours, the same every time, (size, size, 3)."""
    values = np.arange(size * size * 3) % 251  # a prime, so that no two rows are alike
    return values.astype(np.uint8).reshape(size, size, 3)
