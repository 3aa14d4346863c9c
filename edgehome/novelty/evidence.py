"""What an unusual moment resembles, and what differs from what is usual."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from edgehome.novelty.moments import Moments, Near

_SHOWN = 3
_LABELS = 3
_TOLD = 2
"""Remembered moments that are named in words."""
_LEAST = 0.05
_HOUR = 0.7
"""Surprise from which the hour is named: half as likely as by chance."""
_MOTION = 2.0
_NEW = 0.5


def evidence_of(
    moments: Moments,
    near: Near,
    distinct: Mapping[str, float],
    hour: float,
    *,
    motion: tuple[float, float],
    scores: Mapping[str, float],
    taught: Mapping[str, float],
) -> dict[str, Any]:
    """Return the evidence, ready for JSON; `motion` is now and usually.

    `nearest` are remembered moments: when each was last there (seconds of the wall clock), on how
    many days about, and how far it lies in steps from one window to the next.
    """
    count = min(_SHOWN, len(near.squared))
    order = np.argsort(near.squared)[:count]
    step = max(moments.step2, 1e-12) ** 0.5
    return {
        "labels": _highest(scores),
        "taught": _highest(taught),
        "nearest": [
            {
                "at": round(float(moments.last[place]), 1),
                "days": max(1, round(float(moments.days[place]))),
                "steps": round(max(float(near.squared[place]), 0.0) ** 0.5 / step, 1),
            }
            for place in order.tolist()
        ],
        "differs": _differences(distinct, hour, *motion),
    }


def _highest(scores: Mapping[str, float]) -> dict[str, float]:
    ranked = sorted(scores.items(), key=lambda one: -one[1])[:_LABELS]
    return {label: round(score, 3) for label, score in ranked if score >= _LEAST}


def _differences(
    distinct: Mapping[str, float], hour: float, now: float, usual: float
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if distinct["hour"] >= _HOUR:
        found["hour"] = int(hour) % 24
    if usual > 0 and not usual / _MOTION <= now <= usual * _MOTION:
        found["motion"] = round(now / usual, 2)
    found["activity"] = "new" if distinct["left"] >= _NEW else "known, but in another way"
    return found


def words_of(evidence: Mapping[str, Any], when: Callable[[float], datetime]) -> str:
    """Return evidence as a line for people; `when` gives the local time of a moment.

    For example `most like Sat 14:03 (there on 3 days), walking 0.62; differs: hour 3, new`.
    """
    nearest = [
        f"{when(moment['at']):%a %d %b %H:%M} (there on {_days(moment['days'])})"
        for moment in evidence["nearest"][:_TOLD]
    ]
    scores = {**evidence["taught"], **evidence["labels"]}
    like = [*nearest, *(f"{label} {score:.2f}" for label, score in scores.items())]
    differs = [f"activity {evidence['differs']['activity']}"]
    if "hour" in evidence["differs"]:
        differs.append(f"hardly ever at {evidence['differs']['hour']} o'clock")
    if "motion" in evidence["differs"]:
        differs.append(f"{evidence['differs']['motion']:.2g} times the usual motion")
    most_like = f"most like {', '.join(like)}; " if like else ""
    return f"{most_like}differs: {', '.join(differs)}"


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
