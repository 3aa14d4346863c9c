"""What the worker says to the supervisor over their socket pair.

One packet is one message: a line of JSON, and for scores the probabilities as float32 behind it
(600 labels are 2.4 kB; as JSON they would be five times that, five times a second). Labels are
said once, in `Ready`, and probabilities only when the model has looked: while the scene is still
those of before count. Only the worker's own words come in here, yet a worker can be hit by a
corrupt model, so whatever does not decode is a `MessageError`.
"""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from edgehome.budget import Budget, Measured, measured_of
from edgehome.fields import number_of, positive_of, problem_of, rarity_of, text_of
from edgehome.normality import Normality, decode_normality, encode_normality
from edgehome.taken import Taken, decode_taken, encode_taken
from edgehome.types import CameraState, Delegate, Problem, Scores

MAX_BYTES = 192 * 1024
SNAPSHOT_BYTES = 100_000
JPEG_BEGINS, JPEG_ENDS = b"\xff\xd8\xff", b"\xff\xd9"


class MessageError(ValueError):
    """Raised when a packet is none of the messages below."""


class Probabilities(Mapping[str, float]):
    """A frame's probability by label, as a row of float32 in the order of the labels.

    Neither end makes a mapping of 600 labels for every frame: that took a worker 40 microseconds
    of 1,000 (measured).
    """

    __slots__ = ("places", "row")

    def __init__(self, places: Mapping[str, int], row: array[float]) -> None:
        """Take each label's place in the row; raises ValueError when they are not as many."""
        if len(places) != len(row):
            raise ValueError(f"{len(row)} probabilities for {len(places)} labels")
        self.places = places
        self.row = row

    def __getitem__(self, label: str) -> float:
        return self.row[self.places[label]]

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.row)


def places_of(labels: Sequence[str]) -> Mapping[str, int]:
    """Return each label's place among them, for `Probabilities`."""
    return {label: place for place, label in enumerate(labels)}


@dataclass(frozen=True, slots=True)
class Ready:
    """Worker to supervisor: the model is loaded; frames follow. Again when its labels change."""

    labels: tuple[str, ...]
    rate: float
    """Frames a second that come from now on."""
    sha256: str
    runtime: str
    degraded: Problem | None
    own_rate: float = 0.0
    """Frames a second that the model was trained at."""
    delegate: str = Delegate.CPU
    """What does the work: `types.Delegate.EDGETPU` or `CPU`."""
    budget: Budget | None = None
    """What was chosen for this board; `rate` is below its rate while the board is strained."""
    measured: Measured | None = None
    """What that rests on, if it was measured just now."""
    embedding: str = ""
    """The model's space of embeddings, which a taught head must fit."""


@dataclass(frozen=True, slots=True)
class Measuring:
    """Worker to supervisor, before `Ready`: the board is measured, for TRIAL_S at most."""


@dataclass(frozen=True, slots=True)
class Paced:
    """Worker to supervisor, when asked: so many frames a second come from now on."""

    rate: float


@dataclass(frozen=True, slots=True)
class Failure:
    """Worker to supervisor, last: why it ends."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Worker to supervisor, when asked: what the camera saw last, the privacy polygons black."""

    alert_id: str
    """That of the request."""
    at: datetime
    """Wall clock with zone, of the picture."""
    jpeg: bytes
    """At most SNAPSHOT_BYTES."""


Said = Ready | Paced | Scores | Snapshot | Taken | Normality
"""What of a worker's words others than its keeper are to hear."""
Message = Said | Measuring | Failure


def encode(message: Message) -> bytes:
    """Return the packet of a worker's message; that of a still scene has no probabilities."""
    head: dict[str, Any]
    if isinstance(message, Taken | Normality):
        return _with_rows(message)
    if isinstance(message, Snapshot):
        at = message.at.isoformat()
        head = {"kind": "snapshot", "alert_id": message.alert_id, "at": at}
        return json.dumps(head).encode() + b"\n" + message.jpeg
    if isinstance(message, Scores):
        head = {
            "kind": "scores",
            "time_s": message.time_s,
            "at": message.at.isoformat(),
            "frame": message.frame,
            "skipped": message.skipped,
            "inference_ms": message.inference_ms,
            "warm": message.warm,
            "motion": round(message.motion, 4),
            "still": message.still,
            "camera": sorted(message.camera),
        }
        if message.unusual:
            head["unusual"] = round(message.unusual, 3)
            head["episode"], head["resembles"] = message.episode, message.resembles
        if message.still:
            return json.dumps(head).encode()
        given = message.probabilities
        row = given.row if isinstance(given, Probabilities) else array("f", given.values())
        return json.dumps(head).encode() + b"\n" + row.tobytes()
    return json.dumps({"kind": type(message).__name__.lower(), **asdict(message)}).encode()


def decode(
    packet: bytes, places: Mapping[str, int], before: Mapping[str, float] | None = None
) -> Message:
    """Return a worker's message; raises MessageError.

    `places` are those of the labels that its `Ready` told; `before` are the probabilities of the
    last scores, which a still scene keeps.
    """
    line, _, tail = packet.partition(b"\n")
    try:
        head = json.loads(line)
        kind = head.pop("kind")
        if kind == "scores":
            return _scores(head, tail, places, before)
        if kind in _WITH_ROWS:
            return _WITH_ROWS[kind](head, tail)
        if kind == "ready":
            return _ready(head)
        if kind == "measuring":
            return Measuring()
        if kind == "paced":
            return Paced(positive_of(head["rate"]))
        if kind == "failure":
            return Failure(problem_of(head["problem"]))
    except (
        ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError
    ) as error:  # fmt: skip
        raise MessageError(f"not a message of the worker: {error!r}") from None
    raise MessageError(f"the worker has no message {kind!r}")


def _with_rows(message: Taken | Normality) -> bytes:
    return encode_taken(message) if isinstance(message, Taken) else encode_normality(message)


def _ready(head: Mapping[str, Any]) -> Ready:
    """Return what a worker begins with; raises ValueError, KeyError or TypeError."""
    return Ready(
        labels=tuple(map(text_of, head["labels"])),
        rate=positive_of(head["rate"]),
        sha256=text_of(head["sha256"]),
        runtime=text_of(head["runtime"]),
        degraded=problem_of(head["degraded"]) if head["degraded"] else None,
        own_rate=number_of(head["own_rate"]),
        delegate=Delegate(head["delegate"]),
        budget=_budget(head["budget"]) if head["budget"] else None,
        measured=measured_of(head["measured"]) if head["measured"] else None,
        embedding=text_of(head["embedding"]),
    )


def _budget(fields: Mapping[str, Any]) -> Budget:
    step_ms = fields["step_ms"]
    return Budget(
        threads=int(positive_of(fields["threads"])),
        rate=positive_of(fields["rate"]),
        step_ms=None if step_ms is None else positive_of(step_ms),
    )


def _row(places: Mapping[str, int], tail: bytes) -> Probabilities:
    row = array("f", tail)
    if row and not (min(row) >= 0.0 and max(row) <= 1.0 and math.isfinite(sum(row))):
        raise ValueError("a probability is from 0 to 1")
    return Probabilities(places, row)


def _snapshot(head: Mapping[str, Any], tail: bytes) -> Snapshot:
    """Return a snapshot; raises ValueError, KeyError or TypeError for what is none."""
    if not (tail.startswith(JPEG_BEGINS) and tail.endswith(JPEG_ENDS)):
        raise ValueError("a snapshot is a JPEG")
    if len(tail) > SNAPSHOT_BYTES:
        raise ValueError(f"a snapshot of {len(tail)} bytes")
    alert_id, at = head["alert_id"], datetime.fromisoformat(head["at"])
    if not isinstance(alert_id, str) or at.tzinfo is None:
        raise ValueError("a snapshot belongs to an alert and a moment")
    return Snapshot(alert_id, at, tail)


def _scores(
    head: Mapping[str, Any],
    tail: bytes,
    places: Mapping[str, int],
    before: Mapping[str, float] | None,
) -> Scores:
    """Return scores; raises ValueError, KeyError or TypeError for what is none."""
    still = head["still"] is True
    if still and (tail or before is None):
        raise ValueError("a still scene has the probabilities of before, and no others")
    motion, at = number_of(head["motion"]), datetime.fromisoformat(head["at"])
    if not 0.0 <= motion <= 1.0:
        raise ValueError(f"{motion} of the picture moves")
    if at.tzinfo is None:
        raise ValueError("a moment without a zone")
    return Scores(
        time_s=number_of(head["time_s"]),
        at=at,
        probabilities=before if still and before is not None else _row(places, tail),
        frame=int(number_of(head["frame"])),
        skipped=int(number_of(head["skipped"])),
        inference_ms=number_of(head["inference_ms"]),
        warm=number_of(head["warm"]),
        motion=motion,
        still=still,
        camera=frozenset(map(CameraState, head["camera"])),
        unusual=rarity_of(head.get("unusual", 0.0)),
        episode=number_of(head.get("episode", 0.0)),
        resembles=text_of(head.get("resembles", "")),
    )


_WITH_ROWS: Mapping[str, Callable[[Mapping[str, Any], bytes], Snapshot | Taken | Normality]] = {
    "snapshot": _snapshot,
    "taken": decode_taken,
    "normality": decode_normality,
}
"""What reads the messages with bytes behind their line, by kind."""
