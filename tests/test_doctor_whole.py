"""`edgehome doctor` as a person runs it: against a real broker, with a clip as its camera."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest
from broker import PASSWORD, USER, Broker
from command_line import edgehome

from edgehome.boards import board_name, installed_runtime
from edgehome.budget import Measured
from edgehome.config.types import Config, RecognizerConfig
from edgehome.doctor import Finding, node, render
from edgehome.doctor.access import Holder
from edgehome.lasting import kept_measurements
from edgehome.types import Problem

MOST_S = 30.0
BUSY = Problem("camera_busy", "The Pi camera is in use by another process.", "Stop the other one.")


def written(folder: Path, *, port: int, source: object, model: Path) -> Path:
    password = folder / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    file = folder / "config.yaml"
    mqtt = {"host": "127.0.0.1", "port": port, "username": USER, "password_file": str(password)}
    file.write_text(
        json.dumps({
            "camera": {"source": str(source)}, "recognizer": {"model": str(model)}, "mqtt": mqtt,
            "rules": [{"name": "Visitor", "when": "person"}],
        })
    )  # fmt: skip
    return file


def examined(config: Path) -> tuple[int, dict[str, list[Finding]], float]:
    """Return doctor's status, its findings by part, and how long it took."""
    began_s = time.monotonic()
    done = edgehome("doctor", "--json", "-c", config, "--state", config.parent)
    found: dict[str, list[Finding]] = {}
    for line in done.stdout.splitlines():
        finding = Finding(**json.loads(line))
        found.setdefault(finding.part, []).append(finding)
    assert PASSWORD not in done.stdout
    assert done.stderr == ""  # nothing stands between the findings
    return done.returncode, found, time.monotonic() - began_s


def test_a_node_that_works_is_told_so_within_half_a_minute(
    tmp_path: Path, box_model: Path, rendered: Path
) -> None:
    with Broker(tmp_path / "broker") as broker:
        config = written(
            tmp_path, port=broker.port, source=rendered / "room-day-walk.mp4", model=box_model
        )
        status, found, took_s = examined(config)
    assert [one for many in found.values() for one in many if one.state == "bad"] == []
    assert status == 0
    for part in ("config", "runtime", "camera", "model", "self-test", "broker"):
        assert [finding.state for finding in found[part]] == ["good"], part
    assert took_s < MOST_S


def test_all_that_is_wrong_is_told_at_once_and_still_within_half_a_minute(
    tmp_path: Path, rendered: Path
) -> None:
    model = tmp_path / "cut.tflite"
    model.write_bytes(b"not a model")
    config = written(tmp_path, port=1, source=rendered / "no-such-clip.mp4", model=model)
    status, found, took_s = examined(config)
    assert status == 1
    told = {
        part for part, many in found.items() for one in many if one.state == "bad" and one.remedy
    }
    assert {"runtime", "broker"} <= told
    assert took_s < MOST_S


def test_a_camera_that_is_held_is_told_with_the_name_and_the_command_that_frees_it() -> None:
    other = Holder(41, "rpicam-vid", "/dev/media0", ours=False)
    own = Holder(42, "python", "/dev/media0", ours=True)
    named = node.camera_failure(BUSY, [other, own])
    assert (named.state, named.remedy) == ("bad", "Stop it: sudo kill 41")
    assert "rpicam-vid (41)" in named.message
    assert node.camera_failure(BUSY, [own]).state == "good"
    nobody = node.camera_failure(BUSY, [])
    assert nobody.state == "poor"
    assert "sudo edgehome doctor" in nobody.remedy
    missing = Problem("camera_missing", "No Pi camera found.", "Seat the cable.")
    assert node.camera_failure(missing, [other]) == Finding(
        "camera", "bad", "No Pi camera found.", "Seat the cable."
    )


def test_a_self_test_that_takes_too_long_is_not_called_bad(
    monkeypatch: pytest.MonkeyPatch, box_model: Path
) -> None:
    monkeypatch.setattr(node, "SELF_TEST_S", 0.05)
    (finding,) = node.self_test(box_model)
    assert finding.state == "unknown"
    assert "edgehome bench --selftest" in finding.remedy


@pytest.mark.parametrize(("step_ms", "state"), [(40.0, "good"), (900.0, "poor")])
def test_a_board_that_was_found_too_slow_for_the_model_is_told(
    tmp_path: Path, box_model: Path, step_ms: float, state: str
) -> None:
    config = Config(recognizer=RecognizerConfig(model=box_model))
    (unknown,) = node.budget(config, tmp_path)
    assert "not measured on this board yet" in unknown.message
    sha256 = hashlib.sha256(box_model.read_bytes()).hexdigest()
    steps = tuple((count, step_ms) for count in (1, 2, 4, 8, 16))
    at = "2026-01-01T00:00:00+00:00"
    measured = Measured(
        sha256=sha256, runtime=installed_runtime(), board=board_name(), at=at, steps=steps
    )
    kept_measurements(tmp_path).keep(measured)
    (finding,) = node.budget(config, tmp_path)
    assert finding.state == state
    assert f"{step_ms:.1f} ms" in finding.message
    assert bool(finding.remedy) is (state == "poor")


def test_a_finding_reads_as_a_line_with_its_remedy_below() -> None:
    finding = Finding("supply", "bad", "Too low.", "Another supply.")
    assert render(finding, colours=False).splitlines() == [
        "bad     supply      Too low.",
        f"{'':20}-> Another supply.",
    ]
    assert "\x1b[31mbad" in render(finding, colours=True)
