"""The entities of the node, as components of the discovery message.

Keys are the abbreviations of
https://www.home-assistant.io/integrations/mqtt/#supported-abbreviations-in-mqtt-discovery-messages.
Keys that one version does not know are ignored inside a component. What has no `stat_t` here
takes the one at the message's root: the topic of the node's state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgehome.config.adjusting import HIGHEST, LOWEST, STEP
from edgehome.homeassistant.diagnostics import (
    CONFIG,
    DIAGNOSTIC,
    MEASUREMENT,
    Component,
    counters,
    delivery,
    health,
)
from edgehome.homeassistant.names import NODE_EVENTS, OTHER_RULE, rule_slugs
from edgehome.homeassistant.pictures import picture_component
from edgehome.homeassistant.states import NO_ACTIVITY
from edgehome.homeassistant.taught import teaching
from edgehome.homeassistant.topics import Topics
from edgehome.types import Mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgehome.config.types import Config

RULE_KEY, MUTE_KEY, THRESHOLD_KEY = "rule_", "mute_", "threshold_"
"""What the component keys of a rule begin with, and no other's."""


def components_of(
    config: Config, topics: Topics, activities: Iterable[str], taught: Iterable[str] = ()
) -> dict[str, Component]:
    """Return every component by its key, without ids."""
    slugs = rule_slugs(rule.name for rule in config.rules)
    rules = {f"{RULE_KEY}{slug}": _rule(topics, name, slug) for name, slug in slugs.items()}
    mutes = {f"{MUTE_KEY}{slug}": _mute(topics, name, slug) for name, slug in slugs.items()}
    thresholds = {
        f"{THRESHOLD_KEY}{slugs[rule.name]}": _threshold(topics, rule.name, slugs[rule.name])
        for rule in config.rules
        if rule.adjustable
    }
    return {
        "alert": _alert_event(topics, list(slugs.values())),
        **rules,
        **_seen(topics, activities),
        **_camera(topics),
        **picture_component(config.snapshots, topics),
        **_controls(topics),
        **_silence(topics),
        **teaching(topics, taught),
        **mutes,
        **thresholds,
        **health(topics),
        **delivery(),
        **counters(topics),
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
            **CONFIG,
            "cmd_t": topics.command("reload"),
        },
        "retry": {
            "p": "button",
            "name": "Retry",
            "ic": "mdi:camera-retake",
            **CONFIG,
            "cmd_t": topics.command("retry"),
        },
    }


def _silence(topics: Topics) -> dict[str, Component]:
    """Return two ways to ask for an hour without alerts, and until when there are none."""
    return {
        "silence": {
            "p": "switch",
            "name": "Silence",
            "ic": "mdi:bell-sleep",
            "val_tpl": "{{ value_json.silenced }}",
            "cmd_t": topics.command("silence"),
        },
        "silence_for_an_hour": {
            "p": "button",
            "name": "Silence for an hour",
            "ic": "mdi:bell-sleep",
            "cmd_t": topics.command("silence"),
            "pl_prs": "ON",
        },
        "silenced_until": {
            "p": "sensor",
            "name": "Silenced until",
            "dev_cla": "timestamp",
            **DIAGNOSTIC,
            "val_tpl": "{{ value_json.silenced_until }}",
        },
    }


def _alert_event(topics: Topics, slugs: list[str]) -> Component:
    # An alert may wait in the outbox while its rule is renamed or removed. Home Assistant drops
    # an event of a type that was not announced, so such an alert arrives as `other`. The entity
    # knows its types itself: a second list of them here would cost 45 bytes a rule.
    return {
        "p": "event",
        "name": "Alert",
        "ic": "mdi:bell-alert",
        "stat_t": topics.alert,
        "evt_typ": [*slugs, OTHER_RULE, *NODE_EVENTS],
        "val_tpl": (
            "{{ (value_json if value_json.event_type in "
            "this.attributes.get('event_types', [value_json.event_type]) else "
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
        **CONFIG,
        "~": topics.mute(slug),
        "stat_t": "~",
        "cmd_t": "~/set",
    }


def _threshold(topics: Topics, name: str, slug: str) -> Component:
    return {
        "p": "number",
        "name": f"Threshold {name}",
        **CONFIG,
        "~": topics.threshold(slug),
        "stat_t": "~",
        "cmd_t": "~/set",
        "min": LOWEST,
        "max": HIGHEST,
        "step": STEP,
        "mode": "slider",
    }


def _camera(topics: Topics) -> dict[str, Component]:
    return {
        "camera_view": {
            "p": "binary_sensor",
            "name": "Camera view",
            "dev_cla": "problem",
            "val_tpl": "{{ value_json.camera }}",
            "json_attr_t": topics.state,
            "json_attr_tpl": "{{ {'states': value_json.camera_states} | to_json }}",
        },
        "motion": {
            "p": "sensor",
            "name": "Motion",
            "ic": "mdi:motion",
            "unit_of_meas": "%",
            **MEASUREMENT,
            **DIAGNOSTIC,
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
            "val_tpl": "{{ value_json.activity }}",
        },
        "confidence": {
            "p": "sensor",
            "name": "Confidence",
            "ic": "mdi:percent",
            "unit_of_meas": "%",
            **MEASUREMENT,
            "sug_dsp_prc": 0,
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
