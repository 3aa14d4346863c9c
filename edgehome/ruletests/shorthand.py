"""The shorthand for what happens from frame to frame: `0x10 0.2..0.9x5 _x15 0.9x2s`.

A value stands for one frame, with `x10` behind it for ten, with `x2s` for two seconds. `0.2..0.9x5`
goes from the one to the other in five even steps, both ends among them. `_` is a frame that never
came, `still` one of a scene that stands still.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from edgehome.config import values
from edgehome.config.values import suggest
from edgehome.types import CameraState, Mode

MAX_FRAMES = 1_000_000
"""Of one series: two days at five frames a second."""
MISSING = "_"
STILL = "still"
NOTHING = "none"

_TOKEN = re.compile(r"(\S+?)(?:\s*x\s*(\d+(?:\.\d+)?[a-z]*))?(?=\s|$)")

Value = TypeVar("Value")


def numbers(text: str, interval_s: float) -> list[float | str]:
    """Return a series of scores, 0-1, MISSING and STILL. Raises ValueError."""
    frames: list[float | str] = []
    for word, count in _tokens(text, interval_s):
        first, dots, last = word.partition("..")
        if word in {MISSING, STILL}:
            frames += [word] * count
        elif dots:
            frames += _ramp(_number(first), _number(last), count)
        else:
            frames += [_number(word)] * count
    return frames


def rarities(text: str, interval_s: float) -> list[float]:
    """Return a series of the days in which such a frame comes once. Raises ValueError."""
    return _words(text, interval_s, _days)


def modes(text: str, interval_s: float) -> list[Mode]:
    """Return a series of the home's modes. Raises ValueError."""
    return _words(text, interval_s, _mode)


def cameras(text: str, interval_s: float) -> list[frozenset[CameraState]]:
    """Return a series of what is wrong with the camera's view. Raises ValueError."""
    return _words(text, interval_s, _camera)


def _words(text: str, interval_s: float, parse: Callable[[str], Value]) -> list[Value]:
    frames: list[Value] = []
    for word, count in _tokens(text, interval_s):
        frames += [parse(word)] * count
    return frames


def _tokens(text: str, interval_s: float) -> list[tuple[str, int]]:
    """Return each word of a series with the number of frames that it stands for."""
    tokens: list[tuple[str, int]] = []
    place = 0
    total = 0
    while place < len(text.rstrip()):
        match = _TOKEN.match(text, place := place + _blanks(text, place))
        if not match:
            raise ValueError(f"{text[place:].strip()[:20]!r} is not a value such as 0.9x10")
        word, times = match.groups()
        count = 1 if times is None else _count(times, interval_s)
        total += count
        if total > MAX_FRAMES:
            raise ValueError(f"stands for more than {MAX_FRAMES} frames")
        tokens.append((word, count))
        place = match.end()
    if not tokens:
        raise ValueError("is empty; write for example 0x10 0.9x15 0x5")
    return tokens


def _blanks(text: str, place: int) -> int:
    return len(text) - place - len(text[place:].lstrip())


def _count(times: str, interval_s: float) -> int:
    """Return frames from `10` or from `2s`."""
    if times.isdigit():
        count = int(times[:10])
    else:
        frames = values.duration(times) / interval_s
        count = round(frames)
        if abs(frames - count) > 1e-6:
            raise ValueError(f"x{times} is not a whole number of frames, {interval_s:g}s apart")
    if not 1 <= count <= MAX_FRAMES:
        raise ValueError(f"x{times} is not 1 to {MAX_FRAMES} frames")
    return count


def _number(word: str) -> float:
    try:
        return values.probability(word)
    except ValueError as error:
        raise ValueError(
            f"{word!r} is not a score, a ramp such as 0..0.9x5, _ or still ({error})"
        ) from None


def _ramp(first: float, last: float, count: int) -> list[float]:
    if count < 2:
        raise ValueError(f"{first:g}..{last:g} needs at least two frames; write for example x5")
    step = (last - first) / (count - 1)
    return [round(first + step * number, 9) for number in range(count)]


def _days(word: str) -> float:
    try:
        days = values.number(word)
    except ValueError:
        days = -1.0
    if not 0 <= days <= 100_000:
        raise ValueError(f"{word!r} is no number of days such as 8, or 0 for nothing unusual")
    return days


def _mode(word: str) -> Mode:
    known = [str(mode) for mode in Mode]
    if word not in known:
        raise ValueError(f"{word!r} is no mode{suggest(word, known) or _listed(known)}")
    return Mode(word)


def _camera(word: str) -> frozenset[CameraState]:
    """Return the states of `covered`, of `covered+dark`, or none."""
    if word == NOTHING:
        return frozenset()
    known = [str(state) for state in CameraState]
    for part in word.split("+"):
        if part not in known:
            hint = suggest(part, known) or _listed([NOTHING, *known])
            raise ValueError(f"{part!r} is no state of the camera{hint}")
    return frozenset(CameraState(part) for part in word.split("+"))


def _listed(known: list[str]) -> str:
    return f"; there are: {', '.join(known)}"
