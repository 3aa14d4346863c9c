"""Which names an activity cannot have, for a rule could not use it."""

from __future__ import annotations

from collections.abc import Collection

from edgehome.config.conditions import CONDITIONS
from edgehome.lessonproblems import name_of_rules, taken_name
from edgehome.packs import shipped_packs
from edgehome.types import Problem

_RESERVED = {*CONDITIONS, "normal"}


def wrong_name(name: str, own: Collection[str]) -> Problem | None:
    """Return what is wrong with a name; `own` are the labels that came with the model."""
    if name in _RESERVED or name in shipped_packs():
        return name_of_rules(name)
    own_names = {label.replace(" ", "_") for label in own}
    return taken_name(name) if name in own_names else None
