"""What the supervisor says to the worker over their socket pair: its settings, then requests."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass

from edgehome.budget import Measured, measured_of
from edgehome.messages import MessageError
from edgehome.types import EDGETPU_LIBRARY, WHOLE, Polygon, Region


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


def decode_request(packet: bytes) -> str | float:
    """Return the alert whose snapshot is asked for, or the frames a second that are.

    Raises MessageError.
    """
    try:
        fields = json.loads(packet)
        asked = fields["rate"] if "rate" in fields else fields["snapshot"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise MessageError(f"not a request: {error!r}") from None
    if isinstance(asked, str) and "rate" not in fields:
        return asked
    if isinstance(asked, float) and "rate" in fields and 0 < asked < math.inf:
        return asked
    raise MessageError("a request has the id of an alert, which is text, or a rate above 0")
