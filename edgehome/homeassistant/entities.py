"""The entities of the node, as components of the discovery message.

Keys are the abbreviations of
https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations-in-mqtt-discovery-messages.
Keys that one version does not know are ignored inside a component.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edgehome.homeassistant.names import OTHER_RULE, rule_slugs
from edgehome.homeassistant.pictures import picture_component
from edgehome.homeassistant.states import NO_ACTIVITY
from edgehome.homeassistant.topics import Topics
from edgehome.types import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgehome.config.types import Config

EXPIRE_AFTER_S = 120
"""Seconds without a heartbeat after which its entities become unavailable: four heartbeats."""

RULE_KEY, MUTE_KEY = "rule_", "mute_"
"""What the component keys of a rule begin with, and no other's."""

Component = dict[str, object]

_DIAGNOSTIC: Component = {"ent_cat": "diagnostic"}
_CONFIG: Component = {"ent_cat": "config"}
_MEASUREMENT: Component = {"stat_cla": "measurement"}
_COUNTER: Component = {"stat_cla": "total_increasing"}
_HIDDEN: Component = {"en": False}  # noisy: whoever wants it enables it


def components_of(
    config: Config, topics: Topics, activities: Iterable[str]
) -> dict[str, Component]:
    """Return every component by its key, without ids."""
    slugs = rule_slugs(rule.name for rule in config.rules)
    rules = {f"{RULE_KEY}{slug}": _rule(topics, name, slug) for name, slug in slugs.items()}
    mutes = {f"{MUTE_KEY}{slug}": _mute(topics, name, slug) for name, slug in slugs.items()}
    return {
        "alert": _alert_event(topics, list(slugs.values())),
        **rules,
        **_seen(topics, activities),
        **_camera(topics),
        **picture_component(config.snapshots, topics),
        **_controls(topics),
        **mutes,
        **_health(topics),
        **_counters(topics),
    }


def _controls(topics: Topics) -> dict[str, Component]:
    return {
        "mode": {
            "p": "select",
            "name": "Mode",
            "ic": "mdi:shield-home",
            "ops": [str(mode) for mode in Mode],
            "stat_t": topics.mode,
            "cmd_t": topics.command("mode"),
        },
        "reload": {
            "p": "button",
            "name": "Reload configuration",
            "ic": "mdi:file-refresh",
            **_CONFIG,
            "cmd_t": topics.command("reload"),
        },
    }


def _alert_event(topics: Topics, slugs: list[str]) -> Component:
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


def _rule(topics: Topics, name: str, slug: str) -> Component:
    return {
        "p": "binary_sensor",
        "name": name,
        "dev_cla": "safety",
        "~": topics.rule(slug),
        "stat_t": "~",
        "json_attr_t": "~/attributes",
    }


def _mute(topics: Topics, name: str, slug: str) -> Component:
    return {
        "p": "switch",
        "name": f"Mute {name}",
        **_CONFIG,
        "~": topics.mute(slug),
        "stat_t": "~",
        "cmd_t": "~/set",
    }


def _camera(topics: Topics) -> dict[str, Component]:
    return {
        "camera_view": {
            "p": "binary_sensor",
            "name": "Camera view",
            "dev_cla": "problem",
            "stat_t": topics.state,
            "val_tpl": "{{ value_json.camera }}",
            "json_attr_t": topics.state,
            "json_attr_tpl": "{{ {'states': value_json.camera_states} | to_json }}",
        },
        "motion": {
            "p": "sensor",
            "name": "Motion",
            "ic": "mdi:motion",
            "unit_of_meas": "%",
            **_MEASUREMENT,
            **_DIAGNOSTIC,
            "stat_t": topics.motion,
        },
    }


def _seen(topics: Topics, activities: Iterable[str]) -> dict[str, Component]:
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


def _health(topics: Topics) -> dict[str, Component]:
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


def _counters(topics: Topics) -> dict[str, Component]:
    described: dict[str, Component] = {
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
