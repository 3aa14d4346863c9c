"""How surprising the hour of day is for what is seen, from when its like was there before."""

from __future__ import annotations

import math

import numpy as np

from edgehome.novelty.moments import Moments, Near

_LIKE = 5
"""Moments that are asked."""
_PRIOR_DAYS = 2.0
"""As if its like had been there on so many days, at hours evenly spread."""
_SPREAD = np.array([0.25, 0.5, 1.0, 0.5, 0.25], np.float32)
"""What a coming says of the hours before and after."""
_REACH = len(_SPREAD) // 2


def surprise(moments: Moments, near: Near, hour: float) -> float:
    """Return how surprising an hour is, 0 and above: log(even chance / its chance here)."""
    if near.nearest < 0:
        return 0.0
    count = min(_LIKE, len(near.squared))
    like = np.argpartition(near.squared, count - 1)[:count]
    at = (int(hour) + np.arange(-_REACH, _REACH + 1)) % 24
    comings = moments.hours[like]
    total = float(comings.sum()) * float(_SPREAD.sum())
    share = float((comings[:, at] @ _SPREAD).sum()) / total if total else 1 / 24
    days = float(moments.days[like].max())
    chance = (days * share + _PRIOR_DAYS / 24) / (days + _PRIOR_DAYS)
    return max(0.0, -math.log(24 * chance))
