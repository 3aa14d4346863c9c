"""The values that people write in config.yaml: text in, value out.

Each parser raises ValueError with the words that the person needs: what is wrong and, where it
can be guessed, what was meant.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Parser = Callable[[str], Any]

RARITIES = {"once_a_day": 1.0, "once_a_week": 7.0, "once_a_month": 30.0}
"""Days, by the word for how rare something is."""
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)")
MESSAGE = "{label} ({score:.0%})"
"""What an alert says where its rule does not, and an activity went on."""
MESSAGE_FIELDS = {
    "rule": r"",
    "label": r"",
    "severity": r"",
    "score": r"(\.[0-3][%f])?",
    "at": r"(%[aAbBdHIjmMpSyYZ]|[ :.,/-]){0,20}",
}
"""What a message may name, and the format that each may carry: no attribute of anything."""


def suggest(word: str, known: list[str] | tuple[str, ...]) -> str:
    """Return `; did you mean ...?` where one of `known` is near `word`, else an empty text."""
    near = get_close_matches(word.lower(), [item.lower() for item in known], n=1, cutoff=0.6)
    for item in known:
        if near and item.lower() == near[0]:
            return f"; did you mean {item!r}?"
    return ""


def text(value: str) -> str:
    """Return a line of 1 to 100 printable characters."""
    if not value.strip():
        raise ValueError("must not be empty")
    if len(value) > 100:
        raise ValueError(f"is {len(value)} characters long; at most 100")
    if not value.isprintable():
        raise ValueError("has characters that cannot be printed")
    return value.strip()


def optional_text(value: str) -> str:
    """Return a line of at most 100 printable characters, which may be empty."""
    return text(value) if value.strip() else ""


def identity(value: str) -> str:
    """Return an id that is fit for topics and entities."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,31}", value):
        raise ValueError("must be 1 to 32 of a-z, 0-9, _ and -, and begin with a letter or digit")
    return value


def topic(value: str) -> str:
    """Return a topic without wildcards and without slashes at its ends."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+){0,7}", value):
        raise ValueError("must be a plain topic such as 'homeassistant', without +, # or spaces")
    return value


def host(value: str) -> str:
    """Return a host name or address, without scheme and port."""
    if "://" in value:
        raise ValueError(
            f"is a name or an address only; did you mean {urlsplit(value).hostname!r}?"
        )
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}|[0-9a-fA-F:]{2,45}", value):
        raise ValueError("is not a host name or an address")
    return value


def duration(value: str) -> float:
    """Return seconds from `500ms`, `2s`, `5m`, `1.5h` or `1d`."""
    match = DURATION.fullmatch(value.strip())
    if not match:
        raise ValueError(f"{value!r} is not a duration; write for example '2s' or '5m'")
    number, unit = match.groups()
    if not unit:
        raise ValueError(f"needs a unit; did you mean '{number}s'?")
    if unit not in SECONDS:
        raise ValueError(f"{unit!r} is not a unit of time; use ms, s, m, h or d")
    return float(number) * SECONDS[unit]


def rarity(value: str) -> float:
    """Return the days of `once_a_week`, or of a time such as `3d`: 12 hours to a year."""
    word = value.strip()
    if word in RARITIES:
        return RARITIES[word]
    if not DURATION.fullmatch(word):
        hint = suggest(word, tuple(RARITIES)) or f"; write {', '.join(RARITIES)} or a time as 3d"
        raise ValueError(f"{value!r} is not how rare something is{hint}")
    if word.replace(".", "").isdigit():
        raise ValueError(f"needs a unit; did you mean '{word}d'?")
    days = duration(word) / SECONDS["d"]
    if not 0.5 <= days <= 365:
        raise ValueError(f"{value!r} is out of range; 12h to 365d")
    return days


@dataclass(frozen=True, slots=True)
class Within:
    """Narrow a parser to a range, whose ends are given in the parser's unit."""

    parse: Parser
    low: float
    high: float
    words: str
    """The range in the words of the person, for example `100ms to 60s`."""

    def __call__(self, value: str) -> Any:  # noqa: ANN401
        """Return the parsed value, or raise ValueError when it is out of range."""
        parsed = self.parse(value)
        if not self.low <= parsed <= self.high:
            raise ValueError(f"{value!r} is out of range; {self.words}")
        return parsed


@dataclass(frozen=True, slots=True)
class Auto:
    """What another parser takes, or the word auto, which stands for None."""

    parse: Within

    def __call__(self, value: str) -> Any:  # noqa: ANN401
        """Return the parsed value, or None for auto."""
        if value == "auto":
            return None
        try:
            return self.parse(value)
        except ValueError as error:
            raise ValueError(f"{error}; or auto") from None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]
    """Text, or the members of a StrEnum, which are then what is returned."""

    def __call__(self, value: str) -> Any:  # noqa: ANN401
        """Return the word, or raise ValueError with what was probably meant."""
        for word in self.words:
            if word == value:
                return word
        words = [str(word) for word in self.words]
        hint = suggest(value, words)
        raise ValueError(f"{value!r} is not one of {', '.join(words)}{hint}")


def signed_duration(value: str) -> float:
    """Return seconds, below zero with a `-` before them."""
    bare = value.strip()
    return -duration(bare[1:]) if bare.startswith("-") else duration(bare.removeprefix("+"))


def frames_of(value: str) -> tuple[int, int]:
    """Return the two numbers of `3 of 5` frames."""
    match = re.fullmatch(r"(\d{1,3})\s*of\s*(\d{1,3})", value.strip())
    if not match:
        raise ValueError(f"{value!r} is not a part of the last frames; write for example 3 of 5")
    count, of = int(match[1]), int(match[2])
    if not 1 <= count <= of <= 300:
        raise ValueError(f"{value!r}: the first from 1 to the second, the second at most 300")
    return count, of


def quarter_turns(value: str) -> int:
    """Return degrees of a turn that leaves a picture rectangular."""
    if value.strip() not in {"0", "90", "180", "270"}:
        raise ValueError(f"{value!r} is not one of 0, 90, 180, 270 (degrees clockwise)")
    return int(value)


def number(value: str) -> float:
    """Return a number with or without a point."""
    if not re.fullmatch(r"[+-]?\d{1,9}(\.\d{1,9})?", value.strip()):
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def integer(value: str) -> int:
    """Return a whole number."""
    if not re.fullmatch(r"-?\d{1,9}", value.strip()):
        raise ValueError(f"{value!r} is not a whole number")
    return int(value)


def probability(value: str) -> float:
    """Return a number between 0 and 1; a percentage is named for what it is."""
    bare = value.strip()
    if re.fullmatch(r"\d{1,3}(\.\d+)?\s*%", bare):
        raise ValueError(f"is between 0 and 1; did you mean {float(bare.rstrip(' %')) / 100:g}?")
    if not re.fullmatch(r"-?\d*\.?\d+", bare):
        raise ValueError(f"{value!r} is not a number between 0 and 1")
    number = float(bare)
    if 1 < number <= 100:
        raise ValueError(f"is between 0 and 1; did you mean {number / 100:g}?")
    if not 0 <= number <= 1:
        raise ValueError(f"{value!r} is not between 0 and 1")
    return number


def boolean(value: str) -> bool:
    """Return the truth of true, false, yes, no, on or off."""
    words = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
    if value.lower() not in words:
        raise ValueError(f"{value!r} is neither true nor false")
    return words[value.lower()]


def time_of_day(value: str) -> time:
    """Return a time from `22:00`."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", value.strip())
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise ValueError(f"{value!r} is not a time of day; write for example 22:00")
    return time(int(match[1]), int(match[2]))


def path(value: str) -> Path:
    """Return a path; the reader makes it relative to the config file."""
    if not value.strip() or "\0" in value:
        raise ValueError("is not a path")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError(f"{value!r}: there is no such user's home folder") from None


def source(value: str) -> str:
    """Return a camera's source as it is; whether it exists is for the worker to see."""
    cleaned = text(value)
    scheme = urlsplit(cleaned).scheme
    if "://" in cleaned and scheme not in {"rtsp", "rtsps", "http", "https", "tcp"}:
        raise ValueError(f"does not know {scheme}://; use pi, a file, rtsp:// or /dev/video0")
    return cleaned


def message(value: str) -> str:
    """Return a template that names only the alert's own fields."""
    if len(value) > 250:
        raise ValueError(f"is {len(value)} characters long; at most 250")
    try:
        pieces = list(string.Formatter().parse(value))
    except ValueError as error:
        raise ValueError(f"has a brace that does not match ({error}); write {{{{ for one") from None
    for _, name, form, conversion in pieces:
        if name is None:
            continue
        if name not in MESSAGE_FIELDS:
            known = sorted(MESSAGE_FIELDS)
            raise ValueError(
                f"{{{name}}} is no field of an alert; use {', '.join(known)}{suggest(name, known)}"
            )
        if conversion or not re.fullmatch(MESSAGE_FIELDS[name], form or ""):
            raise ValueError(f"{{{name}:{form}}} is not a format that {name} takes")
    return value
