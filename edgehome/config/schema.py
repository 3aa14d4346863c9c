"""The JSON Schema (2020-12) of config.yaml, made from the types that the reader reads by.

It is for editors: they complete keys, show what each is for, and underline what is wrong. Whether
a file is right is for the reader alone; the schema refuses nothing that the reader takes, numbers
in quotes and the bare word null apart.
"""

from __future__ import annotations

from dataclasses import Field, fields
from enum import Enum
from pathlib import Path
from typing import Any

from edgehome.config import values
from edgehome.config.condition_reader import COMMON, MAX_GROUP
from edgehome.config.conditions import (
    CONDITIONS,
    ActivityCondition,
    Condition,
    ThenCondition,
    is_group,
)
from edgehome.config.names import MAX_LABELS, weight
from edgehome.config.nodes import options_of
from edgehome.config.options import Option
from edgehome.config.rule_reader import MAX_RULES
from edgehome.config.types import Config, LocationConfig, Rule
from edgehome.config.value_schemas import Schema, schema_of

ABOUT_ACTIVITIES = (
    "Names for groups of the model's labels, for rules: a list of labels, or labels with weights."
)
ABOUT_RULES = "When to tell whom what. Each has a name and a when."
_FOLLOWS = ("above", "below")
"""Their defaults follow from a head, a pack or each other: to write one number would be wrong."""
_OF_A_WORD = ("above", "below", "look_back")
"""Keys that a rule may have itself where its `when` is a word."""


def schema() -> Schema:
    """Return the whole schema, ready for JSON."""
    sections = {f.name: f.metadata["section"] for f in fields(Config) if "section" in f.metadata}
    properties = {name: _section(kind) for name, kind in sections.items()}
    properties["activities"] = _activities()
    properties["rules"] = {
        "description": ABOUT_RULES,
        "type": ["array", "null"],
        "items": {"$ref": "#/$defs/rule"},
        "maxItems": MAX_RULES,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "edgehome: config.yaml",
        "description": "What a node looks at, what it watches for, and whom it tells. "
        "`edgehome check` finds every mistake.",
        "type": ["object", "null"],
        "properties": properties,
        "additionalProperties": False,
        "$defs": {
            "rule": _rule(),
            "word": _option(options_of(ActivityCondition)["activity"][1]),
            "condition": {
                "description": "An activity's name, or a condition by its first key.",
                "anyOf": [_ref("word"), *(_ref(key) for key in CONDITIONS)],
            },
            "conditions": {
                "type": "array",
                "items": _ref("condition"),
                "minItems": 1,
                "maxItems": MAX_GROUP,
            },
            **{key: _condition(key, kind) for key, kind in CONDITIONS.items()},
        },
    }


def default_of(field: Field[Any], option: Option) -> object:
    """Return a key's default as the file would have it, or None where there is none to name."""
    value: Any = field.default
    if isinstance(option.parse, values.Auto) and value is None:
        return "auto"
    if field.name in _FOLLOWS or value in {None, (), ""}:
        return None
    written: object = value
    if is_duration(option):
        written = duration_text(float(value))
    elif isinstance(value, Path | Enum):
        written = str(value)
    try:
        taken = option.parse(str(written)) if callable(option.parse) else None
    except ValueError:  # a stand-in for "not set", which nobody could write
        return None
    return written if taken == value or isinstance(value, bool) else None


def is_duration(option: Option) -> bool:
    """Return whether the key takes a time with its unit."""
    parse = option.parse.parse if isinstance(option.parse, values.Within) else option.parse
    return parse in {values.duration, values.signed_duration}


def duration_text(seconds: float) -> str:
    """Return seconds in the largest unit that needs no fraction: `5m`, `90s`, `500ms`."""
    if not seconds:
        return "0s"
    for unit, length in reversed(values.SECONDS.items()):
        count = round(seconds / length, 6)
        if count >= 1 and count == int(count):
            return f"{int(count)}{unit}"
    return f"{seconds:g}s"


def described(option: Option) -> str:
    """Return what a key is for, with its range where it has one."""
    parse = option.parse.parse if isinstance(option.parse, values.Auto) else option.parse
    span = parse.words if isinstance(parse, values.Within) else ""
    return f"{option.about} Takes {span}." if span else option.about


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _option(option: Option) -> Schema:
    """Return a key's schema, with what an editor says of a wrong value instead of a pattern."""
    found = schema_of(option.parse)
    if "examples" in found:
        found["errorMessage"] = f"Write for example {', '.join(found['examples'])}."
    return found | {"description": described(option)}


def _properties(kind: type, *, but: str = "") -> dict[str, Schema]:
    """Return the schemas of a class's options by key, with their defaults."""
    by_name = {field.name: field for field in fields(kind)}
    found = {}
    for key, (name, option) in options_of(kind).items():
        found[key] = _option(option)
        default = None if key == but else default_of(by_name[name], option)
        if default is not None:
            found[key]["default"] = default
    return found


def _section(kind: type) -> Schema:
    located = kind is LocationConfig
    return {
        "description": kind.__doc__,
        "type": "object" if located else ["object", "null"],
        "properties": _properties(kind),
        "additionalProperties": False,
        **({"required": ["latitude", "longitude"]} if located else {}),
    }


def _activities() -> Schema:
    label = schema_of(values.text)
    labels = {"type": "array", "items": label, "minItems": 1, "maxItems": MAX_LABELS}
    weights = {
        "type": "object",
        "additionalProperties": schema_of(weight),
        "minProperties": 1,
        "maxProperties": MAX_LABELS,
    }
    return {
        "description": ABOUT_ACTIVITIES,
        "type": ["object", "null"],
        "additionalProperties": {"anyOf": [label, labels, weights]},
    }


def _rule() -> Schema:
    when = next(f.metadata["condition"] for f in fields(Rule) if "condition" in f.metadata)
    own = {key: _properties(ActivityCondition)[key] for key in (*COMMON, *_OF_A_WORD)}
    message = "above, below and look_back belong to an activity in this list, not to the rule."
    word = {"properties": {"when": schema_of(values.text) | {"errorMessage": message}}}
    return {
        "description": Rule.__doc__,
        "type": "object",
        "properties": {
            "name": _properties(Rule)["name"],
            "when": {
                "description": when,
                "anyOf": [_ref("condition"), _ref("conditions")],
            },
            **own,
            **_properties(Rule),
        },
        "required": ["name", "when"],
        "additionalProperties": False,
        "dependentSchemas": dict.fromkeys(_OF_A_WORD, word),
        **_counted(),
    }


def _counted() -> Schema:
    return {"dependentRequired": {"count": ["window"], "window": ["count"]}}


def _condition(key: str, kind: type[Condition]) -> Schema:
    properties = _properties(kind, but=key)
    if is_group(kind()):
        about = next(f.metadata["conditions"] for f in fields(kind) if "conditions" in f.metadata)
        least = {"minItems": 2} if kind is ThenCondition else {}
        first: Schema = {"description": about, **_ref("conditions"), **least}
    else:
        first = properties[key]
    return {
        "title": key,
        "description": kind.__doc__,
        "type": "object",
        "properties": {key: first} | {k: v for k, v in properties.items() if k != key},
        "required": [key],
        "additionalProperties": False,
        **_counted(),
    }
