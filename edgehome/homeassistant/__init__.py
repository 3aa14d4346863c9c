"""What Home Assistant is told, as values: discovery, states, alerts and commands. Pure.

Nothing here sends: each function returns messages for the delivery thread. The reference of
topics, payloads and entities is docs/reference/mqtt.md.
"""

from edgehome.homeassistant.discovery import announced_components, clear_gone_rules, discovery
from edgehome.homeassistant.names import device_identity, rule_slugs
from edgehome.homeassistant.states import (
    Command,
    NodeStatus,
    RuleStatus,
    alert_payload,
    heartbeat,
    parse_command,
    state_messages,
)
from edgehome.homeassistant.topics import Topics

__all__ = [
    "Command",
    "NodeStatus",
    "RuleStatus",
    "Topics",
    "alert_payload",
    "announced_components",
    "clear_gone_rules",
    "device_identity",
    "discovery",
    "heartbeat",
    "parse_command",
    "rule_slugs",
    "state_messages",
]
