"""The commands as people call them: what they print, and the status they end with."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from command_line import edgehome

import edgehome.__main__ as entry
from edgehome import statefolder
from edgehome.statefile import write_atomically

ROOT = Path(__file__).resolve().parents[1]
EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_CONFIG = 64, 65, 66, 78
CLIP = "room-day-fight.mp4"
"""Rendered: two people fight in a room, for eight seconds."""


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def config(tmp_path: Path, box_model: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(
        f"recognizer: {{model: {box_model}}}\n"
        "rules:\n"
        "  - name: Visitor\n"
        "    when:\n"
        "      - activity: person\n        above: 0.3\n        for: 1s\n"
        "      - between: 22:00-06:00\n"
        "    severity: critical\n"
    )
    return path


def test_arm_wrestling_is_the_top_label_of_the_sanity_clip(clips: Path, k600_model: Path) -> None:
    with (clips / "clips.csv").open(newline="") as file:
        sanity = [clips / row["path"] for row in csv.DictReader(file) if row["split"] == "sanity"]
    done = edgehome("replay", *sanity, "--model", k600_model, "--json")
    assert done.returncode == 0, done.stderr
    found = lines(done.stdout)
    assert found[-1]["kind"] == "summary"
    assert {line["clip"] for line in found[:-1]} == set(map(str, sanity))
    of_demo = [n for n in found[:-1] if n["clip"].endswith("/mmaction2_demo.mp4")]
    assert max(of_demo[-1]["scores"], key=of_demo[-1]["scores"].get) == "arm wrestling"
    assert of_demo[-1]["scores"]["arm wrestling"] > 0.9
    assert all(len(line["scores"]) == 5 for line in of_demo)


def test_two_replays_give_the_same_bytes_but_for_the_summary(rendered: Path, config: Path) -> None:
    clip = rendered / CLIP
    first, second = (edgehome("replay", clip, "-c", config, "--json").stdout for _ in range(2))
    assert first.splitlines()[:-1] == second.splitlines()[:-1]
    kinds = [line["kind"] for line in lines(first)]
    assert kinds.count("scores") == 40
    assert kinds.count("event") == 1
    assert kinds.count("alert") == 1
    summary = lines(first)[-1]
    assert (summary["frames"], summary["alerts"]) == (40, 1)
    assert 0 < summary["inference_ms"]["p50"] <= summary["inference_ms"]["p95"]


def test_a_replay_has_the_time_of_day_that_it_is_given(rendered: Path, config: Path) -> None:
    clip = rendered / CLIP
    day = edgehome("replay", clip, "-c", config, "--json", "--at", "2026-05-01T12:00:00+02:00")
    assert lines(day.stdout)[-1]["alerts"] == 0
    night = edgehome("replay", clip, "-c", config, "--at", "2026-05-01T23:00:00+02:00")
    assert "ALERT Visitor [critical]: person (" in night.stdout
    assert re.search(r"strongest: \w+ \d\.\d\d, ", night.stdout)


def test_a_clip_that_is_not_there_or_is_no_video_is_said_and_the_others_go_on(
    rendered: Path, config: Path, tmp_path: Path
) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    missing = edgehome("replay", tmp_path / "none.mp4", "-c", config)
    assert missing.returncode == EX_NOINPUT
    assert "none.mp4" in missing.stderr
    good = rendered / CLIP
    done = edgehome("replay", text, good, "-c", config, "--json")
    assert done.returncode == EX_DATAERR
    assert "text.mp4" in done.stderr
    assert lines(done.stdout)[-1]["frames"] == 40


def test_a_model_that_cannot_be_used_is_said(
    rendered: Path, box_model: Path, tmp_path: Path
) -> None:
    clip = rendered / CLIP
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(box_model.read_bytes()[:500_000])
    for command in (["replay", clip], ["bench"]):
        done = edgehome(*command, "--model", cut)
        assert done.returncode == EX_DATAERR, done.stderr
        assert "cut.tflite" in done.stderr
        done = edgehome(*command, "--model", tmp_path / "none.tflite")
        assert done.returncode == EX_NOINPUT, done.stderr
        assert "none.tflite" in done.stderr


def test_check_finds_an_unknown_label(config: Path) -> None:
    good = edgehome("check", config)
    assert (good.returncode, good.stdout, good.stderr) == (0, f"{config}: good, rules: 1\n", "")
    config.write_text(config.read_text().replace("activity: person", "activity: persn"))
    done = edgehome("check", config)
    assert done.returncode == EX_CONFIG
    assert done.stdout == ""
    assert done.stderr == (
        f"{config}:5:19: rules.0.when.0.activity: 'persn' is neither an activity, a pack nor a "
        "label of the model; did you mean 'person'?\n"
    )
    (mistake,) = lines(edgehome("check", config, "--json").stdout)
    assert (mistake["line"], mistake["column"]) == (5, 19)


def test_the_sample_is_right_for_the_model_in_the_box() -> None:
    good = edgehome("check", ROOT / "config.yaml")
    assert (good.returncode, good.stderr) == (0, "")


def test_check_says_when_it_could_not_check_the_labels(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("rules: [{name: A, when: flying}]\n")
    done = edgehome("check", config)
    assert done.returncode == 0
    assert done.stderr.startswith("note: labels were not checked. ")
    assert "edgehome-a0.tflite" in done.stderr


def test_a_wrong_option_is_a_usage_error_and_every_command_has_help() -> None:
    assert edgehome("replay").returncode == EX_USAGE
    assert edgehome("fly").returncode == EX_USAGE
    known = ("run", "check", "replay", "test-rules", "bench", "evaluate", "models", "doctor")
    for command in known:
        done = edgehome(command, "--help")
        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: edgehome {command}")


def test_run_with_a_wrong_config_and_no_earlier_one_ends_with_78(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("device: {nane: x}")
    done = edgehome("run", "-c", config, "--state", tmp_path / "state")
    assert done.returncode == EX_CONFIG
    assert "did you mean 'name'?" in done.stderr


def test_a_command_reads_the_state_of_the_service_whose_configuration_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service, mine = tmp_path / "service", tmp_path / "mine"
    service.mkdir()
    monkeypatch.setattr(statefolder, "SYSTEM_STATE", service)
    monkeypatch.setenv("XDG_STATE_HOME", str(mine))
    assert entry.main(["explain"]) == 0
    assert str(service) in capsys.readouterr().out
    assert statefolder.state_of(statefolder.SYSTEM_CONFIG) == service
    assert statefolder.state_of(tmp_path / "config.yaml") == mine / "edgehome"
    service.rmdir()
    assert statefolder.state_of(statefolder.SYSTEM_CONFIG) == mine / "edgehome"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_writes_into_the_service_s_folder_belongs_to_the_service(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 23456)
    write_atomically(tmp_path / "budget.json", b"{}")
    kept = (tmp_path / "budget.json").stat()
    assert (kept.st_uid, kept.st_gid) == (12345, 23456)
