"""What Home Assistant is told, as values: discovery, states, alerts and commands. Pure.

Nothing here sends: each function returns messages for the delivery thread. The reference of
topics, payloads and entities is docs/reference/mqtt.md.
"""

from edgehome.homeassistant.alerts import alert_payload
from edgehome.homeassistant.commands import (
    Command,
    Mute,
    NameLesson,
    NotSuspicious,
    Reload,
    Retry,
    SetMode,
    SetThreshold,
    ShowLesson,
    Silence,
    parse_command,
)
from edgehome.homeassistant.discovery import (
    LARGE_BYTES,
    announced_components,
    announcement_bytes,
    clear_gone,
    discovery,
)
from edgehome.homeassistant.names import (
    DISARMED,
    OTHER_RULE,
    SILENCED,
    device_identity,
    rule_slugs,
)
from edgehome.homeassistant.pictures import cleared_pictures, picture_messages
from edgehome.homeassistant.states import (
    NodeStatus,
    Release,
    RuleStatus,
    heartbeat,
    state_messages,
)
from edgehome.homeassistant.taught import Taught
from edgehome.homeassistant.topics import Topics

__all__ = [
    "DISARMED",
    "LARGE_BYTES",
    "OTHER_RULE",
    "SILENCED",
    "Command",
    "Mute",
    "NameLesson",
    "NodeStatus",
    "NotSuspicious",
    "Release",
    "Reload",
    "Retry",
    "RuleStatus",
    "SetMode",
    "SetThreshold",
    "ShowLesson",
    "Silence",
    "Taught",
    "Topics",
    "alert_payload",
    "announced_components",
    "announcement_bytes",
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
