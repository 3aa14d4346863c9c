"""Lesson files and general negatives: what is written is read, and what is wrong is said."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lessons import RATE, SPACE, example, general, lesson
from small_model import SPACE as MODEL_SPACE
from small_model import WIDTH as MODEL_WIDTH
from small_model import place, small_model

from edgehome.heads.head import fields_of, read_head
from edgehome.heads.names import FOLDER
from edgehome.recognizer.recognizer import Recognizer
from edgehome.teaching.general import (
    LARGEST_BYTES,
    decode_general,
    encode_general,
    general_of,
    read_general,
    shipped_general,
)
from edgehome.teaching.lesson import Lesson
from edgehome.teaching.lessonfile import decode_lesson, encode_lesson
from edgehome.teaching.taught import teach
from edgehome.types import ModelError, Problem


def same(one: Lesson, other: Lesson) -> bool:
    return encode_lesson(one, None) == encode_lesson(other, None)


def test_a_lesson_comes_back_with_its_versions_and_teaches_the_same() -> None:
    written = lesson(4, 4).remove([0], "later")
    read = decode_lesson(encode_lesson(written, None), "dance.json")
    assert same(read, written)
    assert read.version == 9
    undone, before = read.undo(), written.undo()
    assert not isinstance(undone, Problem)
    assert not isinstance(before, Problem)
    assert same(undone, before)
    heads = [teach(one, general()).head for one in (undone, before)]
    assert heads[0]
    assert heads[1]
    assert fields_of(heads[0]) == fields_of(heads[1])


def test_the_file_is_a_head_that_the_recogniser_uses(tmp_path: Path) -> None:
    model = place(tmp_path, small_model())
    rng = np.random.default_rng(0)
    clips = [rng.random((30, MODEL_WIDTH), np.float32) for _ in range(20)]
    away = general_of(clips, embedding=MODEL_SPACE, rate=RATE, window_s=3.0, of="made", each=3)
    shown = Lesson("dance", MODEL_SPACE, RATE).add(
        [example(rng, shows=i < 4, width=MODEL_WIDTH) for i in range(8)], ""
    )
    assert not isinstance(shown, Problem)
    taught = teach(shown, away)
    (model.parent / FOLDER).mkdir(exist_ok=True)
    path = model.parent / FOLDER / "dance.json"
    path.write_bytes(encode_lesson(shown, taught.head))
    assert taught.head
    assert np.array_equal(read_head(path).weights, taught.head.weights)
    with Recognizer(model, threads=1) as recognizer:
        assert "dance" in recognizer.labels
        assert recognizer.degraded is None
    assert same(decode_lesson(path.read_bytes(), "dance.json"), shown)


def test_twenty_examples_make_a_small_file() -> None:
    shown = lesson(10, 10, width=480)
    assert len(encode_lesson(shown, teach(shown, general(width=480)).head)) < 500_000


GOOD = json.loads(encode_lesson(lesson(1, 1), None))


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        (("format",), "other", "format"),
        (("name",), " ", "name"),
        (("rate",), 0, "rate"),
        (("rate",), float("nan"), "rate"),
        (("rate",), True, "rate"),
        (("steps", 0, "version"), 2, "rise"),
        (("examples", 0, "width"), 7, "no embeddings of 7"),
        (("examples", 0, "width"), 24, "different widths"),
        (("examples", 0, "codes"), "not base64!", "no lesson that can be used"),
        (("examples", 0, "codes"), "", "codes"),
        (("examples", 0, "step"), -1, "step"),
        (("examples", 0, "since"), 9, "since"),
        (("examples", 0, "until"), 1, "until"),
        (("examples", 0, "shows"), 1, "shows"),
        (("examples", 0, "source"), "x" * 301, "source"),
        (("examples", 0, "source"), "\ud800", "no lesson that can be used"),
        (("examples",), {}, "examples"),
    ],
)
def test_what_is_wrong_with_a_lesson_is_said(
    where: tuple[Any, ...], value: Any, words: str
) -> None:
    fields = json.loads(json.dumps(GOOD))
    inner = fields["lesson"]
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    with pytest.raises(ModelError, match=words) as raised:
        decode_lesson(json.dumps(fields).encode(), "dance.json")
    assert raised.value.problem.code == "lesson_invalid"
    assert raised.value.problem.remedy


def read_or_refused(content: bytes) -> Lesson | None:
    with contextlib.suppress(ModelError):
        return decode_lesson(content, "dance.json")
    return None


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_damaged_lesson_is_anything_but_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(encode_lesson(lesson(1, 1), None))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] = data.draw(st.integers(0, 255))
        else:
            del content[at : at + data.draw(st.integers(1, 400))]
        if not content:
            break
    read = read_or_refused(bytes(content))
    if read:
        teach(read, None)


@settings(max_examples=300, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
        max_leaves=8,
    ),
    key=st.sampled_from([*GOOD["lesson"], "lesson"]),
)
def test_no_value_in_a_lesson_is_anything_but_read_or_refused(value: Any, key: str) -> None:
    fields = {"lesson": value} if key == "lesson" else {"lesson": GOOD["lesson"] | {key: value}}
    read_or_refused(json.dumps(fields).encode())


def test_general_negatives_come_back_nearly_as_they_were(tmp_path: Path) -> None:
    away = general()
    (tmp_path / "made.normal").write_bytes(encode_general(away))
    read = read_general(tmp_path / "made.normal")
    assert np.abs(read.windows - away.windows).max() <= away.windows.max() / 255
    assert np.array_equal(read.clip, away.clip)
    assert (read.embedding, read.window_s, read.of) == (SPACE, 3.0, "made up")


def test_those_that_ship_fit_the_model_in_the_box_and_are_small(box_model: Path) -> None:
    space = json.loads(box_model.with_suffix(".json").read_text())["embedding"]
    away = shipped_general(space)
    assert away.embedding == space
    assert away.width == 480
    assert len(np.unique(away.clip)) >= 100
    assert "rendered" in away.of
    assert len(encode_general(away)) <= LARGEST_BYTES
    with pytest.raises(ModelError) as raised:
        shipped_general("another-space")
    assert raised.value.problem.code == "normal_missing"


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_damaged_general_negatives_are_anything_but_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(encode_general(general(clips=2)))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at : at + data.draw(st.integers(0, 50))] = data.draw(st.binary(max_size=5))
    with contextlib.suppress(ModelError):
        assert decode_general(bytes(content), "made").width > 0


def test_more_windows_than_may_ship_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer windows"):
        encode_general(general(clips=300, width=480))
