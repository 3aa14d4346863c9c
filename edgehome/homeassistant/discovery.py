"""The one retained message that makes the node a device with entities in Home Assistant.

Device-based discovery needs Home Assistant 2024.12 or newer. Keys are the abbreviations of
https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations-in-mqtt-discovery-messages.
Keys that one version does not know are ignored inside a component; at the root of the message
they would cost the whole device.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edgehome.homeassistant.names import OTHER_RULE, rule_slugs, slugify
from edgehome.homeassistant.states import NO_ACTIVITY
from edgehome.homeassistant.topics import Topics
from edgehome.types import Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from edgehome.config.types import Config

EXPIRE_AFTER_S = 120
"""Seconds without a heartbeat after which its entities become unavailable: four heartbeats."""

_RULE_KEY = "rule_"
"""What the component keys of rules begin with, and no other."""

_Component = dict[str, object]

_DIAGNOSTIC: _Component = {"ent_cat": "diagnostic"}
_MEASUREMENT: _Component = {"stat_cla": "measurement"}
_COUNTER: _Component = {"stat_cla": "total_increasing"}
_HIDDEN: _Component = {"en": False}  # noisy: whoever wants it enables it


def discovery(
    config: Config,
    identity: str,
    activities: Iterable[str],
    version: str,
    announced: Mapping[str, str] | None = None,
) -> Message:
    """Return the discovery message of the node: about 5 kB, and 0.5 kB a rule.

    `activities` are the names that `NodeStatus.activity` may take. `announced` are the components
    of the message before this one (see `announced_components`): those that are gone are named
    with their platform alone, which is how Home Assistant is told to remove an entity. Leaving
    them out would keep them there, unavailable.
    """
    topics = Topics(identity)
    components = _components(config, topics, activities)
    device_slug = slugify(config.device.name) or identity
    for key, component in components.items():
        component["uniq_id"] = f"{identity}_{key}"
        # Up to 2025 Home Assistant knows the one, from 2026 on only the other.
        component["obj_id"] = f"{device_slug}_{key}"
        component["def_ent_id"] = f"{component['p']}.{device_slug}_{key}"
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
        "qos": 1,
        "cmps": {**components, **gone},
    }
    data = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    return Message(topics.discovery(config.mqtt.discovery_prefix), data, retain=True)


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


def clear_gone_rules(config: Config, identity: str, announced: Mapping[str, str]) -> list[Message]:
    """Return what makes the broker forget the states of announced rules that are gone.

    Send it after the discovery message: while an entity still listens, Home Assistant complains
    about the empty payload.
    """
    topics = Topics(identity)
    slugs = rule_slugs(rule.name for rule in config.rules)
    kept = {f"{_RULE_KEY}{slug}" for slug in slugs.values()}
    gone = [key for key in announced if key.startswith(_RULE_KEY) and key not in kept]
    return [
        Message(topic(key.removeprefix(_RULE_KEY)), b"", retain=True)
        for key in gone
        for topic in (topics.rule, topics.rule_attributes)
    ]


def _components(config: Config, topics: Topics, activities: Iterable[str]) -> dict[str, _Component]:
    slugs = rule_slugs(rule.name for rule in config.rules)
    rules = {f"{_RULE_KEY}{slug}": _rule(topics, name, slug) for name, slug in slugs.items()}
    return {
        "alert": _alert_event(topics, list(slugs.values())),
        **rules,
        **_seen(topics, activities),
        "armed": {
            "p": "switch",
            "name": "Armed",
            "ic": "mdi:shield-home",
            "stat_t": topics.armed,
            "cmd_t": topics.command("armed"),
        },
        **_health(topics),
        **_counters(topics),
    }


def _alert_event(topics: Topics, slugs: list[str]) -> _Component:
    # An alert may wait in the outbox while its rule is renamed or removed. Home Assistant drops
    # an event of a type that was not announced, so such an alert arrives as `other`.
    known = json.dumps(slugs)
    return {
        "p": "event",
        "name": "Alert",
        "ic": "mdi:bell-alert",
        "stat_t": topics.alert,
        "evt_typ": list(dict.fromkeys([*slugs, OTHER_RULE])),
        "val_tpl": (
            f"{{{{ (value_json if value_json.event_type in {known} else "
            f"dict(value_json, event_type='{OTHER_RULE}')) | to_json }}}}"
        ),
    }


def _rule(topics: Topics, name: str, slug: str) -> _Component:
    return {
        "p": "binary_sensor",
        "name": name,
        "dev_cla": "safety",
        "stat_t": topics.rule(slug),
        "json_attr_t": topics.rule_attributes(slug),
    }


def _seen(topics: Topics, activities: Iterable[str]) -> dict[str, _Component]:
    return {
        "activity": {
            "p": "sensor",
            "name": "Activity",
            "ic": "mdi:run",
            "dev_cla": "enum",
            "ops": list(dict.fromkeys([NO_ACTIVITY, *activities])),
            "stat_t": topics.state,
            "val_tpl": "{{ value_json.activity }}",
        },
        "confidence": {
            "p": "sensor",
            "name": "Confidence",
            "ic": "mdi:percent",
            "unit_of_meas": "%",
            **_MEASUREMENT,
            "sug_dsp_prc": 0,
            "stat_t": topics.state,
            "val_tpl": "{{ value_json.confidence }}",
        },
        "last_alert": {
            "p": "sensor",
            "name": "Last alert",
            "dev_cla": "timestamp",
            "stat_t": topics.last_alert,
            "val_tpl": "{{ value_json.at }}",
            "json_attr_t": topics.last_alert,
        },
    }


def _health(topics: Topics) -> dict[str, _Component]:
    return {
        "problem": {
            "p": "binary_sensor",
            "name": "Problem",
            "dev_cla": "problem",
            **_DIAGNOSTIC,
            "stat_t": topics.state,
            "val_tpl": "{{ value_json.problem }}",
            "json_attr_t": topics.state,
            "json_attr_tpl": "{{ {'problems': value_json.problems} | to_json }}",
        },
        "started": {
            "p": "sensor",
            "name": "Started",
            "dev_cla": "timestamp",
            **_DIAGNOSTIC,
            "stat_t": topics.state,
            "val_tpl": "{{ value_json.started }}",
        },
        "version": {
            "p": "sensor",
            "name": "Version",
            "ic": "mdi:tag",
            **_DIAGNOSTIC,
            "stat_t": topics.state,
            "val_tpl": "{{ value_json.version }}",
        },
    }


def _counters(topics: Topics) -> dict[str, _Component]:
    described: dict[str, _Component] = {
        "frames_per_second": {
            "name": "Frame rate",
            "unit_of_meas": "fps",
            "sug_dsp_prc": 1,
            **_MEASUREMENT,
        },
        "inference_ms": {
            "name": "Inference time",
            "dev_cla": "duration",
            "unit_of_meas": "ms",
            "sug_dsp_prc": 0,
            **_MEASUREMENT,
        },
        "frames": {"name": "Frames", **_COUNTER, **_HIDDEN},
        "skipped": {"name": "Frames skipped", **_COUNTER, **_HIDDEN},
        "worker_restarts": {"name": "Worker restarts", **_COUNTER},
        "pending": {"name": "Alerts waiting", **_MEASUREMENT},
        "dropped": {"name": "Alerts dropped", **_COUNTER},
    }
    return {
        key: {
            "p": "sensor",
            **description,
            **_DIAGNOSTIC,
            "stat_t": topics.heartbeat,
            "val_tpl": f"{{{{ value_json.{key} }}}}",
            "exp_aft": EXPIRE_AFTER_S,
        }
        for key, description in described.items()
    }
