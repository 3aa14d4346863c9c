"""What a home teaches its node: the entities that ask and tell of it, and their states.

All that is told stands in one retained topic, so that an activity costs the discovery message one
component and no topic of its own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgehome.homeassistant.names import rule_slugs
from edgehome.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgehome.homeassistant.diagnostics import Component
    from edgehome.homeassistant.topics import Topics

LONGEST_NAME = 40
"""Characters of an activity's name."""
TAUGHT_KEY = "taught_"
"""What the component key of a taught activity begins with."""
LEARNT, LEARNING, UNCLEAR = "learnt", "learning", "unclear"


@dataclass(frozen=True, slots=True)
class Taught:
    """An activity that the home teaches, as it stands."""

    name: str
    """The label."""
    version: int
    shown: int
    """Examples of the activity that count."""
    says: str
    """How good it is, in words; empty while it is too early."""
    missing: str
    """What it still needs, as a sentence; empty once it is learnt."""
    unclear: bool = False
    """Whether it was learnt, and cannot be told from normal."""

    @property
    def stage(self) -> str:
        """Return how far it is, in a word."""
        learnt = UNCLEAR if self.unclear else LEARNT
        return learnt if self.says else LEARNING


def teaching(topics: Topics, names: Iterable[str]) -> dict[str, Component]:
    """Return what asks for examples, and a sensor for each taught activity."""
    return {
        "new_activity": {
            "p": "text",
            "name": "New activity",
            "ic": "mdi:school",
            "stat_t": topics.taught,
            "val_tpl": "{{ value_json.name }}",
            "cmd_t": topics.command("new_activity"),
            "max": LONGEST_NAME,
        },
        "that_was_it": _button(topics, "that_was_it", "That was it", "mdi:thumb-up"),
        "that_was_normal": _button(topics, "that_was_normal", "That was normal", "mdi:thumb-down"),
        "not_suspicious": _button(topics, "not_suspicious", "Not suspicious", "mdi:shield-check"),
        "normal": {
            "p": "sensor",
            "name": "Normal",
            "ic": "mdi:home-clock",
            "ent_cat": "diagnostic",
            "val_tpl": "{{ value_json.normal }}",
        },
        "unusual": {
            "p": "sensor",
            "name": "Unusual",
            "ic": "mdi:home-alert",
            "unit_of_meas": "d",
            "val_tpl": "{{ value_json.unusual }}",
        },
        **{
            f"{TAUGHT_KEY}{slug}": _lesson(topics, name)
            for name, slug in rule_slugs(sorted(names)).items()
        },
    }


def taught_message(topics: Topics, name: str, lessons: Iterable[Taught]) -> Message:
    """Return what is being taught and how far each activity is, retained."""
    told = {
        "name": name,
        "taught": {
            lesson.name: {
                "stage": lesson.stage,
                "examples": lesson.shown,
                "says": lesson.says or lesson.missing,
                "version": lesson.version,
            }
            for lesson in lessons
        },
    }
    data = json.dumps(told, ensure_ascii=False, allow_nan=False).encode()
    return Message(topics.taught, data, retain=True)


def _button(topics: Topics, key: str, name: str, icon: str) -> Component:
    return {"p": "button", "name": name, "ic": icon, "cmd_t": topics.command(key)}


def _lesson(topics: Topics, name: str) -> Component:
    # Between a removal and the discovery message after it, the topic lacks the activity.
    its = f"value_json.taught.get({name!r}, {{}})"
    return {
        "p": "sensor",
        "name": f"Taught {name}",
        "ic": "mdi:school",
        "stat_t": topics.taught,
        "val_tpl": f"{{{{ {its}.get('stage') }}}}",
        "json_attr_t": topics.taught,
        "json_attr_tpl": f"{{{{ {its} | to_json }}}}",
    }
