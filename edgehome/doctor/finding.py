"""A finding of `edgehome doctor`, and how it reads."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from edgehome.types import Problem

COLOURS = {"good": 32, "poor": 33, "bad": 31, "unknown": 36}
"""Green, yellow, red, cyan: ECMA-48, select graphic rendition."""

State = Literal["good", "poor", "bad", "unknown"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the node: how it is, and what to do if it is not well."""

    part: str
    state: State
    """`good`; `poor`: it works, but not as it should; `bad`: it does not work; `unknown`: it
    cannot be told from here."""
    message: str
    remedy: str = ""

    def fields(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def render(finding: Finding, *, colours: bool) -> str:
    """Return one finding as text, the remedy on a line of its own."""
    remedy = f"\n{'':20}-> {finding.remedy}" if finding.remedy else ""
    state = f"{finding.state:<8}"
    if colours:
        state = f"\x1b[{COLOURS[finding.state]}m{state}\x1b[0m"
    return f"{state}{finding.part:<12}{finding.message}{remedy}"


def bad(part: str, problem: Problem) -> Finding:
    """Return the finding that a part does not work, with the problem's own words."""
    return Finding(part, "bad", problem.message, problem.remedy)
