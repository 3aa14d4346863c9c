"""What is said of a taught activity, and of one that needs more examples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgehome.teaching.taught import Figures

NEEDED_EXAMPLES = 3
NEEDED_NORMAL_S = 20.0
"""Of this home, where general negatives come with the model."""
NEEDED_ALONE_S = 120.0
"""Where none do."""
UNCLEAR = "cannot be told from normal"
"""Among the words on an activity that does not score above normal."""
_HOUR = 24.0


def needs(name: str, examples: int, seconds: float) -> tuple[str, str]:
    """Return what is missing and the remedy, as sentences."""
    parts = []
    if examples:
        parts.append(f"{examples} more example{'' if examples == 1 else 's'}")
    if seconds:
        parts.append(f"{_span(seconds)} more of normal")
    missing = " and ".join(parts)
    remedies = []
    if examples:
        remedies.append("do it before the camera and say that that was it")
    if seconds:
        remedies.append("say of ordinary moments with movement that they were normal")
    remedy = " and ".join(remedies)
    return f"{name} needs {missing}.", f"{remedy[0].upper()}{remedy[1:]}."


def sentence(name: str, figures: Figures) -> str:
    """Return how good it is, in words for a person."""
    rate = alarms(figures.alarms_a_day)
    if not figures.distinct:
        return (
            f"{name} {UNCLEAR} yet: shown ones score no higher than ordinary "
            "moments by more than chance would. Show it more often, more clearly, or more of what "
            "is normal."
        )
    if figures.occasions < 2:
        return f"all are of one clip or press, so how well it finds others cannot be told; {rate}"
    low, high = (round(end * figures.examples) for end in figures.found_interval)
    most = figures.alarms_interval[1]
    known = f"at most {_few(most)} by" if most < _HOUR else "reckoned from no more than"
    return (
        f"finds about {figures.found} of {figures.examples} ({low} to {high}), {rate} "
        f"({known} {_span(figures.normal_s)} of normal here)"
    )


def alarms(a_day: float) -> str:
    """Return a rate of false alarms in words: no rarer than minutes of footage can support."""
    if a_day < 0.75:
        return "less than one false alarm a day"
    if a_day < 1.5:
        return "about one false alarm a day"
    if a_day < _HOUR:
        return f"about {a_day:.0f} false alarms a day"
    return f"about {a_day / _HOUR:.0f} false alarm{'' if a_day < 36 else 's'} an hour"


def card_texts(figures: Figures, says: str) -> dict[str, str]:
    """Return the texts of the head's card."""
    return {
        "description": f"Taught at home: {says}",
        "trained_on": f"{figures.examples} examples and {_span(figures.normal_s)} of normal",
        "licence": "The home's own.",
        "limits": "Knows one home and one camera's view. Leave-one-out figures from few examples; "
        "false alarms are reckoned beyond what was seen.",
    }


def _few(value: float) -> str:
    if value < 0.1:
        return "0"
    return f"{value:.1f}" if value < 1 else f"{value:.0f}"


def _span(seconds: float) -> str:
    whole = math.ceil(seconds)
    if whole < 120:
        return f"{whole} s"
    return f"{round(whole / 60)} minutes"
