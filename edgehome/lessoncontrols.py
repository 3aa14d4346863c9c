"""What the home says of taught activities: which is meant, and what the last seconds were.

Which one is being taught is kept over restarts; what comes of it is the lessons' business.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Collection

from edgehome.corrections import levels_of
from edgehome.homeassistant import NameLesson, NotSuspicious, ShowLesson, Taught
from edgehome.learning import Learning
from edgehome.lessonnames import wrong_name
from edgehome.lessonproblems import NO_ALERT, TWICE, UNNAMED
from edgehome.lessonstore import lesson_name
from edgehome.node import Node
from edgehome.statefile import StateFile
from edgehome.teaching.words import UNCLEAR
from edgehome.types import Alert, EdgehomeError, Problem

LessonCommand = NameLesson | ShowLesson | NotSuspicious
APART = 0.75
"""Of what a press takes: a second press before that is of the same seconds."""

logger = logging.getLogger(__name__)


class LessonControls:
    """Takes the commands on teaching, and tells the node how far its lessons are."""

    def __init__(
        self,
        node: Node,
        learning: Learning,
        memory: StateFile,
        announced: Collection[str],
        changed: Callable[[Collection[str]], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the names of the taught activities that were announced last.

        `changed` is told all names whenever one was taught, anew too.
        """
        self._node = node
        self._learning = learning
        self._lessons = learning.lessons
        self._memory = memory
        self._announced = set(announced)
        self._changed = changed
        self._versions: set[tuple[str, int]] | None = None
        self._clock = clock
        self._pressed: dict[tuple[str, bool], float] = {}
        node.teaching = memory.get("teaching", "")

    def obey(self, command: LessonCommand) -> None:
        """Do what was asked for; what cannot be done is a problem until the next such command."""
        problem = self._wrong_with(command)
        self._node.report("teaching", problem)
        if problem:
            logger.warning("%s", problem)
            return
        match command:
            case NameLesson(name):
                self._node.teaching = lesson_name(name) if name else ""
                self._memory.set("teaching", self._node.teaching)
                logger.info("teaching %s by Home Assistant", self._node.teaching or "nothing")
            case ShowLesson(shows):
                what = "it" if shows else "normal"
                logger.info("%s: that was %s, by Home Assistant", self._node.teaching, what)
                seconds = self._node.config.teaching.last_s
                self._lessons.note(self._node.teaching, shows=shows, seconds=seconds)
            case NotSuspicious(alert_id):
                if alert := self._node.alert(alert_id):
                    self._judge(alert)

    def _wrong_with(self, command: LessonCommand) -> Problem | None:
        match command:
            case NameLesson(name):
                return self._wrong_name(name) if name else None
            case ShowLesson(shows):
                return self._wrong_press(shows=shows)
        return None if self._node.alert(command.alert_id) else NO_ALERT

    def _wrong_name(self, text: str) -> Problem | None:
        try:
            name = lesson_name(text)
        except EdgehomeError as error:
            return error.problem
        return wrong_name(name, self._lessons.own)

    def _wrong_press(self, *, shows: bool) -> Problem | None:
        """Return why a press is none; one that is will be remembered."""
        name, now_s = self._node.teaching, self._clock()
        if not name:
            return UNNAMED
        apart_s = APART * self._node.config.teaching.last_s
        if now_s - self._pressed.get((name, shows), -math.inf) < apart_s:
            return TWICE
        self._pressed = {(name, shows): now_s}
        return None

    def turn(self) -> bool:
        """Take how far the learning is; return whether the home is to be told of a change."""
        before, self._node.normal = self._node.normal, self._learning.normal.learnt
        return self._turn_lessons() or self._node.normal != before

    def _turn_lessons(self) -> bool:
        if not self._lessons.known:  # their files are still being read
            return False
        told = tuple(
            Taught(one.name, one.version, one.shown, one.says, one.missing, UNCLEAR in one.says)
            for one in self._lessons.told()
        )
        if told == self._node.taught:
            return False
        self._node.taught = told
        names = {one.name for one in told}
        before, self._versions = self._versions, {(one.name, one.version) for one in told}
        if self._versions != before and (before is not None or names != self._announced):
            self._changed(names)
        return True

    def _judge(self, alert: Alert) -> None:
        """Take an alert's window as normal, for all that its rule watches."""
        logger.info("alert of %s: not suspicious, by Home Assistant", alert.rule)
        self._learning.normal.judged_normal(alert)
        rules = [rule for rule in self._node.config.rules if rule.name == alert.rule]
        levels = levels_of(rules[0]) if rules else {}
        if levels or not rules:  # a rule on the unusual alone watches no label
            self._lessons.judge(alert, levels, self._node.clarity.of(alert))
