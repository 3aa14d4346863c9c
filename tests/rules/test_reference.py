"""The engine against the plain reference, over random rules and random days.

300 examples; EDGEHOME_TEST_LONG=1 makes it 100,000, EDGEHOME_TEST_EXAMPLES any other number.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgehome.config.conditions import (
    Activity,
    ActivityCondition,
    AfterBootCondition,
    AllCondition,
    AnyCondition,
    ArmedCondition,
    AtLeast,
    Between,
    BetweenCondition,
    CameraCondition,
    Condition,
    MotionCondition,
    NoneCondition,
    SunCondition,
    ThenCondition,
    UnusualCondition,
    WeekdaysCondition,
)
from edgehome.config.types import AlertsConfig, Config, EventsConfig, Rule
from edgehome.rules import RuleEngine, Verdict
from edgehome.types import CameraState, Mode, Scores, Severity
from tests.rules.reference import Outcome, Reference, plain_sun

EXAMPLES = int(
    os.environ.get("EDGEHOME_TEST_EXAMPLES")
    or (100_000 if os.environ.get("EDGEHOME_TEST_LONG") else 300)
)
PERIOD_S = 0.2
START = datetime(2026, 11, 29, 21, 58, tzinfo=UTC)
LEVELS = (0.0, 0.1, 0.35, 0.5, 0.6, 0.9)
ACTIVITIES = (
    Activity("a", ("a",)),
    Activity("b", ("b",)),
    Activity("either", ("a", "b")),
    Activity("mostly", ("b", "c"), (0.5, 1.0)),
)


@dataclass(frozen=True)
class Step:
    """Something that happens to the node."""

    kind: str
    number: float = 0.0
    choice: Any = None


def a_few(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


additions = st.one_of(
    st.just({}),
    st.just({}),
    st.builds(lambda s: {"for_s": s}, a_few(0.2, 0.5, 1.0, 5.0)),
    st.builds(lambda t: {"at_least": AtLeast(*t)}, a_few((1, 2), (2, 3), (3, 5))),
    st.builds(lambda n, s: {"count": n, "window_s": s}, a_few(1, 2, 3), a_few(1.0, 5.0, 60.0)),
    st.builds(
        lambda t, s, n: {"at_least": AtLeast(*t), "for_s": s, "count": n, "window_s": 20.0},
        a_few((1, 3), (2, 2)),
        a_few(0.4, 2.0),
        a_few(1, 2),
    ),
)


def build(kind: type[Condition], *fields: str) -> Any:
    return lambda added, *values: kind(**dict(zip(fields, values, strict=True)), **added)


activities = st.builds(
    lambda added, activity, above, part, look_back_s: ActivityCondition(
        activity=activity, above=above, below=above * part, look_back_s=look_back_s, **added
    ),
    additions,
    st.sampled_from(ACTIVITIES),
    a_few(0.3, 0.5, 0.6, 0.8),
    a_few(0.5, 2 / 3, 1.0),
    a_few(None, None, 3.0),
)
others = st.one_of(
    st.builds(
        build(MotionCondition, "motion", "below"), additions, a_few(0.1, 0.5), a_few(0.05, 0.1)
    ),
    st.builds(
        build(CameraCondition, "camera"),
        additions,
        a_few((CameraState.DARK,), (CameraState.DARK, CameraState.MOVED)),
    ),
    st.builds(
        build(ArmedCondition, "armed"),
        additions,
        a_few((Mode.AWAY,), (Mode.HOME, Mode.NIGHT), (Mode.DISARMED,), tuple(Mode)),
    ),
    st.builds(
        build(BetweenCondition, "between"),
        additions,
        a_few(*map(Between.parse, ("22:00-06:00", "06:00-21:59", "21:58-22:01"))),
    ),
    st.builds(build(WeekdaysCondition, "weekdays"), additions, a_few((6,), (0, 1, 2, 3, 4))),
    st.builds(
        build(SunCondition, "sun", "offset_s"),
        additions,
        a_few("after sunset", "before sunrise", "after sunrise", "before sunset"),
        a_few(0.0, 7080.0, -3600.0),
    ),
    st.builds(build(AfterBootCondition, "after_boot_s"), additions, a_few(1.0, 5.0)),
    st.builds(build(UnusualCondition, "unusual"), additions, a_few(1.0, 7.0)),
)


def groups(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    few = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(build(AllCondition, "conditions"), additions, few),
        st.builds(build(AnyCondition, "conditions"), additions, few),
        st.builds(
            build(NoneCondition, "conditions"),
            additions,
            st.lists(inner, min_size=1, max_size=2).map(tuple),
        ),
        st.builds(
            build(ThenCondition, "conditions", "gap_s"), additions, few, a_few(0.2, 1.0, 10.0)
        ),
    )


leaves = st.one_of(activities, activities, others)
conditions = st.one_of(leaves, groups(leaves), groups(st.one_of(leaves, groups(leaves))))
configs = st.builds(
    lambda whens, smoothing_s, limit, window_s: Config(
        rules=tuple(
            Rule(name=f"Rule {n}", when=when, message="Now", **options)
            for n, (when, options) in enumerate(whens)
        ),
        events=EventsConfig(smoothing_s=smoothing_s),
        alerts=AlertsConfig(limit=limit, window_s=window_s),
    ),
    st.lists(
        st.tuples(
            conditions,
            st.fixed_dictionaries(
                {
                    "repeat_interval_s": a_few(0.0, 1.0, 5.0, 60.0),
                    "resolve_after_s": a_few(0.0, 0.5, 3.0),
                    "severity": st.sampled_from(Severity),
                }
            ),
        ),
        min_size=1,
        max_size=3,
    ),
    a_few(0.0, 0.0, 0.5),
    a_few(1, 2, 10),
    a_few(2.0, 60.0),
)

scenes = st.builds(
    lambda a, b, c, motion, camera, unusual: (a, b, c, motion, frozenset(camera), unusual),
    st.sampled_from(LEVELS),
    st.sampled_from(LEVELS),
    a_few(0.0, 0.9),
    a_few(0.0, 0.07, 0.2, 0.6),
    a_few((), (), (CameraState.DARK,), (CameraState.MOVED, CameraState.DARK)),
    a_few(0.0, 0.0, 0.9, 1.0, 5.0, 7.0, 40.0),
)
shown = st.builds(Step, st.just("show"), st.integers(1, 8), scenes)
happenings = st.one_of(
    st.builds(Step, st.just("gap"), a_few(1.9, 2.5, 10.0, 29.9, 30.5, 100.0)),
    st.builds(Step, st.just("clock"), a_few(60.0, -60.0, 3600.0, 28800.0, 31536000.0, -31536000.0)),
    st.builds(Step, st.just("mode"), choice=st.sampled_from(Mode)),
    st.builds(Step, st.just("mode"), choice=st.sampled_from(Mode)),
    st.builds(Step, st.just("mute"), a_few(0, 1, 2), st.booleans()),
    st.builds(Step, st.just("idle"), a_few(1.0, 29.0, 31.0)),
    st.builds(Step, st.just("restart"), a_few(0.2, 1.0, 10.0, 31.0)),
    st.just(Step("reload")),
    st.just(Step("backwards")),
    st.builds(Step, st.just("period"), a_few(0.1, 0.2, 0.5, 0.0)),
)
stories = st.lists(st.one_of(shown, shown, shown, happenings), min_size=1, max_size=25)


class Both:
    """The engine and the reference, which see the same."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.ids = count()
        self.engine = self.new_engine()
        self.reference = Reference(config, PERIOD_S)
        self.time_s, self.at, self.period_s, self.mode = 100.0, START, PERIOD_S, Mode.AWAY

    def new_engine(self) -> RuleEngine:
        return RuleEngine(
            self.config,
            period_s=PERIOD_S,
            identify=lambda: f"id{next(self.ids)}",
            sun=plain_sun,
        )

    def go(self, seconds: float) -> None:
        self.time_s += seconds
        self.at += timedelta(seconds=seconds)

    def do(self, step: Step) -> None:  # noqa: C901 - one case for each thing that can happen
        match step.kind:
            case "show":
                for _ in range(int(step.number)):
                    self.show(*step.choice)
            case "gap":
                self.go(step.number)
            case "clock":
                self.at += timedelta(seconds=step.number)
            case "mode":
                self.mode = step.choice
            case "period":
                self.period_s = step.number
            case "mute":
                name = f"Rule {int(step.number)}"
                self.engine.mute(name, muted=step.choice)
                self.reference.mute(name, muted=step.choice)
            case "idle":
                self.go(step.number)
                self.same(self.engine.idle(self.time_s), self.reference.idle(self.time_s))
            case "restart":
                self.restart(step.number)
            case "reload":
                self.engine = self.engine.replaced(self.config, sun=plain_sun)
            case "backwards":
                self.time_s -= 1000.0

    def restart(self, gap_s: float) -> None:
        kept = json.loads(json.dumps(self.engine.memory()))
        self.engine = self.new_engine()
        self.engine.restore(kept, gap_s=gap_s)
        self.reference.restart(gap_s)
        self.time_s = 5000.0
        self.at += timedelta(seconds=gap_s)

    def show(
        self, a: float, b: float, c: float, motion: float, camera: Any, unusual: float
    ) -> None:
        self.go(self.period_s)
        found = {"a": a, "b": b, "c": c, "a@3s": b}
        scores = Scores(self.time_s, self.at, found, motion=motion, camera=camera, unusual=unusual)
        self.same(self.engine.update(scores, self.mode), self.reference.frame(scores, self.mode))

    def same(self, verdict: Verdict, outcome: Outcome) -> None:
        assert [(a.rule, a.folded, a.message) for a in verdict.alerts] == outcome.alerts
        changes = [(t.rule, str(t.old), str(t.new)) for t in verdict.transitions]
        assert sorted(changes) == sorted(outcome.changes)
        edges = [(e.activity, e.edge) for e in verdict.events]
        assert sorted(edges) == sorted(outcome.edges)
        states = [(status.name, str(status.state)) for status in self.engine.statuses()]
        assert states == [(s.rule.name, s.state) for s in self.reference.rules]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    derandomize=EXAMPLES == 300,
)
@given(configs, stories)
def test_the_engine_does_what_the_plain_reference_does(config: Config, story: list[Step]) -> None:
    both = Both(config)
    for step in story:
        both.do(step)
