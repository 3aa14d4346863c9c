"""The middle of many measurements, and how bad the worst of them are."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median


def spread(times_ms: Sequence[float]) -> dict[str, float]:
    """Return median, 95th percentile and most of at least one time in milliseconds."""
    return {
        "median_ms": round(median(times_ms), 2),
        "p95_ms": round(percentile(times_ms, 0.95), 2),
        "most_ms": round(max(times_ms), 2),
    }


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value that `part` (0-1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
