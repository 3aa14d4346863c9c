"""When a configuration is taken over while the node runs, and when it is not."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from edgehome.config.conditions import Activity, ActivityCondition, AllCondition, AtLeast
from edgehome.config.types import (
    AlertsConfig,
    CameraConfig,
    Config,
    DeviceConfig,
    EventsConfig,
    LocationConfig,
    MotionConfig,
    MqttConfig,
    RecognizerConfig,
    Rule,
    RuntimeConfig,
    SnapshotsConfig,
    SupervisorConfig,
    TeachingConfig,
)
from edgehome.configfile import GOOD_COPY, Loaded, load
from edgehome.reload import Reloader, half_written, only_rules_differ
from edgehome.types import Problem

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = (ROOT / "config.yaml").read_bytes()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A copy of the sample with the model where it names it."""
    (tmp_path / "models").symlink_to(ROOT / "models")
    file = tmp_path / "config.yaml"
    file.write_bytes(SAMPLE)
    return file


def running(file: Path) -> Reloader:
    state = file.parent / "state"
    state.mkdir()
    loaded = load(file, state)
    assert not loaded.problem
    return Reloader(file, state, loaded)


def test_a_save_that_stops_at_any_byte_of_the_sample_is_never_taken(file: Path) -> None:
    reloader = running(file)
    good = file.parent / "state" / GOOD_COPY
    for size in range(len(SAMPLE)):
        file.write_bytes(SAMPLE[:size])
        taken = reloader.by_save()
        assert isinstance(taken, Problem), f"{size} bytes were taken for a configuration"
        assert taken.code in ("config_invalid", "config_half_written")
        assert taken.remedy
    assert good.read_bytes() == SAMPLE, "nor are they kept as a good one"
    file.write_bytes(SAMPLE)
    assert not isinstance(reloader.by_save(), Problem)


def test_whoever_asks_gets_a_valid_file_as_it_is(file: Path) -> None:
    reloader = running(file)
    file.write_bytes(b"# nothing\nrules: []")
    half = reloader.by_save()
    assert isinstance(half, Problem)
    assert half.code == "config_half_written"
    assert "systemctl reload edgehome" in half.remedy
    asked = reloader.by_request()
    assert isinstance(asked, Config)
    assert asked.rules == ()
    assert isinstance(reloader.by_save(), Config), "what runs is no longer doubtful"


def test_a_mistake_is_told_with_its_place_and_what_runs_goes_on(file: Path) -> None:
    reloader = running(file)
    text = SAMPLE.replace(b"for: 1s", b"for: one second")
    line = text[: text.index(b"one second")].count(b"\n") + 1
    file.write_bytes(text)
    for taken in (reloader.by_save(), reloader.by_request()):
        assert isinstance(taken, Problem)
        assert taken.code == "config_invalid"
        assert f"{file}:{line}:" in taken.message
        assert "The one before it goes on." in taken.remedy


def test_a_file_that_is_gone_is_told_and_what_runs_goes_on(file: Path) -> None:
    reloader = running(file)
    file.unlink()
    taken = reloader.by_save()
    assert isinstance(taken, Problem)
    assert "No such file" in taken.message


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"a: 1\nb: 2", "does not end with a line break"),
        (b"a: 1\n", "is only the beginning of the one that runs"),
        (b"a: 1\nb: 2\n", ""),
        (b"a: 1\nb: 2\nc: 3\n", ""),
        (b"b: 2\n", ""),
        (b"a: 1\r\nb: 2\r\n", ""),
    ],
)
def test_what_looks_half_written(data: bytes, reason: str) -> None:
    assert half_written(data, b"a: 1\nb: 2\n") == reason


def test_a_file_that_runs_without_a_last_line_break_is_not_doubted() -> None:
    assert half_written(b"a: 1", b"a: 1") == ""
    assert half_written(b"a: 1\nb: 3", b"a: 1\nb: 2") == ""
    assert half_written(b"a: 1", b"a: 1\nb: 2") == "is only the beginning of the one that runs"


def config(**parts: object) -> Config:
    return replace(Config(), **parts)  # type: ignore[arg-type]


def rule(**parts: object) -> Rule:
    condition = ActivityCondition(activity=Activity("fall", ("fall",)))
    return Rule(name="Fall", when=AllCondition(conditions=(replace(condition, **parts),)))  # type: ignore[arg-type]


SOFT = [
    config(rules=(rule(),)),
    config(rules=(rule(above=0.9, at_least=AtLeast(2, 3)),)),
    config(events=EventsConfig(smoothing_s=3)),
    config(alerts=AlertsConfig(limit=3)),
    config(location=LocationConfig(52, 5)),
    config(teaching=TeachingConfig(last_s=9)),
    config(sha256="ab"),
]
HARD = [
    config(device=DeviceConfig(name="Other")),
    config(camera=CameraConfig(source="/dev/video0")),
    config(recognizer=RecognizerConfig(ensemble=2)),
    config(runtime=RuntimeConfig(threads=4)),
    config(motion=MotionConfig(gate=False)),
    config(mqtt=MqttConfig(host="other")),
    config(snapshots=SnapshotsConfig(enabled=True)),
    config(supervisor=SupervisorConfig(allow_reboot=True)),
    config(rules=(rule(look_back_s=3.0),)),
]


@pytest.mark.parametrize("new", SOFT)
def test_rules_and_what_only_they_need_leave_camera_model_and_connection_alone(new: Config) -> None:
    assert only_rules_differ(Config(), new)
    assert only_rules_differ(new, Config())


@pytest.mark.parametrize("new", HARD)
def test_what_worker_or_connection_are_made_from_makes_them_anew(new: Config) -> None:
    assert not only_rules_differ(Config(), new)
    assert not only_rules_differ(new, Config())


def test_every_part_of_the_file_is_one_or_the_other() -> None:
    changed = {
        field.name
        for new in (*SOFT, *HARD)
        for field in fields(Config)
        if getattr(new, field.name) != getattr(Config(), field.name)
    }
    assert changed == {field.name for field in fields(Config)}


def test_the_known_good_copy_is_what_a_save_is_held_against_when_the_file_was_wrong_at_the_start(
    file: Path,
) -> None:
    running(file)
    file.write_bytes(b"rules: [{name: x")
    loaded = load(file, file.parent / "state")
    assert loaded.problem
    assert loaded.data == SAMPLE
    file.write_bytes(SAMPLE[: SAMPLE.index(b"rules:")])
    taken = Reloader(file, file.parent / "state", Loaded(loaded.config, data=loaded.data)).by_save()
    assert isinstance(taken, Problem)
    assert taken.code == "config_half_written"
