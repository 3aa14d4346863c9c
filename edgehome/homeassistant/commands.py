"""What Home Assistant may ask of the node: a few verbs, each to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass

from edgehome.config.adjusting import HIGHEST, LOWEST
from edgehome.homeassistant.taught import LONGEST_NAME
from edgehome.types import Mode

MODES = {str(mode).encode(): mode for mode in Mode}
RULE_KEY = re.compile(r"rule/([a-z0-9_]{1,45})/(mute|threshold)")
PRESS = b"PRESS"
ALERT_ID = re.compile(rb"[0-9a-f]{32}")
"""What a node names its alerts."""
SWITCH = {b"ON": True, b"OFF": False}
DECIMAL = re.compile(rb"[01](\.[0-9]{1,17})?")
"""What Home Assistant makes of a number; no sign, no exponent, no name such as NaN."""
DIGITS = 2


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
class SetThreshold:
    """An adjustable rule's first activity is to begin at another score."""

    slug: str
    """Of the rule; there may be none of that slug, or it may not be adjustable."""
    above: float
    """0.05 to 1, in hundredths."""


@dataclass(frozen=True, slots=True)
class Silence:
    """No rule is to raise alerts for a time, or all are to raise them again."""

    silent: bool


@dataclass(frozen=True, slots=True)
class Reload:
    """The configuration file is to be taken over as it is."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Camera and model are to be tried now, whatever pause they take."""


@dataclass(frozen=True, slots=True)
class NameLesson:
    """Examples are for this activity from now on."""

    name: str
    """As a person wrote it, at most 40 characters; empty: for none."""


@dataclass(frozen=True, slots=True)
class ShowLesson:
    """The last seconds showed the activity that is being taught, or what is normal beside it."""

    shows: bool


@dataclass(frozen=True, slots=True)
class NotSuspicious:
    """The window of an alert was normal."""

    alert_id: str = ""
    """Empty: of the last one."""


Command = (
    SetMode | Mute | SetThreshold | Silence | Reload | Retry
    | NameLesson | ShowLesson | NotSuspicious
)  # fmt: skip
BUTTONS: dict[str, Command] = {
    "reload": Reload(),
    "retry": Retry(),
    "that_was_it": ShowLesson(shows=True),
    "that_was_normal": ShowLesson(shows=False),
    "not_suspicious": NotSuspicious(),
}


def parse_command(key: str, payload: bytes) -> Command | None:
    """Return the command on `<base>/<key>/set`, or None when it is not one that we know.

    Whoever can write to the broker gets here: nothing is trimmed or guessed.
    """
    if key == "mode":
        mode = MODES.get(payload)
        return SetMode(mode) if mode else None
    if key in BUTTONS and payload == PRESS:
        return BUTTONS[key]
    if key == "not_suspicious":
        return NotSuspicious(payload.decode()) if ALERT_ID.fullmatch(payload) else None
    if key == "silence":
        return Silence(SWITCH[payload]) if payload in SWITCH else None
    if key == "new_activity":
        name = _name(payload)
        return None if name is None else NameLesson(name)
    rule = RULE_KEY.fullmatch(key)
    return _of_rule(rule[1], rule[2], payload) if rule else None


def _of_rule(slug: str, verb: str, payload: bytes) -> Command | None:
    if verb == "mute":
        return Mute(slug, SWITCH[payload]) if payload in SWITCH else None
    above = _threshold(payload)
    return SetThreshold(slug, above) if above else None


def _name(payload: bytes) -> str | None:
    """Return a line of at most 40 characters, or None; what it stands for is for others to say."""
    try:
        name = payload[: 4 * LONGEST_NAME + 1].decode()
    except UnicodeDecodeError:
        return None
    return name if len(name) <= LONGEST_NAME and name.isprintable() else None


def _threshold(payload: bytes) -> float | None:
    """Return the score in hundredths, or None for anything but a decimal in range."""
    if not DECIMAL.fullmatch(payload) or not LOWEST <= float(payload) <= HIGHEST:
        return None
    return round(float(payload), DIGITS)
