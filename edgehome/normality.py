"""What supervisor and worker say to each other of what is normal before the camera.

The worker learns it and writes nothing; the supervisor keeps its bytes without looking into them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from edgehome.fields import number_of, problem_of
from edgehome.types import Problem

MOST_NORMAL_BYTES = 190 * 1024
_LATEST = 1e11


@dataclass(frozen=True, slots=True)
class Normality:
    """Worker to supervisor: how far what is normal is learnt, and now and then all of it."""

    learnt: float
    """How much of the learning is done, 0-1; at 1 the unusual is told."""
    data: bytes = b""
    """What is to be kept for the next worker; empty where only the progress is told."""
    begun: Problem | None = None
    """Why it was begun anew, if it was just now."""


@dataclass(frozen=True, slots=True)
class KeptNormal:
    """Supervisor to worker, after its `Ready`: what was kept; empty for nothing."""

    data: bytes


class Verdict(StrEnum):
    """What an alert's span is."""

    OPEN = "open"
    """Not judged yet: it is not learnt."""
    NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class JudgedSpan:
    """Supervisor to worker: what a span of time is; wall clock, seconds since 1970."""

    since: float
    until: float
    verdict: Verdict


def encode_normality(normality: Normality) -> bytes:
    """Return the worker's packet."""
    begun = asdict(normality.begun) if normality.begun else None
    head = {"kind": "normality", "learnt": round(normality.learnt, 4), "begun": begun}
    return json.dumps(head).encode() + b"\n" + normality.data


def decode_normality(head: Mapping[str, Any], tail: bytes) -> Normality:
    """Return what a packet says; raises ValueError, KeyError or TypeError."""
    learnt = number_of(head["learnt"])
    if not 0 <= learnt <= 1:
        raise ValueError(f"{learnt!r} of the learning is done")
    if len(tail) > MOST_NORMAL_BYTES:
        raise ValueError(f"{len(tail)} bytes of what is normal")
    begun = problem_of(head["begun"]) if head["begun"] else None
    return Normality(learnt, tail, begun)


def encode_kept(data: bytes) -> bytes:
    """Return the packet that hands over what was kept."""
    return b'{"normal": true}\n' + data


def decode_kept(said: object, tail: bytes) -> KeptNormal:
    """Return what is handed over; raises ValueError."""
    if said is not True or len(tail) > MOST_NORMAL_BYTES:
        raise ValueError("what was kept of what is normal is at most 190 KiB")
    return KeptNormal(tail)


def encode_judged(span: JudgedSpan) -> bytes:
    """Return the packet that says what a span is."""
    return json.dumps({"judged": asdict(span)}).encode()


def decode_judged(fields: Mapping[str, Any]) -> JudgedSpan:
    """Return what is said of a span; raises ValueError, KeyError or TypeError."""
    return JudgedSpan(
        _moment(fields["since"]), _moment(fields["until"]), Verdict(fields["verdict"])
    )


def _moment(value: object) -> float:
    moment = number_of(value)
    if not 0 <= moment < _LATEST:
        raise ValueError(f"{value!r} is no moment")
    return moment
