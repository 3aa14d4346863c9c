"""The node's state, its alerts and the commands to it, as MQTT payloads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgehome.homeassistant.names import rule_slugs
from edgehome.homeassistant.topics import Topics
from edgehome.types import Message

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from edgehome.types import Alert, Problem

NO_ACTIVITY = "none"
"""What the Activity sensor says when nothing is going on."""


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """One rule of the config, as it stands."""

    name: str
    firing: bool = False
    last_alert: Alert | None = None
    """Its newest alert since the node started, if any."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What the supervisor knows of the node."""

    identity: str
    """`<id>`: see `device_identity`."""
    version: str
    started_at: datetime
    """Wall clock with zone."""
    rules: tuple[RuleStatus, ...] = ()
    """Every rule of the config, in the config's order: slugs depend on it."""
    armed: bool = True
    activity: str = ""
    """The activity that is going on, one of those announced; empty when there is none."""
    confidence: float = 0.0
    """Smoothed score of that activity, or of the strongest one when none is going on, 0-1."""
    problems: tuple[Problem, ...] = ()
    frames: int = 0
    """Frames processed since the node started, over all workers."""
    frames_per_second: float | None = None
    """None until it is known."""
    inference_ms: float | None = None
    """Milliseconds a frame; None until it is known."""
    skipped: int = 0
    """Frames that the camera gave and nobody looked at, since the node started."""
    worker_restarts: int = 0
    """Since the node started."""
    pending: int = 0
    """Alerts in the outbox that the home does not have yet."""
    dropped: int = 0
    """Alerts that the outbox had to give up, since the node started."""


@dataclass(frozen=True, slots=True)
class Command:
    """What Home Assistant asks for."""

    armed: bool


def state_messages(status: NodeStatus) -> list[Message]:
    """Return every retained state of the node, each rule's attributes before its state.

    An automation runs on the state; it would otherwise see the attributes of the time before.
    """
    topics = Topics(status.identity)
    slugs = rule_slugs(rule.name for rule in status.rules)
    messages = []
    for rule in status.rules:
        slug = slugs[rule.name]
        if rule.last_alert:
            attributes = alert_payload(rule.last_alert, slug)
            messages.append(_retained(topics.rule_attributes(slug), attributes))
        messages.append(_retained(topics.rule(slug), _on_off(on=rule.firing)))
    messages.append(_retained(topics.state, _state(status)))
    messages.append(_retained(topics.armed, _on_off(on=status.armed)))
    return messages


def heartbeat(status: NodeStatus) -> Message:
    """Return the counters, for the non-retained topic whose silence makes entities expire.

    A hung process keeps its MQTT session, so the availability topic alone would not tell.
    """
    counters = {
        "frames": status.frames,
        "frames_per_second": _rounded(status.frames_per_second),
        "inference_ms": _rounded(status.inference_ms),
        "skipped": status.skipped,
        "worker_restarts": status.worker_restarts,
        "pending": status.pending,
        "dropped": status.dropped,
    }
    return Message(Topics(status.identity).heartbeat, _json(counters), retain=False, qos=0)


def alert_payload(alert: Alert, slug: str) -> dict[str, object]:
    """Return the alert as JSON-serialisable data for the event entity.

    `slug` is the rule's (see `rule_slugs`) and becomes the event type. The delivery thread adds
    `seq`, `replay` and `age_s` when it sends.
    """
    return {
        "event_type": slug,
        "id": alert.id,
        "at": alert.at.isoformat(timespec="milliseconds"),
        "rule": alert.rule,
        "label": alert.label,
        "severity": str(alert.severity),
        "message": alert.message,
        "score": round(alert.score, 4),
        "evidence": [
            {
                "condition": evidence.condition,
                "value": evidence.value,
                "threshold": evidence.threshold,
                "met": evidence.met,
            }
            for evidence in alert.evidence
        ],
    }


def parse_command(key: str, payload: bytes) -> Command | None:
    """Return the command on `<base>/<key>/set`, or None when it is not one that we know.

    Only `armed` with `ON` or `OFF`, to the letter: whoever can write to the broker gets here.
    """
    if key != "armed" or payload not in (b"ON", b"OFF"):
        return None
    return Command(armed=payload == b"ON")


def _state(status: NodeStatus) -> dict[str, object]:
    return {
        "activity": status.activity or NO_ACTIVITY,
        "confidence": round(status.confidence * 100),
        "problem": _on_off(on=bool(status.problems)),
        "problems": [
            {"code": problem.code, "message": problem.message, "remedy": problem.remedy}
            for problem in status.problems
        ],
        "started": status.started_at.isoformat(timespec="seconds"),
        "version": status.version,
    }


def _retained(topic: str, payload: str | Mapping[str, object]) -> Message:
    data = payload.encode() if isinstance(payload, str) else _json(payload)
    return Message(topic, data, retain=True)


def _on_off(*, on: bool) -> str:
    return "ON" if on else "OFF"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _json(data: Mapping[str, object]) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
