"""Seconds on made-up frames: how long a step of the model takes on this board. In the worker.

What a step takes does not depend on what is in the picture, so noise will do. The worker is
confined already, and a model that hangs or crashes here is one that hangs or crashes its worker.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median

import numpy as np

from edgehome.boards import board_name
from edgehome.budget import Budget, Measured, Wishes, choose, counts_to_try, missing
from edgehome.orders import Settings
from edgehome.recognizer.litert import runtime_version
from edgehome.recognizer.manifest import named, read_manifest
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Frame, ModelError

TRIAL_S = 10.0
"""Seconds that all of it may take; loading the model once more for each count of threads too."""
LEAST_STEPS, LEAST_S = 30, 0.5
"""A count of threads is known after both, or when its share of the time is over."""
WARM_UP_STEPS = 3
_PICTURES = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What a worker runs with, and why."""

    own_rate: float
    """Frames a second that the model was trained at."""
    budget: Budget
    measured: Measured | None
    """What was measured just now, if anything was."""


def planned(settings: Settings, tell: Callable[[], None]) -> Plan:
    """Return what to run with: as kept, as measured now, or as the user says.

    `tell` is called before a measurement begins. Raises ModelError.
    """
    try:
        manifest = read_manifest(Path(settings.model))
    except ModelError as error:
        raise named(Path(settings.model), error) from None
    wishes = Wishes(manifest.rate, settings.threads, settings.rate)
    counts = counts_to_try(len(os.sched_getaffinity(0)), settings.threads)
    at = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    nothing = Measured(manifest.sha256, runtime_version(), board_name(), at, steps=())
    kept = settings.measured
    before = kept if kept and kept.is_of(nothing) else nothing
    measured = before
    if settings.measure and not (settings.threads and settings.rate):
        measured = completed(replace(before, at=at), settings, wishes, counts, tell)
    budget = choose(measured, wishes, counts)
    return Plan(manifest.rate, budget, measured if measured.steps != before.steps else None)


def completed(
    measured: Measured,
    settings: Settings,
    wishes: Wishes,
    counts: tuple[int, ...],
    tell: Callable[[], None],
) -> Measured:
    """Return the measurement with as many counts of threads as are needed to choose."""
    began_s = time.monotonic()
    first = True
    while (threads := missing(measured, wishes, counts)) is not None:
        if first:
            tell()
        first = False
        share = (counts.index(threads) + 1) / len(counts)
        step_ms = time_steps(settings, threads, began_s + TRIAL_S * share)
        measured = measured.with_step(threads, step_ms)
    return measured


def time_steps(settings: Settings, threads: int, until_s: float) -> float:
    """Return the median milliseconds of a step; at least one is made, however late it is.

    On the CPU, also where there is an Edge TPU: it must carry what is chosen when that is gone.
    """
    times_ms: list[float] = []
    with Recognizer(Path(settings.model), threads=threads) as recognizer:
        size, rate = recognizer.manifest.size, recognizer.manifest.rate
        shape = (_PICTURES, size, size, 3)
        pictures = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        at = datetime.now(UTC)
        began_s = time.monotonic()
        for number in count():
            frame = Frame(number / rate, at, pictures[number % _PICTURES])
            step_s = time.perf_counter()
            recognizer.step(frame)
            step_ms = (time.perf_counter() - step_s) * 1000
            now_s = time.monotonic()
            late = now_s >= until_s
            if number >= WARM_UP_STEPS or late:
                times_ms.append(step_ms)
            known = len(times_ms) >= LEAST_STEPS and now_s - began_s >= LEAST_S
            if known or late:
                break
    return median(times_ms)
