"""Recorded scores for tests, made up."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

START = "2026-11-22T23:10:00+01:00"


def header(labels: Iterable[str], **changes: Any) -> dict[str, Any]:
    return {
        "kind": "trace", "version": 1, "clip": "hall.mp4", "rate": 5.0, "start": START,
        "model": "ab" * 32, "thresholds": {}, "labels": list(labels), **changes,
    }  # fmt: skip


def write_trace(path: Path, lines: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def frames(*values: float) -> list[dict[str, Any]]:
    """Return frames of one label, five a second."""
    return [{"t": round(n * 0.2, 3), "s": [value]} for n, value in enumerate(values)]


def fall_trace(path: Path, **changes: Any) -> Path:
    """Two seconds of nothing, three of a fall, three of nothing."""
    series = [0.0] * 10 + [0.9] * 15 + [0.0] * 15
    return write_trace(path, [header(["fall"], **changes), *frames(*series)])
