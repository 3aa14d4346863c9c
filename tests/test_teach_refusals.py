"""`edgehome teach`: what is refused, in words, and what it leaves as it was."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from command_line import edgehome
from lessons import lesson

from edgehome.lessonstore import LessonStore, lesson_name
from edgehome.teaching.lessonfile import encode_lesson

EX_USAGE, EX_DATAERR = 64, 65
SPACE = "movinet-a0-kinetics600"
FIGHTS = ("room-day-fight", "room-night-fight", "porch-night-fight")


class Home:
    """A state folder, a configuration of the box's model, and rendered clips."""

    def __init__(self, folder: Path, model: Path, clips: Path) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        self.config = folder / "config.yaml"
        self.config.write_text(
            f"recognizer: {{model: {model}}}\nrules: [{{name: A, when: dance, above: 0.5}}]\n"
        )
        self.clips = clips

    def teach(self, *arguments: object) -> CompletedProcess[str]:
        return edgehome("teach", *arguments, "-c", self.config, "--state", self.state)

    def put(self, space: str, name: str = "dance") -> bytes:
        data = encode_lesson(replace(lesson(2, 1, name=name), embedding=space), None)
        store = LessonStore(self.state)
        with store.locked():
            store.write(name, data)
        return data


@pytest.fixture
def home(tmp_path: Path, box_model: Path, rendered: Path) -> Home:
    return Home(tmp_path, box_model, rendered)


def test_an_import_never_replaces_what_was_taught_here(home: Home, tmp_path: Path) -> None:
    before = home.put(SPACE)
    copy = tmp_path / "copy.json"
    assert home.teach("dance", "--export", copy).returncode == 0
    assert copy.stat().st_mode & 0o777 == 0o600
    refused = home.teach("dance", "--import", copy)
    assert refused.returncode == EX_USAGE
    assert "taught here already" in refused.stderr
    assert "--remove" in refused.stderr
    assert LessonStore(home.state).read("dance") == before


def test_what_was_taught_to_another_model_is_told_wherever_it_is_named(
    home: Home, tmp_path: Path
) -> None:
    home.put("another-space")
    listed = home.teach("--list")
    assert "taught to another model" in listed.stdout
    checked = edgehome("check", home.config, "--state", home.state)
    assert "never true while this model is at work: dance was taught to another one" in (
        checked.stderr
    )
    clip = home.clips / "porch-day-walk.mp4"
    played = edgehome("replay", clip, "-c", home.config, "--state", home.state)
    assert "note: dance was taught to another model" in played.stderr
    copy = tmp_path / "copy.json"
    home.teach("dance", "--export", copy)
    refused = home.teach("waltz", "--import", copy)
    assert refused.returncode != 0
    assert "taught to another model (another-space)" in refused.stderr
    assert home.teach("waltz", "--list").stdout == "Nobody has taught waltz yet.\n"


@pytest.mark.parametrize("name", ["unusual", "motion", "normal", "violence", "any"])
def test_a_name_that_means_something_else_in_rules_cannot_be_taught(home: Home, name: str) -> None:
    done = home.teach(name, "--yes", home.clips / "room-day-fight.mp4")
    assert done.returncode == EX_USAGE
    assert "means something else in rules" in done.stderr
    assert f"my_{name}" in done.stderr


def test_a_condition_s_word_in_a_rule_s_place_is_no_activity_to_be_taught(home: Home) -> None:
    home.config.write_text(home.config.read_text().replace("when: dance", "when: unusual"))
    done = edgehome("check", home.config, "--state", home.state)
    assert "as a condition write `unusual:`" in done.stderr
    assert "edgehome teach" not in done.stderr


@pytest.mark.parametrize("part", ["@9-3", "@3-3", "@1", "@-1-2", "@00:01-00:02"])
def test_a_part_that_is_none_is_told_as_one(home: Home, part: str) -> None:
    done = home.teach("dance", "--yes", f"{home.clips / 'room-day-fight.mp4'}{part}")
    assert done.returncode == EX_USAGE
    assert f"'{part[1:]}' is no part of" in done.stderr
    assert "CLIP@START-END" in done.stderr


def test_the_same_clip_again_is_no_other_example_and_one_clip_tells_nothing_of_others(
    home: Home,
) -> None:
    fight, walk = home.clips / "room-day-fight.mp4", home.clips / "room-day-walk.mp4"
    calm = home.clips / "porch-day-walk.mp4"
    done = home.teach("scuffle", "--yes", fight, fight, fight, "--no", walk, calm, "--json")
    assert json.loads(done.stdout)["shown"] == 1
    again = home.teach("scuffle", "--yes", fight)
    assert again.returncode == EX_DATAERR
    assert "was shown to scuffle before" in again.stderr
    parts = [f"{fight}@{start}-{start + 2}" for start in (0, 2, 4)]
    more = [home.clips / f"{name}-walk.mp4" for name in ("room-night", "porch-night")]
    one = home.teach("tussle", "--yes", *parts, "--no", walk, calm, *more, "--json")
    assert "how well it finds others cannot be told" in json.loads(one.stdout)["says"]


def test_a_broken_file_is_listed_and_left_where_it_is(home: Home) -> None:
    home.put(SPACE)
    file = home.state / "taught" / "dance.json"
    file.write_bytes(b"{")
    done = home.teach("--list")
    assert done.returncode == EX_DATAERR
    assert "set aside" not in done.stderr
    assert file.exists()


def test_an_endless_import_is_read_no_further_than_a_lesson_can_be(home: Home) -> None:
    if not Path("/dev/zero").exists() or not os.access("/dev/zero", os.R_OK):
        pytest.skip("no /dev/zero")
    assert home.teach("dance", "--import", "/dev/zero").returncode == EX_DATAERR


def test_letters_with_marks_become_plain_ones_and_none_is_dropped() -> None:
    assert lesson_name("Über die große Mauer") == "uber_die_grosse_mauer"
