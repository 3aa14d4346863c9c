"""An alert, and what came near to one, as JSON for the home."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgehome.types import Alert, Evidence, NearMiss

EVIDENCE_BYTES = 8192
"""Evidence is left out beyond so much: the outbox takes alerts of at most 16 KiB."""
EXPLANATION_CHARACTERS = 500
HASH_DIGITS = 12


def alert_payload(alert: Alert, slug: str, explanation: str = "") -> dict[str, object]:
    """Return the alert as JSON-serialisable data for the event entity, at most 14 KiB of it.

    `slug` is the rule's (see `rule_slugs`) and becomes the event type; `explanation` says in one
    line why it fired. The delivery thread adds `seq`, `replay` and `age_s` when it sends.
    """
    evidence, left_out = _evidence(alert.evidence)
    payload: dict[str, object] = {
        "event_type": slug,
        "id": alert.id,
        "at": alert.at.isoformat(timespec="milliseconds"),
        "since": alert.since.isoformat(timespec="milliseconds") if alert.since else None,
        "rule": alert.rule,
        "label": alert.label,
        "severity": str(alert.severity),
        "message": alert.message,
        "score": round(alert.score, 4),
        "folded": alert.folded,
        "model": alert.model[:HASH_DIGITS],
        "config": alert.config[:HASH_DIGITS],
        "evidence": evidence,
    }
    if left_out:
        payload["evidence_left_out"] = left_out
    if explanation:
        payload["explanation"] = _shortened(explanation)
    return payload


def near_miss_payload(near_miss: NearMiss) -> dict[str, object]:
    """Return what the rule's sensor says of the last time that it came close."""
    return {
        "at": near_miss.at.isoformat(timespec="milliseconds"),
        "reason": near_miss.reason,
        "message": _shortened(near_miss.message),
    }


def _evidence(evidence: tuple[Evidence, ...]) -> tuple[list[dict[str, object]], int]:
    """Return as much as there is room for, and how many conditions there was none for."""
    told: list[dict[str, object]] = []
    size = 0
    for item in evidence:
        entry = {
            "condition": item.condition,
            "value": item.value,
            "threshold": item.threshold,
            "met": item.met,
            "since": item.since.isoformat(timespec="milliseconds") if item.since else None,
        }
        size += len(json.dumps(entry))
        if size > EVIDENCE_BYTES:
            break
        told.append(entry)
    return told, len(evidence) - len(told)


def _shortened(text: str) -> str:
    if len(text) <= EXPLANATION_CHARACTERS:
        return text
    return text[: EXPLANATION_CHARACTERS - 3] + "..."
