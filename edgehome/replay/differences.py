"""What came, held against what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ROUNDING_S = 1e-6
"""Frames on a grid of 0.2 s add up to a hair less or more."""


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert that should come."""

    rule: str
    at_s: float
    """Seconds since the clip's first frame."""
    within_s: float
    """How much earlier or later it may be, in seconds."""
    message: str | None = None
    """What it must say; None: anything."""
    clip: str = ""
    place: str = ""
    """Where in a file that is written: `expect.yaml:3:3`."""


@dataclass(frozen=True, slots=True)
class Came:
    """An alert that came."""

    rule: str
    at_s: float
    message: str = ""
    clip: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as expected."""

    kind: str
    """`missing`, `unexpected`, `late`, `early`, `message`, `state`, `near_miss`."""
    rule: str
    text: str
    """A sentence for a person."""
    clip: str = ""
    expected_s: float | None = None
    came_s: float | None = None
    place: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


def compare(expected: Sequence[Expected], came: Sequence[Came]) -> list[Difference]:
    """Return what is missing, unexpected, late, early, or says something else, by time.

    Each expected alert takes the nearest one of its rule and clip that is within its tolerance and
    not taken yet. Of what is left over on both sides, the nearest two are one that is late or
    early.
    """
    differences: list[Difference] = []
    keys = [(item.clip, item.rule) for item in expected] + [(item.clip, item.rule) for item in came]
    for clip, rule in dict.fromkeys(keys):
        differences += _of_rule(
            [item for item in expected if (item.clip, item.rule) == (clip, rule)],
            [item for item in came if (item.clip, item.rule) == (clip, rule)],
        )
    return sorted(differences, key=_moment)


def _of_rule(expected: list[Expected], came: list[Came]) -> list[Difference]:
    left = sorted(expected, key=lambda item: item.at_s)
    over = sorted(came, key=lambda item: item.at_s)
    differences: list[Difference] = []
    for want in list(left):
        near = [got for got in over if _off_s(want, got) <= want.within_s + ROUNDING_S]
        if near:
            got = min(near, key=lambda item: _off_s(want, item))
            left.remove(want)
            over.remove(got)
            differences += _of_message(want, got)
    while left and over:
        want, got = min(((w, g) for w in left for g in over), key=lambda pair: _off_s(*pair))
        left.remove(want)
        over.remove(got)
        differences.append(_shifted(want, got))
    differences += [_missing(want) for want in left]
    return differences + [_unexpected(got) for got in over]


def _off_s(want: Expected, got: Came) -> float:
    return abs(got.at_s - want.at_s)


def _of_message(want: Expected, got: Came) -> list[Difference]:
    if want.message is None or want.message == got.message:
        return []
    text = f"{want.rule}: at {got.at_s:.1f} s it says {got.message!r}, expected {want.message!r}"
    return [Difference("message", want.rule, text, want.clip, want.at_s, got.at_s, want.place)]


def _shifted(want: Expected, got: Came) -> Difference:
    kind = "late" if got.at_s > want.at_s else "early"
    text = (
        f"{want.rule}: {_off_s(want, got):.2f} s {kind}: expected at {want.at_s:.1f} s "
        f"within {want.within_s:g} s, came at {got.at_s:.1f} s"
    )
    return Difference(kind, want.rule, text, want.clip, want.at_s, got.at_s, want.place)


def _missing(want: Expected) -> Difference:
    text = f"{want.rule}: missing: expected at {want.at_s:.1f} s within {want.within_s:g} s"
    return Difference("missing", want.rule, text, want.clip, want.at_s, None, want.place)


def _unexpected(got: Came) -> Difference:
    text = f"{got.rule}: unexpected: came at {got.at_s:.1f} s, saying {got.message!r}"
    return Difference("unexpected", got.rule, text, got.clip, None, got.at_s)


def _moment(item: Difference) -> tuple[str, float, str]:
    known = item.expected_s if item.came_s is None else item.came_s
    return item.clip, known or 0.0, item.rule
