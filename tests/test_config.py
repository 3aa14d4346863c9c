"""config.yaml: every mistake at once, each with its place, and never a traceback."""

from __future__ import annotations

import hashlib
import time
from dataclasses import fields
from datetime import datetime
from pathlib import Path

import pytest
import yaml
from config_texts import ROOT, config_of, errors_of, examine_text, sample, whole_sample

from edgehome.config import document
from edgehome.config.condition_reader import COMMON
from edgehome.config.conditions import CONDITIONS, Between, walk
from edgehome.config.nodes import options_of
from edgehome.config.types import Config, Rule, RuntimeConfig
from edgehome.configfile import GOOD_COPY, ConfigInvalidError, check, load
from edgehome.types import Delegate, Severity


def test_an_empty_file_is_the_defaults() -> None:
    config = config_of("")
    assert config.recognizer.model == Path("/etc/models/edgehome-a0.tflite")
    assert config.rules == ()
    same = config_of("camera:\nrules:\n")
    assert [getattr(config, f.name) for f in fields(Config) if f.name != "sha256"] == [
        getattr(same, f.name) for f in fields(Config) if f.name != "sha256"
    ]


def test_a_configuration_knows_the_hash_of_its_file() -> None:
    text = "device: {name: Porch}\n"
    assert config_of(text).sha256 == hashlib.sha256(text.encode()).hexdigest()


def sections() -> dict[str, type]:
    return {f.name: f.metadata["section"] for f in fields(Config) if "section" in f.metadata}


def keys_of(text: str) -> set[tuple[str, str]]:
    """Return each key of a file with the key of what it stands in."""
    found = set()

    def take(node: object, parent: str) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                found.add((parent, str(key)))
                take(value, str(key))
        if isinstance(node, list):
            for item in node:
                take(item, parent)

    take(yaml.load(text, Loader=yaml.BaseLoader), "")
    return found


def test_the_sample_is_right_and_shows_every_key_where_it_belongs() -> None:
    assert config_of(sample()).rules[0].severity is Severity.CRITICAL
    shown = keys_of(whole_sample())
    wanted = {("", name) for name in (*sections(), "activities", "rules")}
    wanted |= {(name, key) for name, kind in sections().items() for key in options_of(kind)}
    wanted |= {("rules", key) for key in ("when", *options_of(Rule), *COMMON)}
    wanted |= {("rules", key) for key in ("above", "below", "look_back")}
    assert wanted - shown == set()
    everywhere = {key for _, key in shown}
    assert {*CONDITIONS, "gap", "offset"} - everywhere == set()


def test_what_the_sample_comments_out_is_right_too() -> None:
    config = config_of(whole_sample())
    assert config.runtime == Config().runtime
    assert config.supervisor.allow_reboot is False
    assert config.device.id == "front_door"
    assert len(config.rules) == 6
    kinds = {type(inner) for rule in config.rules for inner in walk(rule.when)}
    assert kinds >= set(CONDITIONS.values())


def test_the_sample_shows_defaults_where_it_says_so() -> None:
    config, default = config_of(whole_sample()), Config()
    assert config.alerts == default.alerts
    assert config.events == default.events
    assert config.motion.gate == default.motion.gate
    assert config.motion.threshold == default.motion.threshold
    recognizer, usual = config.recognizer, default.recognizer
    for name in ("window_s", "ensemble"):
        assert getattr(recognizer, name) == getattr(usual, name)
    mqtt = {f.name for f in fields(config.mqtt)} - {"host", "username", "password_file", "ca_file"}
    for name in mqtt:
        assert getattr(config.mqtt, name) == getattr(default.mqtt, name)


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
        "c.yaml:6:11: rules.0.when: 'wrestlin' is neither an activity, a pack nor a label of the "
        "model; did you mean 'wrestling'?",
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
        ("a:\n  b: 1\n c: 2", "3:2", "wrong indentation"),
        ("- a\nb: c", "2:1", "wrong indentation"),
        ("a: 'b", "1:6", "the file ends before a quote or a bracket is closed"),
        ("a: @b", "1:4", "put quotes around a text that begins with @"),
        ("a: !b c", "1:4", "tags"),
        ("? [a]\n: b", "1:3", "a key must be a plain word"),
        ("a: b\x07", "1:5", "cannot be printed"),
        ("a: b\u2028c", "1:5", "cannot be printed"),
        ("camera: [pi]", "1:9", "must be keys with values, not a list"),
        ("camera:\n  source: [pi]", "2:11", "must be a single value, not a list"),
        ("- a", "1:1", "must be keys with values, not a list"),
        ("camera: {source: pi}\ncamera: {source: pi}", "2:1", "stands twice; first in line 1"),
        ("a: &x 1\nb: *x", "1:4", "anchors"),
        ("device: {}\n---\ndevice: {}", "2:1", "more than one document"),
        ("camera: {source: 'ftp://x/y'}", "1:18", "does not know ftp://"),
        ("mqtt: {tls: maybe}", "1:13", "neither true nor false"),
        ("recognizer: {ensemble: 0}", "1:24", "'0' is out of range; 1 to 4"),
        ("recognizer: {ensemble: 1.5}", "1:24", "whole number"),
        ("recognizer: {model: ~nobody-of-that-name/m}", "1:21", "no such user's home folder"),
        (f"device: {{name: {'x' * 2000}}}", "1:16", "is 2000 characters long"),
        ("location: {latitude: 91, longitude: 5}", "1:22", "'91' is out of range; -90 to 90"),
        ("location: {latitude: 52.1}", "1:11", "needs both, latitude and longitude"),
        ("location: {latitude: north, longitude: 5}", "1:22", "'north' is not a number"),
        ("motion: {threshold: 5%}", "1:21", "did you mean 0.05?"),
        ("motion: {ignore: [[0, 0], [1, 0], [1, 1]]}", "1:19", "needs 3 to 100 items, not 2"),
        ("motion: {ignore: [[[0, 0], [1, 0], [1, x]]]}", "1:40", "'x' is not a number"),
        ("motion: {ignore: trees}", "1:18", "must be a list, not a single value"),
        ("alerts: {limit: 0}", "1:17", "1 to 1000"),
        ("alerts: {limits: 3}", "1:10", "did you mean 'limit'?"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: str, words: str) -> None:
    found = errors_of(text)
    if "ignore: [[0" in text:  # each point is told, the first here
        found = found[:1]
    assert len(found) == 1, found
    assert found[0].startswith(f"c.yaml:{place}: ")
    assert words in found[0]


@pytest.mark.parametrize("loader", ["BaseLoader", "CBaseLoader"])
def test_both_of_yaml_s_parsers_give_the_same_tree_and_the_same_words(
    loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where PyYAML was built without libyaml, its own parser reads the file."""
    if not hasattr(yaml, loader):
        pytest.skip("PyYAML was built without libyaml")
    expected = document.parse(sample().encode())
    monkeypatch.setattr(document, "LOADER", getattr(yaml, loader))
    assert document.parse(sample().encode()) == expected
    assert errors_of("rules:\n\t- x") == ["c.yaml:2:1: a tab; indent with spaces"]
    assert errors_of("a:\n  b: 1\n c: 2") == [
        "c.yaml:3:2: wrong indentation: in line neither with the keys above nor with a list"
    ]


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


def test_polygons_are_points_from_the_top_left() -> None:
    config = config_of(
        "motion: {ignore: [[[0, 0], [0.3, 0], [0.3, 0.4]], [[1, 1], [0, 1], [0, 0]]]}"
    )
    assert config.motion.ignore == (
        ((0, 0), (0.3, 0), (0.3, 0.4)),
        ((1, 1), (0, 1), (0, 0)),
    )


def test_times_and_words_are_not_what_yaml_makes_of_them() -> None:
    config = config_of("device: {name: no}\nrules: [{name: on, when: {between: 22:00-06:00}}]")
    assert config.device.name == "no"
    assert config.rules[0].name == "on"


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


@pytest.mark.parametrize("text", ["[" * 100_000, "a" * 10_000_000, "- " * 100_000, "{a: " * 60_000])
def test_a_deep_or_a_large_file_is_refused_within_a_second(text: str) -> None:
    began = time.perf_counter()
    assert len(errors_of(text)) == 1
    assert time.perf_counter() - began < 1


def test_a_file_of_the_greatest_size_is_read_in_seconds_and_its_mistakes_too() -> None:
    began = time.perf_counter()
    rules = "".join(
        f"- {{name: rule {n}, when: [wrestlin, between: 2:0-06:00], fro: 2s}}\n"
        for n in range(1000)
    )
    assert len(errors_of(f"rules:\n{rules}")) == 3000
    large = "activities:\n" + "".join(f"  a{n}: [wrestlin, slapin]\n" for n in range(8_000))
    assert len(large) > 200_000
    assert len(errors_of(large)) == 16_000
    assert time.perf_counter() - began < 10


def test_a_file_that_is_missing_or_not_text_is_a_mistake_too(tmp_path: Path) -> None:
    _, errors = check(tmp_path / "none.yaml")
    assert "No such file" in str(errors[0])
    _, errors = check(tmp_path)
    assert "Is a directory" in str(errors[0])
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"device:\n  name: \xff\xfe\n")
    _, errors = check(binary)
    assert str(errors[0]).endswith("b.yaml:2:9: is not UTF-8 text")


def test_a_mark_of_byte_order_is_not_part_of_the_text() -> None:
    assert examine_text(b"\xef\xbb\xbfdevice: {name: x}").config
    errors = examine_text(b"\xef\xbb\xbfdevice: \xff").errors
    assert (errors[0].line, errors[0].column) == (1, 9)


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
    assert "1 mistake in" in loaded.problem.message
    assert "did you mean 'name'?" in loaded.problem.message
    (state / GOOD_COPY).unlink()
    with pytest.raises(ConfigInvalidError):
        load(file, state)


def test_a_pack_in_the_last_known_good_copy_holds_the_labels_of_the_model_alone(
    tmp_path: Path, box_model: Path
) -> None:
    file, state = tmp_path / "config.yaml", tmp_path / "state"
    state.mkdir()
    text = f"recognizer: {{model: {box_model}}}\nrules: [{{name: Fight, when: violence}}]\n"
    file.write_text(text)
    before = load(file, state).config
    file.write_text(text.replace("name: Fight", "nane: Fight"))
    loaded = load(file, state)
    assert loaded.problem
    assert loaded.config == before


def test_the_sample_of_the_box_is_right_for_the_model_of_the_box() -> None:
    config, errors = check(ROOT / "config.yaml")
    assert config, errors


def test_what_the_model_runs_on_has_a_section_and_the_old_places_lead_there() -> None:
    runtime = config_of(
        "runtime: {delegate: cpu, threads: 3, rate: 2.5, library: /a/b.so}\n"
    ).runtime
    assert runtime == RuntimeConfig(Delegate.CPU, "/a/b.so", 3, 2.5)
    assert config_of("runtime: {threads: auto, rate: auto}\n").runtime == RuntimeConfig()
    assert errors_of("recognizer: {threads: 2, delegate: libedgetpu.so.1}\n") == [
        "c.yaml:1:14: recognizer.threads: is now runtime.threads",
        "c.yaml:1:26: recognizer.delegate: is now runtime.delegate (auto, edgetpu or cpu), its "
        "file runtime.library",
    ]
    assert errors_of("runtime: {delegate: edge, threads: 17}\n") == [
        "c.yaml:1:21: runtime.delegate: 'edge' is not one of auto, edgetpu, cpu; "
        "did you mean 'edgetpu'?",
        "c.yaml:1:36: runtime.threads: '17' is out of range; 1 to 16; or auto",
    ]
