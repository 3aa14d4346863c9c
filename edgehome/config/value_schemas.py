"""The form that each parser takes, as JSON Schema (2020-12), for editors and for the reference.

What `edgehome check` takes, an editor does not underline, numbers in quotes apart. A schema may
be looser than its parser where JSON Schema has no words, as for the range of a duration.
"""

from __future__ import annotations

from typing import Any

from edgehome.config import conditions, lists, values

Schema = dict[str, Any]

_DURATION = r"\s*\d+(\.\d+)?\s*(ms|s|m|h|d)\s*"
_CLOCK = r"\s*([01]?\d|2[0-3]):[0-5]\d\s*"
_DAY = "|".join("".join(f"[{c}{c.upper()}]" for c in day) for day in lists.DAYS)
_YES_OR_NO = "^([Yy][Ee][Ss]|[Nn][Oo]|[Oo][Nn]|[Oo][Ff][Ff])$"
_TEXT = ["string", "number", "boolean"]
"""Any single value of YAML is text to us: `name: 7` and `name: no` are names."""

_PLAIN: dict[Any, Schema] = {
    values.text: {"type": _TEXT, "minLength": 1},
    values.optional_text: {"type": [*_TEXT, "null"]},
    values.identity: {"type": _TEXT, "pattern": "^[a-z0-9][a-z0-9_-]{0,31}$"},
    values.topic: {"type": _TEXT, "pattern": "^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,7}$"},
    values.host: {
        "type": _TEXT,
        "pattern": "^([A-Za-z0-9._-]{1,253}|[0-9a-fA-F:]{2,45})$",
    },
    values.duration: {
        "type": "string",
        "pattern": f"^{_DURATION}$",
        "examples": ["500ms", "2s", "5m", "1.5h"],
    },
    values.signed_duration: {
        "type": "string",
        "pattern": rf"^\s*[+-]?{_DURATION}$",
        "examples": ["30m", "-1h"],
    },
    values.number: {"type": "number"},
    values.integer: {"type": "integer"},
    values.quarter_turns: {"enum": [0, 90, 180, 270]},
    values.probability: {"type": "number", "minimum": 0, "maximum": 1},
    values.boolean: {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": _YES_OR_NO}]},
    values.path: {"type": _TEXT, "minLength": 1},
    values.source: {"type": _TEXT, "minLength": 1},
    values.message: {"type": [*_TEXT, "null"], "maxLength": 250},
    values.rarity: {
        "anyOf": [
            {"enum": list(values.RARITIES)},
            {"type": "string", "pattern": f"^{_DURATION}$"},
            {
                "type": "object",
                "properties": {
                    "once_in": {"type": "string", "pattern": f"^{_DURATION}$"},
                    "above": {"type": "number", "minimum": 0.5, "maximum": 365},
                },
                "additionalProperties": False,
                "minProperties": 1,
                "maxProperties": 1,
            },
        ],
    },
    lists.weekdays: {
        "type": "string",
        "pattern": rf"^\s*({_DAY})(-({_DAY}))?\s*$",
        "examples": ["mon-fri", "sat", "fri-sun"],
    },
    conditions.AtLeast.parse: {
        "type": "string",
        "pattern": r"^\s*\d{1,3}\s*of\s*\d{1,3}\s*$",
        "examples": ["3 of 5"],
    },
    conditions.Between.parse: {
        "type": "string",
        "pattern": f"^{_CLOCK}-{_CLOCK}$",
        "examples": ["22:00-06:00"],
    },
}


def schema_of(parser: values.Parser | lists.ListOf) -> Schema:
    """Return a new JSON Schema of what the parser takes. Raises KeyError for an unknown parser."""
    if isinstance(parser, lists.ListOf):
        return _list(parser)
    if isinstance(parser, values.Choice):
        return {"enum": [str(word) for word in parser.words]}
    if isinstance(parser, values.Auto):
        return {"anyOf": [{"const": "auto"}, schema_of(parser.parse)]}
    if isinstance(parser, values.Within):
        inner = schema_of(parser.parse)
        if inner["type"] == "string":  # a duration: its range is for the description
            return inner | {"description": parser.words}
        return inner | {"minimum": parser.low, "maximum": parser.high}
    return dict(_PLAIN[parser])


def _list(parser: lists.ListOf) -> Schema:
    item = schema_of(parser.item)
    several: Schema = {
        "type": "array",
        "items": item,
        "minItems": parser.least,
        "maxItems": parser.most,
    }
    return {"anyOf": [item, several]} if parser.single else several
