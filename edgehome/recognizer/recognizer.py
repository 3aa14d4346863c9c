"""From a frame to a probability for every label."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np

from edgehome.heads.head import Head, read_head
from edgehome.heads.names import head_files
from edgehome.recognizer.classifier import Classifier, sigmoid, softmax
from edgehome.recognizer.compiled import Interface, read_interface
from edgehome.recognizer.corrections import Corrections
from edgehome.recognizer.delegate import probe
from edgehome.recognizer.edgetpu import (
    FILE,
    LOST,
    NOT_THERE,
    edgetpu_error,
    edgetpu_problem,
    load_edgetpu,
)
from edgehome.recognizer.fit import check_fit, check_head
from edgehome.recognizer.litert import (
    DELEGATE_ERRORS,
    load_delegate,
    open_interpreter,
    runtime_version,
)
from edgehome.recognizer.manifest import Manifest, load_model, named
from edgehome.recognizer.member import Member
from edgehome.recognizer.stream import StreamModel
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.types import EDGETPU_LIBRARY, Delegate, ModelError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edgehome.types import Frame

_log = logging.getLogger(__name__)

GAP_S = 2.0
"""Seconds between two frames after which the model must forget what it saw before."""


class Recognizer:
    """Gives the probability of every label, frame by frame, for as long as frames come.

    Use as a context manager. Embeddings are pooled over the last `window_s` seconds, outside the
    graph's integers and in float32, so that nothing fades however long the camera runs. The
    labels are those of the model's own classifier, where it has one, and one for every head that
    lies beside it and fits (a folder `heads`).

    With `ensemble` above 1 as many members of the same model take turns, each at its share of the
    frames, and their logits are averaged (MoViNets, https://arxiv.org/abs/2103.11511, section
    3.3): the same work for a longer look back. `shorter_s` asks for the model's own labels over
    further windows too; a label is then called `label@3s`.
    """

    manifest: Manifest
    labels: tuple[str, ...]
    """Of all probabilities, in their order."""
    runtime: str
    """Name and version, such as `ai-edge-litert 2.3.0`."""
    delegate: Delegate
    """What does the work: EDGETPU or CPU."""
    degraded: Problem | None
    """Set when something asked for is not used: an Edge TPU, or a head."""

    def __init__(
        self,
        model: Path,
        *,
        threads: int = 2,
        delegate: Delegate = Delegate.CPU,
        library: str = EDGETPU_LIBRARY,
        window_s: float = 10.0,
        shorter_s: Sequence[float] = (),
        ensemble: int = 1,
    ) -> None:
        self._path = model
        self._threads = threads
        self._wanted = delegate
        self._library = library
        self._window_s = window_s
        self._shorter_s = tuple(shorter_s)
        self._size = ensemble
        self._time_s: float | None = None  # of the last frame
        self._turn = self._seen = 0
        self.corrections = Corrections((), (), rate=1.0)
        self.taught: tuple[str, ...] = ()
        """Labels of the heads that were taught at home, the last of `labels`."""

    def __enter__(self) -> Self:
        """Hold the file to its hash, then load it. Raises ModelError, which names the file."""
        self.runtime = runtime_version()
        try:
            self._load()
        except ModelError as error:
            raise named(self._path, error) from None
        self.reset()
        return self

    def __exit__(self, *_: object) -> None:
        """Let the interpreters and their memory go."""
        del self._members

    @property
    def embedding(self) -> NDArray[np.float32] | None:
        """Return that of the last frame, (width,); None before the first."""
        return self._members[self._turn - 1].embedding

    @property
    def warm(self) -> float:
        """Return how much of the window the judgement rests on, 0-1."""
        return self._members[0].warm

    @property
    def look_back(self) -> int:
        """Return the frames that a judgement looks back on, the longest head's too."""
        return self._size * max(member.look_back for member in self._members)

    @property
    def state_bytes(self) -> int:
        """Return the bytes of state that are moved for every frame."""
        return self._members[0].model.carried_bytes

    def step(self, frame: Frame) -> NDArray[np.float32]:
        """Return the probability of every label, (labels,), after this frame.

        A clock that jumps by more than GAP_S, or backwards, makes it forget what went before.
        Raises ModelError (`edgetpu_lost`) when the Edge TPU at work no longer answers.
        """
        if self._time_s is not None and not 0.0 <= frame.time_s - self._time_s <= GAP_S:
            _log.info("a gap of %.1f s: the model begins anew", frame.time_s - self._time_s)
            self.reset()
        self._time_s = frame.time_s
        self._seen += 1
        try:
            self._logits[self._turn] = self._members[self._turn].step(frame.image)
        except RuntimeError as error:
            if self.delegate is Delegate.CPU:
                raise
            raise edgetpu_error(LOST, str(error)) from error
        self._turn = (self._turn + 1) % self._size
        seen = _probabilities([logits for logits in self._logits if logits])
        return self.corrections.lower(seen, self.embedding)

    def rest(self, frame: Frame) -> bool:
        """Let a frame pass that shows what the last ones did; the next one follows without a gap.

        Return False when it must be stepped: after a gap, or when fewer frames were seen than a
        judgement looks back on.
        """
        gap = self._time_s is None or not 0.0 <= frame.time_s - self._time_s <= GAP_S
        if gap or self._seen < self.look_back:
            return False
        self._time_s = frame.time_s
        return True

    def set_rate(self, rate: float) -> None:
        """Take so many frames a second from now on instead of the manifest's; all is forgotten.

        Windows last as many seconds as before. What the model makes of pictures that lie further
        apart than those it learned from is another matter: docs/reference/budget.md.
        """
        for member in self._members:
            member.set_rate(rate / self._size)
        self.corrections.set_rate(rate)
        self.reset()

    def set_taught(
        self, heads: Sequence[Head], recent: Sequence[NDArray[np.float32]] = ()
    ) -> Problem | None:
        """Take heads that were taught at home, in place of those before, behind its own labels.

        Their windows begin with `recent` embeddings, the newest last. Returns why one of the heads
        is not used.
        """
        used: dict[str, Head] = {}
        problem = None
        for head in heads:
            try:
                check_head(head.name, head, self._width, {*self._own_labels, *used})
            except ModelError as error:
                problem = problem or error.problem
            else:
                used[head.name] = head
        for number, member in enumerate(self._members):
            member.set_taught(list(used.values()), recent[number :: self._size])
        for logits in self._logits:
            logits.clear()
        self.taught = tuple(used)
        self.labels = (*self._own_labels, *used)
        return problem

    def reset(self) -> None:
        """Forget every frame, as if just opened."""
        for member in self._members:
            member.clear()
        self.corrections.clear()
        self._logits: list[list[NDArray[np.float32]]] = [[] for _ in self._members]
        self._turn = self._seen = 0
        self._time_s = None

    def _load(self) -> None:
        self.manifest, data = load_model(self._path)
        graph = TfliteFile(data)
        interface = read_interface(graph)
        check_fit(self.manifest, interface)
        self.delegate, self.degraded = Delegate.CPU, None
        models = self._on_edgetpu(interface) or self._on_cpu(data, graph, interface)
        if self.degraded:
            _log.warning("%s", self.degraded)
        heads, self._width = self._heads(interface), interface.width
        shorter = self._shorter_s if interface.classes else ()
        classifier = Classifier(graph) if shorter else None
        self._members = [
            Member(
                model,
                rate=self.manifest.rate / self._size,
                width=interface.width,
                window_s=self._window_s,
                shorter_s=shorter,
                classifier=classifier,
                heads=heads,
            )
            for model in models
        ]
        windows = ("", *(f"@{seconds:g}s" for seconds in shorter))
        own = [f"{name}{window}" for window in windows for name in self.manifest.labels]
        self._own_labels = self.labels = (*own, *(head.name for head in heads))

    def _heads(self, interface: Interface) -> list[Head]:
        """Return the heads beside the model that fit; one that is broken keeps none from work."""
        heads: dict[str, Head] = {}
        for path in head_files(self._path):
            try:
                head = read_head(path)
                if head.embedding != self.manifest.embedding:
                    continue
                check_head(path, head, interface.width, {*self.manifest.labels, *heads})
            except ModelError as error:
                _log.warning("%s", error)
                self.degraded = self.degraded or error.problem
                continue
            heads[head.name] = head
        return list(heads.values())

    def _on_edgetpu(self, interface: Interface) -> list[StreamModel]:
        """Return the members on an Edge TPU, where one is wanted and good; else none, and why."""
        if self._wanted is Delegate.CPU:
            return []
        try:
            data = load_edgetpu(self._path, self.manifest)
            graph = TfliteFile(data)
            compiled = read_interface(graph)
            if not compiled.stands_for(interface):
                raise edgetpu_error(FILE, "it takes or gives something else than the model")
            found = probe(self._path, self._library)
            self.degraded = found.problem
            if not self.degraded:
                models = [self._opened(data, graph, compiled) for _ in range(self._size)]
                self.delegate = Delegate.EDGETPU
                _log.info("an Edge TPU does the work, %g ms a frame", found.edgetpu_ms)
                return models
        except ModelError as error:
            self.degraded = error.problem
        except DELEGATE_ERRORS as error:  # between the trial and now
            self.degraded = edgetpu_problem(LOST, str(error))
        if self._wanted is Delegate.AUTO and self.degraded.code in NOT_THERE:
            self.degraded = None
        return []

    def _on_cpu(self, data: bytes, graph: TfliteFile, interface: Interface) -> list[StreamModel]:
        return [
            StreamModel(open_interpreter(data, threads=self._threads), graph, interface)
            for _ in range(self._size)
        ]

    def _opened(self, data: bytes, graph: TfliteFile, interface: Interface) -> StreamModel:
        delegate = load_delegate(self._library)
        interpreter = open_interpreter(data, threads=self._threads, delegate=delegate)
        return StreamModel(interpreter, graph, interface)


def _probabilities(members: list[list[NDArray[np.float32]]]) -> NDArray[np.float32]:
    """Return the probabilities that the members' averaged logits stand for."""
    averages = members[0]
    if len(members) > 1:
        averages = [np.mean(logits, axis=0) for logits in zip(*members, strict=True)]
    *windows, heads = averages
    return np.concatenate([*(softmax(logits) for logits in windows), sigmoid(heads)])
