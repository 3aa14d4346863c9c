r"""A model of normal as bytes and back; the directions are made anew from the moments.

    EHNORM2\\n | CRC-32 of all that follows, <u4 | length of the facts, <u4 | facts, JSON | arrays

The arrays are those of `_ARRAYS`, one after the other: points as a byte each in steps of the
row's own `step`, hours in 16 bits. Of the windows that are held back as many are kept as there is
room for, evenly chosen. Windows that wait are not kept: a stop learns them before (`flush`).
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.novelty.moments import most_moments
from edgehome.novelty.normal import MOST_HELD, MOST_SPANS, Key, Normal, Window
from edgehome.novelty.returns import MOST_PEAKS
from edgehome.types import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

MAGIC = b"EHNORM2\n"
LARGEST_BYTES = 190 * 1024
_HEAD = struct.Struct("<II")
_ARRAYS = {
    "points": ("<i1", "used"),
    "step": ("<f4", "used"),
    "count": ("<f4", "used"),
    "days": ("<f4", "used"),
    "first": ("<f8", "used"),
    "last": ("<f8", "used"),
    "counted": ("<f8", "used"),
    "hours": ("<f2", "used"),
    "judged": ("<i1", "used"),
    "peak_at": ("<f8", "peaks"),
    "peak": ("<f4", "peaks"),
    "held": ("<i1", "windows"),
    "held_step": ("<f4", "windows"),
    "held_at": ("<f8", "windows"),
    "held_hour": ("<f4", "windows"),
}
"""Each with its type, and the fact that says how many rows there are."""
_HELD_BYTES = 16
"""Of a window that is held back, besides its points."""
_SPARE = 16
_MOMENTS = ("step2", "growth", "scatter", "place_days", "place_counted", "faded")
_TOTALS = ("windows", "watched_days", "typical", "scored", "motion")
_WIDEST = 8192
_REMEDY = "Nothing needs to be done: what is normal here is learnt anew."


def encode_normal(normal: Normal) -> bytes:
    """Return the model of normal as bytes, at most LARGEST_BYTES."""
    moments, returns, used = normal.moments, normal.returns, normal.moments.used
    facts = {
        "model": normal.key.model,
        "position": normal.key.position,
        "width": normal.width,
        "used": used,
        "moments": {name: _finite(getattr(moments, name)) for name in _MOMENTS},
        "totals": {name: getattr(normal.totals, name) for name in _TOTALS},
        "returns": [returns.watched_days, returns.episodes, returns.asked_days],
        "open": returns.open,
        "alerts": [[round(at, 1), round(asked, 3)] for at, asked in returns.alerts],
        "peaks": len(returns.peaks),
        "spans": [[round(at, 1) for at in span] for span in normal.spans],
        "windows": 0,
    }
    arrays = {name: getattr(moments, name)[:used] for name in _ARRAYS if hasattr(moments, name)}
    arrays["points"], arrays["step"] = _bytes(moments.points[:used])
    arrays["hours"] = arrays["hours"].clip(0, 60_000)
    peaks = np.array(returns.peaks).reshape(-1, 2)
    arrays |= {"peak_at": peaks[:, 0], "peak": peaks[:, 1]}
    room = LARGEST_BYTES - len(_packed(facts, arrays)) - _SPARE
    held = _chosen(normal.held, room // (normal.width + _HELD_BYTES))
    rows = np.array([window.vector for window in held], np.float32).reshape(-1, normal.width)
    arrays["held"], arrays["held_step"] = _bytes(rows)
    arrays["held_at"] = np.array([window.at for window in held])
    arrays["held_hour"] = np.array([window.hour for window in held])
    return _packed(facts | {"windows": len(held)}, arrays)


def _packed(facts: dict[str, Any], arrays: Arrays) -> bytes:
    text = json.dumps(facts, separators=(",", ":")).encode()
    parts = [
        arrays[name].astype(kind).tobytes() for name, (kind, _) in _ARRAYS.items() if name in arrays
    ]
    rest = struct.pack("<I", len(text)) + text + b"".join(parts)
    return MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest


def _bytes(rows: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return rows in whole steps from -127 to 127, and each row's step."""
    step = np.abs(rows).max(axis=1, initial=0.0).clip(1e-9) / 127
    return np.round(rows / step[:, None]), step


def _chosen(held: Sequence[Window], most: int) -> list[Window]:
    count = max(min(len(held), most), 0)
    return [held[i] for i in np.linspace(0, len(held) - 1, count).round().astype(int).tolist()]


def decode_normal(data: bytes, key: Key, width: int) -> Normal | Problem:
    """Return the model of normal in bytes, or why another has to begin anew.

    Problems: `normal_broken`, `normal_model` and `normal_position` where it is of another model
    or of another position of the camera than `key`.
    """
    try:
        facts, arrays = _read(data)
        other = _foreign(facts, key, width)
        return other or _built(facts, arrays, key)
    except (
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        message = f"What was learnt as normal cannot be read ({error}), so learning begins anew."
        return Problem("normal_broken", message, _REMEDY)


def _read(data: bytes) -> tuple[dict[str, Any], Arrays]:
    start = len(MAGIC) + _HEAD.size
    if not data.startswith(MAGIC) or len(data) < start:
        raise ValueError("it is no model of normal of this version")
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"it is larger than {LARGEST_BYTES} bytes")
    check, length = _HEAD.unpack_from(data, len(MAGIC))
    if zlib.crc32(data[len(MAGIC) + 4 :]) != check:
        raise ValueError("its checksum is wrong")
    facts = json.loads(data[start : start + length].decode())
    width = _width(facts)
    at, arrays = start + length, {}
    for name, (kind, rows) in _ARRAYS.items():
        wide = {"points": width, "held": width, "hours": 24}.get(name, 1)
        array = np.frombuffer(data, kind, facts[rows] * wide, at)
        at += array.nbytes
        shape = (facts[rows], wide) if name in {"points", "held", "hours"} else (facts[rows],)
        arrays[name] = array.reshape(shape).astype(np.float64 if kind == "<f8" else np.float32)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"its {name} are not finite")
    if at != len(data):
        raise ValueError("its length is wrong")
    return facts, arrays


def _width(facts: dict[str, Any]) -> int:
    """Return the width, once it and all numbers of rows are possible ones."""
    width = facts["width"]
    if type(width) is not int or not 1 <= width <= _WIDEST:
        raise ValueError("its width is none")
    most = {"used": most_moments(width), "peaks": MOST_PEAKS, "windows": MOST_HELD}
    for name, rows in most.items():
        if type(facts[name]) is not int or not 0 <= facts[name] <= rows:
            raise ValueError(f"its number of {name} is none")
    return width


def _foreign(facts: dict[str, Any], key: Key, width: int) -> Problem | None:
    if facts["model"] != key.model or facts["width"] != width:
        message = "What is normal here was learnt with another model, so learning begins anew."
        return Problem("normal_model", message, _REMEDY)
    if facts["position"] != key.position:
        message = "The camera stands elsewhere, so what is normal here is learnt anew."
        return Problem("normal_position", message, _REMEDY)
    return None


def _built(facts: dict[str, Any], arrays: Arrays, key: Key) -> Normal:
    normal = Normal(key, facts["width"])
    moments, used = normal.moments, facts["used"]
    moments.used = used
    moments.points[:used] = arrays["points"] * arrays["step"][:, None]
    for name in ("count", "days", "first", "last", "counted", "hours", "judged"):
        getattr(moments, name)[:used] = arrays[name]
    for name in _MOMENTS:
        value = facts["moments"][name]
        setattr(moments, name, float("-inf") if value is None else _number(value))
    moments.place_days = int(moments.place_days)
    moments.refresh()
    for name in _TOTALS:
        setattr(normal.totals, name, _number(facts["totals"][name]))
    returns = normal.returns
    watched, episodes, asked = (_number(value) for value in facts["returns"])
    returns.watched_days, returns.episodes, returns.asked_days = watched, episodes, asked
    returns.alerts = [(_number(at), _number(asked)) for at, asked in facts["alerts"]]
    returns.open = bool(facts["open"])
    peaks = zip(arrays["peak_at"].tolist(), arrays["peak"].tolist(), strict=True)
    returns.peaks = list(peaks)
    normal.spans = [(_number(start), _number(end)) for start, end in facts["spans"]][-MOST_SPANS:]
    vectors = arrays["held"] * arrays["held_step"][:, None]
    times = zip(arrays["held_at"].tolist(), arrays["held_hour"].tolist(), strict=True)
    for vector, (at, hour) in zip(vectors, times, strict=True):
        normal.held.append(Window(vector, at, hour))
    normal.settle()
    return normal


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: Any) -> Any:  # noqa: ANN401 - of JSON
    if type(value) not in {int, float} or not abs(value) < 1e15:
        raise ValueError(f"{value!r:.40} is no number")
    return value
