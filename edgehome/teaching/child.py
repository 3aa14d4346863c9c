"""Learning in a process of its own: a lesson's file and what changes it in, the new file out.

`python -m edgehome.teaching.child` reads one JSON object and writes one:

    {"name": "dance", "embedding": ..., "rate": 5.0, "file": "base64" or null, "changes": [...],
     "moving_s_a_day": 7200.0}
    {"file": "base64" or null, "problem": [code, message, remedy] or null}

A change is {"did": "add", "at": ..., "examples": [...]}, {"did": "undo"} or
{"did": "import", "file": "base64"}. An `add` with "label" and "level" is an alert's window that
was judged as not suspicious: the file is then a correction's (edgehome.teaching.correction).
Without a file in the answer nothing of the lesson is left.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.teaching.correction import asked_of, encode_correction, refused
from edgehome.teaching.general import General, shipped_general
from edgehome.teaching.lesson import Example, Lesson, example_of
from edgehome.teaching.lessonfile import decode_lesson, encode_lesson
from edgehome.teaching.taught import Wish, teach
from edgehome.types import EdgehomeError, ModelError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNMARKED = "unmarked"
"""The source of an example of which nobody said anything; a lesson has at most as many as asked."""
NICE = 10
"""Seeing goes before learning."""
LEAST_RATE, MOST_RATE = 0.5, 60.0
"""Frames a second."""
PR_SET_PDEATHSIG = 1


def learn(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a job. Raises ModelError (`lesson_invalid`) for a broken file."""
    name = job["name"]
    data = base64.b64decode(job["file"]) if job["file"] else None
    lesson = decode_lesson(data, name) if data else Lesson(name, job["embedding"], job["rate"])
    before, problem = lesson, None
    for change in job["changes"]:
        changed = _changed(lesson, change, job)
        if isinstance(changed, Problem):
            problem = changed
        else:
            lesson = changed
    if problem and lesson is before:
        return {"file": job["file"], "problem": _told(problem)}
    if not lesson.steps:
        return {"file": None, "problem": _told(problem)}
    if asked := asked_of(data, job["changes"]):
        return _corrected(lesson, asked, problem, job)
    taught = teach(lesson, _general(lesson.embedding), Wish(moving_s_a_day=job["moving_s_a_day"]))
    file = base64.b64encode(encode_lesson(lesson, taught.head)).decode()
    return {"file": file, "problem": _told(problem)}


def _corrected(
    lesson: Lesson, asked: Mapping[str, Any], problem: Problem | None, job: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the answer where alerts of a label that came with the model were judged."""
    general = _general(lesson.embedding)
    no = refused(lesson, general, asked["label"])
    if no or general is None:
        return {"file": job["file"], "problem": _told(no)}
    clear = [change["clear"] for change in job["changes"] if change.get("clear")]
    file = base64.b64encode(encode_correction(lesson, general, asked)).decode()
    return {"file": file, "problem": _told(problem) or next(iter(clear), None)}


def _changed(lesson: Lesson, change: Mapping[str, Any], job: Mapping[str, Any]) -> Lesson | Problem:
    if change["did"] == "undo":
        return lesson.undo()
    if change["did"] == "import":
        data = base64.b64decode(change["file"])
        return _imported(replace(decode_lesson(data, "The file"), name=lesson.name), job)
    if lesson.embedding != job["embedding"]:
        return Problem(
            "lesson_other_model",
            f"{lesson.name} was taught to another model ({lesson.embedding}), and cannot go on.",
            f"Remove it (`edgehome teach {lesson.name} --remove`) and teach it anew.",
        )
    general = _general(lesson.embedding)
    widths = {example.codes.shape[1] for example in lesson.examples}
    widths |= {general.width} if general else set()
    if any(not _fits(fields, widths) for fields in change["examples"]):
        return Problem(
            "lesson_failed",
            f"What was shown of {lesson.name} is nothing that this model says; it is as it was.",
            "Show it again; the journal tells what the worker does.",
        )
    known = {_content(example) for example in lesson.shown}
    room = change.get("most", 0) - sum(e.source == UNMARKED for e in lesson.shown)
    examples = []
    for fields in change["examples"]:
        unmarked = fields["source"] == UNMARKED
        room -= unmarked
        example = _example(fields, lesson.rate)
        if (not unmarked or room >= 0) and _content(example) not in known:
            known.add(_content(example))
            examples.append(example)
    if not examples:
        return Problem(
            "lesson_twice",
            f"All of it was shown to {lesson.name} before; it is as it was.",
            "Show other examples: the same once more teaches nothing.",
        )
    return lesson.add(examples, change["at"])


def _content(example: Example) -> tuple[bool, bytes]:
    """Return what makes an example the same as another."""
    return example.shows, example.codes.tobytes()


def _imported(lesson: Lesson, job: Mapping[str, Any]) -> Lesson | Problem:
    general = _general(lesson.embedding)
    widths = {example.codes.shape[1] for example in lesson.examples}
    if not LEAST_RATE <= lesson.rate <= MOST_RATE:
        return Problem(
            "lesson_invalid", f"The file has {lesson.rate} frames a second.", "Export it anew."
        )
    if lesson.embedding == job["embedding"] and (general is None or widths <= {general.width}):
        return lesson
    return Problem(
        "lesson_other_model",
        f"The file was taught to another model ({lesson.embedding}), and the one at work "
        f"({job['embedding'] or 'none with an embedding'}) cannot use it.",
        "Teach it anew here, or use the model that it was taught to.",
    )


def _fits(fields: Mapping[str, Any], widths: set[int]) -> bool:
    """Say whether rows are of the model's width, and as many a second as a camera can give."""
    count = len(base64.b64decode(fields["scales"])) // 4
    size = len(base64.b64decode(fields["codes"]))
    whole = 0 < count <= size and size % count == 0
    return whole and {size // count} >= widths and LEAST_RATE <= fields["rate"] <= MOST_RATE


def _example(fields: Mapping[str, Any], rate: float) -> Example:
    """Return an example of rows as the worker keeps them, at the lesson's frames a second."""
    scales = np.frombuffer(base64.b64decode(fields["scales"]), "<f4")
    codes = np.frombuffer(base64.b64decode(fields["codes"]), np.uint8)
    rows = codes.reshape(len(scales), -1).astype(np.float32) * scales[:, None]
    return example_of(
        _at_rate(rows, fields["rate"], rate),
        shows=fields["shows"],
        occasion=fields["occasion"],
        at=fields["at"],
        source=fields["source"],
    )


def _at_rate(rows: NDArray[np.float32], rate: float, wanted: float) -> NDArray[np.float32]:
    """Return rows at another number of frames a second: some again, or some left out."""
    count = max(1, round(len(rows) * wanted / rate))
    return rows[np.arange(count) * len(rows) // count]


def _general(embedding: str) -> General | None:
    try:
        return shipped_general(embedding)
    except ModelError:  # more of what is normal here takes their place
        return None


def _told(problem: Problem | None) -> list[str] | None:
    return [problem.code, problem.message, problem.remedy] if problem else None


def main() -> None:
    """Be the child; it ends with its parent."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError):  # a service's walls may refuse it
        os.nice(NICE)
    try:
        answer = learn(json.load(sys.stdin))
    except EdgehomeError as error:
        answer = {"file": None, "problem": _told(error.problem)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
