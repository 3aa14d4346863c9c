"""The JSON Schema of config.yaml: that of the code, and never stricter than the reader."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from command_line import edgehome
from jsonschema import Draft202012Validator

from edgehome.config.reader import read
from edgehome.config.schema import duration_text, schema
from edgehome.packs import shipped_packs

ROOT = Path(__file__).resolve().parents[1]
VALIDATOR = Draft202012Validator(schema())
LABELS = {"fall", "fighting", "person", "climbing ladder", "climbing tree", "slapping", "smashing"}


def refused_by_schema(text: str) -> list[str]:
    """Return what an editor underlines; it reads YAML as everybody does, not as we do."""
    return [error.message for error in VALIDATOR.iter_errors(yaml.safe_load(text))]


def refused_by_reader(text: str) -> list[str]:
    _, errors = read(
        text.encode(),
        file="config.yaml",
        folder=ROOT,
        labels_of=lambda _model: LABELS,
        packs=shipped_packs(),
    )
    return [str(error) for error in errors]


def rule(body: str) -> str:
    """Return a file with one rule, whose further lines are `body`."""
    lines = "\n".join(f"    {line}" for line in body.strip("\n").splitlines())
    return f"location: {{latitude: 52.1, longitude: 5.2}}\nrules:\n  - name: A rule\n{lines}\n"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


def test_the_command_prints_the_schema_and_the_file_at_the_top_is_its_output() -> None:
    printed = edgehome("schema").stdout
    assert json.loads(printed) == schema()
    assert (ROOT / "config.schema.json").read_text(encoding="utf-8") == printed


def test_the_sample_names_the_schema_in_its_first_line_and_is_valid() -> None:
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    first = text.splitlines()[0]
    assert first == "# yaml-language-server: $schema=config.schema.json"
    assert (ROOT / first.partition("=")[2]).is_file()
    assert refused_by_schema(text) == []


GOOD = {
    "nothing at all": "",
    "sections without keys": "device:\ncamera:\nrules:\nactivities:\n",
    "a word": rule("when: fall\nabove: 0.8\nbelow: 0.5\nlook_back: 2s\nfor: 1s"),
    "a pack": rule("when: violence\nfor: 2s\nseverity: critical\nrepeat_interval: 0s"),
    "a list": rule(
        "when:\n- {activity: climbing, above: 0.5, for: 2s}\n- between: 23:00-06:00\n- armed: away"
    )
    + "activities:\n  climbing: [climbing ladder, climbing tree]\n",
    "weights": "activities:\n  hitting: {slapping: 1, fighting: 0.5}\n  alone: smashing\n",
    "a sequence": rule("when:\n  then: [fall, {activity: person}]\n  gap: 10s\nresolve_after: 1m"),
    "groups within groups": rule(
        "when:\n  any:\n  - all: [person, {none: [{motion: 0.1, below: 0.01}]}]\n"
        "  - {camera: [covered, frozen], at_least: 3 of 5, count: 2, window: 1m}"
    ),
    "days, sun and boot": rule(
        "when:\n- {weekdays: [mon-fri, sun]}\n- {sun: after sunset, offset: -30m}\n"
        "- {after_boot: 2m}\n- {armed: any}\n- {weekdays: SAT}"
    ),
    "what is unusual": rule(
        "when:\n- {unusual: once_a_week, for: 2s}\n- {unusual: {once_in: 3d}}\n"
        "- {unusual: {above: 2.5}, at_least: 2 of 3}\n- {unusual: 36h}"
    ),
    "motion and alerts": "motion:\n  gate: off\n  threshold: 0.02\n"
    "  ignore: [[[0, 0], [0.3, 0], [0.3, 0.4]]]\nalerts: {limit: 5, window: 5m}\n",
    "text that YAML takes for something else": "device: {name: 7}\nmqtt: {username: yes}\n",
}

BAD = {
    "an unknown section": "devices: {name: a}\n",
    "an unknown key": "device: {nmae: a}\n",
    "a duration without its unit": "events: {smoothing: 1}\n",
    "a percentage": rule("when: fall\nabove: 80%"),
    "a number out of range": "runtime: {threads: 99}\n",
    "a rule without a when": "rules:\n  - name: A rule\n",
    "a rule without a name": "rules:\n  - when: fall\n",
    "above beside a list": rule("when: [fall]\nabove: 0.5"),
    "between beside when": rule("when: fall\nbetween: 22:00-06:00"),
    "two conditions in one": rule("when: {activity: fall, motion: 0.1}"),
    "no condition": rule("when: {above: 0.5}"),
    "a list in a list": rule("when: [[fall, person]]"),
    "an empty group": rule("when: {all: []}"),
    "a sequence of one": rule("when: {then: [fall]}"),
    "a count without its window": rule("when: fall\ncount: 3"),
    "a window without its count": rule("when: [{activity: fall, window: 1m}]"),
    "an unknown mode": rule("when: [{armed: gone}]"),
    "an unknown rarity": rule("when: [{unusual: weekly}]"),
    "a rarity without its unit": rule("when: [{unusual: 7}]"),
    "two rarities": rule("when: [{unusual: {once_in: 3d, above: 3}}]"),
    "no rarity": rule("when: [{unusual: {}}]"),
    "a rarity of nothing": rule("when: [{unusual: {above: 0}}]"),
    "an unknown day": rule("when: [{weekdays: funday}]"),
    "half a place": "location: {latitude: 52.1}\n",
    "a polygon of two points": "motion: {ignore: [[[0, 0], [1, 1]]]}\n",
    "a weight of nothing": "activities: {a: {fall: 0}}\n",
    "rules that are no list": "rules: {name: a}\n",
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_what_is_right_is_taken_by_both(text: str) -> None:
    assert (refused_by_schema(text), refused_by_reader(text)) == ([], [])


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_wrong_is_refused_by_both(text: str) -> None:
    assert refused_by_schema(text) != []
    assert refused_by_reader(text) != []


VALUES = (
    "0", "1", "-1", "0.5", "1.5", "90", "70000", "true", "off", "null", "''", "2s", "-2s", "500ms",
    "3d", "+1h", "5 m", "1w", "3 of 5", "5 of 3", "22:00-06:00", "6:00-22:00", "24:00-01:00",
    "mon", "Sat-Mon", "mon-", "after sunset", "away", "any", "covered", "[away, home]",
    "[covered, covered]", "[mon, tue]", "[]", "{}", "[1, 2]", "fall", "[fall, person]", "a b",
    "rtsp://h/s", "a/b", "info", "[[fall]]", "{activity: fall}", "[{motion: 0.1}, fall]",
    "{fall: 1}", "'{at:%H:%M}'", "x.tflite",
)  # fmt: skip


def keys() -> list[tuple[str, str]]:
    """Return every key of the file, as the schema has them, with a file that it goes into."""
    whole = schema()
    found = [
        (f"{section}.{key}", f"{section}: {{{rest}{key}: @}}\n")
        for section, form in whole["properties"].items()
        for key in form.get("properties", ())
        for rest in ({"latitude": "longitude: 5, ", "longitude": "latitude: 5, "}.get(key, ""),)
    ]
    found += [(key, f"{key}: @\n") for key in whole["properties"]]
    found += [("activities.a", "activities: {a: @}\n")]
    for key in whole["$defs"]["rule"]["properties"]:
        when = "" if key == "when" else "when: fall\n"
        named = key.replace("name", "message")  # the name stands there already
        counted = {"count": "window: 1m\n", "window": "count: 2\n"}.get(key, "")
        found.append((f"rules.0.{named}", rule(f"{when}{counted}{named}: @")))
    for kind, form in whole["$defs"].items():
        if form.get("title") == kind:
            found += [(f"{kind}.{key}", _condition(kind, key)) for key in form["properties"]]
    return found


def _condition(kind: str, key: str) -> str:
    first = {
        "activity": "fall", "motion": "0.5", "camera": "dark", "between": "22:00-06:00",
        "weekdays": "mon", "sun": "after sunset", "armed": "away", "after_boot": "1m",
        "unusual": "once_a_week",
        "then": "[fall, person]",
    }.get(kind, "[fall]")  # fmt: skip
    counted = {"count": ", window: 1m", "window": ", count: 2"}.get(key, "")
    other = "" if key == kind else f", {key}: @"
    return rule(f"when:\n- {{{kind}: {'@' if key == kind else first}{other}{counted}}}")


@pytest.mark.parametrize(("path", "text"), keys(), ids=lambda value: str(value).partition(":")[0])
def test_what_the_schema_refuses_the_reader_refuses(path: str, text: str) -> None:
    """Every key with every kind of value. To the reader `null` is a word, and '' for a section
    nothing: these two are left out."""
    stricter = [
        value
        for value in VALUES
        if value not in {"null", *(["''"] if "." not in path else [])}
        and refused_by_schema(text.replace("@", value))
        and not refused_by_reader(text.replace("@", value))
    ]
    assert stricter == []


def test_every_key_that_takes_a_value_says_what_it_is_for() -> None:
    def described(form: dict[str, Any], path: str) -> list[str]:
        mute = []
        for key, inner in form.get("properties", {}).items():
            if not inner.get("description"):
                mute.append(f"{path}.{key}")
            mute += described(inner, f"{path}.{key}")
        return mute

    whole = schema()
    parts = [("", whole), *whole["$defs"].items()]
    assert [path for name, form in parts for path in described(form, name)] == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.5, "500ms"), (1.5, "1500ms"), (10, "10s"), (90, "90s"), (300, "5m"),
     (3600, "1h"), (86400, "1d"), (604800, "7d")],
)  # fmt: skip
def test_a_duration_is_written_in_the_largest_whole_unit(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_each_value_tried_is_right_somewhere_and_wrong_somewhere() -> None:
    """So that none of them tells nothing; a list in a list of words is wrong everywhere."""
    told: dict[str, set[bool]] = {value: set() for value in VALUES}
    for value, (_, text) in product(VALUES, keys()):
        told[value].add(bool(refused_by_schema(text.replace("@", value))))
    assert {value for value, both in told.items() if len(both) == 1} == {"[[fall]]"}


def test_an_editor_says_what_to_write_instead_of_a_pattern() -> None:
    """`errorMessage` is the word of VS Code's YAML extension for it; validators pass it over."""
    form = schema()["$defs"]["between"]["properties"]["between"]
    assert form["errorMessage"] == "Write for example 22:00-06:00."
    patterned = [
        key
        for part in (*schema()["properties"].values(), *schema()["$defs"].values())
        for key, inner in part.get("properties", {}).items()
        if "examples" in inner and "errorMessage" not in inner
    ]
    assert patterned == []
