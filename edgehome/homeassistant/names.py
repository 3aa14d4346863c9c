"""Names that are safe in topics, unique ids and entity ids, made from what people write."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING

from edgehome.types import EdgehomeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgehome.config.types import DeviceConfig

OTHER_RULE = "other"
"""Event type of an alert whose rule is no longer in the config."""
DISARMED, SILENCED, ALERTS_DROPPED = "disarmed", "silenced", "alerts_dropped"
NODE_EVENTS = (DISARMED, SILENCED, ALERTS_DROPPED)
"""Event types of what the node itself has to tell: no rule's."""

_LONGEST_SLUG = 40
_IDENTITY = re.compile(r"[a-z0-9_-]{1,64}")


def device_identity(device: DeviceConfig, machine_id: str) -> str:
    """Return the `<id>` of topics and entities: the configured one, or one of the machine's id.

    `machine_id` is the text of /etc/machine-id. Only its hash leaves the machine, as
    machine-id(5) asks. Raises EdgehomeError when the configured id cannot stand in a topic
    (Home Assistant takes only letters, digits, `_` and `-` in a discovery topic).
    """
    if not device.id:
        return f"edgehome_{_digest(machine_id.strip(), 8)}"
    if not _IDENTITY.fullmatch(device.id):
        raise EdgehomeError(
            "device_id_invalid",
            f"The device id {device.id!r} cannot stand in an MQTT topic.",
            "Use 1 to 64 small letters, digits, '_' or '-', or leave it out.",
        )
    return device.id


def rule_slugs(names: Iterable[str]) -> dict[str, str]:
    """Return a slug by rule name: `[a-z0-9_]`, at most 45 characters, each once.

    A name that gives no slug of its own, or one that an earlier rule or an event of the node has,
    gets four hexadecimal digits of the name's hash, so its slug does not depend on how many such
    rules there are.
    """
    slugs: dict[str, str] = {}
    taken = {"", OTHER_RULE, *NODE_EVENTS}
    for name in dict.fromkeys(names):
        slug = plain = slugify(name)[:_LONGEST_SLUG].strip("_")
        digits = 4
        while slug in taken:
            slug = f"{plain or 'rule'}_{_digest(name, digits)}"
            digits += 1
        slugs[name] = slug
        taken.add(slug)
    return slugs


def slugify(text: str) -> str:
    """Return `text` in lower snake_case ASCII, accents dropped; empty when nothing is left."""
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
