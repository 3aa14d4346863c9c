"""How a key of config.yaml is tied to a field: the way it is read, and what it is for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from edgehome.config.lists import ListOf
from edgehome.config.values import Parser


@dataclass(frozen=True, slots=True)
class Option:
    """How one key of config.yaml is read, and what it is for."""

    parse: Parser | ListOf
    about: str
    key: str
    """The key's name where Python does not allow it or the unit is in the field's name."""


def option(parse: Parser | ListOf, default: object, about: str, *, key: str = "") -> Any:  # noqa: ANN401
    """Return a dataclass field that carries its `Option`."""
    return field(default=default, metadata={"option": Option(parse, about, key)})


def section(kind: type) -> Any:  # noqa: ANN401
    """Return a dataclass field for a part of the file with keys of its own."""
    return field(default_factory=kind, metadata={"section": kind})


def conditions(about: str, *, key: str) -> Any:  # noqa: ANN401
    """Return a dataclass field for a list of conditions."""
    return field(default=(), metadata={"conditions": about, "key": key})
