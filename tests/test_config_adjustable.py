"""`adjustable: true`: which rules may have a slider, and what it sets."""

from __future__ import annotations

import pytest
from config_texts import errors_of, rule_of

from edgehome.config.adjusting import adjusted_activity, with_threshold
from edgehome.config.conditions import ActivityCondition, Condition, walk


def activities_of(when: Condition) -> list[ActivityCondition]:
    return [part for part in walk(when) if isinstance(part, ActivityCondition)]


def levels(when: Condition) -> list[tuple[float, float]]:
    return [(part.above, part.below) for part in activities_of(when)]


def test_a_rule_is_adjustable_only_where_the_file_says_so() -> None:
    assert not rule_of("when: slapping").adjustable
    assert rule_of("when: slapping, adjustable: true").adjustable


def test_a_set_threshold_takes_the_place_of_above_and_below_keeps_its_ratio() -> None:
    rule = rule_of("when: slapping, above: 0.6, below: 0.3, for: 2s, adjustable: true")
    changed = with_threshold(rule, 0.8)
    assert levels(changed.when) == [(0.8, 0.4)]
    assert (changed.name, changed.when.for_s) == (rule.name, 2.0)
    assert levels(with_threshold(rule, 0.6).when) == [(0.6, 0.3)]
    assert with_threshold(rule, 0.6) == rule


def test_of_several_activities_the_first_that_is_waited_for_is_set_and_no_other() -> None:
    rule = rule_of(
        "when: [{none: [slapping]}, {any: [{then: [fall, fall]}, person]}], adjustable: true"
    )
    before = levels(rule.when)
    assert before == [(0.6, 0.4), (0.83, 0.553333), (0.83, 0.553333), (0.7, 0.466667)]
    after = levels(with_threshold(rule, 0.5).when)
    assert after == [before[0], (0.5, 0.333333), *before[2:]]
    found = adjusted_activity(rule.when)
    assert found
    assert found.activity.name == "fall"


@pytest.mark.parametrize(
    "body",
    [
        "when: {motion: 0.1}, adjustable: true",
        "when: [{camera: covered}, {between: 22:00-06:00}], adjustable: true",
        "when: [{motion: 0.1}, {none: [slapping]}], adjustable: true",
    ],
)
def test_a_slider_for_a_rule_without_an_activity_is_refused_with_what_to_do(body: str) -> None:
    (error,) = errors_of(f"rules: [{{name: A, {body}}}]")
    assert "rules.0.adjustable: needs an activity" in error
    assert "leave it out" in error


def test_a_slider_that_could_not_show_what_the_file_says_is_refused_with_what_to_do() -> None:
    (error,) = errors_of("rules: [{name: A, when: slapping, above: 0.03, adjustable: yes}]")
    assert "rules.0.adjustable: goes from 0.05 to 1, and slapping begins at 0.03" in error
    assert errors_of("rules: [{name: A, when: slapping, above: 0.05, adjustable: yes}]") == []
