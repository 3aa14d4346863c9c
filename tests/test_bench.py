"""The benchmark, on the real network, on small ones, and on files that cannot be run."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

import pytest
from small_model import SIZE, place, small_model

from edgehome.bench import FRAMES_A_TURN, compare, render, run_bench
from edgehome.types import ModelError


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return place(tmp_path, small_model())


def test_it_tells_what_edgehome_adds_to_the_bare_invoke(box_model: Path) -> None:
    result = json.loads(json.dumps(run_bench(box_model, threads=1, rounds=4)))
    print(render(result))
    ours, bare = result["a"], result["b"]
    assert result["frames"] == 4 * FRAMES_A_TURN
    assert result["ratio"] == pytest.approx(ours["median_ms"] / bare["median_ms"], abs=0.005)
    assert (ours["way"], bare["way"]) == ("edgehome", "invoke alone")
    assert ours["model"] == bare["model"] == box_model.name
    assert 0 < ours["state_bytes"] < 1_000_000
    assert 0 < ours["min_ms"] <= ours["median_ms"]
    assert 0.9 < result["ratio_min"] < 2
    assert 30 < ours["rss_mb"] < 120
    assert 15 < result["supervisor_mb"] < 40
    text = render(result)
    assert text.startswith("A/B ")
    assert f"{ours['median_ms']:.2f} ms a step" in text


def test_a_step_takes_at_most_half_of_the_published_file_s(
    k600_model: Path, k600_original: Path
) -> None:
    """By the median of five runs of medians: a neighbour's work can spoil one run."""
    results = [run_bench(k600_model, against=k600_original, threads=1, rounds=6) for _ in range(5)]
    print(*map(render, results), sep="\n")
    theirs, ours = results[0]["b"], results[0]["a"]
    assert theirs["way"] == "signature runner, states in a dictionary"
    assert theirs["state_bytes"] > 3 * ours["state_bytes"]
    assert median(result["ratio"] for result in results) <= 0.5


def test_another_compiled_file_may_be_compared_with(box_model: Path, small: Path) -> None:
    result = run_bench(box_model, against=small, threads=1, rounds=1)
    b = result["b"]
    assert isinstance(b, dict)
    assert (b["model"], b["way"], b["size"]) == ("small.tflite", "edgehome", SIZE)
    assert isinstance(result["ratio"], float)
    assert result["ratio"] > 1  # a network against one of a few thousand numbers


def test_ways_take_turns_and_are_told_in_their_order(small: Path) -> None:
    bare, ours = compare(("invoke", small), ("recognizer", small), threads=1, rounds=2)
    assert (bare["way"], ours["way"]) == ("invoke alone", "edgehome")
    assert bare["min_ms"] < ours["min_ms"]


def test_a_file_that_cannot_be_used_is_said_in_a_sentence(small: Path, tmp_path: Path) -> None:
    broken, none = tmp_path / "broken.tflite", tmp_path / "none.tflite"
    broken.write_bytes(small.read_bytes()[:-1000])
    for model, against, code in (
        (small, broken, "model_refused"),
        (broken, None, "model_refused"),
        (small, none, "model_missing"),
        (none, None, "model_missing"),
    ):
        with pytest.raises(ModelError) as caught:
            run_bench(model, against=against, rounds=1)
        assert caught.value.problem.code == code
