"""What Home Assistant may ask of the node: three verbs, each to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgehome.types import Mode

MODES = {str(mode).encode(): mode for mode in Mode}
MUTE_KEY = re.compile(r"rule/([a-z0-9_]{1,45})/mute")
PRESS = b"PRESS"


@dataclass(frozen=True, slots=True)
class SetMode:
    """The home is in another mode."""

    mode: Mode


@dataclass(frozen=True, slots=True)
class Mute:
    """A rule is to raise no alerts, or to raise them again."""

    slug: str
    """Of the rule; there may be none of that slug."""
    muted: bool


@dataclass(frozen=True, slots=True)
class Reload:
    """The configuration file is to be taken over as it is."""


Command = SetMode | Mute | Reload


def parse_command(key: str, payload: bytes) -> Command | None:
    """Return the command on `<base>/<key>/set`, or None when it is not one that we know.

    Whoever can write to the broker gets here: nothing is trimmed, guessed or decoded.
    """
    if key == "mode":
        mode = MODES.get(payload)
        return SetMode(mode) if mode else None
    if key == "reload":
        return Reload() if payload == PRESS else None
    rule = MUTE_KEY.fullmatch(key)
    if rule and payload in (b"ON", b"OFF"):
        return Mute(rule[1], payload == b"ON")
    return None
