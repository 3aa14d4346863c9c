"""What the supervisor says to the worker over their socket pair: its settings, then requests."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgehome.budget import Measured, measured_of
from edgehome.messages import MAX_BYTES, MessageError
from edgehome.normality import JudgedSpan, KeptNormal, decode_judged, decode_kept
from edgehome.types import EDGETPU_LIBRARY, WHOLE, Polygon, Region

NO_CARD = {
    "description": "taught",
    "trained_on": "taught",
    "licence": "the home's",
    "limits": "-",
    "figures": {},
}
"""In place of what a head's file says for people."""
ROOM = 1024
"""Bytes of a packet that are not heads."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Supervisor to worker, first: what to look at and with what."""

    source: str
    model: str
    threads: int
    """As the user says; 0: what the board is good for."""
    delegate: str
    """One of `types.Delegate`."""
    window_s: float
    """Seconds over which embeddings are pooled."""
    shorter_s: tuple[float, ...] = ()
    """Further windows for which the model's own labels are asked, as `label@3s`."""
    ensemble: int = 1
    """Members that take turns with the frames."""
    gate: bool = True
    """The model rests while nothing moves."""
    motion: float = 0.01
    """Part of the picture that must move to wake the model, 0-1."""
    ignore: tuple[Polygon, ...] = ()
    """Where motion does not count."""
    privacy: tuple[Polygon, ...] = ()
    """What is blackened in every picture before anything looks at it."""
    rotation: int = 0
    """Degrees clockwise by which every picture is turned to be upright."""
    region: Region = WHOLE
    """The part of the upright picture that counts."""
    snapshot: int = 0
    """The longer side of a snapshot in pixels; 0: no picture ever leaves the worker."""
    library: str = EDGETPU_LIBRARY
    """The Edge TPU's, its name or its path."""
    rate: float = 0.0
    """Frames a second, as the user says; 0: what model and board are good for."""
    at_most: float = 0.0
    """Frames a second above which the board is too hot or too busy; 0: it is neither."""
    measure: bool = False
    """Measure what the board can carry, where `measured` does not say it."""
    measured: Measured | None = None
    """What is known of this model on this board, if anything."""


@dataclass(frozen=True, slots=True)
class Take:
    """Supervisor to worker: tell what you remember of this time."""

    id: str
    since: float
    """Wall clock, seconds since 1970, as are the others."""
    until: float
    spread: int = 0
    """So many moments besides of which nobody said anything."""
    apart: tuple[tuple[float, float], ...] = ()
    """Times that those must not touch."""


@dataclass(frozen=True, slots=True)
class TaughtHeads:
    """Supervisor to worker: the heads that were taught at home, or a part of them."""

    heads: tuple[Mapping[str, Any], ...]
    """As a head's file has them; nobody has looked yet whether they are heads."""
    first: bool
    last: bool


Order = Take | TaughtHeads | KeptNormal | JudgedSpan
Request = str | float | Order
"""The alert whose snapshot is asked for; the frames a second that are; and the above."""


def encode_settings(settings: Settings) -> bytes:
    """Return the packet of the supervisor's one message."""
    return json.dumps(asdict(settings)).encode()


def decode_settings(packet: bytes) -> Settings:
    """Return the supervisor's settings; raises MessageError."""
    try:
        fields = json.loads(packet)
        fields["shorter_s"] = tuple(fields["shorter_s"])
        for key in ("ignore", "privacy"):
            fields[key] = tuple(tuple(map(tuple, polygon)) for polygon in fields[key])
        fields["region"] = tuple(fields["region"])
        if fields["measured"]:
            fields["measured"] = measured_of(fields["measured"])
        return Settings(**fields)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MessageError(f"not settings: {error}") from None


def encode_request(alert_id: str) -> bytes:
    """Return the packet with which the supervisor asks for the snapshot of an alert."""
    return json.dumps({"snapshot": alert_id}).encode()


def encode_rate(rate: float) -> bytes:
    """Return the packet with which the supervisor asks for so many frames a second."""
    return json.dumps({"rate": rate}).encode()


def encode_take(take: Take) -> bytes:
    """Return the packet with which the supervisor asks for what is remembered of a time."""
    return json.dumps({"take": asdict(take)}).encode()


def encode_heads(heads: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Return the packets that hand over the taught heads, as their files have them.

    One that is too large for a packet is left out; so is what only people read.
    """
    packets: list[list[str]] = [[]]
    for head in heads:
        text = json.dumps({**head, "card": NO_CARD})
        if len(text) > MAX_BYTES - ROOM:
            continue
        if sum(map(len, packets[-1])) + len(text) > MAX_BYTES - ROOM:
            packets.append([])
        packets[-1].append(text)
    last = len(packets) - 1
    return [
        f'{{"heads": [{", ".join(part)}], "first": {_told(number == 0)}, "last": '
        f"{_told(number == last)}}}".encode()
        for number, part in enumerate(packets)
    ]


def decode_request(packet: bytes) -> Request:
    """Return what the supervisor asks for. Raises MessageError."""
    try:
        line, _, tail = packet.partition(b"\n")
        fields = json.loads(line)
        if "normal" in fields:
            return decode_kept(fields["normal"], tail)
        if "judged" in fields:
            return decode_judged(fields["judged"])
        if "take" in fields:
            return _take(fields["take"])
        if "heads" in fields:
            heads = tuple(fields["heads"])
            return TaughtHeads(heads, fields["first"] is True, fields["last"] is True)
        asked = fields["rate"] if "rate" in fields else fields["snapshot"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MessageError(f"not a request: {error!r}") from None
    if isinstance(asked, str) and "rate" not in fields:
        return asked
    if isinstance(asked, float) and "rate" in fields and 0 < asked < math.inf:
        return asked
    raise MessageError("a request has the id of an alert, which is text, or a rate above 0")


def _take(fields: Mapping[str, Any]) -> Take:
    """Return a request for what is remembered; raises ValueError, KeyError or TypeError."""
    spread = fields["spread"]
    if not isinstance(fields["id"], str) or type(spread) is not int:
        raise ValueError("what is asked for has an id, and a number of moments")
    apart = tuple((_moment(since), _moment(until)) for since, until in fields["apart"])
    return Take(fields["id"], _moment(fields["since"]), _moment(fields["until"]), spread, apart)


def _moment(value: object) -> float:
    number = float(value) if isinstance(value, int | float) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no moment")
    return number


def _told(value: bool) -> str:  # noqa: FBT001
    return json.dumps(value)
