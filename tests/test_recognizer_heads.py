"""Heads beside the model: which are used, what they say, and what is said of the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from small_model import (
    CLASSES,
    SPACE,
    WIDTH,
    Array,
    frames,
    pictures,
    place,
    place_head,
    small_model,
    steps,
)

from edgehome.heads.statistics import clip_statistics
from edgehome.labels import labels_of
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Problem


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return place(tmp_path, small_model())


def opened(model: Path) -> tuple[Sequence[str], Problem | None, Array]:
    """Return the labels, what is said to be wrong, and the scores of some pictures."""
    with Recognizer(model, threads=1, window_s=2.0) as recognizer:
        return recognizer.labels, recognizer.degraded, steps(recognizer, pictures(12))


def test_heads_that_fit_tell_their_labels_after_the_model_s_own(model: Path) -> None:
    _, _, own = opened(model)
    heads = [place_head(model, "fall", window_s=3.0), place_head(model, "person", window_s=0.4)]
    labels, degraded, scores = opened(model)
    assert labels == (*"abcde", "fall", "person")
    assert tuple(labels_of(model) or ()) == labels
    assert degraded is None
    assert np.array_equal(scores[:, :CLASSES], own)
    with Recognizer(model, threads=1) as recognizer:
        embeddings = []
        for frame in frames(pictures(12)):
            recognizer.step(frame)
            embeddings.append(recognizer.embedding)
    for place_of, head in enumerate(heads, CLASSES):
        statistics = clip_statistics(
            np.stack(embeddings), frames=head.frames(5.0), kinds=head.statistics
        )
        assert np.allclose(scores[:, place_of], head.probability(statistics), atol=1e-6)
        assert np.ptp(scores[:, place_of]) > 0.001


def test_a_head_of_another_space_is_passed_over_without_a_word(model: Path) -> None:
    place_head(model, "fall", embedding="another-space")
    labels, degraded, _ = opened(model)
    assert labels == tuple("abcde")
    assert degraded is None
    assert tuple(labels_of(model) or ()) == labels


def test_a_model_whose_space_is_not_known_takes_no_heads(tmp_path: Path) -> None:
    model = place(tmp_path, small_model())
    place_head(model, "fall")
    fields = json.loads(model.with_suffix(".json").read_text())
    del fields["embedding"]
    model.with_suffix(".json").write_text(json.dumps(fields))
    assert opened(model)[:2] == (tuple("abcde"), None)
    model.with_suffix(".json").unlink()
    assert opened(model)[:2] == (tuple(f"class {n}" for n in range(CLASSES)), None)


def test_a_head_of_another_width_is_reported_and_the_others_work(model: Path) -> None:
    place_head(model, "person")
    head = place_head(model, "fall")
    longer = {key: np.ones(3 * (WIDTH + 1), np.float32) for key in ("center", "scale", "weights")}
    place_head(model, "fall", **longer)
    labels, degraded, scores = opened(model)
    assert labels == (*"abcde", "person")
    assert scores.shape == (12, CLASSES + 1)
    assert degraded is not None
    assert degraded.code == "head_unusable"
    assert f"takes embeddings of {head.width + 1} numbers" in degraded.message
    assert "fall.json" in degraded.message


@pytest.mark.parametrize(
    "broken", ["", "{", "[]", json.dumps({"name": "broken", "embedding": SPACE}), "\udcff"]
)
def test_a_broken_head_is_reported_and_the_others_work(model: Path, broken: str) -> None:
    place_head(model, "person")
    path = model.parent / "heads" / "broken.json"
    path.write_bytes(broken.encode("utf-8", "surrogateescape"))
    labels, degraded, scores = opened(model)
    assert labels == (*"abcde", "person")
    assert np.isfinite(scores).all()
    assert degraded is not None
    assert degraded.code == "head_invalid"
    assert "broken.json" in degraded.message


def test_a_label_is_told_once_whoever_else_would_tell_it(model: Path) -> None:
    """By the model itself first, then by the first head."""
    place_head(model, "fall", file="one")
    place_head(model, "c")
    place_head(model, "fall", file="two", bias=9.0)
    labels, degraded, scores = opened(model)
    assert labels == (*"abcde", "fall")
    assert scores.shape == (12, CLASSES + 1)
    assert degraded is not None
    assert degraded.code == "head_unusable"
    assert "c.json" in degraded.message
    (model.parent / "heads" / "two.json").unlink()
    assert np.array_equal(opened(model)[2], scores)


def test_a_folder_of_heads_may_hold_other_things(model: Path) -> None:
    place_head(model, "fall")
    (model.parent / "heads" / "README.md").write_text("notes")
    (model.parent / "heads" / "folder.json").mkdir()
    labels, degraded, _ = opened(model)
    assert labels == (*"abcde", "fall")
    assert degraded is not None
    assert degraded.code == "head_missing"
