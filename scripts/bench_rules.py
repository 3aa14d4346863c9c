"""How fast rules are judged: one frame through 1,000 rules, and a day of scores through 20.

    python scripts/bench_rules.py [--json] [--frames 432000]

Prints three figures and the peak memory. One process, one thread; what is timed begins with a
frame's scores and ends with the verdict. The day is written as a trace first and read back, and
reading counts.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import random
import resource
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgehome.config.conditions import (
    Activity,
    ActivityCondition,
    AllCondition,
    AnyCondition,
    ArmedCondition,
    AtLeast,
    Between,
    BetweenCondition,
    Condition,
    MotionCondition,
    NoneCondition,
    ThenCondition,
    WeekdaysCondition,
)
from edgehome.config.types import Config, EventsConfig, Rule
from edgehome.messages import Probabilities, places_of
from edgehome.replay.trace import Header, TraceFile
from edgehome.rules import RuleEngine, State
from edgehome.types import Mode, Scores

PERIOD_S = 0.2
START = datetime(2026, 6, 1, tzinfo=UTC)
LABELS = tuple(f"label {n}" for n in range(600))
WATCHED = LABELS[:24]
PER_GROUP = 3
"""Labels of an activity."""
BUSY = 0.06
"""Part of the day in which somebody does something."""


def main() -> int:
    """Measure, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    parser.add_argument("--frames", type=int, default=432_000, help="of the day (%(default)s)")
    options = parser.parse_args()
    figures: dict[str, float] = {}
    for activities in (20, 200, 1000):
        figures |= {f"{name}_{activities}_ms": v for name, v in thousand(activities).items()}
    figures |= day(options.frames)
    if options.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
    else:
        for name, value in figures.items():
            print(f"{name:32} {value:10.3f}")
    return 0


def thousand(activities: int) -> dict[str, float]:
    """Return median and least milliseconds of a frame through 1,000 rules over so many activities.

    The least is the frame that other work on the machine disturbed least.

    Quiet: every score moves, none crosses a threshold. Near: the same, but every rule is near its
    threshold, so that every attempt is followed. The others: every rule changes its state.
    """
    groups = [Activity(f"activity {n}", labels_of(n, activities)) for n in range(activities)]
    rules = tuple(
        Rule(
            name=f"Rule {n}",
            when=activity(groups[n % activities], above=0.6 + n % 20 / 100, for_s=0.5),
            repeat_interval_s=0.0,
        )
        for n in range(1000)
    )
    numbers = count()
    engine = RuleEngine(
        Config(rules=rules, events=EventsConfig(smoothing_s=0)),
        period_s=PERIOD_S,
        identify=lambda: f"{next(numbers):032x}",
    )
    places = places_of(LABELS)
    spent: dict[str, list[float]] = {}
    frames = count()

    def show(name: str, level: float) -> None:
        n = next(frames)
        row = [level * (1 + 0.01 * math.sin(n + place)) / PER_GROUP for place in places.values()]
        at = START + timedelta(seconds=n * PERIOD_S)
        scores = Scores(n * PERIOD_S, at, Probabilities(places, array("f", row)))
        began = time.perf_counter()
        engine.update(scores, Mode.AWAY)
        spent.setdefault(name, []).append(1000 * (time.perf_counter() - began))

    gc.freeze()
    for _ in range(40):
        for _ in range(10):
            show("quiet", 0.1)
        show("to_near", 0.58)
        for _ in range(3):
            show("near", 0.58)
        show("to_pending", 0.95)
        for _ in range(2):
            show("pending", 0.95)
        show("to_firing", 0.95)
        if any(status.state is not State.FIRING for status in engine.statuses()):
            raise SystemExit("not every rule fired: these figures would mean nothing")
        for _ in range(3):
            show("firing", 0.95)
        show("to_inactive", 0.1)
    gc.unfreeze()
    least = {f"{name}_least": min(times[1:]) for name, times in spent.items()}
    return {name: median(times[1:]) for name, times in spent.items()} | least


def labels_of(n: int, activities: int) -> tuple[str, ...]:
    """Return the labels of an activity: three, or with a thousand activities those of a few."""
    first = n * PER_GROUP * 7 % len(LABELS) if activities > 200 else n * PER_GROUP
    return tuple(LABELS[(first + k + n // 200) % len(LABELS)] for k in range(PER_GROUP))


def day(frames: int) -> dict[str, float]:
    """Return the seconds that a day's frames take through 20 rules, and the memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.jsonl"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(trace(frames))
        began = time.perf_counter()
        with TraceFile(path) as reader:
            for _ in reader.frames():
                pass
        reading_s = time.perf_counter() - began
        gc.collect()
        return {"day_reading_s": reading_s, **through_rules(path, frames)}


def through_rules(path: Path, frames: int) -> dict[str, float]:
    """Read the trace and judge it."""
    numbers = count()
    engine = RuleEngine(
        Config(rules=twenty()), period_s=PERIOD_S, identify=lambda: f"id{next(numbers)}"
    )
    alerts = near_misses = 0
    early_mib = 0.0
    began = time.perf_counter()
    with TraceFile(path) as reader:
        for n, scores in enumerate(reader.frames()):
            verdict = engine.update(scores, Mode.AWAY)
            alerts += len(verdict.alerts)
            near_misses += len(verdict.near_misses)
            if n == frames // 10:
                early_mib = memory_mib()
    return {
        "day_s": time.perf_counter() - began,
        "day_frames": frames,
        "day_alerts": alerts,
        "day_near_misses": near_misses,
        "after_a_tenth_mib": early_mib,
        "peak_mib": memory_mib(),
    }


def memory_mib() -> float:
    """Return the most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def trace(frames: int) -> Iterator[str]:
    """Yield the lines of a day: noise, and now and then somebody who does something for a while."""
    chance = random.Random(7)  # noqa: S311 - the same day every time
    yield Header("day", 1 / PERIOD_S, WATCHED, START).line()
    busy, until = -1, 0
    for n in range(frames):
        if n >= until and chance.random() < BUSY / 40:
            busy, until = chance.randrange(len(WATCHED)), n + chance.randrange(5, 75)
        values = [round(chance.random() * 0.08, 4) for _ in WATCHED]
        if n < until:
            values[busy] = round(chance.uniform(0.55, 0.98), 4)
        fields = {"t": round(n * PERIOD_S, 3), "s": values, "m": round(chance.random() / 50, 4)}
        yield json.dumps(fields) + "\n"


def twenty() -> tuple[Rule, ...]:
    """Return rules of every kind, as a home might have them."""
    one = [Activity(label, (label,)) for label in WATCHED]
    three = [Activity(f"group {n}", WATCHED[n : n + 3]) for n in range(0, 24, 3)]
    night = BetweenCondition(between=Between.parse("23:00-06:00"))
    away = ArmedCondition(armed=(Mode.AWAY,))
    whens: list[Condition] = [
        *(activity(one[n], for_s=1.0) for n in range(5)),
        *(activity(three[n], above=0.7, below=0.5) for n in range(4)),
        *(AllCondition(conditions=(activity(one[n], for_s=2.0), night, away)) for n in range(4, 7)),
        ThenCondition(conditions=(activity(one[0]), activity(one[1])), gap_s=30.0),
        ThenCondition(conditions=(activity(one[2]), activity(three[3])), gap_s=60.0),
        activity(one[8], at_least=AtLeast(3, 5)),
        activity(one[9], count=3, window_s=3600.0),
        AllCondition(
            conditions=(activity(three[5]), NoneCondition(conditions=(activity(one[10]),)))
        ),
        AnyCondition(conditions=tuple(activity(item) for item in three[4:]), for_s=1.0),
        AllCondition(
            conditions=(
                activity(one[20]),
                WeekdaysCondition(weekdays=(0, 1, 2, 3, 4)),
                MotionCondition(motion=0.01, below=0.005),
            ),
            for_s=3.0,
        ),
        AllCondition(conditions=(AnyCondition(conditions=(night, away)), activity(one[23]))),
    ]
    return tuple(Rule(name=f"Rule {n}", when=when) for n, when in enumerate(whens))


def activity(
    of: Activity,
    *,
    above: float = 0.6,
    below: float = 0.4,
    for_s: float = 0.0,
    at_least: AtLeast | None = None,
    count: int = 1,
    window_s: float = 0.0,
) -> ActivityCondition:
    """Return a condition on an activity."""
    return ActivityCondition(
        activity=of, above=above, below=below, for_s=for_s, at_least=at_least, count=count,
        window_s=window_s,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
