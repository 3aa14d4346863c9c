"""`edgehome replay`: clips and recorded scores through rules, held against what should come."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from command_line import edgehome
from traces import fall_trace, frames, header, write_trace

ROOT = Path(__file__).resolve().parents[1]
EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_CONFIG = 64, 65, 66, 78
RULES = """\
events: {smoothing: 0s}
rules:
  - {name: Fall, when: fall, above: 0.5, for: 1s, message: "Help"}
"""
CLIPS = ("room-day-fall.mp4", "room-day-fight.mp4")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(RULES)
    return path


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """The alert is due at 3.0 s."""
    return fall_trace(tmp_path / "trace.jsonl")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def kept(text: str, *kinds: str) -> list[dict[str, Any]]:
    return [line for line in lines(text) if line["kind"] in kinds]


def test_recorded_scores_are_judged_without_a_model_and_without_numpy(
    config: Path, trace: Path
) -> None:
    probe = (
        "import sys; sys.modules['numpy'] = sys.modules['av'] = None\n"
        "import edgehome.__main__ as main\n"
        f"status = main.main(['replay', '--from-scores', {str(trace)!r}, '-c', {str(config)!r},\n"
        f"    '--report', {str(trace.with_suffix('.html'))!r}])\n"
        "assert not [name for name in sys.modules if 'litert' in name]\n"
        "sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "    3.0 s  ALERT Fall [warning]: Help\n" in done.stdout
    assert "40 frames, 1 alerts, " in done.stdout
    assert "<title>Replay</title>" in trace.with_suffix(".html").read_text()


def test_json_tells_frames_events_states_alerts_and_near_misses(config: Path, trace: Path) -> None:
    done = edgehome("replay", "--from-scores", trace, "-c", config, "--json")
    assert [(one["time_s"], one["new"]) for one in kept(done.stdout, "state")] == [
        (2.0, "pending"), (3.0, "firing"), (5.0, "inactive"),
    ]  # fmt: skip
    assert [one["edge"] for one in kept(done.stdout, "event")] == ["onset", "offset"]
    (alert,) = kept(done.stdout, "alert")
    assert (alert["rule"], alert["message"], alert["time_s"]) == ("Fall", "Help", 3.0)
    assert alert["at"] == "2026-11-22T23:10:03+01:00"
    assert alert["evidence"][0]["since"] == "2026-11-22T23:10:02+01:00"
    assert alert["model"] == "ab" * 32
    assert len(alert["config"]) == 64
    assert len(kept(done.stdout, "scores")) == 40
    short = write_trace(trace, [header(["fall"]), *frames(*[0.9] * 4, *[0.0] * 6)])
    (miss,) = kept(
        edgehome("replay", "--from-scores", short, "-c", config, "--json").stdout, "near_miss"
    )
    assert (miss["rule"], miss["reason"]) == ("Fall", "too_short")
    assert miss["message"]


def test_clips_and_their_recording_give_the_very_same_lines(rendered: Path, tmp_path: Path) -> None:
    config, trace = tmp_path / "config.yaml", tmp_path / "trace.jsonl"
    config.write_text(
        f"recognizer: {{model: {ROOT}/models/edgehome-a0.tflite}}\n"
        "rules:\n"
        "  - {name: Fall, when: fall, for: 1s}\n"
        "  - {name: Fight, when: fighting, for: 500ms}\n"
        "  - {name: Both, when: {any: [fall, person]}}\n"
    )
    films = [rendered / name for name in CLIPS]
    first = edgehome("replay", *films, "-c", config, "--json", "--record", trace, "--at", "23:10")
    second = edgehome("replay", "--from-scores", trace, "-c", config, "--json")
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    one, other = lines(first.stdout)[:-1], lines(second.stdout)[:-1]
    assert [line for line in one if line["kind"] != "scores"] == [
        line for line in other if line["kind"] != "scores"
    ]
    assert {line["rule"] for line in kept(first.stdout, "alert")} == {"Fall", "Fight", "Both"}
    scores = [line["scores"] for line in one if line["kind"] == "scores"]
    assert scores == [line["scores"] for line in other if line["kind"] == "scores"]
    assert len(scores) == 80
    head = json.loads(trace.read_text().splitlines()[0])
    assert head["labels"] == ["fall", "fighting", "person"]
    fall = json.loads((ROOT / "models" / "heads" / "fall.json").read_text())
    assert head["thresholds"]["fall"] == fall["threshold"]


def test_after_half_a_minute_without_a_frame_what_fired_has_resolved(
    config: Path, tmp_path: Path
) -> None:
    """At the moment at which a node lets go of it, and not at the next frame."""
    lit = [{"t": n / 5, "s": [0.9]} for n in range(10)]
    trace = write_trace(tmp_path / "t.jsonl", [header(["fall"]), *lit, {"t": 100.0}])
    done = edgehome("replay", "--from-scores", trace, "-c", config, "--json")
    assert [(one["time_s"], one["new"]) for one in kept(done.stdout, "state")] == [
        (0.0, "pending"), (1.0, "firing"), (32.0, "inactive"), (100.0, "pending"),
    ]  # fmt: skip


def test_what_was_about_to_be_when_the_clip_ended_is_a_near_miss(
    config: Path, tmp_path: Path
) -> None:
    trace = write_trace(tmp_path / "t.jsonl", [header(["fall"]), *frames(0.0, *[0.9] * 4)])
    done = edgehome("replay", "--from-scores", trace, "-c", config, "--json")
    (miss,) = kept(done.stdout, "near_miss")
    assert (miss["time_s"], miss["rule"], miss["reason"]) == (0.8, "Fall", "too_short")
    assert len(kept(done.stdout, "state")) == 1
    write_trace(trace, [header(["fall"]), *frames(*[0.9] * 9)])
    done = edgehome("replay", "--from-scores", trace, "-c", config, "--json")
    assert not kept(done.stdout, "near_miss")


def test_two_replays_of_a_recording_give_the_same_bytes_but_for_the_summary(
    config: Path, trace: Path
) -> None:
    first, second = (
        edgehome("replay", "--from-scores", trace, "-c", config, "--json").stdout for _ in range(2)
    )
    assert first.splitlines()[:-1] == second.splitlines()[:-1]


def test_alerts_as_expected_end_with_0_and_others_with_1_and_the_difference(
    config: Path, trace: Path, tmp_path: Path
) -> None:
    expect, junit = tmp_path / "expect.yaml", tmp_path / "junit.xml"
    command = ("replay", "--from-scores", trace, "-c", config, "--expect", expect, "--junit", junit)
    expect.write_text("- {rule: Fall, at: 3s, within: 0s}\n")
    done = edgehome(*command)
    assert done.returncode == 0, done.stdout
    ((case,),) = ET.parse(junit).getroot()
    assert (case.get("name"), len(case)) == ("hall.mp4", 0)
    expect.write_text("- {rule: Fall, at: 1s}\n- {rule: Fall, at: 7s, within: 500ms}\n")
    done = edgehome(*command)
    assert done.returncode == 1
    told = [line for line in done.stdout.splitlines() if line.startswith("NOT AS EXPECTED")]
    assert told == [
        f"NOT AS EXPECTED hall.mp4: {expect}:1:3: Fall: 2.00 s late: "
        "expected at 1.0 s within 1 s, came at 3.0 s",
        f"NOT AS EXPECTED hall.mp4: {expect}:2:3: Fall: missing: expected at 7.0 s within 0.5 s",
    ]
    ((case,),) = ET.parse(junit).getroot()
    assert "2.00 s late" in str(case[0].get("message"))
    found = kept(edgehome(*command, "--json").stdout, "difference")
    assert [one["difference"] for one in found] == ["late", "missing"]
    assert found[0]["came_s"] == 3.0
    expect.write_text("- {rule: Fal, at: 1s}\n")
    done = edgehome(*command)
    assert done.returncode == EX_DATAERR
    assert f"{expect}:1:10: 0.rule: 'Fal' is no rule; did you mean 'Fall'?" in done.stderr


def test_expectations_of_several_clips_and_one_that_cannot_be_read(
    rendered: Path, tmp_path: Path
) -> None:
    config, expect, junit = (tmp_path / n for n in ("config.yaml", "expect.yaml", "junit.xml"))
    config.write_text(
        f"recognizer: {{model: {ROOT}/models/edgehome-a0.tflite}}\n"
        "rules: [{name: Fall, when: fall, for: 1s}]\n"
    )
    broken = tmp_path / "broken.mp4"
    broken.write_text("not a video")
    expect.write_text(f"- {{rule: Fall, at: 7.4s, clip: {CLIPS[0]}}}\n")
    report = tmp_path / "report.html"
    done = edgehome(
        "replay", broken, *(rendered / name for name in CLIPS), "-c", config,
        "--expect", expect, "--junit", junit, "--report", report,
    )  # fmt: skip
    assert done.returncode == EX_DATAERR
    assert "broken.mp4" in done.stderr
    assert "NOT AS EXPECTED" not in done.stdout
    (suite,) = ET.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "0", "1")
    page = report.read_text()
    assert page.count("data:image/jpeg;base64,") == 24
    assert "cannot be read as a video" in page
    assert len(page.encode()) < 2 * 300_000


def test_a_clip_is_placed_in_the_night_and_in_a_mode(trace: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "events: {smoothing: 0s}\n"
        "rules: [{name: Fall, when: [fall, {between: 22:00-06:00}, {armed: [away, night]}]}]\n"
    )

    def alerts(*options: object) -> int:
        done = edgehome("replay", "--from-scores", trace, "-c", config, "--json", *options)
        assert done.returncode == 0, done.stderr
        return len(kept(done.stdout, "alert"))

    assert alerts() == 1
    assert alerts("--at", "2026-11-22T12:00") == 0
    assert alerts("--at", "12:00") == 0
    assert alerts("--at", "2026-11-22T23:10") == 1
    assert alerts("--armed", "night") == 1
    assert alerts("--armed", "home") == 0
    assert alerts("--armed", "disarmed") == 0


def test_a_time_without_a_zone_is_one_of_this_machines_zone(trace: Path, config: Path) -> None:
    done = edgehome(
        "replay", "--from-scores", trace, "-c", config, "--json", "--at", "2026-11-22T23:10"
    )
    (alert,) = kept(done.stdout, "alert")
    assert datetime.fromisoformat(alert["at"]) == datetime(2026, 11, 22, 23, 10, 3).astimezone()


def test_rules_that_ask_for_what_was_not_recorded_are_said(trace: Path, config: Path) -> None:
    config.write_text("rules: [{name: Fight, when: fal}]\n")
    done = edgehome("replay", "--from-scores", trace, "-c", config)
    assert done.returncode == EX_DATAERR
    assert "the rule 'Fight' looks at 'fal', of which there is no score" in done.stderr
    assert "did you mean 'fall'?" in done.stderr
    config.write_text("rules: [{name: Fight, when: fall, abov: 1}]\n")
    done = edgehome("replay", "--from-scores", trace, "-c", config)
    assert done.returncode == EX_CONFIG
    assert "did you mean 'above'?" in done.stderr


def test_thresholds_of_the_recorded_model_count_where_a_rule_has_none(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("events: {smoothing: 0s}\nrules: [{name: Person, when: person}]\n")
    series = frames(*[0.75] * 10)
    trace = write_trace(tmp_path / "t.jsonl", [header(["person"]), *series])
    assert kept(edgehome("replay", "--from-scores", trace, "-c", config, "--json").stdout, "alert")
    write_trace(trace, [header(["person"], thresholds={"person": 0.9}), *series])
    done = edgehome("replay", "--from-scores", trace, "-c", config, "--json")
    assert not kept(done.stdout, "alert")


def test_a_broken_recording_is_said_with_its_line_after_what_could_be_judged(
    trace: Path, config: Path
) -> None:
    with trace.open("a") as file:
        file.write('{"t": 8.0, "s": [7]}\n')
    done = edgehome("replay", "--from-scores", trace, "-c", config, "--json")
    assert done.returncode == EX_DATAERR
    assert f"{trace}:42: s holds a score that is not between 0 and 1." in done.stderr
    assert kept(done.stdout, "alert")
    done = edgehome("replay", "--from-scores", trace.parent / "none.jsonl", "-c", config)
    assert done.returncode == EX_NOINPUT


def test_options_that_do_not_go_together_are_a_usage_error(trace: Path, config: Path) -> None:
    for wrong in (
        ("-c", config),
        ("a.mp4", "--from-scores", trace),
        ("--from-scores", trace, "--record", trace.with_name("other.jsonl")),
        ("a.mp4", "--at", "tonight"),
        ("a.mp4", "--armed", "always"),
        ("a.mp4", "--start", "2026-05-01T23:00"),
    ):
        done = edgehome("replay", *wrong)
        assert done.returncode == EX_USAGE, done.stderr
    assert "write for example 2026-11-22T23:10" in edgehome("replay", "a", "--at", "x").stderr


def test_a_trace_never_overwrites_what_it_cannot_open(rendered: Path, config: Path) -> None:
    done = edgehome("replay", rendered / CLIPS[0], "-c", config, "--record", "/no/such/folder/t")
    assert done.returncode != 0
    assert "/no/such/folder/t" in done.stderr


def test_the_recording_in_the_reference_is_one_that_can_be_judged(
    config: Path, tmp_path: Path
) -> None:
    text = (ROOT / "docs" / "reference" / "replay.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    (tmp_path / "t.jsonl").write_text(example, encoding="utf-8")
    done = edgehome("replay", "--from-scores", tmp_path / "t.jsonl", "-c", config, "--json")
    assert done.returncode == 0, done.stderr
    assert [one["scores"]["fall"] for one in kept(done.stdout, "scores")] == [0.0125, 0.5, 0.5]
