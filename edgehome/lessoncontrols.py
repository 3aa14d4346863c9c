"""What the home says of taught activities: which is meant, and what the last seconds were.

Which one is being taught is kept over restarts; what comes of it is the lessons' business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from edgehome.corrections import levels_of
from edgehome.homeassistant import Command, NameLesson, NotSuspicious, ShowLesson, Taught
from edgehome.learning import Learning
from edgehome.lessonstore import lesson_name
from edgehome.node import Node
from edgehome.statefile import StateFile
from edgehome.types import EdgehomeError

LessonCommand = NameLesson | ShowLesson | NotSuspicious

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
        node.teaching = memory.get("teaching", "")

    def refused(self, command: Command) -> str:
        """Return why a command is not obeyed, or an empty text; called on any thread."""
        if isinstance(command, NameLesson) and command.name:
            try:
                lesson_name(command.name)
            except EdgehomeError as error:
                return str(error)
        if isinstance(command, ShowLesson) and not self._node.teaching:
            return "no activity is named; set New activity first"
        if isinstance(command, NotSuspicious) and self._node.last_alert() is None:
            return "there was no alert"
        return ""

    def obey(self, command: LessonCommand) -> None:
        """Do what was asked for."""
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
            case NotSuspicious():
                self._judge()

    def turn(self) -> bool:
        """Take how far the learning is; return whether the home is to be told of a change."""
        before, self._node.normal = self._node.normal, self._learning.normal.learnt
        return self._turn_lessons() or self._node.normal != before

    def _turn_lessons(self) -> bool:
        if not self._lessons.known:  # their files are still being read
            return False
        told = tuple(
            Taught(one.name, one.version, one.shown, one.says, one.missing)
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

    def _judge(self) -> None:
        """Take the window of the last alert as normal, for all that its rule watches."""
        alert = self._node.last_alert()
        if alert is None:  # a reload took it since
            return
        logger.info("alert of %s: not suspicious, by Home Assistant", alert.rule)
        self._learning.normal.judged_normal(alert)
        rules = [rule for rule in self._node.config.rules if rule.name == alert.rule]
        levels = levels_of(rules[0]) if rules else {}
        if levels or not rules:  # a rule on the unusual alone watches no label
            self._lessons.judge(alert, levels, self._node.clarity.of(alert))
