"""Rules in config.yaml: what each key means, and each mistake with its place and words."""

from __future__ import annotations

from datetime import time

import pytest
from config_texts import config_of, errors_of, rule_of

from edgehome.config.conditions import (
    Activity,
    ActivityCondition,
    AfterBootCondition,
    AllCondition,
    AnyCondition,
    ArmedCondition,
    AtLeast,
    Between,
    BetweenCondition,
    CameraCondition,
    Condition,
    MotionCondition,
    NoneCondition,
    SunCondition,
    ThenCondition,
    UnusualCondition,
    WeekdaysCondition,
)
from edgehome.types import CameraState, Mode

HERE = "location: {latitude: 52.1, longitude: 5.2}"


def activity(name: str, above: float = 0.6, below: float = 0.4, **more: object) -> Condition:
    return ActivityCondition(
        activity=Activity(name, (name,)),
        above=above,
        below=below,
        **more,  # type: ignore[arg-type]
    )


def test_a_word_is_an_activity_and_the_rule_may_say_more_about_it() -> None:
    rule = rule_of("when: slapping, above: 0.5, below: 0.2, look_back: 3s, for: 2s")
    assert rule.when == activity("slapping", 0.5, 0.2, look_back_s=3.0, for_s=2.0)
    rule = rule_of("when: slapping, at_least: 3 of 5, count: 2, window: 1m")
    assert rule.when == activity("slapping", at_least=AtLeast(3, 5), count=2, window_s=60.0)


def test_a_list_is_all_of_its_conditions_and_the_rule_s_for_is_that_of_the_whole() -> None:
    rule = rule_of(
        "when: [{activity: slapping, for: 1s}, between: 23:00-06:00, armed: away], for: 2s"
    )
    assert rule.when == AllCondition(
        conditions=(
            activity("slapping", for_s=1.0),
            BetweenCondition(between=Between(time(23), time(6))),
            ArmedCondition(armed=(Mode.AWAY,)),
        ),
        for_s=2.0,
    )


def test_a_mapping_is_one_condition_and_the_rule_s_for_goes_around_one_that_has_its_own() -> None:
    assert rule_of("when: {activity: slapping}, for: 2s").when == activity("slapping", for_s=2.0)
    inner = activity("slapping", at_least=AtLeast(3, 5))
    outer = rule_of("when: {activity: slapping, at_least: 3 of 5}, for: 2s").when
    assert outer == AllCondition(conditions=(inner,), for_s=2.0)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("motion: 0.1", MotionCondition(motion=0.1, below=0.05)),
        ("motion: 0.1, below: 0.02", MotionCondition(motion=0.1, below=0.02)),
        ("camera: covered", CameraCondition(camera=(CameraState.COVERED,))),
        (
            "camera: [dark, frozen, dark]",
            CameraCondition(camera=(CameraState.DARK, CameraState.FROZEN)),
        ),
        ("weekdays: mon-fri", WeekdaysCondition(weekdays=(0, 1, 2, 3, 4))),
        ("weekdays: [sun, Fri-sat]", WeekdaysCondition(weekdays=(4, 5, 6))),
        ("weekdays: sat-mon", WeekdaysCondition(weekdays=(0, 5, 6))),
        ("sun: after sunset", SunCondition(sun="after sunset")),
        ("sun: before sunrise, offset: -1h", SunCondition(sun="before sunrise", offset_s=-3600.0)),
        ("armed: [home, night]", ArmedCondition(armed=(Mode.HOME, Mode.NIGHT))),
        ("armed: any", ArmedCondition(armed=tuple(Mode))),
        ("after_boot: 2m", AfterBootCondition(after_boot_s=120.0)),
        ("unusual: once_a_month", UnusualCondition(unusual=30.0)),
        ("unusual: 36h, for: 2s", UnusualCondition(unusual=1.5, for_s=2.0)),
        ("unusual: {once_in: 3d}", UnusualCondition(unusual=3.0)),
        ("unusual: {above: 2.5}", UnusualCondition(unusual=2.5)),
        ("any: [slapping, motion: 0.1]", AnyCondition(
            conditions=(activity("slapping"), MotionCondition(motion=0.1, below=0.05)))),
        ("none: [slapping]", NoneCondition(conditions=(activity("slapping"),))),
        ("then: [slapping, wrestling], gap: 3s", ThenCondition(
            conditions=(activity("slapping"), activity("wrestling")), gap_s=3.0)),
        ("all: [any: [none: [slapping]]], for: 1s", AllCondition(conditions=(AnyCondition(
            conditions=(NoneCondition(conditions=(activity("slapping"),)),)),), for_s=1.0)),
    ],
)  # fmt: skip
def test_every_condition_is_read(written: str, meant: Condition) -> None:
    assert rule_of(f"when: {{{written}}}", HERE).when == meant


def test_an_activity_may_have_weights() -> None:
    config = config_of(
        "activities: {a: [slapping, wrestling], b: slapping, c: {slapping: 2, wrestling: 0.5}}\n"
        "rules: [{name: A, when: a}, {name: B, when: b}, {name: C, when: c}]"
    )
    found = [
        rule.when.activity for rule in config.rules if isinstance(rule.when, ActivityCondition)
    ]
    assert found == [
        Activity("a", ("slapping", "wrestling")),
        Activity("b", ("slapping",)),
        Activity("c", ("slapping", "wrestling"), (2.0, 0.5)),
    ]


def when_of(body: str, before: str = "") -> ActivityCondition:
    when = rule_of(body, before).when
    assert isinstance(when, ActivityCondition)
    return when


def test_a_name_is_an_activity_of_the_file_before_a_pack_and_a_pack_before_a_label() -> None:
    assert when_of("when: intrusion").activity.labels == ("climbing ladder",)
    mine = "activities: {intrusion: [slapping], slapping: [fall]}"
    assert when_of("when: intrusion", mine).activity.labels == ("slapping",)
    assert when_of("when: slapping", mine).activity.labels == ("fall",)


def test_of_a_pack_the_labels_that_the_model_lacks_are_left_out_with_their_weights() -> None:
    assert when_of("when: intrusion").activity == Activity(
        "intrusion", ("climbing ladder",), (0.5,)
    )
    assert errors_of("rules: [{name: A, when: sport}]") == [
        "c.yaml:1:25: rules.0.when: the model knows no label of the pack 'sport'; use a model that "
        "does (`edgehome models list`), or name labels of this one"
    ]
    assert errors_of("rules: [{name: A, when: sport}]", labels=None) == []


@pytest.mark.parametrize(
    ("body", "above", "below"),
    [
        ("when: slapping", 0.6, 0.4),
        ("when: slapping, above: 0.3", 0.3, 0.2),
        ("when: fall", 0.83, 0.553333),
        ("when: fall, above: 0.7", 0.7, 0.466667),
        ("when: intrusion", 0.4, 0.266667),
        ("when: violence", 0.3, 0.2),
        ("when: mine", 0.83, 0.553333),
        ("when: slapping, below: 0.1", 0.6, 0.1),
    ],
)
def test_an_activity_begins_where_its_head_or_pack_says_and_ends_at_two_thirds_of_that(
    body: str, above: float, below: float
) -> None:
    condition = when_of(body, "activities: {mine: [fall, fighting, slapping]}")
    assert (condition.above, condition.below) == pytest.approx((above, below))


RULE = [
    ("when: wrestlin", 19, "neither an activity, a pack nor a label of the model; did you mean 'w"),
    ("when: intrusio", 19, "did you mean 'intrusion'?"),
    ("when: [slapping, fal]", 30, "did you mean 'fall'?"),
    ("when: ", 19, "must not be empty"),
    ("when: []", 19, "is an empty list; it needs conditions"),
    ("when: {}", 19, "needs one of activity, motion, camera, between"),
    ("when: {all: []}", 25, "is an empty list; it needs conditions"),
    ("when: {any: slapping}", 25, "must be a list, not a single value"),
    ("when: {any: {activity: slapping}}", 25, "must be a list, not keys with values"),
    ("when: [[slapping]]", 20, "is a list within a list; put `all:`"),
    ("when: {then: [slapping]}", 26, "needs 2 to 200 items, not 1"),
    ("when: {activty: slapping}", 20, "is no condition; did you mean 'activity'?"),
    ("when: {above: 0.5}", 20, "is no condition; did you forget `activity: ...`?"),
    ("when: {offset: 1h}", 20, "is no condition; did you forget `sun: ...`?"),
    ("when: {activity: [slapping]}", 30, "is one name; put several under `activities`"),
    ("when: {activity: slapping, between: 22:00-06:00}", 40, "activity and between are two condit"),
    ("when: {activity: slapping, gap: 3s}", 40, "belongs to then, not to activity"),
    ("when: {activity: slapping, severity: info}", 40, "belongs in the rule itself, beside its"),
    ("when: {activity: slapping, fro: 3s}", 40, "is not known here; did you mean 'for'?"),
    ("when: {motion: 0.1, above: 0.5}", 33, "belongs to activity; motion has its own level"),
    ("when: {motion: 0.1, below: 0.2}", 40, "0.2 is higher than motion, 0.1"),
    ("when: {between: 22:00-06:00, below: 0.2}", 42, "belongs to activity and motion, not to betw"),
    (
        "when: {camera: [covered, drak]}",
        38,
        "not one of covered, moved, defocused, frozen, dark; did",
    ),
    ("when: {camera: []}", 28, "needs 1 to 5 items, not 0"),
    ("when: {weekdays: [sat, Sunday]}", 36, "did you mean 'sun'?"),
    ("when: {weekdays: mon-fry}", 30, "'fry' is not one of mon, tue"),
    ("when: {armed: [home, awya]}", 34, "did you mean 'away'?"),
    ("when: {between: 25:00-06:00}", 29, "not a time of day"),
    ("when: {between: 06:00-06:00}", 29, "begins when it ends"),
    ("when: {after_boot: 30}", 32, "did you mean '30s'?"),
    ("when: {unusual: once_a_weak}", 29, "did you mean 'once_a_week'?"),
    ("when: {unusual: 7}", 29, "needs a unit; did you mean '7d'?"),
    ("when: {unusual: 2y}", 29, "'y' is not a unit of time"),
    ("when: {unusual: 1h}", 29, "'1h' is out of range; 12h to 365d"),
    ("when: {unusual: {above: lots}}", 37, "'lots' is no number of days such as 7"),
    ("when: {unusual: {above: 7d}}", 37, "'7d' is no number of days such as 7; a time goes to"),
    ("when: {unusual: {}}", 29, "needs one of once_in, above"),
    ("when: {unusual: {once_in: 3d, above: 3}}", 29, "needs one of once_in, above"),
    ("when: {unusual: {once_im: 3d}}", 30, "did you mean 'once_in'?"),
    ("when: {unusual: [3d]}", 29, "must be a single value, not a list"),
    ("when: {unusual: once_a_week, below: 1}", 42, "belongs to activity and motion, not to unus"),
    ("when: {sun: after sunset}", 20, "a `location` with latitude and longitude"),
    ("when: {sun: sunset}", 25, "did you mean 'after sunset'?"),
    ("when: slapping, between: 22:00-06:00", 29, "in a list under when: `- between: 22:00-06:00`"),
    ("when: slapping, armed: [home]", 29, "in a list under when: `- armed: ...`"),
    ("when: slapping, gap: 3s", 29, "belongs to the condition `then` under when"),
    ("when: [slapping], above: 0.5", 31, "belongs to the condition: `- activity: NAME` with `abov"),
    ("when: {motion: 0.1}, look_back: 2s", 34, "`- activity: NAME` with `look_back` beneath it"),
    ("when: slapping, unless: dark", 29, "is not known here; known are name,"),
    ("when: slapping, repeat_intervall: 3m", 29, "did you mean 'repeat_interval'?"),
    ("when: slapping, count: 3", 29, "needs the time within which it counts"),
    (
        "when: slapping, window: 3s",
        29,
        "needs a `count` to count within it; a shorter look back is",
    ),
    ("when: [{activity: slapping, count: 3}]", 41, "needs the time within which it counts"),
    ("when: slapping, count: 0, window: 1m", 36, "1 to 100"),
    ("when: slapping, at_least: 5 of 3", 39, "the first from 1 to the second"),
    ("when: slapping, at_least: half", 39, "write for example 3 of 5"),
    ("when: slapping, for: 3 sec", 34, "not a unit of time"),
    ("when: slapping, look_back: 11s", 40, "11s is longer than recognizer.window, 10s"),
    ("when: slapping, look_back: 0s", 40, "500ms to 60s"),
    ("when: slapping, above: 0.3, below: 0.5", 48, "0.5 is higher than above, 0.3"),
    ("when: slapping, severity: high", 39, "info, warning, critical"),
    ("when: slapping, message: '{rule.__class__}'", 38, "no field"),
    ("when: slapping, message: '{score:99999999}'", 38, "not a format"),
    ("when: slapping, message: '{'", 38, "brace"),
]


@pytest.mark.parametrize(("body", "column", "words"), RULE)
def test_a_mistake_in_a_rule_is_told_at_its_very_place(body: str, column: int, words: str) -> None:
    found = errors_of(f"rules:\n- {{name: A, {body}}}")
    assert len(found) == 1, found
    assert found[0].startswith(f"c.yaml:2:{column}: rules.0.")
    assert words in found[0]


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("rules: [{when: slapping}]", "1:9: rules.0.name", "is missing"),
        ("rules: [{name: A}]", "1:9: rules.0.when", "is missing"),
        ("rules: [slapping]", "1:9: rules.0", "must be keys with values"),
        ("rules: slapping", "1:8: rules", "must be a list"),
        (
            "rules: [{name: A, when: slapping}, {name: A, when: slapping}]",
            "1:43: rules.1.name",
            "'A' is another rule's name, in line 1",
        ),
        ("activities: {a: [slapin]}", "1:18: activities.a.0", "did you mean 'slapping'?"),
        ("activities: {a: slapin}", "1:17: activities.a", "did you mean 'slapping'?"),
        ("activities: {a: {slapin: 1}}", "1:18: activities.a.slapin", "did you mean 'slapping'?"),
        ("activities: {a: {fall: 0}}", "1:24: activities.a.fall", "0.01 to 10"),
        ("activities: {a: []}", "1:17: activities.a", "needs 1 to 200 labels"),
        ("activities: {a: [intrusion]}", "1:18: activities.a.0", "is a pack, no label"),
        ("activities: {'': [fall]}", "1:14: activities.''", "must not be empty"),
        ("activities: {a: [[fall]]}", "1:18: activities.a.0", "must be a single value"),
        ("activities: {a: [fall], a: [fall]}", "1:25: activities.a", "stands twice"),
    ],
)
def test_a_mistake_beside_a_rule_is_told_with_its_place(text: str, place: str, words: str) -> None:
    found = errors_of(text)
    assert len(found) == 1, found
    assert found[0].startswith(f"c.yaml:{place}: ")
    assert words in found[0]


def test_labels_are_not_checked_when_the_model_is_not_there() -> None:
    text = "activities: {a: [swimming]}\nrules: [{name: A, when: flying}, {name: B, when: a}]"
    assert errors_of(text, labels=None) == []
    assert len(errors_of(text)) == 2


def test_a_look_back_is_held_against_the_recogniser_s_wherever_that_stands() -> None:
    rules = "rules: [{name: A, when: slapping, look_back: 12s}]"
    assert config_of(f"{rules}\nrecognizer: {{window: 20s}}")
    assert len(errors_of(rules)) == 1


def test_there_may_be_a_thousand_rules_and_two_hundred_conditions_in_each() -> None:
    many = [f"- {{name: rule {n}, when: slapping}}\n" for n in range(1001)]
    assert len(config_of(f"rules:\n{''.join(many[:1000])}").rules) == 1000
    assert errors_of(f"rules:\n{''.join(many)}") == [
        "c.yaml:2:1: rules: has 1001 rules; at most 1000"
    ]
    nested = ", ".join(["{any: [slapping, fall, person]}"] * 49)
    assert config_of(f"rules: [{{name: A, when: [{nested}, fall, fall, fall]}}]")
    found = errors_of(f"rules: [{{name: A, when: [{nested}, fall, fall, fall, fall]}}]")
    assert found == ["c.yaml:1:25: rules.0.when: has 201 conditions; at most 200 in a rule"]


def test_conditions_may_be_as_deep_as_a_file_may_be() -> None:
    def nested(depth: int) -> str:
        return "{any: [" * depth + "slapping" + "]}" * depth

    assert config_of(f"rules: [{{name: A, when: {nested(14)}}}]")
    (error,) = errors_of(f"rules: [{{name: A, when: {nested(100)}}}]")
    assert "more than 32 levels deep" in error


def test_all_mistakes_of_a_rule_are_told_not_only_those_of_its_first_condition() -> None:
    text = (
        "rules:\n"
        "  - name: A\n"
        "    when:\n"
        "      - any:\n"
        "          - {activity: slapin, for: 2}\n"
        "          - {weekdays: someday}\n"
        "      - {motion: 7%}\n"
        "    for: 3\n"
        "    severity: bad\n"
    )
    places = [error.split(": ")[:2] for error in errors_of(text)]
    assert places == [
        ["c.yaml:5:24", "rules.0.when.0.any.0.activity"],
        ["c.yaml:5:37", "rules.0.when.0.any.0.for"],
        ["c.yaml:6:24", "rules.0.when.0.any.1.weekdays"],
        ["c.yaml:7:18", "rules.0.when.1.motion"],
        ["c.yaml:8:10", "rules.0.for"],
        ["c.yaml:9:15", "rules.0.severity"],
    ]
