"""The picture of the last alert, as messages and as an entity."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from edgehome.homeassistant.topics import Topics
from edgehome.types import Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from edgehome.config.types import SnapshotsConfig

PICTURE_KEY = "last_alert_picture"
"""The component's key."""


def picture_component(config: SnapshotsConfig, topics: Topics) -> dict[str, dict[str, object]]:
    """Return the image entity by its key, or nothing while pictures are off."""
    if not config.enabled:
        return {}
    return {
        PICTURE_KEY: {
            "p": "image",
            "name": "Last alert picture",
            "img_t": topics.snapshot,
            "cont_type": "image/jpeg",
            "json_attr_t": topics.snapshot_attributes,
        }
    }


def picture_messages(
    identity: str, jpeg: bytes, *, alert_id: str, at: datetime, retain: bool
) -> list[Message]:
    """Return the picture of an alert, and before it whose it is and of when.

    An automation runs on the picture; it would otherwise see the attributes of the one before.
    """
    topics = Topics(identity)
    attributes = {"alert_id": alert_id, "at": at.isoformat(timespec="milliseconds")}
    return [
        Message(topics.snapshot_attributes, json.dumps(attributes).encode(), retain=retain),
        Message(topics.snapshot, jpeg, retain=retain),
    ]


def cleared_pictures(
    config: SnapshotsConfig, identity: str, announced: Mapping[str, str], *, retained: bool
) -> list[Message]:
    """Return what makes the broker forget a picture that it is not to keep any more.

    `announced` are the components of the message before (see `announced_components`); `retained`:
    whether the broker was given pictures to keep. Send it after the discovery message.
    """
    switched_off = PICTURE_KEY in announced and not config.enabled
    topics = Topics(identity)
    if not switched_off and (not retained or (config.enabled and config.retain)):
        return []
    known = (topics.snapshot, topics.snapshot_attributes)
    return [Message(topic, b"", retain=True) for topic in known]
