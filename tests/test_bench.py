"""The benchmark, on the real model and on files that cannot be run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_stream import tiny_stream

from edgehome.bench import FRAMES_A_TURN, render, run_bench
from edgehome.types import ModelError


def test_it_compares_edgehome_with_the_signature_runner(k600_model: Path) -> None:
    result = json.loads(json.dumps(run_bench(k600_model, threads=1, rounds=4)))
    print(render(result))
    ours, theirs = result["a"], result["b"]
    assert result["frames"] == 4 * FRAMES_A_TURN
    assert result["ratio"] == pytest.approx(ours["median_ms"] / theirs["median_ms"], abs=0.002)
    assert ours["way"] == "edgehome, pooling: window"
    assert ours["state_bytes"] * 4 == pytest.approx(theirs["state_bytes"], rel=0.01)
    assert 0 < ours["min_ms"] <= ours["median_ms"]
    assert 30 < ours["rss_mb"] < 120
    assert 15 < result["supervisor_mb"] < 40
    text = render(result)
    assert text.startswith("A/B ")
    assert f"{ours['median_ms']:.2f} ms a step" in text


def test_another_file_may_be_compared_with(k600_model: Path, tmp_path: Path) -> None:
    tiny = tmp_path / "tiny.tflite"
    tiny.write_bytes(tiny_stream(image="UINT8"))
    result = run_bench(k600_model, against=tiny, threads=1, rounds=1)
    assert result["b"]["model"] == "tiny.tflite"
    assert result["ratio"] > 1  # a network against one of a dozen numbers


def test_a_file_that_cannot_be_used_is_said_in_a_sentence(k600_model: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(k600_model.read_bytes()[:-1000])
    with pytest.raises(ModelError) as caught:
        run_bench(k600_model, against=broken, rounds=1)
    assert caught.value.problem.code == "model_refused"
    with pytest.raises(ModelError) as caught:
        run_bench(tmp_path / "none.tflite")
    assert caught.value.problem.code == "model_missing"
