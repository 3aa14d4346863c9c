"""What a board can carry: how many threads and frames a second, from how long a step takes.

Pure. The worker measures (`boardtrial.py`); the supervisor keeps it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

SHARES = (1.0, 2 / 3, 1 / 2, 1 / 3)
"""Of the rate that a model was trained at: the rates that are chosen from. What the lower ones cost
is in docs/reference/budget.md."""
COUNTS = (1, 2, 4)
"""Threads that are tried: as many as the boards have cores, and halves of it."""
ENOUGH = 0.5
"""Part of the time between two frames: a step that takes no more needs no further thread."""
MOST = 0.7
"""Part of the time between two frames that a step may take: camera and rules need the rest."""
UNMEASURED_THREADS = 2
"""Where nothing was measured and nobody said how many."""
MOST_STEPS = 16
"""Thread counts in one measurement, at most."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How long a step of one model takes on one board, on its CPU."""

    sha256: str
    """Of the model."""
    runtime: str
    """Name and version of what runs it."""
    board: str
    """What the board calls itself, and its cores."""
    at: str
    """Wall clock, ISO 8601 with zone."""
    steps: tuple[tuple[int, float], ...]
    """Threads, and the median milliseconds of a step with so many."""

    def is_of(self, other: Measured) -> bool:
        """Say whether both are of the same model on the same board with the same runtime."""
        return self._what() == other._what()

    def step_ms(self, threads: int) -> float | None:
        """Return the median milliseconds of a step with so many threads, None if not measured."""
        return dict(self.steps).get(threads)

    def with_step(self, threads: int, step_ms: float) -> Measured:
        """Return it with one more count of threads measured."""
        steps = dict(self.steps) | {threads: round(step_ms, 3)}
        return replace(self, steps=tuple(sorted(steps.items())))

    def fields(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)

    def _what(self) -> tuple[str, ...]:
        return (self.sha256, self.runtime, self.board)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a worker runs with."""

    threads: int
    rate: float
    """Frames a second."""
    step_ms: float | None = None
    """Milliseconds of a step with these threads, as measured; None where nobody measured."""

    @property
    def keeps_up(self) -> bool:
        """Say whether a step leaves time for the rest between two frames, as far as is known."""
        return self.step_ms is None or self.step_ms <= MOST * 1000 / self.rate


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is asked of the board."""

    own_rate: float
    """Frames a second that the model was trained at."""
    threads: int = 0
    """As the user says; 0: to be chosen."""
    rate: float = 0.0
    """As the user says, in frames a second; 0: to be chosen."""

    @property
    def fastest(self) -> float:
        """Return the highest rate that may be chosen."""
        return self.rate or self.own_rate


def counts_to_try(cores: int, threads: int = 0) -> tuple[int, ...]:
    """Return the counts of threads to measure, the fewest first; `threads` is the user's, or 0."""
    return (threads,) if threads else tuple(n for n in COUNTS if n <= cores) or (1,)


def missing(measured: Measured, wishes: Wishes, counts: Sequence[int]) -> int | None:
    """Return the next count of threads to measure, or None when enough is known.

    Once a count leaves enough time between two frames, more of them need not be tried.
    """
    for count in counts:
        step_ms = measured.step_ms(count)
        if step_ms is None:
            return count
        if step_ms <= ENOUGH * 1000 / wishes.fastest:
            return None
    return None


def choose(measured: Measured | None, wishes: Wishes, counts: Sequence[int]) -> Budget:
    """Return the fewest threads and the highest rate with which the board keeps up.

    Threads cost watts, so the fewest that leave a step half of the time between two frames are
    taken, else the fastest. The rate is the model's own, or the greatest lower one at which a step
    takes at most 70 % of the time between two frames; the lowest where even that is too fast.
    """
    times = {n: ms for n, ms in (measured.steps if measured else ()) if n in counts}
    if not times:
        return Budget(wishes.threads or UNMEASURED_THREADS, wishes.fastest)
    enough = [n for n, ms in sorted(times.items()) if ms <= ENOUGH * 1000 / wishes.fastest]
    threads = enough[0] if enough else min(times, key=lambda n: (times[n], n))
    if wishes.rate:
        return Budget(threads, wishes.rate, times[threads])
    budgets = [Budget(threads, rate, times[threads]) for rate in rates(wishes.own_rate)]
    return next((budget for budget in budgets if budget.keeps_up), budgets[-1])


def rates(own_rate: float) -> tuple[float, ...]:
    """Return the rates that are chosen from, in frames a second, the highest first."""
    return tuple(round(own_rate * share, 3) for share in SHARES)


def slower(own_rate: float, rate: float) -> tuple[float, ...]:
    """Return the rates below this one, the highest first."""
    return tuple(other for other in rates(own_rate) if other < rate - 0.01)


def measured_of(fields: Mapping[str, Any]) -> Measured:
    """Return a measurement from its JSON object; raises ValueError for what is none."""
    names = ("sha256", "runtime", "board", "at")
    try:
        texts = {name: fields[name] for name in names}
        steps = tuple((count, float(step_ms)) for count, step_ms in fields["steps"])
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"not a measurement: {error!r}") from None
    good = all(isinstance(text, str) and len(text) <= 200 for text in texts.values())
    if not good or len(steps) > MOST_STEPS or not all(map(_is_step, steps)):
        raise ValueError("not a measurement")
    return Measured(**texts, steps=steps)


class Measurements:
    """The measurements of this node, newest last, kept by somebody else as a list."""

    KEPT = 8

    def __init__(self, read: Callable[[], list[Any]], write: Callable[[list[Any]], None]) -> None:
        """Take what gives the kept list, and what keeps one."""
        self._read = read
        self._write = write

    def all(self) -> list[Measured]:
        """Return every measurement that is one; what is broken is measured anew."""
        found = []
        for fields in self._read():
            try:
                found.append(measured_of(fields))
            except (ValueError, TypeError):
                continue
        return found

    def of(self, sha256: str) -> Measured | None:
        """Return the newest measurement of a model, if there is one."""
        return next((one for one in reversed(self.all()) if one.sha256 == sha256), None)

    def keep(self, measured: Measured) -> None:
        """Keep a measurement instead of the one of the same model."""
        others = [one for one in self.all() if one.sha256 != measured.sha256]
        self._write([one.fields() for one in [*others, measured][-self.KEPT :]])


def _is_step(step: tuple[object, float]) -> bool:
    count, step_ms = step
    whole = isinstance(count, int) and not isinstance(count, bool)
    return whole and math.isfinite(step_ms) and step_ms > 0
