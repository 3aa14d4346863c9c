"""What the home asks of a node, on made-up scores; tests/test_app_home.py asks the whole node."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from edgehome.config.types import Config, EventsConfig, Rule
from edgehome.controls import EVENTS_S, MOST_EVENTS, Controls, accepted
from edgehome.errands import Errands
from edgehome.filewatch import FolderWatch
from edgehome.homeassistant import (
    Command,
    Mute,
    NameLesson,
    NotSuspicious,
    Reload,
    SetMode,
    SetThreshold,
    ShowLesson,
)
from edgehome.homeassistant import Silence as Silenced
from edgehome.learning import Learning
from edgehome.lessoncontrols import LessonControls
from edgehome.lessons import Lessons
from edgehome.lessonstore import LessonStatus, LessonStore
from edgehome.messages import Ready
from edgehome.node import Node
from edgehome.normalkeeper import NormalKeeper
from edgehome.silence import Silence
from edgehome.statefile import FileWriter, StateFile
from edgehome.types import Alert, Mode, Problem, Scores
from tests.rules.scene import activity, rule

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Home:
    """A node with controls, a clock that goes with its frames, and a state file."""

    def __init__(self, folder: Path, *rules: Rule) -> None:
        self.file = folder / "state.json"
        self.config = Config(rules=rules, events=EventsConfig(smoothing_s=0))
        self.ids = count()
        self.time_s = 0.0
        self.told: list[tuple[Alert, str]] = []
        self.reloads = 0
        self.announced: list[Collection[str]] = []
        self.errands = Errands()
        self.lessons = Lessons(LessonStore(folder), self.errands, FolderWatch(folder, float))
        normal = NormalKeeper(folder / "normal.bin", self.errands, FileWriter())
        self.learning = Learning(self.lessons, normal)
        self.start()

    def start(self) -> None:
        memory = StateFile(self.file)
        memory.load()
        self.node = Node(
            self.config, identity="t", started_at=NOON, identify=lambda: f"id{next(self.ids)}"
        )
        self.controls = Controls(
            self.node,
            self.config,
            memory=memory,
            silence=Silence(memory, lambda: self.time_s, lambda: 1e9 + self.time_s),
            tell=lambda alert, kind: self.told.append((alert, kind)),
            reload=self._reload,
            retry=self._reload,
            lessons=LessonControls(
                self.node,
                self.learning,
                memory,
                (),
                self.announced.append,
                clock=lambda: self.time_s,
            ),
            clock=lambda: self.time_s,
        )
        self.controls.use(self.config)
        self.controls.turn()

    def _reload(self) -> None:
        self.reloads += 1

    def ask(self, *commands: Command) -> None:
        for command in commands:
            assert not self.controls.refused(command)
            self.controls.obey(command)
        self.controls.turn()

    def show(self, seconds: float, slap: float) -> list[Alert]:
        alerts: list[Alert] = []
        for frame in range(round(seconds * 5)):
            self.time_s += 0.2
            at = NOON + timedelta(seconds=self.time_s)
            alerts += self.node.see(Scores(self.time_s, at, {"slap": slap}, frame)).alerts
            self.controls.turn()
        return alerts

    def problems(self) -> list[str]:
        return [problem.code for problem in self.node.status().problems]

    def kinds(self) -> list[str]:
        return [kind for _, kind in self.told]


FIGHT = rule(activity("slap", above=0.6, below=0.3), repeat_interval_s=0.0)


def test_disarming_is_told_like_an_alert_and_arming_is_not(tmp_path: Path) -> None:
    home = Home(tmp_path, FIGHT)
    assert home.told == [], "its state at the start is no command"
    home.ask(SetMode(Mode.NIGHT), SetMode(Mode.DISARMED), SetMode(Mode.DISARMED))
    ((alert, kind),) = home.told
    assert (kind, alert.rule, str(alert.severity)) == ("disarmed", "Disarmed", "info")
    assert alert.message == "Disarmed by a command; it was night."
    assert alert.at.tzinfo
    assert len(alert.id) == 32
    home.ask(SetMode(Mode.HOME))
    assert home.kinds() == ["disarmed"]
    home.ask(SetMode(Mode.DISARMED))
    home.start()
    assert home.kinds() == ["disarmed", "disarmed"], "a restart tells nothing again"
    assert json.loads(home.file.read_text())["mode"] == "disarmed"


def test_a_silence_is_told_with_its_end_and_ends_by_itself(tmp_path: Path) -> None:
    home = Home(tmp_path, FIGHT)
    home.ask(Silenced(silent=True), Silenced(silent=True))
    assert home.kinds() == ["silenced"]
    until = home.node.status().silenced_until
    assert until
    assert home.told[0][0].message == f"Silenced by a command until {until:%H:%M}."
    assert home.show(2, 0.9) == []
    home.time_s += 3600
    home.show(0.2, 0.9)
    assert home.node.status().silenced_until is None
    assert len(home.show(1, 0.0) + home.show(1, 0.9)) == 1


def test_a_silence_ends_on_request_and_outlives_a_restart(tmp_path: Path) -> None:
    home = Home(tmp_path, FIGHT)
    home.ask(Silenced(silent=True))
    home.start()
    assert home.node.status().silenced_until
    assert home.show(2, 0.9) == []
    home.ask(Silenced(silent=False))
    assert home.node.status().silenced_until is None
    assert len(home.show(1, 0.9)) == 1
    home.start()
    assert home.node.status().silenced_until is None
    assert home.controls.deadline_s > 1e9


def test_muting_the_last_rule_that_told_anything_is_told(tmp_path: Path) -> None:
    home = Home(tmp_path, FIGHT, replace(FIGHT, name="Fall"))
    home.ask(Mute("fight", muted=True))
    assert home.told == []
    home.ask(Mute("fall", muted=True), Mute("fall", muted=True))
    assert home.kinds() == ["silenced"]
    home.ask(Mute("fall", muted=False), Mute("fall", muted=True))
    assert home.kinds() == ["silenced", "silenced"]


def test_whoever_disarms_and_arms_in_turn_does_not_fill_the_outbox(tmp_path: Path) -> None:
    home = Home(tmp_path, FIGHT)
    for _ in range(100):
        home.ask(SetMode(Mode.AWAY), SetMode(Mode.DISARMED))
    assert len(home.told) == MOST_EVENTS
    home.time_s += EVENTS_S
    home.ask(SetMode(Mode.AWAY), SetMode(Mode.DISARMED))
    assert len(home.told) == MOST_EVENTS + 1
    assert home.told[-1][0].folded == 100 - MOST_EVENTS


def test_a_threshold_counts_from_the_next_frame_on_and_only_for_its_rule(tmp_path: Path) -> None:
    other = replace(FIGHT, name="Third")
    home = Home(tmp_path, replace(FIGHT, adjustable=True), other)
    assert [item.threshold for item in home.node.status().rules] == [0.6, None]
    assert {alert.rule for alert in home.show(1, 0.7)} == {"Fight", "Third"}
    home.ask(SetThreshold("fight", 0.8))
    assert [item.threshold for item in home.node.status().rules] == [0.8, None]
    home.show(0.2, 0.7)
    assert [item.state for item in home.node.status().rules] == ["inactive", "firing"]
    (alert,) = home.show(1, 0.85)
    assert alert.rule == "Fight"
    assert alert.evidence[0].threshold == "0.8"


def test_a_threshold_outlives_a_restart_and_a_reload_of_another_rule(tmp_path: Path) -> None:
    home = Home(tmp_path, replace(FIGHT, adjustable=True))
    home.ask(SetThreshold("fight", 0.8), SetThreshold("fight", 0.9))
    home.start()
    assert home.node.status().rules[0].threshold == 0.9
    both = (*home.config.rules, replace(FIGHT, name="Third"))
    home.controls.use(replace(home.config, rules=both))
    assert [item.threshold for item in home.node.status().rules] == [0.9, None]
    edited = replace(FIGHT, when=activity("slap", above=0.5, below=0.3), adjustable=True)
    home.controls.use(replace(home.config, rules=(edited,)))
    assert home.node.status().rules[0].threshold == 0.5, "the file that was edited wins"


@pytest.mark.parametrize(
    ("key", "payload", "why"),
    [
        ("mode", b"maybe", "it is none of ours"),
        ("rule/nobody/mute", b"ON", "there is no such rule"),
        ("rule/nobody/threshold", b"0.5", "there is no such rule"),
        ("rule/third/threshold", b"0.5", "the rule is not adjustable"),
        ("rule/fight/threshold", b"5e-1", "it is none of ours"),
    ],
)
def test_what_is_not_obeyed_says_why(tmp_path: Path, key: str, payload: bytes, why: str) -> None:
    home = Home(tmp_path, replace(FIGHT, adjustable=True), replace(FIGHT, name="Third"))
    put: list[Command] = []
    take: Callable[[str, bytes], str | None] = accepted(home.controls, put.append)
    assert take(key, payload) == why
    assert put == []
    assert take("rule/fight/threshold", b"0.5") is None
    assert put == [SetThreshold("fight", 0.5)]


def test_a_rule_that_a_reload_took_between_the_question_and_the_deed_is_passed_over(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path, replace(FIGHT, adjustable=True))
    home.controls.use(replace(home.config, rules=()))
    home.controls.obey(SetThreshold("fight", 0.8))
    home.controls.obey(Mute("fight", muted=True))
    home.controls.turn()
    assert home.told == []
    assert home.node.status().rules == ()


def test_a_reload_is_passed_on(tmp_path: Path) -> None:
    home = Home(tmp_path, FIGHT)
    home.ask(Reload())
    assert home.reloads == 1


def woken(home: Home, label: str = "slap") -> list[dict[str, Any]]:
    """Let a worker be there that takes what it is asked; return what that is."""
    sent: list[dict[str, Any]] = []

    def tell(packets: Sequence[bytes]) -> bool:
        sent.extend(json.loads(packet) for packet in packets)
        return True

    home.lessons.attach(tell, lambda _origin, _problem: None)
    home.lessons.ready(Ready((label,), 5.0, "ab" * 32, "x", None, embedding="made"))
    return sent


def test_a_press_takes_the_last_seconds_for_the_activity_that_was_named(tmp_path: Path) -> None:
    home = Home(tmp_path, FIGHT)
    sent = woken(home)
    home.ask(ShowLesson(shows=True))
    assert (home.problems(), sent) == (["lesson_unnamed"], []), "the home is told why"
    home.ask(NameLesson("Over the Wall"), ShowLesson(shows=True), ShowLesson(shows=False))
    assert home.node.status().teaching == "over_the_wall"
    spans = [one["take"]["until"] - one["take"]["since"] for one in sent]
    assert spans == [pytest.approx(6.0, abs=0.01)] * 2
    home.start()
    assert home.node.status().teaching == "over_the_wall", "kept over a restart"
    home.ask(NameLesson(""))
    assert home.node.status().teaching == ""
    home.ask(ShowLesson(shows=True))
    assert home.problems() == ["lesson_unnamed"]


@pytest.mark.parametrize(
    ("name", "code"),
    [("---", "lesson_name"), ("Violence", "lesson_taken"), ("side kick", "lesson_taken")],
)
def test_a_name_that_no_rule_could_use_is_refused_at_once(
    tmp_path: Path, name: str, code: str
) -> None:
    """It is no text, a pack's, or a label of the model."""
    home = Home(tmp_path, FIGHT)
    woken(home, "side kick")
    home.ask(NameLesson("wave"), NameLesson(name))
    assert home.problems() == [code]
    assert home.node.status().teaching == "wave"
    home.ask(NameLesson("wave"))
    assert home.problems() == []


def test_a_second_press_of_the_same_seconds_is_no_second_example(tmp_path: Path) -> None:
    home = Home(tmp_path, FIGHT)
    sent = woken(home)
    home.ask(NameLesson("wave"), ShowLesson(shows=True), ShowLesson(shows=True))
    assert (len(sent), home.problems()) == (1, ["lesson_twice"])
    home.show(4, 0.1)
    home.ask(ShowLesson(shows=True))
    assert len(sent) == 1
    home.show(1, 0.1)
    home.ask(ShowLesson(shows=True))
    assert (len(sent), home.problems()) == (2, [])


def test_not_suspicious_is_about_the_last_alert_or_the_one_that_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path, FIGHT)
    told: list[Problem | None] = []
    home.lessons.attach(lambda _: True, lambda _origin, problem: told.append(problem))
    home.ask(NotSuspicious())
    assert home.problems() == ["lesson_unknown"]
    (first,) = home.show(1, 0.9)
    home.ask(NotSuspicious())
    assert home.problems() == []
    assert [p.code for p in told if p] == ["lesson_unseen"], "nobody watches, and that is told"
    sent = woken(home)
    home.show(20, 0.1)
    (last,) = home.show(1, 0.9)
    home.ask(NotSuspicious(), NotSuspicious(first.id), NotSuspicious("b" * 32))
    assert home.problems() == ["lesson_unknown"]
    since = [one["take"]["since"] for one in sent]  # slap came with the model: corrected
    assert since == [pytest.approx(alert.at.timestamp() - 3) for alert in (last, first)]
    home.node.recall([first, last])
    assert home.node.alert() is last


def test_lessons_are_told_once_their_files_were_read_and_announced_when_others_are_there(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path, FIGHT)
    assert (home.node.taught, home.announced) == ((), []), "nothing is known yet"
    status = LessonStatus("dance", 2, 3, "finds about 2 of 3", "")
    home.lessons.known = True
    home.lessons.told = lambda: (status,)  # type: ignore[method-assign]  # what files would say
    assert home.controls.turn()
    assert home.announced == [{"dance"}]
    assert [(one.name, one.shown, one.says) for one in home.node.status().taught] == [
        ("dance", 3, "finds about 2 of 3")
    ]
    assert not home.controls.turn()
    status = replace(status, version=3)
    assert home.controls.turn()
    assert home.announced == [{"dance"}] * 2, "the rules go by another threshold"
    assert not home.controls.turn()
