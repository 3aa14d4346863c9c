"""The entities that tell how the node itself is, as components of the discovery message.

What has no `stat_t` here takes the one at the message's root: the topic of the node's state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgehome.homeassistant.topics import Topics

EXPIRE_AFTER_S = 120
"""Seconds without a heartbeat after which its entities become unavailable: four heartbeats."""

Component = dict[str, object]

DIAGNOSTIC: Component = {"ent_cat": "diagnostic"}
CONFIG: Component = {"ent_cat": "config"}
MEASUREMENT: Component = {"stat_cla": "measurement"}
_COUNTER: Component = {"stat_cla": "total_increasing"}
_HIDDEN: Component = {"en": False}  # noisy: whoever wants it enables it

_COUNTERS: dict[str, Component] = {
    "frames_per_second": {
        "name": "Frame rate",
        "unit_of_meas": "fps",
        "sug_dsp_prc": 1,
        **MEASUREMENT,
    },
    "inference_ms": {
        "name": "Inference time",
        "dev_cla": "duration",
        "unit_of_meas": "ms",
        "sug_dsp_prc": 0,
        **MEASUREMENT,
    },
    "rate": {"name": "Chosen rate", "unit_of_meas": "fps"},
    "threads": {"name": "Threads"},
    "frame_age_s": {
        "name": "Last frame age",
        "dev_cla": "duration",
        "unit_of_meas": "s",
        **MEASUREMENT,
    },
    "temperature": {
        "name": "Processor temperature",
        "dev_cla": "temperature",
        "unit_of_meas": "°C",
        **MEASUREMENT,
    },
    "throttled": {"p": "binary_sensor", "name": "Throttled", "dev_cla": "problem"},
    "frames": {"name": "Frames", **_COUNTER, **_HIDDEN},
    "skipped": {"name": "Frames skipped", **_COUNTER, **_HIDDEN},
    "worker_restarts": {"name": "Worker restarts", **_COUNTER},
    "pending": {"name": "Alerts waiting", **MEASUREMENT},
    "dropped": {"name": "Alerts dropped", **_COUNTER},
    "ignored": {"name": "Commands ignored", **_COUNTER},
}
"""What the heartbeat carries, by its key there."""


def health(topics: Topics) -> dict[str, Component]:
    """Return what is wrong with the node, and which version of it runs since when."""
    problem: Component = {
        "p": "binary_sensor",
        "name": "Problem",
        "dev_cla": "problem",
        "json_attr_t": topics.state,
        "json_attr_tpl": "{{ {'problems': value_json.problems} | to_json }}",
    }
    text: Component = {"p": "sensor", "name": "Problem text", "ic": "mdi:message-alert"}
    started: Component = {"p": "sensor", "name": "Started", "dev_cla": "timestamp"}
    version: Component = {"p": "sensor", "name": "Version", "ic": "mdi:tag"}
    update: Component = {"p": "update", "name": "Update", "dev_cla": "firmware"}
    of_the_state = {
        "problem": problem,
        "problem_text": text,
        "started": started,
        "version": version,
    }
    return {
        **{
            key: {**component, **DIAGNOSTIC, "val_tpl": f"{{{{ value_json.{key} }}}}"}
            for key, component in of_the_state.items()
        },
        "update": {**update, **DIAGNOSTIC, "stat_t": topics.update},
    }


def delivery() -> dict[str, Component]:
    """Return who says that an alert is delivered."""
    return {
        "delivery": {
            "p": "sensor",
            "name": "Delivery",
            "ic": "mdi:email-check",
            "dev_cla": "enum",
            "ops": ["broker", "acknowledged"],
            **DIAGNOSTIC,
            "val_tpl": "{{ value_json.delivery }}",
        },
    }


def counters(topics: Topics) -> dict[str, Component]:
    """Return what the heartbeat carries."""
    return {
        key: {
            "p": "sensor",
            **description,
            **DIAGNOSTIC,
            "stat_t": topics.heartbeat,
            "val_tpl": f"{{{{ value_json.{key} }}}}",
            "exp_aft": EXPIRE_AFTER_S,
        }
        for key, description in _COUNTERS.items()
    }
