"""A test, run: its frames through the rules, and what came held against what should have come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TypeVar

from edgehome.config.types import Config
from edgehome.replay.differences import ROUNDING_S, Came, Difference, compare
from edgehome.replay.play import engine_for
from edgehome.rules import RuleEngine, State, Transition, Verdict
from edgehome.ruletests.cases import ExpectedMiss, ExpectedState, RuleTest, Story
from edgehome.ruletests.shorthand import MISSING, STILL
from edgehome.types import CameraState, Mode, NearMiss, Scores

Item = TypeVar("Item")


@dataclass(slots=True)
class Told:
    """All that the rules said of a test."""

    alerts: list[Came] = field(default_factory=list)
    misses: list[tuple[float, NearMiss]] = field(default_factory=list)
    changes: list[Transition] = field(default_factory=list)

    def add(self, time_s: float, verdict: Verdict) -> None:
        """Take in what was said of one frame."""
        self.alerts += [Came(alert.rule, time_s, alert.message) for alert in verdict.alerts]
        self.misses += [(time_s, miss) for miss in verdict.near_misses]
        self.changes += verdict.transitions

    def state(self, rule: str, time_s: float) -> State:
        """Return how a rule stood after the last frame up to then."""
        states = [c.new for c in self.changes if c.rule == rule and c.time_s <= time_s + ROUNDING_S]
        return states[-1] if states else State.INACTIVE


def run_test(test: RuleTest, config: Config) -> list[Difference]:
    """Return what is not as the test expects; none when it passes."""
    told = _run(test, config)
    differences = compare(test.alerts, told.alerts)
    differences += [found for one in test.states if (found := _state(one, told))]
    if test.misses is not None:
        differences += _misses(test.misses, told.misses)
    return differences


def _run(test: RuleTest, config: Config) -> Told:
    numbers = count(1)
    interval_s = test.story.interval_s
    engine = engine_for(config, 1 / interval_s, "", lambda: f"test-{next(numbers)}")
    frames = _Frames(test)
    told = Told()
    for index in range(test.story.frames):
        time_s = round(index * interval_s, 9)
        told.add(time_s, frames.show(engine, index, time_s))
    return told


class _Frames:
    """The frames of a test, one after the other."""

    def __init__(self, test: RuleTest) -> None:
        self._story: Story = test.story
        self._start = test.start
        self._scores = dict.fromkeys(test.story.scores, 0.0)
        self._seen = 0

    def show(self, engine: RuleEngine, index: int, time_s: float) -> Verdict:
        """Show a frame to the rules, or let them wait for one that never came."""
        story = self._story
        now = {label: _at(series, index, 0.0) for label, series in story.scores.items()}
        motion = _at(story.motion, index, 0.0)
        given = (*now.values(), motion)
        if MISSING in given:
            return engine.idle(time_s)
        still = STILL in given
        if not still:
            self._scores = {label: float(value) for label, value in now.items()}
        self._seen += 1
        scores = Scores(
            time_s,
            self._start + timedelta(seconds=time_s),
            self._scores,
            self._seen,
            motion=0.0 if motion == STILL else float(motion),
            still=still,
            camera=_at(story.camera, index, _NOTHING),
            unusual=0.0 if still else _at(story.unusual, index, 0.0),
        )
        return engine.update(scores, _at(story.armed, index, Mode.AWAY))


_NOTHING: frozenset[CameraState] = frozenset()


def _at(series: Sequence[Item], index: int, default: Item) -> Item:
    """Return a series' item; after its end it goes on with the last."""
    return series[min(index, len(series) - 1)] if series else default


def _state(expected: ExpectedState, told: Told) -> Difference | None:
    came = told.state(expected.rule, expected.at_s)
    if came is expected.state:
        return None
    times = [c.time_s for c in told.changes if (c.rule, c.new) == (expected.rule, expected.state)]
    when = ", ".join(f"{time_s:.1f} s" for time_s in times[:3])
    hint = f"it became {expected.state} at {when}" if times else f"it never was {expected.state}"
    if expected.state is State.INACTIVE and not times:
        hint = "it was inactive before"
    text = f"{expected.rule}: at {expected.at_s:.1f} s it is {came}, expected {expected.state}"
    return Difference(
        "state", expected.rule, f"{text}; {hint}", "", expected.at_s, None, expected.place
    )


def _misses(
    expected: Sequence[ExpectedMiss], came: Sequence[tuple[float, NearMiss]]
) -> list[Difference]:
    """Return near misses that are missing, and those that nobody expected."""
    over = list(came)
    differences = []
    for want in expected:
        found = next((got for got in over if _fits(want, *got)), None)
        if found:
            over.remove(found)
        else:
            at = "" if want.at_s is None else f" at {want.at_s:.1f} s"
            reason = f" ({want.reason})" if want.reason else ""
            text = f"{want.rule}: near miss missing: expected{at}{reason}"
            place = want.place
            differences.append(Difference("near_miss", want.rule, text, "", want.at_s, None, place))
    for time_s, miss in over:
        text = (
            f"{miss.rule}: near miss unexpected at {time_s:.1f} s ({miss.reason}): {miss.message}"
        )
        differences.append(Difference("near_miss", miss.rule, text, "", None, time_s))
    return differences


def _fits(want: ExpectedMiss, time_s: float, miss: NearMiss) -> bool:
    near = want.at_s is None or abs(time_s - want.at_s) <= want.within_s + ROUNDING_S
    return (
        near
        and miss.rule == want.rule
        and want.reason in {None, miss.reason}
        and want.message in {None, miss.message}
    )
