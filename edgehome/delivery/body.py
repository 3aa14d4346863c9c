"""What an alert looks like on the wire."""

from __future__ import annotations

import json

from edgehome.outbox import Entry


def alert_content(entry: Entry) -> dict[str, object]:
    """Return the alert's payload with its id and seq."""
    try:
        payload = json.loads(entry.payload)
    except ValueError:  # a bit that the disk lost; the alert counts more than its words
        payload = {}
    payload = payload if isinstance(payload, dict) else {}
    if entry.folded and isinstance(before := payload.get("folded", 0), int):
        payload["folded"] = before + entry.folded
    return payload | {"id": entry.id, "seq": entry.seq}


def alert_body(entry: Entry, wall_s: float, *, copied: bool) -> bytes:
    """Return the message: the alert with `replay` (an earlier copy may have come) and `age_s`."""
    age_s = round(max(0.0, wall_s - entry.created_wall), 1)
    return json.dumps(alert_content(entry) | {"replay": copied, "age_s": age_s}).encode()
