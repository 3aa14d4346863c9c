"""Everything that can be wrong with a head file."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from edgehome.heads.statistics import STATISTICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_BYTES = 4_000_000
"""No head file is larger; those of 480-number embeddings have some tens of thousands."""
LARGEST_SCORE = 1e30
"""Far beyond every head that can be of use, and far from the end of float32."""
LONGEST_WINDOW_S = 60.0
LESSON = "lesson"
"""The key of what a head was taught with at home, which is not needed to use it."""
_NAME = re.compile(r"[a-z0-9][a-z0-9 _-]{0,63}")
_CARD_TEXTS = ("description", "trained_on", "licence", "limits")


def faults_of(fields: object) -> list[str]:
    """Return everything that is wrong with a head file's JSON value, each as a clause."""
    if not isinstance(fields, dict):
        return ["it must be one JSON object"]
    unknown = fields.keys() - _CHECKS.keys() - {LESSON}
    faults = [f"{_shown(key)} is not a key of a head" for key in unknown]
    faults += [f"{key} is missing" for key in _CHECKS if key not in fields]
    faults += [
        f"{key} {text}"
        for key, (good, text) in _CHECKS.items()
        if key in fields and not good(fields[key])
    ]
    return sorted(faults) if faults else _lengths(fields)


def numbers_of(value: object) -> NDArray[np.float32] | None:
    """Return a list of numbers, or base64 of little-endian float32, as an array, or None."""
    if isinstance(value, str):
        try:
            numbers = np.frombuffer(base64.b64decode(value, validate=True), "<f4")
        except ValueError:
            return None
    elif isinstance(value, list) and all(map(_is_number, value)):
        with np.errstate(over="ignore"):
            numbers = np.array([float(number) for number in value]).astype(np.float32)
    else:
        return None
    return numbers.astype(np.float32) if numbers.size and np.isfinite(numbers).all() else None


def _lengths(fields: Mapping[str, object]) -> list[str]:
    sizes = {}
    for key in ("center", "scale", "weights"):
        numbers = numbers_of(fields[key])
        sizes[key] = 0 if numbers is None else len(numbers)
    kinds = fields["statistics"]
    count = len(kinds) if isinstance(kinds, list) else 0
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{key} {size}" for key, size in sizes.items())
        return [f"its lists must have the same number of numbers, and have: {said}"]
    if sizes["weights"] % count:
        return [f"{sizes['weights']} weights cannot be shared out to {count} statistics"]
    return []


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond every float
        return False


def _is_text(value: object) -> bool:
    """Whether it is a text that can be printed: JSON can also write halves of characters."""
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _within(low: float, high: float) -> Callable[[object], bool]:
    return lambda value: _is_number(value) and low <= value <= high  # type: ignore[operator]


def _is_window(value: object) -> bool:
    return _within(0.0, LONGEST_WINDOW_S)(value) and value != 0


def _are_statistics(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(kind, str) and kind in STATISTICS for kind in value)
        and len(set(value)) == len(value)
    )


def _are_numbers(value: object) -> bool:
    return numbers_of(value) is not None


def _are_above_zero(value: object) -> bool:
    numbers = numbers_of(value)
    return numbers is not None and bool((numbers > 0).all())


def _is_calibration(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"slope", "offset"}
        and all(_within(-1e6, 1e6)(number) for number in value.values())
        and value["slope"] > 0
    )


def _is_card(value: object) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {*_CARD_TEXTS, "figures"}
        and all(_is_text(value[key]) for key in _CARD_TEXTS)
        and isinstance(value["figures"], dict)
        and all(_is_text(key) for key in value["figures"])
    )


def _shown(key: str) -> str:
    return ascii(key if len(key) < len("a key of reasonable length") else key[:20] + "...")


_LIST = "must be a list of finite numbers, or base64 of little-endian float32"
_CHECKS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "name": (_is_name, "must be a label in small letters, digits, blanks, _ and -"),
    "embedding": (_is_text, "must name the space of embeddings that it fits"),
    "window_s": (_is_window, f"must be seconds above 0 and up to {LONGEST_WINDOW_S:.0f}"),
    "statistics": (_are_statistics, f"must list some of {', '.join(STATISTICS)}, each once"),
    "center": (_are_numbers, _LIST),
    "scale": (_are_above_zero, _LIST + ", all above 0"),
    "weights": (_are_numbers, _LIST),
    "bias": (_within(-1e6, 1e6), "must be a number between -1e6 and 1e6"),
    "calibration": (_is_calibration, "must be a slope above 0 and an offset, up to 1e6"),
    "threshold": (_within(0.0, 1.0), "must be a probability, 0 to 1"),
    "card": (_is_card, f"must have the texts {', '.join(_CARD_TEXTS)} and an object figures"),
}
