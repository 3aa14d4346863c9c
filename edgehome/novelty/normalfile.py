r"""A model of normal as bytes and back; the directions are made anew from the moments.

    EHNORM2\\n | CRC-32 of all that follows, <u4 | length of the facts, <u4 | facts, JSON | arrays

The arrays are those of `_ARRAYS`, (moments, ...), one after the other: points as a byte each in
steps of the row's own `step`, hours in 16 bits. Windows that wait or are held back are not kept:
what was not learnt by then is not learnt.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.novelty.moments import most_moments
from edgehome.novelty.normal import Key, Normal
from edgehome.novelty.returns import MOST_PEAKS
from edgehome.types import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[Any]]

MAGIC = b"EHNORM2\n"
LARGEST_BYTES = 190 * 1024
_HEAD = struct.Struct("<II")
_ARRAYS = {
    "points": "<i1",
    "step": "<f4",
    "count": "<f4",
    "days": "<f4",
    "first": "<f8",
    "last": "<f8",
    "counted": "<f8",
    "hours": "<f2",
}
_MOMENTS = ("step2", "growth", "scatter", "place_days", "place_counted", "faded")
_TOTALS = ("windows", "watched_days", "typical", "scored", "motion")
_WIDEST = 8192
_REMEDY = "Nothing needs to be done: what is normal here is learnt anew."


def encode_normal(normal: Normal) -> bytes:
    """Return the model of normal as bytes, at most LARGEST_BYTES."""
    moments, returns, used = normal.moments, normal.returns, normal.moments.used
    points = moments.points[:used]
    step = np.abs(points).max(axis=1, initial=0.0).clip(1e-9) / 127
    facts = {
        "model": normal.key.model,
        "position": normal.key.position,
        "width": normal.width,
        "used": used,
        "moments": {name: _finite(getattr(moments, name)) for name in _MOMENTS},
        "totals": {name: getattr(normal.totals, name) for name in _TOTALS},
        "returns": [returns.watched_days, returns.episodes],
        "open": returns.open,
        "peaks": [[round(at, 1), round(score, 5)] for at, score in returns.peaks],
    }
    arrays = {name: getattr(moments, name)[:used] for name in _ARRAYS if hasattr(moments, name)}
    arrays |= {"points": np.round(points / step[:, None]), "step": step}
    arrays["hours"] = arrays["hours"].clip(0, 60_000)
    text = json.dumps(facts, separators=(",", ":")).encode()
    body = text + b"".join(arrays[name].astype(kind).tobytes() for name, kind in _ARRAYS.items())
    rest = struct.pack("<I", len(text)) + body
    return MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest


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
    width, used = facts["width"], facts["used"]
    if type(width) is not int or not 1 <= width <= _WIDEST:
        raise ValueError("its width is none")
    if type(used) is not int or not 0 <= used <= most_moments(width):
        raise ValueError("its number of moments is none")
    at, arrays = start + length, {}
    for name, kind in _ARRAYS.items():
        wide = {"points": width, "hours": 24}.get(name, 1)
        array = np.frombuffer(data, kind, used * wide, at)
        at += array.nbytes
        shape = (used, wide) if wide > 1 or name == "points" else (used,)
        arrays[name] = array.reshape(shape).astype(np.float64 if kind == "<f8" else np.float32)
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"its {name} are not finite")
    if at != len(data):
        raise ValueError("its length is wrong")
    return facts, arrays


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
    for name in ("count", "days", "first", "last", "counted", "hours"):
        getattr(moments, name)[:used] = arrays[name]
    for name in _MOMENTS:
        value = facts["moments"][name]
        setattr(moments, name, float("-inf") if value is None else _number(value))
    moments.place_days = int(moments.place_days)
    moments.refresh()
    for name in _TOTALS:
        setattr(normal.totals, name, _number(facts["totals"][name]))
    watched, episodes = facts["returns"]
    normal.returns.watched_days, normal.returns.episodes = _number(watched), _number(episodes)
    normal.returns.open = bool(facts["open"])
    if len(facts["peaks"]) > MOST_PEAKS:
        raise ValueError("it has too many peaks")
    normal.returns.peaks = [(_number(at), _number(score)) for at, score in facts["peaks"]]
    normal.settle()
    return normal


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: Any) -> Any:  # noqa: ANN401 - of JSON
    if type(value) not in {int, float} or not abs(value) < 1e15:
        raise ValueError(f"{value!r:.40} is no number")
    return value
