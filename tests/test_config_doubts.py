"""Warnings about rules that are right: they can never fire, tell nothing new, or are mistaken."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from config_texts import config_of, warnings_of

from edgehome.config import moments
from edgehome.config.conditions import Between
from edgehome.config.never import span
from edgehome.config.shadows import shadowed
from edgehome.types import Mode

HERE = "location: {latitude: 52.1, longitude: 5.2}\n"


def of_rule(body: str, before: str = HERE) -> list[str]:
    """Return the warnings about one rule, whose body begins in the third line at column 1."""
    return warnings_of(f"{before}rules:\n- {{name: A,\n{body}}}")


@pytest.mark.parametrize(
    ("body", "column", "words"),
    [
        ("when: [fall, between: 08:00-12:00, between: 12:00-14:00]", 7,
         "`between: 08:00-12:00` and `between: 12:00-14:00` never hold at the same time"),
        ("when: [fall, between: 23:00-06:00, between: 07:00-22:00]", 7, "never hold at the same"),
        ("when: [fall, weekdays: mon-fri, weekdays: [sat, sun]]", 7,
         "`weekdays: mon, tue, wed, thu, fri` and `weekdays: sat, sun` never hold"),
        ("when: [fall, armed: away, armed: [home, night]]", 7,
         "`armed: away` and `armed: home, night` never hold"),
        ("when: [fall, sun: after sunset, {sun: after sunrise, offset: 1h}]", 7,
         "`sun: after sunset` and `sun: after sunrise` never hold"),
        ("when: [fall, all: [between: 08:00-12:00], any: [between: 12:00-13:00, armed: home], "
         "armed: away]", 7, "no moment in common"),
        ("when: [fall, none: [armed: any]]", 14, "something of what it excludes always holds"),
        ("when: [fall, none: [between: 08:00-20:00, between: 20:00-08:00]]", 14, "always holds"),
        ("when: [fall, none: [fall]]", 7, "`none` excludes `fall`, which is asked for too"),
        ("when: [{activity: fall, for: 2s}, none: [person, {activity: fall, above: 0.8}]]",
         7, "`none` excludes `fall`"),
        ("when: [fall, between: 08:00-09:00], for: 1h", 7,
         "`for` asks for 1h, and it holds for 60 min at most"),
        ("when: [fall, {between: 23:00-01:00, for: 2h}]", 14, "it holds for 120 min at most"),
        ("when: {then: [fall, all: [armed: home, armed: away]]}", 21, "never hold at the same"),
        ("when: {all: [fall]}, for: 30s, count: 4, window: 1m", 7,
         "4 times with `for: 30s` take longer than `window: 1m`"),
    ],
)  # fmt: skip
def test_a_rule_that_can_never_fire_is_told_with_the_place_of_the_reason(
    body: str, column: int, words: str
) -> None:
    found = of_rule(body)
    assert len(found) == 1, found
    assert found[0].startswith(f"c.yaml:4:{column}: warning: rules.0.when")
    assert "the rule 'A' can never fire: " in found[0]
    assert words in found[0]


@pytest.mark.parametrize(
    "body",
    [
        "when: [fall, between: 08:00-12:00, between: 11:59-14:00]",
        "when: [fall, between: 23:00-06:00, weekdays: sat]",
        "when: [fall, armed: [home, away], armed: [away, night]]",
        "when: [fall, sun: after sunset, {sun: after sunrise, offset: -1h}]",
        "when: [fall, sun: after sunset, sun: before sunrise]",
        "when: [fall, none: [sun: after sunset]]",
        "when: [fall, none: [{activity: fall, above: 0.9}]]",
        "when: [{activity: fall, at_least: 3 of 5}, none: [fall]]",
        "when: [fall, none: [{activity: fall, for: 5s}]]",
        "when: [fall, none: [{armed: any, for: 5s}]]",
        "when: [fall, between: 08:00-09:00], for: 59m",
        "when: [fall, {between: 08:00-09:00, count: 1, window: 5h}], for: 2h",
        "when: [fall, between: 08:00-20:00, {any: [between: 20:00-08:00, person]}]",
        "when: [fall, any: [weekdays: sat, weekdays: sun]], for: 24h",
        "when: {then: [between: 08:00-09:00, between: 09:00-10:00]}",
        "when: [armed: disarmed, fall]",
        "when: [{activity: fall}], for: 30s, count: 3, window: 1m",
    ],
)
def test_a_rule_that_can_fire_is_not_doubted(body: str) -> None:
    assert of_rule(body) == []


def test_a_part_that_can_never_hold_is_told_although_the_rule_can_fire() -> None:
    (found,) = of_rule("when: {any: [fall, all: [weekdays: mon, weekdays: tue]]}")
    assert found == (
        "c.yaml:4:20: warning: rules.0.when.any.1: can never hold: `weekdays: mon` and "
        "`weekdays: tue` never hold at the same time"
    )


@pytest.mark.parametrize(
    ("weights", "above", "reach"),
    [
        ("{slapping: 0.5, wrestling: 0.3}", 0.6, "0.5"),
        ("{fall: 0.2, person: 0.3, slapping: 0.2}", 0.71, "0.7"),
        ("{slapping: 0.5, wrestling: 0.3}", 0.5, None),
        ("{fall: 0.4, person: 0.4}", 0.8, None),
        ("[slapping, wrestling]", 1, None),
    ],
)
def test_a_threshold_out_of_the_weights_reach_is_told(
    weights: str, above: float, reach: str | None
) -> None:
    """Labels of one classifier exclude each other; heads do not."""
    found = of_rule(f"when: a, above: {above}", f"activities: {{a: {weights}}}\n")
    never = [text for text in found if "can never fire" in text]
    assert len(never) == (reach is not None)
    assert not reach or f"with these weights {reach} is most" in never[0]


def pairs(*bodies: str) -> list[tuple[str, str]]:
    """Return which rule is told to be shadowed by which; their names are A, B and so on."""
    rules = "".join(
        f"- {{name: {name}, {body}}}\n" for name, body in zip("ABCD", bodies, strict=False)
    )
    found = shadowed(config_of(f"{HERE}rules:\n{rules}").rules)
    return [(one.name, other.name) for one, other in found]


@pytest.mark.parametrize(
    ("narrow", "wide"),
    [
        ("when: fall, above: 0.9", "when: fall, above: 0.8"),
        ("when: fall, for: 3s", "when: fall, for: 2s"),
        ("when: [fall, between: 23:00-05:00]", "when: [fall, between: 22:00-06:00]"),
        ("when: [fall, between: 23:00-05:00]", "when: fall"),
        ("when: [fall, weekdays: sat]", "when: [weekdays: [sat, sun], fall]"),
        ("when: [fall, armed: away]", "when: [fall, armed: [away, home]]"),
        ("when: [fall, armed: [home, away]]", "when: fall"),
        ("when: fall", "when: [fall, armed: any]"),
        ("when: [fall, person], for: 3s", "when: fall, for: 3s"),
        ("when: [{activity: fall, for: 1s}, person], for: 2s", "when: fall, for: 3s"),
        ("when: {motion: 0.2}", "when: {motion: 0.1}"),
        ("when: {camera: dark}", "when: {camera: [dark, frozen]}"),
        ("when: [fall, after_boot: 5m]", "when: [fall, after_boot: 1m]"),
        ("when: {unusual: once_a_month}", "when: {unusual: {above: 7}}"),
        ("when: fall, at_least: 3 of 5, above: 0.9", "when: fall, at_least: 3 of 5"),
        ("when: [any: [fall, person], armed: away]", "when: {any: [fall, person]}"),
        ("when: {then: [fall, person]}, for: 5s", "when: {then: [fall, person]}"),
    ],
)
def test_a_rule_that_fires_only_while_another_does_is_told(narrow: str, wide: str) -> None:
    assert pairs(narrow, wide) == [("A", "B")]
    assert pairs(wide, narrow) == [("B", "A")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("when: fall, severity: critical, above: 0.9", "when: fall, above: 0.8"),
        ("when: fall, above: 0.9, below: 0.1", "when: fall, above: 0.8, below: 0.7"),
        ("when: fall", "when: person"),
        ("when: slapping, look_back: 3s", "when: slapping"),
        ("when: [fall, any: [armed: away, person]]", "when: fall"),
        ("when: fall, at_least: 3 of 5", "when: fall"),
        ("when: fall, count: 2, window: 1m, for: 3s", "when: fall, count: 2, window: 1m"),
        ("when: [fall, person], at_least: 3 of 5", "when: fall"),
        ("when: {any: [fall, person]}", "when: fall"),
        ("when: [{sun: after sunset, offset: 1h}, fall]", "when: [sun: after sunset, fall]"),
    ],
)
def test_rules_that_each_tell_something_of_their_own_are_not_doubted(one: str, other: str) -> None:
    assert pairs(one, other) == []


def test_of_two_rules_that_ask_for_the_same_the_later_one_is_told() -> None:
    assert pairs("when: [fall, person]", "when: [person, fall]", "when: [person, fall]") == [
        ("B", "A"),
        ("C", "A"),
    ]
    assert warnings_of("rules:\n- {name: A, when: fall}\n- {name: B, when: fall, for: 1s}") == [
        "c.yaml:3:3: warning: rules.1: 'B' fires only while 'A' (line 2) does, which asks for no "
        "more and is no less severe"
    ]


def test_labels_that_the_file_names_are_told_once_with_what_is_taken_for_them() -> None:
    text = "activities: {a: [climbing ladder]}\nrules: [{name: A, when: climbing ladder}]"
    assert warnings_of(text) == [
        "c.yaml:1:18: warning: activities.a.0: 'climbing ladder' is easily mistaken: painting "
        "fence look like it to a model (pack intrusion)"
    ]
    assert warnings_of("rules: [{name: A, when: intrusion}]") == []


def test_sets_of_moments_are_those_of_the_conditions_themselves() -> None:
    chance = random.Random(7)
    week = [
        datetime.fromisoformat("2026-11-23T00:00+01:00") + timedelta(minutes=n)
        for n in range(moments.WEEK)
    ]
    for _ in range(20):
        first, last = chance.sample(range(moments.DAY), 2)
        between = Between.parse(f"{first // 60}:{first % 60:02}-{last // 60}:{last % 60:02}")
        found = moments.at_times(between)
        assert [bool(found >> n & 1) for n in range(moments.WEEK)] == [at in between for at in week]
    days = moments.on_days((1, 6))
    assert [bool(days >> n & 1) for n in range(moments.WEEK)] == [
        at.weekday() in {1, 6} for at in week
    ]
    assert not moments.in_modes((Mode.HOME,)) & moments.in_modes((Mode.AWAY, Mode.NIGHT))
    assert moments.in_modes(tuple(Mode)) == moments.ALL
    assert moments.by_night(night=True) | moments.by_night(night=False) == moments.ALL
    assert not moments.by_night(night=True) & moments.by_night(night=False)


def test_the_longest_time_goes_on_over_the_end_of_the_week() -> None:
    span_ = moments.at_times(Between.parse("22:00-06:00"))
    assert moments.longest_minutes(span_) == 8 * 60
    assert moments.longest_minutes(moments.on_days((0, 6))) == 2 * 24 * 60
    assert moments.longest_minutes(moments.on_days((5, 6)) & span_) == 8 * 60
    assert moments.longest_minutes(moments.ALL) is None
    assert moments.longest_minutes(0) == 0


def test_what_is_told_never_to_hold_holds_at_no_hour_of_the_week_in_no_mode() -> None:
    """Random trees of schedules and modes, against a plain evaluation of each."""
    chance = random.Random(3)
    leaves = [
        "between: 08:00-12:00", "between: 11:00-14:00", "between: 22:00-06:00", "weekdays: mon-fri",
        "weekdays: [sat, sun]", "armed: away", "armed: [home, night]", "armed: any",
    ]  # fmt: skip

    def tree(depth: int) -> str:
        if depth == 0 or chance.random() < 0.3:
            return f"{{{chance.choice(leaves)}}}"
        inner = ", ".join(tree(depth - 1) for _ in range(chance.randint(1, 3)))
        return f"{{{chance.choice(['all', 'any', 'none'])}: [{inner}]}}"

    week = [
        datetime.fromisoformat("2026-11-23T00:30+01:00") + timedelta(hours=n) for n in range(168)
    ]
    empty = 0
    for _ in range(150):
        when = config_of(f"rules: [{{name: A, when: {tree(3)}}}]").rules[0].when
        holds = any(_holds(when, at, mode) for at in week for mode in Mode)
        possible = span(when, {}, lambda *_: None).possible
        assert bool(possible) == holds  # exact: every boundary of the leaves is a full hour
        empty += not possible
    assert 10 < empty < 140


def _holds(condition: object, at: datetime, mode: Mode) -> bool:
    name = type(condition).__name__.removesuffix("Condition")
    inner = [_holds(each, at, mode) for each in getattr(condition, "conditions", ())]
    match name:
        case "Between":
            return at in condition.between  # type: ignore[attr-defined]
        case "Weekdays":
            return at.weekday() in condition.weekdays  # type: ignore[attr-defined]
        case "Armed":
            return mode in condition.armed  # type: ignore[attr-defined]
        case "All":
            return all(inner)
        case "Any":
            return any(inner)
    return not any(inner)
