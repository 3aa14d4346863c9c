"""config.yaml: every mistake at once, each with its place, and never a traceback."""

from __future__ import annotations

import random
import time
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

import pytest

from edgehome.config.reader import ConfigError, read
from edgehome.config.types import Between, Config, MqttConfig, RecognizerConfig, Rule
from edgehome.configfile import GOOD_COPY, ConfigInvalidError, check, load
from edgehome.types import Severity

ROOT = Path(__file__).resolve().parents[1]
LABELS = ("wrestling", "slapping", "headbutting", "arm wrestling", "punching person (boxing)")
LABELS += ("fall", "fighting", "person")


def errors_of(text: str, labels: Collection[str] | None = LABELS) -> list[str]:
    config, errors = read(
        text.encode(), file="c.yaml", folder=Path("/etc"), labels_of=lambda _: labels
    )
    assert (config is None) == bool(errors)
    return [str(error) for error in errors]


def config_of(text: str) -> Config:
    config, errors = read(
        text.encode(), file="c.yaml", folder=Path("/etc"), labels_of=lambda _: LABELS
    )
    assert config, errors
    return config


def test_an_empty_file_is_the_defaults() -> None:
    config = config_of("")
    assert config.recognizer.model == Path("/etc/models/edgehome-a0.tflite")
    assert config == config_of("camera:\nrules:\n")
    assert config.rules == ()


def test_the_sample_is_right_and_names_every_key() -> None:
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    config = config_of(text)
    assert config.rules[0].severity is Severity.CRITICAL
    from edgehome.config.reader import _options

    for kind in (
        Rule,
        RecognizerConfig,
        MqttConfig,
        *map(type, (config.device, config.camera, config.events, config.supervisor)),
    ):
        for key in _options(kind):
            assert f"{key}:" in text, f"the sample does not show {key}"


def test_what_the_sample_comments_out_is_right_too() -> None:
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    lines = [
        line.replace("# ", "", 1)
        if line.lstrip().startswith("# ")
        and (":" in line.split()[1] or line.split()[1] == "-" or "#   " in line)
        else line
        for line in text.splitlines()
    ]
    kept = [
        line
        for line in lines
        if not line.startswith(("edgehome:", "    edgehome", "    system", "All keys"))
    ]
    config = config_of("\n".join(kept))
    assert config.mqtt.tls
    assert config.rules[2].between
    assert config.recognizer.delegate == "libedgetpu.so.1"
    assert config.supervisor.allow_reboot is False
    assert config.device.id == "front_door"


def test_every_mistake_is_told_at_once_in_order_with_its_place() -> None:
    found = errors_of(
        "device: {nam: x}\n"
        "recognizer:\n  window: 10\n"
        "rules:\n"
        "  - name: A\n    when: wrestlin\n    for: 2\n    above: 80%\n"
        "  - name: B\n    when: slapping\n    below: 0.9\n"
        "mqtt: {port: 0, host: 'mqtt://ha.local'}\n"
    )
    assert found == [
        "c.yaml:1:10: device.nam: is not known here; did you mean 'name'?",
        "c.yaml:3:11: recognizer.window: needs a unit; did you mean '10s'?",
        "c.yaml:6:11: rules.0.when: 'wrestlin' is neither an activity nor a label of the model; "
        "did you mean 'wrestling'?",
        "c.yaml:7:10: rules.0.for: needs a unit; did you mean '2s'?",
        "c.yaml:8:12: rules.0.above: is between 0 and 1; did you mean 0.8?",
        "c.yaml:11:12: rules.1.below: 0.9 is higher than above, 0.6",
        "c.yaml:12:14: mqtt.port: '0' is out of range; 1 to 65535",
        "c.yaml:12:23: mqtt.host: is a name or an address only; did you mean 'ha.local'?",
    ]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("rules:\n\t- name: x", "2:1", "a tab; indent with spaces"),
        ("a: b: c", "1:5", "a second ':'"),
        ("camera: [pi]", "1:9", "must be keys with values, not a list"),
        ("camera:\n  source: [pi]", "2:11", "must be a single value, not a list"),
        ("- a", "1:1", "must be keys with values, not a list"),
        ("camera: {source: pi}\ncamera: {source: pi}", "2:1", "stands twice; first in line 1"),
        ("a: &x 1\nb: *x", "1:4", "anchors"),
        ("device: {}\n---\ndevice: {}", "2:1", "more than one document"),
        ("rules: [{when: slapping}]", "1:9", "is missing"),
        ("rules: [{name: A, when: slapping}, {name: A, when: slapping}]", "1:36", "another rule"),
        ("activities: {fight: [slapin]}", "1:22", "did you mean 'slapping'?"),
        ("activities: {fight: []}", "1:21", "needs 1 to 200 labels"),
        ("rules: [{name: A, when: slapping, message: '{rule.__class__}'}]", "1:44", "no field"),
        ("rules: [{name: A, when: slapping, message: '{score:99999999}'}]", "1:44", "not a format"),
        ("rules: [{name: A, when: slapping, message: '{'}]", "1:44", "brace"),
        ("rules: [{name: A, when: slapping, severity: high}]", "1:45", "info, warning, critical"),
        ("rules: [{name: A, when: slapping, between: 25:00-06:00}]", "1:44", "not a time of day"),
        ("rules: [{name: A, when: slapping, for: 3 sec}]", "1:40", "not a unit of time"),
        ("camera: {source: 'ftp://x/y'}", "1:18", "does not know ftp://"),
        ("mqtt: {tls: maybe}", "1:13", "neither true nor false"),
        ("recognizer: {ensemble: 0}", "1:24", "'0' is out of range; 1 to 4"),
        ("recognizer: {ensemble: 1.5}", "1:24", "whole number"),
        ("rules: [{name: A, when: slapping, window: 3}]", "1:43", "did you mean '3s'?"),
        ("rules: [{name: A, when: slapping, window: 0s}]", "1:43", "500ms to 60s"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: str, words: str) -> None:
    found = errors_of(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"c.yaml:{place}: ")
    assert words in found[0]


def test_labels_are_not_checked_when_the_model_is_not_there() -> None:
    assert errors_of("rules: [{name: A, when: flying}]", labels=None) == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("pi", "pi"),
        ("/dev/video0", "/dev/video0"),
        ("rtsp://user:secret@host/stream", "rtsp://user:secret@host/stream"),
        ("clips/door.mp4", "/etc/clips/door.mp4"),
    ],
)
def test_a_clip_as_a_camera_is_relative_to_the_file_too(written: str, meant: str) -> None:
    assert config_of(f"camera: {{source: '{written}'}}").camera.source == meant


def test_a_rule_may_look_back_less_far_than_the_recogniser_but_not_further() -> None:
    rules = "rules: [{name: A, when: slapping, window: 3s}, {name: B, when: slapping}]"
    config = config_of(f"recognizer: {{window: 3s, ensemble: 2}}\n{rules}")
    assert [rule.window_s for rule in config.rules] == [3.0, None]
    assert config.recognizer.ensemble == 2
    assert errors_of(f"recognizer: {{window: 2s}}\n{rules}") == [
        "c.yaml:2:43: rules.0.window: 3s is longer than recognizer.window, 2s"
    ]
    assert errors_of(rules.replace("3s", "11s")) == [
        "c.yaml:1:43: rules.0.window: 11s is longer than recognizer.window, 10s"
    ]
    # The recogniser's section may stand behind the rules.
    assert config_of(f"{rules.replace('3s', '12s')}\nrecognizer: {{window: 20s}}")


def test_below_follows_above_when_it_is_left_out() -> None:
    rule = config_of("rules: [{name: A, when: slapping, above: 0.3}]").rules[0]
    assert rule.below == pytest.approx(0.2)


def test_times_and_words_are_not_what_yaml_makes_of_them() -> None:
    config = config_of(
        "device: {name: no}\nrules: [{name: on, when: slapping, between: 22:00-06:00}]"
    )
    assert config.device.name == "no"
    assert str(config.rules[0].between) == "22:00-06:00"


@pytest.mark.parametrize(
    ("span", "clock", "inside"),
    [
        ("22:00-06:00", "21:59", False),
        ("22:00-06:00", "22:00", True),
        ("22:00-06:00", "05:59", True),
        ("22:00-06:00", "06:00", False),
        ("09:00-17:00", "12:00", True),
        ("09:00-17:00", "17:00", False),
    ],
)
def test_a_schedule_holds_from_its_start_to_before_its_end(
    span: str, clock: str, inside: bool
) -> None:
    assert (datetime.fromisoformat(f"2026-01-01T{clock}:00+01:00") in Between.parse(span)) is inside


@pytest.mark.parametrize("size", [100_000, 10_000_000])
def test_a_deep_or_a_large_file_is_refused_within_a_second(size: int) -> None:
    began = time.perf_counter()
    assert len(errors_of("[" * size)) == 1
    assert len(errors_of("[" * 60_000)) == 1
    assert time.perf_counter() - began < 1


def test_no_mutation_of_the_sample_gives_more_than_sentences() -> None:
    sample = bytearray((ROOT / "config.yaml").read_bytes())
    chance = random.Random(1)
    for _ in range(300):
        data = bytearray(sample)
        for _ in range(chance.randint(1, 8)):
            place = chance.randrange(len(data))
            data[place : place + chance.randint(0, 4)] = chance.randbytes(chance.randint(0, 4))
        config, errors = read(
            bytes(data), file="c.yaml", folder=Path("/etc"), labels_of=lambda _: LABELS
        )
        assert (config is None) == bool(errors)
        assert all(isinstance(e, ConfigError) and e.line >= 1 and e.column >= 1 for e in errors)


def test_a_file_that_is_missing_or_not_text_is_a_mistake_too(tmp_path: Path) -> None:
    _, errors = check(tmp_path / "none.yaml")
    assert "No such file" in str(errors[0])
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"device:\n  name: \xff\xfe\n")
    _, errors = check(binary)
    assert str(errors[0]).endswith("b.yaml:2:9: is not UTF-8 text")


def test_the_last_known_good_copy_runs_when_the_file_is_wrong(tmp_path: Path) -> None:
    file, state = tmp_path / "config.yaml", tmp_path / "state"
    state.mkdir()
    file.write_text("device: {name: Porch}\nrecognizer: {model: m.tflite}\n")
    assert load(file, state).problem is None
    file.write_text("device: {nane: Porch}\n")
    loaded = load(file, state)
    assert loaded.config.device.name == "Porch"
    assert loaded.config.recognizer.model == tmp_path / "m.tflite"
    assert loaded.problem
    assert loaded.problem.code == "config_invalid"
    assert "did you mean 'name'?" in loaded.problem.message
    (state / GOOD_COPY).unlink()
    with pytest.raises(ConfigInvalidError):
        load(file, state)
