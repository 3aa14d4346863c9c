"""`edgehome budget`: what is known of the board, and measuring it anew."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

import pytest
import yaml

from edgehome.__main__ import main
from edgehome.boards import board_name, installed_runtime
from edgehome.budget import Measured
from edgehome.lasting import kept_measurements
from edgehome.quarantine import file_sha256


@pytest.fixture
def config(tmp_path: Path, box_model: Path) -> Path:
    """A file whose camera does not exist: none is needed."""
    file = tmp_path / "config.yaml"
    write(file, box_model)
    return file


def write(file: Path, model: Path, **runtime: object) -> None:
    content = {
        "camera": {"source": str(file.parent / "none.mp4")},
        "recognizer": {"model": str(model)},
        "runtime": {"delegate": "cpu", **runtime},
        "rules": [{"name": "Visitor", "when": "person"}],
    }
    file.write_text(yaml.safe_dump(content))


def test_a_board_that_nobody_measured_has_the_model_s_own_rate(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    assert main(["budget", "-c", str(config), "--state", str(state)]) == 0
    said = capsys.readouterr().out
    assert said == "2 threads, 5 frames a second; not measured on this board yet\n"
    assert not state.exists()


def test_it_is_measured_kept_and_told(
    config: Path, tmp_path: Path, box_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    arguments = ["budget", "-c", str(config), "--state", str(state)]
    assert main([*arguments, "--measure", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kept = kept_measurements(state).of(file_sha256(box_model))
    assert kept
    assert found["measured"]["steps"] == [list(step) for step in kept.steps]
    assert found["budget"]["step_ms"] == kept.step_ms(found["budget"]["threads"])
    assert found["own_rate"] == 5.0
    assert found["keeps_up"] is (found["budget"]["step_ms"] <= 700 / found["budget"]["rate"])
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert f"(measured {kept.at} on {board_name()})" in said


@pytest.mark.parametrize("runtime", [{"threads": 1, "rate": 2.5}, {"rate": 5}])
def test_what_the_user_fixed_is_measured_too_when_asked(
    config: Path, tmp_path: Path, box_model: Path, runtime: dict[str, object],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write(config, box_model, **runtime)
    arguments = ["budget", "-c", str(config), "--state", str(tmp_path), "--measure", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["budget"]["rate"] == runtime["rate"]
    assert found["budget"]["step_ms"] > 0


def test_a_board_that_is_too_slow_is_told_with_what_was_measured(
    config: Path, tmp_path: Path, box_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256, at = file_sha256(box_model), "2026-01-01T00:00:00+00:00"
    slow = Measured(sha256, installed_runtime(), board_name(), at, ((1, 400.0), (2, 210.0)))
    kept_measurements(tmp_path).keep(slow)
    assert main(["budget", "-c", str(config), "--state", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "2 threads, 3.33 frames a second of the model's 5; a step takes 400.0 ms"
    )


def test_a_model_that_is_none_is_refused_in_a_sentence(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model.tflite"
    model.write_bytes(b"no model")
    write(config, model)
    assert main(["budget", "-c", str(config), "--state", str(tmp_path), "--measure"]) == 65
    assert str(model) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tree", "cpuinfo", "expected"),
    [
        (b"Raspberry Pi 4 Model B Rev 1.4\0", "", "Raspberry Pi 4 Model B Rev 1.4, "),
        (None, "processor\t: 0\nmodel name\t: A Chip @ 2 GHz\n", "A Chip @ 2 GHz, "),
        (b"", "Hardware\t: BCM2835\n", f"{platform.machine()}, "),
        (None, None, f"{platform.machine()}, "),
        (b"x" * 10_000, "", "x" * 150 + ", "),
        (b"\xff\xfe", "", "\ufffd\ufffd, "),
    ],
)
def test_a_board_is_known_by_what_it_calls_itself_and_its_cores(
    tmp_path: Path, tree: bytes | None, cpuinfo: str | None, expected: str
) -> None:
    if tree is not None:
        (tmp_path / "model").write_bytes(tree)
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    name = board_name(tmp_path / "model", tmp_path / "cpuinfo")
    assert name.startswith(expected)
    cores = len(os.sched_getaffinity(0))
    assert name.removeprefix(expected).split() == [str(cores), "core" if cores == 1 else "cores"]
