"""What Home Assistant is told, as values: discovery, states, alerts and commands. Pure.

Nothing here sends: each function returns messages for the delivery thread. The reference of
topics, payloads and entities is docs/reference/mqtt.md.
"""

from edgehome.homeassistant.alerts import alert_payload
from edgehome.homeassistant.commands import Command, Mute, Reload, SetMode, parse_command
from edgehome.homeassistant.discovery import announced_components, clear_gone, discovery
from edgehome.homeassistant.names import OTHER_RULE, device_identity, rule_slugs
from edgehome.homeassistant.pictures import cleared_pictures, picture_messages
from edgehome.homeassistant.states import NodeStatus, RuleStatus, heartbeat, state_messages
from edgehome.homeassistant.topics import Topics

__all__ = [
    "OTHER_RULE",
    "Command",
    "Mute",
    "NodeStatus",
    "Reload",
    "RuleStatus",
    "SetMode",
    "Topics",
    "alert_payload",
    "announced_components",
    "clear_gone",
    "cleared_pictures",
    "device_identity",
    "discovery",
    "heartbeat",
    "parse_command",
    "picture_messages",
    "rule_slugs",
    "state_messages",
]
