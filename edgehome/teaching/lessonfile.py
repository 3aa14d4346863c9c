"""A lesson's file: the head that was learnt, and in `lesson` the examples that it was learnt of.

    {"name": "fall", "embedding": ..., "weights": ...,            a head, as edgehome.heads has it
     "lesson": {"format": "edgehome-lesson-1", "name": "fall", "embedding": ..., "rate": 5.0,
                "examples": [{"shows": true, "occasion": ..., "at": ..., "source": ..., "since": 1,
                              "until": null, "width": 480, "step": 0.01, "codes": "base64"}, ...],
                "steps": [{"version": 1, "at": ..., "did": "1 example added"}, ...]}}

While there is too little to learn of, `lesson` stands alone, and it is no head.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgehome.heads.faults import LARGEST_BYTES, LESSON
from edgehome.heads.head import Head, fields_of
from edgehome.teaching.lesson import MOST_EXAMPLES, MOST_NUMBERS, MOST_STEPS, Example, Lesson, Step
from edgehome.types import ModelError

FORMAT = "edgehome-lesson-1"
_WIDEST = 8192
_LONGEST_TEXT = 300
_MOST_VERSIONS = 1_000_000
_REMEDY = "Take the copy that was exported, or teach it anew."


def encode_lesson(lesson: Lesson, head: Head | None) -> bytes:
    """Return the file's content; `head` is what was learnt, None while that is too little."""
    fields = fields_of(head) if head else {}
    fields[LESSON] = {
        "format": FORMAT,
        "name": lesson.name,
        "embedding": lesson.embedding,
        "rate": lesson.rate,
        "examples": [_fields(example) for example in lesson.examples],
        "steps": [{"version": s.version, "at": s.at, "did": s.did} for s in lesson.steps],
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode_lesson(data: bytes, name: str) -> Lesson:
    """Return the lesson in a file's content; `name` is the file's, for the message.

    The head is left: `teach` makes the same again. Raises ModelError (`lesson_invalid`).
    """
    try:
        return _lesson(_parsed(data))
    except (ValueError, RecursionError) as error:
        message = f"{name} is no lesson that can be used: {error}."
        raise ModelError("lesson_invalid", message, _REMEDY) from error


def _parsed(data: bytes) -> Mapping[str, Any]:
    """Return the object `lesson` of a file. Raises ValueError and RecursionError."""
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"it is larger than {LARGEST_BYTES} bytes")
    fields = json.loads(data.decode())
    if not isinstance(fields, dict) or not isinstance(fields.get(LESSON), dict):
        raise ValueError("it holds no lesson")
    lesson: Mapping[str, Any] = fields[LESSON]
    return lesson


def _fields(example: Example) -> dict[str, Any]:
    return {
        "shows": example.shows,
        "occasion": example.occasion,
        "at": example.at,
        "source": example.source,
        "since": example.since,
        "until": example.until,
        "width": example.codes.shape[1],
        "step": example.step,
        "codes": base64.b64encode(example.codes.tobytes()).decode(),
    }


def _lesson(fields: Mapping[str, Any]) -> Lesson:
    _keys(fields, {"format", "name", "embedding", "rate", "examples", "steps"}, "the lesson")
    if fields["format"] != FORMAT:
        raise ValueError(f"its format is not {FORMAT}")
    steps = tuple(_step(step) for step in _list(fields["steps"], MOST_STEPS, "steps"))
    versions = [step.version for step in steps]
    if versions != sorted(set(versions)):
        raise ValueError("its versions do not rise")
    last = versions[-1] if versions else 0
    listed = _list(fields["examples"], MOST_EXAMPLES, "examples")
    examples = tuple(_example(example, last) for example in listed)
    if len({example.codes.shape[1] for example in examples}) > 1:
        raise ValueError("its examples have embeddings of different widths")
    if sum(example.codes.size for example in examples) > MOST_NUMBERS:
        raise ValueError(f"its examples have more than {MOST_NUMBERS} numbers")
    name = _text(fields["name"], "name", needed=True)
    embedding = _text(fields["embedding"], "embedding", needed=True)
    return Lesson(name, embedding, _number(fields["rate"], 0.1, 100, "rate"), examples, steps)


def _step(fields: object) -> Step:
    _keys(fields, {"version", "at", "did"}, "a step")
    assert isinstance(fields, dict)  # noqa: S101 - _keys has looked
    version = _whole(fields["version"], 1, _MOST_VERSIONS, "version")
    return Step(version, _text(fields["at"], "at"), _text(fields["did"], "did"))


def _example(fields: object, last: int) -> Example:
    keys = {"shows", "occasion", "at", "source", "since", "until", "width", "step", "codes"}
    _keys(fields, keys, "an example")
    assert isinstance(fields, dict)  # noqa: S101 - _keys has looked
    if not isinstance(fields["shows"], bool):
        raise ValueError("shows must be true or false")
    since = _whole(fields["since"], 1, last, "since")
    until = fields["until"]
    width = _whole(fields["width"], 1, _WIDEST, "width")
    if not isinstance(fields["codes"], str):
        raise ValueError("codes must be base64")
    codes = np.frombuffer(base64.b64decode(fields["codes"], validate=True), np.uint8)
    if not len(codes) or len(codes) % width:
        raise ValueError(f"{len(codes)} codes are no embeddings of {width}")
    return Example(
        codes=codes.reshape(-1, width),
        step=_number(fields["step"], 1e-9, 1e3, "step"),
        shows=fields["shows"],
        occasion=_text(fields["occasion"], "occasion"),
        at=_text(fields["at"], "at"),
        source=_text(fields["source"], "source"),
        since=since,
        until=None if until is None else _whole(until, since + 1, last, "until"),
    )


def _keys(fields: object, keys: set[str], what: str) -> None:
    if not isinstance(fields, dict) or fields.keys() != keys:
        raise ValueError(f"{what} must have the keys {', '.join(sorted(keys))}")


def _list(value: object, most: int, what: str) -> list[object]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError(f"{what} must be a list of at most {most}")
    return value


def _whole(value: object, low: int, high: int, what: str) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ValueError(f"{what} must be a whole number, {low} to {high}")
    return value


def _number(value: object, low: float, high: float, what: str) -> float:
    if type(value) not in {int, float} or not low <= value <= high:  # type: ignore[operator]
        raise ValueError(f"{what} must be a number, {low:g} to {high:g}")
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError(f"{what} must be finite")
    return number


def _text(value: object, what: str, *, needed: bool = False) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_TEXT or (needed and not value.strip()):
        raise ValueError(f"{what} must be a text of at most {_LONGEST_TEXT} characters")
    value.encode()  # JSON can also write halves of characters, which are ValueErrors here
    return value
