"""What the home asks of the node, and what comes of it.

That nobody watches any more is told like an alert: whoever disarms or silences a node leaves a
trace in the home, which is stored and sent like any other.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import deque
from collections.abc import Callable
from datetime import datetime

from edgehome.config.types import Config
from edgehome.homeassistant import (
    DISARMED,
    SILENCED,
    Command,
    Mute,
    NameLesson,
    NotSuspicious,
    Reload,
    Retry,
    SetMode,
    SetThreshold,
    ShowLesson,
    Silence,
    parse_command,
    rule_slugs,
)
from edgehome.lessoncontrols import LessonControls
from edgehome.node import Node
from edgehome.silence import Silence as SilentHour
from edgehome.statefile import StateFile
from edgehome.thresholds import Thresholds
from edgehome.types import Alert, Mode, Severity

MOST_EVENTS, EVENTS_S = 10, 600.0
"""At most so many events of the node itself in so many seconds; the next one counts the others."""
STEP_S = 5.0
"""The wall clock steps when it moves by more against the monotonic one."""

logger = logging.getLogger(__name__)


class Controls:
    """Mode, mutes, silence and thresholds: taken from commands, kept over restarts."""

    def __init__(
        self,
        node: Node,
        config: Config,
        *,
        memory: StateFile,
        silence: SilentHour,
        tell: Callable[[Alert, str], None],
        reload: Callable[[], None],
        retry: Callable[[], None],
        lessons: LessonControls,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the file's configuration, and what tells an event of a type like an alert."""
        self._node = node
        self._config = config
        self._memory = memory
        self._silence = silence
        self._thresholds = Thresholds(memory)
        self._tell = tell
        self._reload = reload
        self._retry = retry
        self._lessons = lessons
        self._clock = clock
        self._told_s: deque[float] = deque(maxlen=MOST_EVENTS)
        self._untold = 0
        self._adjusted = False
        node.silence(silence.until)

    def use(self, config: Config) -> None:
        """Take over the file's new configuration, with the thresholds that were set over it."""
        self._config = config
        self._node.use(self._thresholds.over(config))

    def refused(self, command: Command | None) -> str:
        """Return why a command is not obeyed, or an empty text; called on any thread."""
        if command is None:
            return "it is none of ours"
        if isinstance(command, Mute | SetThreshold):
            rules = self._config.rules
            slugs = rule_slugs(rule.name for rule in rules)
            rule = next((rule for rule in rules if slugs[rule.name] == command.slug), None)
            if rule is None:
                return "there is no such rule"
            if isinstance(command, SetThreshold) and not rule.adjustable:
                return "the rule is not adjustable"
        return ""

    def obey(self, command: Command) -> None:
        """Do what was asked for."""
        match command:
            case SetMode(mode):
                self._set_mode(mode)
            case Mute(slug, muted):
                self._mute(self._named(slug), muted=muted)
            case SetThreshold(slug, above):
                self._set_threshold(self._named(slug), above)
            case Silence(silent):
                self._set_silence(silent=silent)
            case Reload():
                logger.info("reload by Home Assistant")
                self._reload()
            case Retry():
                logger.info("retry by Home Assistant")
                self._retry()
            case NameLesson() | ShowLesson() | NotSuspicious():
                self._lessons.obey(command)

    def turn(self) -> bool:
        """Do what is due by now; return whether the home is to be told of a change.

        Several new thresholds are taken over at once, before the next frame.
        """
        changed = self._lessons.turn() | self._silence.over() or self._adjusted
        if self._adjusted:
            self._adjusted = False
            self._node.use(self._thresholds.over(self._config))
        until, told = self._silence.until, self._node.silenced_until
        if until and told and abs((until - told).total_seconds()) < STEP_S:
            return changed
        if until != told:
            if not until:
                logger.info("the silence is over")
            self._node.silence(until)
            changed = True
        return changed

    @property
    def deadline_s(self) -> float:
        """When `turn` has something to do, on the monotonic clock."""
        return self._clock() if self._adjusted else self._silence.deadline_s

    def _named(self, slug: str) -> str:
        """Return the rule's name; empty when a reload took the rule since."""
        slugs = rule_slugs(rule.name for rule in self._config.rules)
        return next((name for name, its in slugs.items() if its == slug), "")

    def _set_mode(self, mode: Mode) -> None:
        logger.info("mode %s by Home Assistant", mode)
        before, self._node.mode = self._node.mode, mode
        self._memory.set("mode", str(mode))
        if mode is Mode.DISARMED and before is not Mode.DISARMED:
            self._say(DISARMED, "Disarmed", f"Disarmed by a command; it was {before}.")

    def _mute(self, name: str, *, muted: bool) -> None:
        logger.info("%s %s by Home Assistant", name, "muted" if muted else "unmuted")
        before = self._all_muted()
        self._node.mute(name, muted=muted)
        if self._all_muted() and not before:
            self._say(SILENCED, "Silenced", "Every rule is muted, the last one by a command.")

    def _all_muted(self) -> bool:
        rules = self._node.status().rules
        return bool(rules) and all(rule.muted for rule in rules)

    def _set_threshold(self, name: str, above: float) -> None:
        logger.info("threshold of %s: %g by Home Assistant", name, above)
        self._thresholds.set(self._config, name, above)
        self._adjusted = True

    def _set_silence(self, *, silent: bool) -> None:
        logger.info("silence %s by Home Assistant", "for an hour" if silent else "ended")
        before = self._silence.until
        if not silent:
            self._silence.end()
            return
        self._silence.begin()
        until = self._silence.until
        self._node.silence(until)
        if until and not before:
            self._say(SILENCED, "Silenced", f"Silenced by a command until {until:%H:%M}.")

    def _say(self, event_type: str, title: str, message: str) -> None:
        """Tell the home of what was done to the node, unless it was told of much just before."""
        now_s = self._clock()
        if len(self._told_s) == MOST_EVENTS and now_s < self._told_s[0] + EVENTS_S:
            self._untold += 1
            logger.warning("%s Not told: there were %d in ten minutes.", message, MOST_EVENTS)
            return
        self._told_s.append(now_s)
        folded, self._untold = self._untold, 0
        alert = Alert(
            id=uuid.uuid4().hex,
            at=datetime.now().astimezone(),
            rule=title,
            label=event_type,
            severity=Severity.INFO,
            message=message,
            score=0.0,
            folded=folded,
            model=self._node.model,
            config=self._node.config.sha256,
        )
        self._tell(alert, event_type)


def accepted(
    controls: Controls, put: Callable[[Command], None]
) -> Callable[[str, bytes], str | None]:
    """Return what takes a command's key and payload from delivery: it says why not, or None."""

    def take(key: str, payload: bytes) -> str | None:
        command = parse_command(key, payload)
        if (why := controls.refused(command)) or command is None:
            return why
        put(command)
        return None

    return take
