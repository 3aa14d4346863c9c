"""Files of rule tests: which rules, what happens, and what should come of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path

from edgehome.config import values
from edgehome.config.document import Node, Scalar
from edgehome.config.nodes import below
from edgehome.config.types import Config
from edgehome.replay.differences import Expected
from edgehome.replay.expectations import expected_alert
from edgehome.rules import State
from edgehome.ruletests import shorthand
from edgehome.ruletests.cases import ExpectedMiss, ExpectedState, RuleTest, Story
from edgehome.ruletests.configuration import INLINE, OWN, read_config, watched_labels
from edgehome.sheet import Sheet, one_of

START = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""A Monday's noon: what the clock shows at a test's first frame where it says nothing."""
INTERVAL_S = 0.2
TEST = (
    "name", "start", "interval", "scores", "motion", "camera", "armed", "unusual",
    "expect", "states", "near_misses",
)  # fmt: skip


def read_tests(path: Path) -> tuple[Config, list[RuleTest]]:
    """Return a file's rules and tests. Raises SheetError with all that is wrong with it.

    Raises ConfigInvalidError for mistakes in the configuration that it names.
    """
    sheet = Sheet(path)
    root = sheet.root()
    nodes = sheet.keys(root, "", (*OWN, *INLINE), ("tests",))
    config = read_config(sheet, root, nodes)
    reader = _Tests(sheet, config, sheet.once(nodes, "interval", _interval) or INTERVAL_S)
    tests = [reader.test(item, place) for place, item in sheet.listed(nodes.get("tests"), "tests")]
    if not tests and not sheet.errors:
        sheet.error(nodes["tests"].mark, "tests", "has no test")
    sheet.finish()
    return config or Config(), [test for test in tests if test]


class _Tests:
    """Reads the tests of one file."""

    def __init__(self, sheet: Sheet, config: Config | None, interval_s: float) -> None:
        self._sheet = sheet
        self._interval_s = interval_s
        # Of rules with mistakes nobody knows what they are called: that would be one more each.
        self._rules = [rule.name for rule in config.rules] if config else None
        self._labels = watched_labels(config) if config else set()

    def test(self, node: Node, path: str) -> RuleTest | None:
        """Return a test, or None after a mistake."""
        sheet, before = self._sheet, len(self._sheet.errors)
        nodes = sheet.keys(node, path, TEST, ("name",))
        name = sheet.once(nodes, "name", values.text, path)
        start = sheet.once(nodes, "start", _moment, path) or START
        interval_s = sheet.once(nodes, "interval", _interval, path) or self._interval_s
        story = self._story(nodes, path, interval_s)
        if not story.frames and len(sheet.errors) == before:
            sheet.error(node.mark, path, "says nothing of what happens; give it scores")
        # With a mistake in the story nobody knows how long it is.
        end_s = story.frames * story.interval_s if len(sheet.errors) == before else inf
        alerts = tuple(self._alerts(nodes, f"{path}.expect", end_s))
        states = tuple(self._states(nodes, f"{path}.states", end_s))
        misses = tuple(self._misses(nodes, f"{path}.near_misses"))
        if len(sheet.errors) > before:
            return None
        told = misses if "near_misses" in nodes else None
        return RuleTest(str(name), sheet.place(node.mark), start, story, alerts, states, told)

    def _story(self, nodes: dict[str, Node], path: str, interval_s: float) -> Story:
        sheet = self._sheet
        numbers = partial(shorthand.numbers, interval_s=interval_s)
        scores: dict[str, list[float | str]] = {}
        if "scores" in nodes:
            given = sheet.entries(nodes["scores"], f"{path}.scores")
            series = {label: child for label, (_, child) in given.items()}
            for label, (key, _) in given.items():
                self._check_label(label, key, f"{path}.scores")
                scores[label] = sheet.long(series, label, numbers, f"{path}.scores") or []
        cameras = partial(shorthand.cameras, interval_s=interval_s)
        modes = partial(shorthand.modes, interval_s=interval_s)
        rarities = partial(shorthand.rarities, interval_s=interval_s)
        return Story(
            interval_s,
            scores,
            motion=sheet.long(nodes, "motion", numbers, path) or [],
            camera=sheet.long(nodes, "camera", cameras, path) or [],
            armed=sheet.long(nodes, "armed", modes, path) or [],
            unusual=sheet.long(nodes, "unusual", rarities, path) or [],
        )

    def _check_label(self, label: str, key: Scalar, path: str) -> None:
        if self._labels and label.partition("@")[0] not in self._labels:
            hint = self._sheet.hint(label, sorted(self._labels))
            message = f"no rule looks at the label {label!r}{hint}"
            self._sheet.error(key.mark, below(path, label), message)

    def _alerts(self, nodes: dict[str, Node], path: str, end_s: float) -> Iterator[Expected]:
        for place, item in self._sheet.listed(nodes.get("expect"), path):
            found = self._sheet.keys(
                item, place, ("rule", "at", "within", "message"), ("rule", "at")
            )
            alert = expected_alert(self._sheet, found, place, self._rule, 0.0)
            if alert:
                self._check_end(found["at"], f"{place}.at", alert.at_s, end_s)
                yield replace(alert, place=self._sheet.place(item.mark))

    def _states(self, nodes: dict[str, Node], path: str, end_s: float) -> Iterator[ExpectedState]:
        sheet = self._sheet
        for place, item in sheet.listed(nodes.get("states"), path):
            found = sheet.keys(item, place, ("rule", "at", "is"), ("rule", "at", "is"))
            rule = sheet.once(found, "rule", self._rule, place)
            at_s = sheet.once(found, "at", values.duration, place)
            state = sheet.once(found, "is", one_of("state", [str(one) for one in State]), place)
            if rule is not None and at_s is not None and state is not None:
                self._check_end(found["at"], f"{place}.at", at_s, end_s)
                yield ExpectedState(rule, at_s, State(state), sheet.place(item.mark))

    def _misses(self, nodes: dict[str, Node], path: str) -> Iterator[ExpectedMiss]:
        sheet = self._sheet
        for place, item in sheet.listed(nodes.get("near_misses"), path):
            known = ("rule", "at", "within", "reason", "message")
            found = sheet.keys(item, place, known, ("rule",))
            rule = sheet.once(found, "rule", self._rule, place)
            if rule is not None:
                yield ExpectedMiss(
                    rule,
                    sheet.once(found, "at", values.duration, place),
                    sheet.once(found, "within", values.duration, place) or 0.0,
                    sheet.once(found, "reason", str, place),
                    sheet.once(found, "message", str, place),
                    sheet.place(item.mark),
                )

    def _rule(self, text: str) -> str:
        return text if self._rules is None else one_of("rule", self._rules)(text)

    def _check_end(self, node: Node, path: str, at_s: float, end_s: float) -> None:
        if at_s >= end_s:
            message = f"{at_s:g}s is after the last frame; the test lasts {end_s:g}s"
            self._sheet.error(node.mark, path, message)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a moment; write for example 2026-11-22T23:10") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_interval = values.Within(values.duration, 0.001, 3600, "1ms to 1h")
