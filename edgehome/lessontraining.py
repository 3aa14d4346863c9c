"""A lesson changed and learnt anew: by a child process, then onto the disk, as one."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edgehome.lessonproblems import (
    broken,
    failed,
    taken_name,
    there_already,
    too_many,
    unkept,
    unknown,
)
from edgehome.lessonstore import (
    MOST_LESSONS,
    Kept,
    LessonStore,
    kept_of,
)
from edgehome.process import without_secrets
from edgehome.taken import Piece, Taken
from edgehome.types import Problem

LEARN_S = 60.0
"""The child is ended after so long: twenty examples take a second on a fast board."""
TRIES = 2
MOVING_S_A_DAY = 7200.0
"""Seconds a day in which something moves, where nobody has measured it."""

UNMARKED = "unmarked"
"""The source of an example of which nobody said anything."""
MOST_UNMARKED = 60
"""Of those in a lesson: three minutes."""

Change = dict[str, Any]
"""One as `edgehome.teaching.child` takes it."""


@dataclass(frozen=True, slots=True)
class Model:
    """What is at work."""

    embedding: str
    rate: float
    """Frames a second."""
    moving_s_a_day: float = MOVING_S_A_DAY
    own: frozenset[str] = frozenset()
    """Labels that no lesson can have: the model's, and those of the heads beside it."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What came of changes to a lesson."""

    kept: Kept | None
    """The lesson as it is now; None where none is left, or nobody knows."""
    problem: Problem | None = None
    settled: bool = True
    """Whether `kept` is what is on the disk."""


def change(
    store: LessonStore, name: str, changes: Sequence[Change], model: Model, wait_s: float = LEARN_S
) -> Learnt:
    """Change a lesson and learn it anew; what cannot be done leaves it as it was.

    Waits for the child and the disk.
    """
    corrects = changes and all(one["did"] == "undo" or "level" in one for one in changes)
    if name in model.own and not corrects:
        return Learnt(None, taken_name(name), settled=False)
    try:
        with store.locked():
            if store.read(name) is not None and any(one["did"] == "import" for one in changes):
                return Learnt(None, there_already(name), settled=False)
            return _change(store, name, changes, model, wait_s)
    except OSError as error:
        return Learnt(None, unkept(name, error), settled=False)


def remove(store: LessonStore, name: str) -> Learnt:
    """Take a lesson out."""
    try:
        with store.locked():
            gone = store.remove(name)
    except OSError as error:
        return Learnt(None, unkept(name, error), settled=False)
    return Learnt(None, None if gone else unknown(name))


def undo(store: LessonStore, name: str, model: Model) -> Learnt:
    """Take back the last change to a lesson, or its removal."""
    try:
        with store.locked():
            if store.restore(name):
                kept, problems = store.load()
                return Learnt(kept.get(name), problems.get(name))
            if store.read(name) is None:
                return Learnt(None, unknown(name))
    except OSError as error:
        return Learnt(None, unkept(name, error), settled=False)
    return change(store, name, [{"did": "undo"}], model)


def _change(
    store: LessonStore, name: str, changes: Sequence[Change], model: Model, wait_s: float
) -> Learnt:
    before = store.read(name)
    if before is None and len(store.names()) >= MOST_LESSONS:
        return Learnt(None, too_many(name, MOST_LESSONS))
    importing = any(one["did"] == "import" for one in changes)
    job = {
        "name": name,
        "embedding": model.embedding,
        "rate": model.rate,
        "moving_s_a_day": model.moving_s_a_day,
        "file": None if before is None else _text(before),
        "changes": list(changes),
    }
    answer = _learn(job, wait_s)
    if isinstance(answer, Problem):
        return Learnt(None, answer, settled=False)
    problem = Problem(*answer["problem"]) if answer["problem"] else None
    if problem and problem.code == "lesson_invalid":
        if importing:
            return Learnt(None, problem, settled=False)
        store.set_aside(name)
        return Learnt(None, broken(name, problem.message))
    if answer["file"] is None:
        store.remove(name)
        return Learnt(None, problem)
    data = base64.b64decode(answer["file"])
    kept = kept_of(data, name)
    if data != before:
        store.write(name, data)
    return Learnt(kept, problem)


def _learn(job: dict[str, Any], wait_s: float) -> dict[str, Any] | Problem:
    """Return the child's answer; one that was cut off is asked again."""
    given = json.dumps(job).encode()
    command = [sys.executable, "-m", "edgehome.teaching.child"]
    for _ in range(TRIES):
        try:
            done = subprocess.run(
                command,
                input=given,
                capture_output=True,
                timeout=wait_s,
                env=without_secrets(),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return failed(job["name"], f"it took more than {wait_s:g} s")
        with contextlib.suppress(ValueError):
            answer: dict[str, Any] = json.loads(done.stdout)
            return answer
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return failed(job["name"], said[-1] if said else f"its process ended with {done.returncode}")


def example(piece: Piece, width: int, rate: float, **more: object) -> Change:
    """Return an example for an `add` of a worker's rows (`taken.Piece`)."""
    assert len(piece.codes) == width * piece.frames  # noqa: S101 - decode_taken has looked
    return {"codes": _text(piece.codes), "scales": _text(piece.scales), "rate": rate, **more}


def shown(taken: Taken, span_end: float, *, shows: bool, source: str) -> Change:
    """Return what was shown until `span_end`, and what nobody said anything of, as one change."""
    at = _told_at(span_end)
    asked = example(
        taken.pieces[0], taken.width, taken.rate,
        shows=shows, occasion=f"{source} {at}", at=at, source=source,
    )  # fmt: skip
    others = [
        example(
            piece, taken.width, taken.rate,
            shows=False, occasion=f"{UNMARKED} {piece.at // 600:.0f}",
            at=_told_at(piece.at), source=UNMARKED,
        )
        for piece in taken.pieces[1:]
    ]  # fmt: skip
    return {"did": "add", "at": at, "examples": [asked, *others], "most": MOST_UNMARKED}


def judged(
    taken: Taken, span_end: float, label: str, level: float, clear: Problem | None
) -> Change:
    """Return the window of an alert that was not suspicious, to stay below a level.

    `clear` is told where it cannot.
    """
    change = shown(taken, span_end, shows=False, source="feedback")
    told = [clear.code, clear.message, clear.remedy] if clear else None
    return {**change, "label": label, "level": level, "clear": told}


def _told_at(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).astimezone().isoformat(timespec="seconds")


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
