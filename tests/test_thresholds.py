"""Thresholds that the home has set: kept over restarts, until the file says otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgehome.config.types import Config, Rule
from edgehome.statefile import StateFile
from edgehome.thresholds import Thresholds, threshold_of
from tests.rules.scene import activity, rule


def adjustable(above: float = 0.6, name: str = "Fight", label: str = "slap") -> Rule:
    return rule(activity(label, above=above, below=above / 2), name, adjustable=True)


def made(folder: Path) -> Thresholds:
    memory = StateFile(folder / "state.json")
    memory.load()
    return Thresholds(memory)


def levels(config: Config) -> dict[str, float | None]:
    return {rule.name: threshold_of(rule) for rule in config.rules}


def test_a_threshold_that_was_set_outlives_the_process(tmp_path: Path) -> None:
    config = Config(rules=(adjustable(), adjustable(name="Fall")))
    assert levels(made(tmp_path).over(config)) == {"Fight": 0.6, "Fall": 0.6}
    made(tmp_path).set(config, "Fight", 0.75)
    after = made(tmp_path).over(config)
    assert levels(after) == {"Fight": 0.75, "Fall": 0.6}
    assert after.rules[0].when == activity("slap", above=0.75, below=0.375)
    assert after.rules[1] == config.rules[1]


def test_when_the_file_says_another_threshold_the_file_wins_for_good(tmp_path: Path) -> None:
    before, edited = Config(rules=(adjustable(),)), Config(rules=(adjustable(0.5),))
    made(tmp_path).set(before, "Fight", 0.75)
    assert levels(made(tmp_path).over(edited)) == {"Fight": 0.5}
    made(tmp_path).set(edited, "Fight", 0.55)
    assert levels(made(tmp_path).over(edited)) == {"Fight": 0.55}
    assert levels(made(tmp_path).over(before)) == {"Fight": 0.6}


@pytest.mark.parametrize(
    "other",
    [
        adjustable(label="kick"),
        replace(adjustable(), adjustable=False),
        adjustable(name="Another"),
    ],
)
def test_it_counts_only_for_the_rule_and_the_activity_that_it_was_set_for(
    tmp_path: Path, other: Rule
) -> None:
    made(tmp_path).set(Config(rules=(adjustable(),)), "Fight", 0.75)
    config = Config(rules=(other,))
    assert made(tmp_path).over(config) == config


def test_other_words_of_the_rule_do_not_undo_it(tmp_path: Path) -> None:
    made(tmp_path).set(Config(rules=(adjustable(),)), "Fight", 0.75)
    edited = replace(adjustable(), message="Look!", repeat_interval_s=1.0)
    assert levels(made(tmp_path).over(Config(rules=(edited,)))) == {"Fight": 0.75}


def test_set_to_what_the_file_says_it_is_no_longer_kept(tmp_path: Path) -> None:
    config = Config(rules=(adjustable(),))
    made(tmp_path).set(config, "Fight", 0.75)
    made(tmp_path).set(config, "Fight", 0.6)
    assert json.loads((tmp_path / "state.json").read_text()) == {"thresholds": {}}


def test_what_was_set_for_rules_that_are_gone_is_forgotten_with_the_next(tmp_path: Path) -> None:
    both = Config(rules=(adjustable(), adjustable(name="Fall")))
    made(tmp_path).set(both, "Fight", 0.75)
    made(tmp_path).set(Config(rules=(adjustable(name="Fall"),)), "Fall", 0.8)
    kept = json.loads((tmp_path / "state.json").read_text())["thresholds"]
    assert kept == {"Fall": {"of": ["slap", 0.6], "above": 0.8}}


def test_a_rule_without_a_slider_cannot_be_set(tmp_path: Path) -> None:
    config = Config(rules=(rule(),))
    made(tmp_path).set(config, "Fight", 0.75)
    assert made(tmp_path).over(config) == config
    assert levels(config) == {"Fight": None}


@pytest.mark.parametrize(
    "item",
    [
        "3", "null", "[]", "{}", '{"above": 0.7}', '{"of": 1, "above": 0.7}',
        '{"of": ["slap", 0.6], "above": 7.0}', '{"of": ["slap", 0.6], "above": "x"}',
        '{"of": ["slap", 0.6], "above": NaN}', '{"of": ["slap", 0.6], "above": 0.0}',
    ],
)  # fmt: skip
def test_a_broken_note_counts_as_none(tmp_path: Path, item: str) -> None:
    (tmp_path / "state.json").write_text(f'{{"thresholds": {{"Fight": {item}}}}}')
    config = Config(rules=(adjustable(),))
    assert made(tmp_path).over(config) == config
    (tmp_path / "state.json").write_text(f'{{"thresholds": {item}}}')
    assert made(tmp_path).over(config) == config
