"""What a home taught its node is a label like others, and losing it costs no other rule."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from command_line import ROOT, edgehome

from edgehome.config.conditions import ActivityCondition
from edgehome.configfile import ConfigInvalidError, check, load
from edgehome.labels import taught_in

BOX = ROOT / "models" / "edgehome-a0.tflite"
MODEL = f"recognizer: {{model: {BOX}}}\n"
TAUGHT = MODEL + "rules:\n- {name: A, when: dance}\n- {name: B, when: fall}\n"


def teach(state: Path, name: str = "dance", threshold: float | None = 0.35) -> Path:
    """Put a lesson's file where the daemon keeps it: with a head, or while it is too early."""
    folder = state / "taught"
    folder.mkdir(parents=True, exist_ok=True)
    head = {} if threshold is None else {"name": name, "threshold": threshold}
    file = folder / f"{name}.json"
    file.write_text(json.dumps({**head, "lesson": {"name": name}}))
    return file


def written(folder: Path, text: str = TAUGHT) -> Path:
    file = folder / "c.yaml"
    file.write_text(text)
    return file


def test_a_taught_activity_is_a_label_that_begins_at_its_own_threshold(tmp_path: Path) -> None:
    teach(tmp_path)
    config, errors = check(written(tmp_path), tmp_path)
    assert errors == []
    assert config
    dance = config.rules[0].when
    assert isinstance(dance, ActivityCondition)
    assert (dance.activity.labels, dance.above) == (("dance",), 0.35)


def test_one_that_is_not_learnt_yet_and_one_that_is_damaged_are_labels_too(tmp_path: Path) -> None:
    teach(tmp_path, "early", None)
    teach(tmp_path, "odd", 7.0)
    teach(tmp_path).write_bytes(b"\xff{")
    teach(tmp_path, "listed").write_text("[1]")
    assert taught_in(tmp_path) == {"dance": None, "early": None, "listed": None, "odd": None}
    assert check(written(tmp_path), tmp_path)[1] == []


def test_a_rule_on_what_nobody_taught_says_what_was_meant_or_how_to_teach_it(
    tmp_path: Path,
) -> None:
    (found,) = check(written(tmp_path), tmp_path)[1]
    assert found.message.endswith(
        "a label of the model; or teach it first: `edgehome teach dance --yes CLIP...`"
    )
    teach(tmp_path, "dances")
    (found,) = check(written(tmp_path), tmp_path)[1]
    assert found.message.endswith("; did you mean 'dances'?")


def test_check_and_packs_take_the_home_s_activities_by_its_state_folder(tmp_path: Path) -> None:
    file = written(tmp_path, MODEL + "rules: [{name: A, when: jogging}]\n")
    without = edgehome("check", file, "--state", tmp_path)
    assert without.returncode == 78
    assert "`edgehome teach jogging --yes CLIP...`" in without.stderr
    shown = ("packs", "show", "sport", "-c", file, "--state", tmp_path, "--json")
    assert json.loads(edgehome(*shown).stdout)["known"] == []
    teach(tmp_path, "jogging")
    teach(tmp_path, "shooting basketball")
    assert edgehome("check", file, "--state", tmp_path).returncode == 0
    assert json.loads(edgehome(*shown).stdout)["known"] == ["shooting basketball"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_said_and_labels_are_not_judged(tmp_path: Path) -> None:
    teach(tmp_path)
    (tmp_path / "taught").chmod(0)
    try:
        assert taught_in(tmp_path) is None
        done = edgehome("check", written(tmp_path), "--state", tmp_path)
    finally:
        (tmp_path / "taught").chmod(0o700)
    assert done.returncode == 0
    assert "use sudo" in done.stderr


def test_the_daemon_starts_although_all_that_was_taught_is_lost(tmp_path: Path) -> None:
    """Also where the folder went with the known-good copy: the rule is blind, the other works."""
    loaded = load(written(tmp_path), tmp_path / "lost")
    assert [rule.name for rule in loaded.config.rules] == ["A", "B"]
    assert loaded.problem
    assert loaded.problem.code == "config_invalid"
    assert "'dance' is neither" in loaded.problem.message
    assert not (tmp_path / "lost").exists()


def test_one_that_was_removed_since_costs_its_rule_alone_and_is_told(tmp_path: Path) -> None:
    lesson = teach(tmp_path)
    file = written(tmp_path)
    assert load(file, tmp_path).problem is None
    lesson.unlink()
    loaded = load(file, tmp_path)
    assert [rule.name for rule in loaded.config.rules] == ["A", "B"]
    assert loaded.problem
    assert "`edgehome teach dance --yes CLIP...`" in loaded.problem.message


def test_a_file_with_another_mistake_still_runs_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalidError):
        load(written(tmp_path, TAUGHT + "- {name: C, wen: fall}\n"), tmp_path / "lost")


def test_check_warns_of_a_rule_on_what_is_still_being_taught(tmp_path: Path) -> None:
    teach(tmp_path, threshold=None)
    done = edgehome("check", written(tmp_path), "--state", tmp_path)
    assert done.returncode == 0
    assert ":3:3: warning: rules: the rule 'A' waits for dance, which is still" in done.stderr
    assert done.stderr.count("warning") == 1


def test_check_warns_of_the_unusual_where_the_model_has_no_embedding(
    tmp_path: Path,
) -> None:
    rule = "rules: [{name: A, when: {unusual: once_a_week}}]\n"
    with_one = written(tmp_path, MODEL + rule)
    assert edgehome("check", with_one, "--state", tmp_path).stderr == ""
    bare = tmp_path / "bare.tflite"
    bare.write_bytes(BOX.read_bytes())
    manifest = json.loads(BOX.with_suffix(".json").read_text())
    del manifest["embedding"]
    bare.with_suffix(".json").write_text(json.dumps(manifest))
    without = written(tmp_path, f"recognizer: {{model: {bare}}}\n{rule}")
    done = edgehome("check", without, "--state", tmp_path)
    assert done.returncode == 0
    assert "the rule 'A' is never true: the model has no embedding" in done.stderr
