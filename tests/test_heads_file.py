"""Head files: what is written is read, and what is wrong is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgehome.heads.head import Head, read_head, write_head
from edgehome.types import ModelError

CARD = {
    "description": "Somebody falls.",
    "trained_on": "made up",
    "licence": "Apache-2.0",
    "figures": {"auc": 0.98},
    "limits": "everything",
}


def head(width: int = 4, seed: int = 0) -> Head:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(3, 3 * width)).astype(np.float32)
    return Head(
        name="fall",
        embedding="movinet-a0-kinetics600",
        window_s=3.0,
        statistics=("mean", "max", "deviation"),
        center=numbers[0],
        scale=np.abs(numbers[1]) + 0.1,
        weights=numbers[2],
        bias=-0.25,
        slope=1.5,
        offset=-0.5,
        threshold=0.6,
        card=CARD,
    )


def fields() -> dict[str, Any]:
    return {
        "name": "fall",
        "embedding": "space",
        "window_s": 3.0,
        "statistics": ["mean", "max"],
        "center": [0.0, 1.0],
        "scale": [1.0, 2.0],
        "weights": [0.5, -0.5],
        "bias": 0.1,
        "calibration": {"slope": 1.0, "offset": 0.0},
        "threshold": 0.5,
        "card": CARD,
    }


def written(tmp_path: Path, value: object) -> Path:
    path = tmp_path / "fall.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_the_probability_is_the_formula_of_the_file() -> None:
    one = head()
    statistics = np.random.default_rng(1).random((5, 12), np.float32)
    x = (statistics.astype(float) - one.center) / one.scale
    score = x @ one.weights.astype(float) + one.bias
    expected = 1 / (1 + np.exp(-(one.slope * score + one.offset)))
    assert one.probability(statistics) == pytest.approx(expected, abs=1e-6)
    assert float(one.probability(statistics[0])) == pytest.approx(expected[0], abs=1e-6)
    assert (one.width, one.frames(5.0)) == (4, 15)


def test_a_head_comes_back_as_it_was_written(tmp_path: Path) -> None:
    one = head()
    write_head(tmp_path / "fall.json", one)
    other = read_head(tmp_path / "fall.json")
    for key in ("center", "scale", "weights"):
        assert np.array_equal(getattr(one, key), getattr(other, key))
    assert (other.name, other.statistics, other.bias) == (one.name, one.statistics, one.bias)
    assert (other.slope, other.offset, other.threshold) == (1.5, -0.5, 0.6)
    assert other.card == CARD


def test_a_head_of_480_numbers_takes_tens_of_kilobytes(tmp_path: Path) -> None:
    write_head(tmp_path / "fall.json", head(480))
    assert (tmp_path / "fall.json").stat().st_size < 30_000


def test_numbers_may_be_plain_lists(tmp_path: Path) -> None:
    assert read_head(written(tmp_path, fields())).weights.tolist() == [0.5, -0.5]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("name", "Fall!", "name must be a label in small letters"),
        ("name", 3, "name must be"),
        ("embedding", "\ud800", "embedding must name"),
        ("window_s", 0, "window_s must be seconds above 0"),
        ("window_s", 1e400, "window_s must be"),
        ("window_s", True, "window_s must be"),
        ("statistics", ["mean", "mean"], "each once"),
        ("statistics", ["median"], "mean, max, deviation"),
        ("statistics", [["mean"]], "statistics must"),
        ("center", [0.0, float("nan")], "center must be a list of finite numbers"),
        ("center", [0.0], "must have the same number of numbers"),
        ("weights", "not base64!", "weights must be a list"),
        ("weights", "AAA=", "weights must be a list"),
        ("weights", [1e300, 0.0], "weights must be a list of finite"),
        ("weights", [10**400, 0], "weights must be a list"),
        ("weights", [3e38, 3e38], None),
        ("scale", [1.0, 0.0], "all above 0"),
        ("scale", [1e-40, 1.0], "too large"),
        ("bias", "0", "bias must be a number"),
        ("bias", 10**400, "bias must be a number"),
        ("calibration", {"slope": -1, "offset": 0}, "slope above 0"),
        ("calibration", {"slope": "1", "offset": 0}, "slope above 0"),
        ("calibration", {"slope": 1}, "slope above 0"),
        ("calibration", [1, 0], "slope above 0"),
        ("threshold", 1.5, "threshold must be a probability"),
        ("card", {}, "card must have the texts"),
        ("card", {**CARD, "figures": []}, "card must have"),
        ("more", 1, "'more' is not a key of a head"),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, key: str, value: object, said: str | None) -> None:
    path = written(tmp_path, {**fields(), key: value})
    with pytest.raises(ModelError) as caught:
        read_head(path)
    assert caught.value.problem.code == "head_invalid"
    assert str(path) in str(caught.value)
    assert (said or "too large") in str(caught.value)


def test_two_faults_are_said_at_once(tmp_path: Path) -> None:
    wrong = {**fields(), "bias": None}
    del wrong["scale"]
    with pytest.raises(ModelError, match=r"bias must be .*; scale is missing"):
        read_head(written(tmp_path, wrong))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 200_000,
        '{"name": ' + "9" * 5000 + "}",
        '{"a": NaN}',
        "\ufeff{}",
    ],
)
def test_what_is_no_head_at_all_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises(ModelError) as caught:
        read_head(written(tmp_path, text))
    assert caught.value.problem.code == "head_invalid"


def test_bytes_that_are_no_text_too_many_bytes_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "fall.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="cannot be read as JSON"):
        read_head(path)
    path.write_bytes(b" " * 5_000_000)
    with pytest.raises(ModelError, match="larger than"):
        read_head(path)
    with pytest.raises(ModelError) as caught:
        read_head(tmp_path / "none.json")
    assert caught.value.problem.code == "head_missing"
    with pytest.raises(ModelError, match="head file"):
        read_head(tmp_path)


def test_no_change_of_one_byte_gets_past_as_anything_but_a_model_error(tmp_path: Path) -> None:
    good = json.dumps(fields()).encode()
    rng = np.random.default_rng(0)
    path = tmp_path / "fall.json"
    refused = 0
    for _ in range(500):
        data = bytearray(good)
        data[rng.integers(len(data))] = rng.integers(256)
        path.write_bytes(data)
        try:
            found = read_head(path)
        except ModelError:
            refused += 1
        else:
            assert np.isfinite(found.probability(np.ones(2, np.float32)))
    assert 100 < refused < 500
