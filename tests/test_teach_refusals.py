"""`edgehome teach`: what is refused, in words, and what it leaves as it was."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from command_line import edgehome
from lessons import example, lesson

from edgehome.lessonstore import MOST_REMOVED, LessonStore, lesson_name
from edgehome.teaching.child import learn
from edgehome.teaching.lessonfile import decode_lesson, encode_lesson
from edgehome.types import Problem

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


def test_what_was_removed_is_kept_though_another_of_the_name_is_removed_after_it(
    home: Home,
) -> None:
    mine = home.put(SPACE)
    store = LessonStore(home.state)
    home.teach("dance", "--remove")
    other = encode_lesson(replace(lesson(1, 2), embedding=SPACE), None)
    for _ in range(2 * MOST_REMOVED):
        store.write("dance", other)
        home_removed = store.remove("dance")
        assert home_removed
        if store.restore("dance"):
            assert store.read("dance") == other
            (store.folder / "dance.json").unlink()
    assert store.restore("dance")
    assert store.read("dance") == mine
    for _ in range(2 * MOST_REMOVED):
        store.write("dance", other)
        store.remove("dance")
    assert len(list(store.folder.glob("dance.removed*"))) == MOST_REMOVED


def test_what_can_no_longer_be_undone_stays() -> None:
    """The last fifty changes can; the examples of those before are no reason to forget all."""
    taught, chance = lesson(1, 1), np.random.default_rng(3)
    for _ in range(60):
        added = taught.add([example(chance, shows=True)], "2026-11-23T10:00:00+00:00")
        assert not isinstance(added, Problem)
        taught = added
    job = {"name": "dance", "embedding": "made", "rate": 5.0, "moving_s_a_day": 7200.0}
    file = base64.b64encode(encode_lesson(taught, None)).decode()
    undos = [{"did": "undo"}] * (len(taught.steps) - 1)
    answer = learn({**job, "file": file, "changes": undos})
    assert answer["problem"] is None
    left = decode_lesson(base64.b64decode(answer["file"]), "dance")
    assert (len(left.steps), len(left.shown)) == (1, 62 - len(undos))
    again = learn({**job, "file": answer["file"], "changes": [{"did": "undo"}]})
    assert again["problem"][0] == "lesson_new"
    assert again["file"] == answer["file"]


def test_times_are_of_seconds_and_go_alone(home: Home) -> None:
    for span in ("22:14:03..22:15:04", "22:14..22:13"):
        done = home.teach("dance", "--yes", span)
        assert done.returncode == EX_USAGE
        assert "longer than a minute" in done.stderr
    mixed = home.teach("dance", "--yes", "22:14:03..22:14:09", home.clips / "room-day-fight.mp4")
    assert mixed.returncode == EX_USAGE
    assert "nothing was learnt" in mixed.stderr
    assert LessonStore(home.state).names() == []


def test_clips_of_one_name_in_several_folders_are_several(home: Home, tmp_path: Path) -> None:
    shown = []
    for number, name in enumerate(FIGHTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        shown.append(folder / "1.mp4")
        shown[-1].write_bytes((home.clips / f"{name}.mp4").read_bytes())
    calm = [home.clips / f"{name.replace('fight', 'walk')}.mp4" for name in FIGHTS]
    done = home.teach("scuffle", "--yes", *shown, "--no", *calm, "--json")
    assert json.loads(done.stdout)["says"].startswith("finds about")


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
