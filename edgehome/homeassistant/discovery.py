"""The one retained message that makes the node a device with entities in Home Assistant.

Device-based discovery needs Home Assistant 2024.12 or newer. Keys are the abbreviations of
https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations-in-mqtt-discovery-messages.
Keys that one version does not know are ignored inside a component; at the root of the message
they would cost the whole device.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from edgehome.homeassistant.entities import MUTE_KEY, RULE_KEY, THRESHOLD_KEY, components_of
from edgehome.homeassistant.names import rule_slugs, slugify
from edgehome.homeassistant.topics import Topics
from edgehome.types import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edgehome.config.types import Config

LARGE_BYTES = 20_000
"""A discovery message of more is doubtful: it is sent, parsed and kept as one."""

_SIMPLE = re.compile(r"[A-Za-z0-9_ ]+")
"""Names of which Home Assistant makes the same part of an entity id as `slugify` does."""


def discovery(
    config: Config,
    identity: str,
    activities: Iterable[str],
    version: str,
    announced: Mapping[str, str] | None = None,
    *,
    taught: Iterable[str] = (),
) -> Message:
    """Return the discovery message of the node: 9 kB, 0.7 to 1.2 kB a rule, 0.4 kB a `taught` one.

    `activities` are the names that `NodeStatus.activity` may take. `announced` are the components
    of the message before this one (see `announced_components`): those that are gone are named
    with their platform alone, which is how Home Assistant is told to remove an entity. Leaving
    them out would keep them there, unavailable.
    """
    components = components_of(config, topics := Topics(identity), activities, taught)
    for key, component in components.items():
        component["uniq_id"] = f"{identity}_{key}"
        component.update(_entity_id(config.device.name, identity, key, component))
    gone = {
        key: {"p": platform} for key, platform in (announced or {}).items() if key not in components
    }
    payload = {
        "dev": {
            "ids": [identity],
            "name": config.device.name,
            "mf": "edgehome",
            "mdl": "Camera node",
            "sw": version,
        },
        "o": {"name": "edgehome", "sw": version},
        "avty_t": topics.availability,
        "stat_t": topics.state,
        "qos": 1,
        "cmps": {**components, **gone},
    }
    data = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    return Message(topics.discovery(config.mqtt.discovery_prefix), data, retain=True)


def announcement_bytes(config: Config, activities: Iterable[str]) -> int:
    """Return about how large the discovery message is, for an identity of the usual length."""
    identity = config.device.id or "edgehome_00000000"
    return len(discovery(config, identity, activities, "0.0.0").payload)


def _entity_id(
    device: str, identity: str, key: str, component: Mapping[str, object]
) -> dict[str, object]:
    """Return what gives the entity the id `<platform>.<device>_<key>`: nothing, if that is usual.

    The message is to stay small: it is sent, parsed and kept as one.
    """
    name = str(component["name"])
    if slugify(name) == key and _SIMPLE.fullmatch(name) and _SIMPLE.fullmatch(device):
        return {}
    slug = f"{slugify(device) or identity}_{key}"
    # Up to 2025 Home Assistant knows the one, from 2026 on only the other.
    return {"obj_id": slug, "def_ent_id": f"{component['p']}.{slug}"}


def announced_components(payload: bytes) -> dict[str, str]:
    """Return the platform by component key of an earlier discovery payload.

    Keep the payload that was sent last, and give this to the next `discovery`. Anything that is
    not such a payload gives an empty dictionary: a lost note costs a stale entity, no more.
    """
    try:
        components: dict[str, Any] = json.loads(payload)["cmps"]
        return {key: str(component["p"]) for key, component in components.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def clear_gone(config: Config, identity: str, announced: Mapping[str, str]) -> list[Message]:
    """Return what makes the broker forget the states of announced entities that are gone.

    Send it after the discovery message: while an entity still listens, Home Assistant complains
    about the empty payload.
    """
    topics = Topics(identity)
    slugs = rule_slugs(rule.name for rule in config.rules)
    adjustable = {slugs[rule.name] for rule in config.rules if rule.adjustable}
    kept = {
        RULE_KEY: set(slugs.values()),
        MUTE_KEY: set(slugs.values()),
        THRESHOLD_KEY: adjustable,
    }
    gone = [
        topic(slug)
        for prefix, known in _rule_topics(topics).items()
        for key in announced
        if key.startswith(prefix) and (slug := key.removeprefix(prefix)) not in kept[prefix]
        for topic in known
    ]
    if "armed" in announced:
        gone.append(topics.armed)
    return [Message(topic, b"", retain=True) for topic in gone]


def _rule_topics(topics: Topics) -> dict[str, tuple[Callable[[str], str], ...]]:
    """Return the topics of a rule by the component that reads them."""
    return {
        RULE_KEY: (topics.rule, topics.rule_attributes),
        MUTE_KEY: (topics.mute,),
        THRESHOLD_KEY: (topics.threshold,),
    }
