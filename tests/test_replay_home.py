"""`edgehome replay` with what one home's node has learnt: activities, corrections and normal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import edgehome

from edgehome.config.types import Config
from edgehome.footage import watch_clip
from edgehome.novelty.normal import Key, Normal
from edgehome.novelty.normalfile import encode_normal
from edgehome.novelty.replayed import Home, live
from edgehome.recognizer.manifest import read_manifest
from edgehome.recognizer.recognizer import Recognizer
from edgehome.settings import worker_settings
from edgehome.worker import position_of

EX_USAGE, EX_CONFIG = 64, 78
SHOWN = ("room-day-fight", "room-night-fight", "porch-night-fight")
NORMAL = ("room-day-walk", "room-night-walk", "porch-night-walk")
ANOTHER, ANOTHER_NORMAL = "porch-infrared-fight", "porch-day-walk"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


def config_of(folder: Path, model: Path, *rules: str) -> Path:
    path = folder / "config.yaml"
    listed = "".join(f"  - {rule}\n" for rule in rules)
    path.write_text(f"recognizer: {{model: {model}}}\nrules:\n{listed}")
    return path


def told(text: str, kind: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, text.splitlines()) if line["kind"] == kind]


def test_an_activity_taught_by_clips_raises_alerts_on_others(
    state: Path, tmp_path: Path, rendered: Path, box_model: Path
) -> None:
    config = config_of(tmp_path, box_model, "{name: Wrestling, when: wrestle}")
    clips = {name: rendered / f"{name}.mp4" for name in (*SHOWN, *NORMAL, ANOTHER, ANOTHER_NORMAL)}
    unknown = edgehome("replay", clips[ANOTHER], "-c", config, "--state", state)
    assert unknown.returncode == EX_CONFIG
    assert "edgehome teach wrestle" in unknown.stderr

    shown, normal = ([clips[name] for name in names] for names in (SHOWN, NORMAL))
    taught = edgehome(
        "teach", "wrestle", "--yes", *shown, "--no", *normal, "-c", config, "--state", state
    )
    assert taught.returncode == 0, taught.stderr
    trace = tmp_path / "trace.jsonl"
    done = edgehome(
        "replay", clips[ANOTHER], clips[ANOTHER_NORMAL], "-c", config, "--state", state,
        "--json", "--record", trace,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    alerts = told(done.stdout, "alert")
    assert {(alert["clip"], alert["label"]) for alert in alerts} == {
        (str(clips[ANOTHER]), "wrestle")
    }

    again = edgehome("replay", "--from-scores", trace, "-c", config, "--json")
    assert told(again.stdout, "alert") == alerts


@pytest.fixture(scope="module")
def normal_of_walks(rendered: Path, box_model: Path) -> bytes:
    """Five days of a home where people walk, as the box's model sees them."""
    with Recognizer(box_model) as recognizer:
        clips = [path for path in sorted(rendered.glob("*.mp4")) if "walk" in path.stem]
        seen = [watch_clip(recognizer, path).embeddings for path in clips]
        key = recognizer.manifest.sha256, position_of(worker_settings(Config(), box_model))
    normal = Normal(Key(*key), seen[0].shape[1])
    live(normal, Home(seen, np.random.default_rng(5)), 0, 6)
    assert normal.learnt == 1
    return encode_normal(normal)


def test_what_is_unusual_here_is_found_in_clips(
    state: Path, tmp_path: Path, rendered: Path, box_model: Path, normal_of_walks: bytes
) -> None:
    config = config_of(tmp_path, box_model, "{name: Odd, when: {unusual: once_a_week}}")
    clips = [rendered / f"{name}.mp4" for name in ("room-day-fall", "room-day-walk")]
    kept = state / "normal.bin"
    kept.write_bytes(normal_of_walks)
    done = edgehome(
        "replay", *clips, "-c", config, "--state", state, "--at", "14:00", "--json"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (alert,) = told(done.stdout, "alert")
    assert (alert["rule"], alert["clip"]) == ("Odd", str(clips[0]))
    assert "most like" in json.dumps(alert["evidence"])
    assert kept.read_bytes() == normal_of_walks, "a replay teaches nothing"
    assert "note:" not in done.stderr


def test_what_is_normal_elsewhere_or_not_yet_known_is_said(
    state: Path, tmp_path: Path, rendered: Path, box_model: Path, normal_of_walks: bytes
) -> None:
    config = config_of(tmp_path, box_model, "{name: Odd, when: {unusual: once_a_week}}")
    clip = rendered / "room-day-fall.mp4"
    nothing = edgehome("replay", clip, clip, "-c", config, "--state", state)
    assert nothing.returncode == 0
    assert nothing.stderr.count("nothing is unusual to Odd") == 1

    (state / "normal.bin").write_bytes(normal_of_walks)
    turned = tmp_path / "turned.yaml"
    turned.write_text(config.read_text() + "camera: {rotation: 180}\n")
    elsewhere = edgehome("replay", clip, "-c", turned, "--state", state)
    assert "of no use here" in elsewhere.stderr
    assert "ALERT" not in elsewhere.stdout

    young = Normal(
        Key(read_manifest(box_model).sha256, position_of(worker_settings(Config(), box_model))), 480
    )
    (state / "normal.bin").write_bytes(encode_normal(young))
    learning = edgehome("replay", clip, "-c", config, "--state", state)
    assert "learnt to 0 %: nothing is unusual yet" in learning.stderr


def test_a_recording_has_no_home(state: Path, tmp_path: Path) -> None:
    done = edgehome("replay", "--from-scores", tmp_path / "trace.jsonl", "--state", state)
    assert done.returncode == EX_USAGE
    assert "--state" in done.stderr
