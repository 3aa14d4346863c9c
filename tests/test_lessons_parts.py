"""The supervisor's side of teaching, with a child that learns and a worker that says anything."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgehome.errands import Errands
from edgehome.filewatch import FolderWatch
from edgehome.lessonasked import span_of
from edgehome.lessons import Lessons
from edgehome.lessonstore import FOLDER, LessonStore, kept_of
from edgehome.messages import Ready
from edgehome.orders import Take, TaughtHeads, decode_request
from edgehome.taken import Piece, Taken
from edgehome.types import Alert, Problem, Severity

WIDTH = 480
SPACE = "movinet-a0-kinetics600"
READY = Ready(("fall", "person"), 5.0, "ab" * 32, "a runtime", None, embedding=SPACE)
SLOW_S = 60.0


class Home:
    """Lessons, with what they tell the worker and the home."""

    def __init__(self, state: Path, stack: ExitStack) -> None:
        self.store = LessonStore(state)
        errands = stack.enter_context(Errands())
        watch = stack.enter_context(FolderWatch(state / FOLDER, time.monotonic))
        self.later_s = 0.0
        self.lessons = Lessons(self.store, errands, watch, lambda: time.time() + self.later_s)
        self.orders: list[Any] = []
        self.problems: dict[str, Problem | None] = {}
        self.hears = True
        self.lessons.attach(self._tell, self.problems.__setitem__)

    def _tell(self, packets: Any) -> bool:
        self.orders += map(decode_request, packets)
        return self.hears

    def until(self, done: Callable[[], object]) -> None:
        end_s = time.monotonic() + SLOW_S
        while not done():
            assert time.monotonic() < end_s, (self.problems, self.lessons.told())
            self.lessons.turn()
            time.sleep(0.01)

    def takes(self) -> list[Take]:
        return [order for order in self.orders if isinstance(order, Take)]

    def answer(self, take: Take, frames: int = 30, act: float = 0.0, others: int = 0) -> None:
        """Answer as a worker does that saw made embeddings."""
        chance = np.random.default_rng(len(self.takes()))  # nothing is seen twice
        pieces = [_piece(chance, frames, take.since, act)]
        pieces += [_piece(chance, 15, 100.0 * n, 0.0) for n in range(others)]
        self.lessons.taken(Taken(take.id, 5.0, WIDTH, tuple(pieces), 100.0, 200.0))

    def show(self, name: str, *, shows: bool = True, others: int = 0) -> None:
        count = len(self.takes())
        self.later_s += 10  # each press is an occasion of its own
        self.lessons.note(name, shows=shows, seconds=6.0)
        assert len(self.takes()) == count + 1
        self.answer(self.takes()[-1], act=0.6 if shows else 0.0, others=others)


def _piece(chance: np.random.Generator, frames: int, at: float, act: float) -> Piece:
    rows = chance.gamma(2.0, 0.1, (frames, WIDTH)) + 0.05
    rows[frames // 3 : 2 * frames // 3, :60] += act
    scales = (rows.max(axis=1, initial=1e-3) / 255).astype("<f4")
    codes = np.rint(rows / scales[:, None]).clip(0, 255).astype(np.uint8)
    return Piece(max(at, 0.0), frames, codes.tobytes(), scales.tobytes())


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with ExitStack() as stack:
        home = Home(tmp_path, stack)
        home.lessons.ready(READY)
        yield home


def version(home: Home, name: str = "dance") -> int:
    return next((one.version for one in home.lessons.told() if one.name == name), 0)


def test_three_presses_teach_an_activity_and_the_worker_gets_its_head(home: Home) -> None:
    """The home's normal comes from moments of which nobody said anything."""
    for number in range(1, 4):
        home.show("dance", others=5)
        home.until(lambda number=number: version(home) == number)
    (status,) = home.lessons.told()
    assert (status.shown, status.missing) == (3, "")
    assert status.says.startswith("finds about")
    given = [order for order in home.orders if isinstance(order, TaughtHeads)]
    assert [head["name"] for head in given[-1].heads] == ["dance"]
    assert home.problems["lesson dance"] is None
    home.lessons.undo("dance")
    home.until(lambda: version(home) == 2)
    (status,) = home.lessons.told()
    assert "1 more example" in status.missing
    given = [order for order in home.orders if isinstance(order, TaughtHeads)]
    assert given[-1].heads == ()


def test_presses_during_learning_are_learnt_together_one_child_at_a_time(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "python"
    slow.write_text(f'#!/bin/sh\necho begun >> {tmp_path}/log\nsleep 1\n{sys.executable} "$@"\n'
                    f"echo ended >> {tmp_path}/log\n")  # fmt: skip
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    for _ in range(5):
        home.show("dance")
    home.until(lambda: sum(one.shown for one in home.lessons.told()) == 5)
    assert (tmp_path / "log").read_text().split() == ["begun", "ended"] * 2


def test_what_nobody_saw_is_told_and_nothing_is_kept(home: Home) -> None:
    home.lessons.note("dance", shows=True, seconds=6.0)
    home.answer(home.takes()[-1], frames=0)
    problem = home.problems["lesson dance"]
    assert problem
    assert "Nothing moved" in problem.message
    home.hears = False
    home.lessons.note("sing", shows=True, seconds=6.0)
    problem = home.problems["lesson sing"]
    assert problem
    assert problem.code == "lesson_unseen"
    assert home.store.names() == []


def test_a_worker_that_ends_leaves_no_press_unanswered(home: Home) -> None:
    home.lessons.note("dance", shows=True, seconds=6.0)
    home.lessons.worker_gone()
    problem = home.problems["lesson dance"]
    assert problem
    assert problem.code == "lesson_unseen"
    home.answer(home.takes()[-1])  # too late
    assert home.store.names() == []


def test_a_label_of_the_model_cannot_be_taught(home: Home) -> None:
    home.show("fall")
    home.until(lambda: home.problems.get("lesson fall"))
    problem = home.problems["lesson fall"]
    assert problem
    assert problem.code == "lesson_taken"


def test_feedback_takes_the_window_of_an_alert_for_a_taught_activity_alone(home: Home) -> None:
    home.show("dance")
    home.until(lambda: version(home) == 1)
    at = datetime.now(UTC) - timedelta(seconds=60)
    since = at - timedelta(seconds=10)
    alert = Alert("1", at, "Rule", "party", Severity.INFO, "x", 0.5, since=since)
    home.lessons.judge(alert, {"dance": 0.5})
    take = home.takes()[-1]
    assert (take.since, take.until) == (since.timestamp() - 3.0, at.timestamp() + 5.0)
    early = at.timestamp() + 2.0
    assert span_of(alert, early) == (since.timestamp() - 3.0, early), "nothing is to come"
    assert span_of(alert, 0.0)[1] == at.timestamp(), "the clock was put right since"
    home.answer(take)
    home.until(lambda: version(home) == 2)
    assert home.lessons.told()[0].shown == 1
    home.lessons.judge(replace(alert, label="stranger"))
    problem = home.problems["lesson stranger"]
    assert problem
    assert problem.code == "lesson_unknown"


def test_feedback_on_what_came_with_the_model_corrects_it_and_is_undone(home: Home) -> None:
    """The worker gets the correction; a model without embedding is told that nothing is learnt."""
    at = datetime.now(UTC) - timedelta(seconds=60)
    alert = Alert("1", at, "Rule", "fall", Severity.INFO, "x", 0.7)
    home.lessons.judge(alert, {"fall": 0.6})
    take = home.takes()[-1]
    assert (take.since, take.until) == (at.timestamp() - 3.0, at.timestamp() + 5.0)
    assert take.spread == 0
    home.answer(take)
    home.until(lambda: version(home, "fall") == 1)
    heads = [order for order in home.orders if isinstance(order, TaughtHeads)][-1].heads
    assert [one["correction"]["label"] for one in heads] == ["fall"]
    assert home.problems["lesson fall"] is None
    home.lessons.ready(READY)
    home.show("fall")
    home.until(lambda: home.problems.get("lesson fall"))
    assert version(home, "fall") == 1, "and it is no activity that can be taught"
    home.lessons.undo("fall")
    home.until(lambda: not home.lessons.told())
    assert [order for order in home.orders if isinstance(order, TaughtHeads)][-1].heads == ()
    home.lessons.ready(replace(READY, embedding=""))
    home.lessons.judge(alert, {"fall": 0.6})
    problem = home.problems["lesson fall"]
    assert problem
    assert problem.code == "lesson_unknown"


def test_nothing_near_an_alert_or_what_was_shown_is_taken_for_normal(home: Home) -> None:
    at = datetime.now(UTC)
    home.lessons.leave_out(Alert("1", at, "Rule", "fall", Severity.INFO, "x", 0.5))
    home.lessons.note("dance", shows=True, seconds=6.0)
    take = home.takes()[-1]
    assert (at.timestamp() - 30.0, at.timestamp() + 30.0) in take.apart
    assert any(since <= take.since - 30.0 and until >= take.until for since, until in take.apart)


def test_a_worker_may_say_anything_of_what_it_remembers(home: Home) -> None:
    """Well-formed, but not embeddings of this model: told, and the next press is learnt."""
    home.show("dance")
    home.until(lambda: version(home) == 1)
    for width, frames, rate in ((0, 5, 5.0), (3, 5, 5.0), (WIDTH, 40, 1e-3)):
        home.problems.clear()
        home.lessons.note("dance", shows=True, seconds=6.0)
        piece = Piece(0.0, frames, bytes(width * frames), bytes(4 * frames))
        home.lessons.taken(Taken(home.takes()[-1].id, rate, width, (piece,)))
        home.until(lambda: home.problems.get("lesson dance"))
        assert version(home) == 1
    home.lessons.taken(Taken("nobody asked", 5.0, WIDTH, (Piece(0.0, 0, b"", b""),)))
    home.show("dance")
    home.show("dance")
    home.until(lambda: sum(one.shown for one in home.lessons.told()) >= 3)


def test_a_file_with_any_bytes_changed_is_a_lesson_or_a_value_error(home: Home) -> None:
    home.show("dance", others=2)
    home.until(lambda: version(home) == 1)
    good = home.store.read("dance")
    assert good
    chance = random.Random(3)
    small = good[:400] + good[-600:]
    for data in (good, small):
        for _ in range(1500):
            broken = bytearray(data)
            for _ in range(chance.randint(1, 3)):
                place = chance.randrange(len(broken))
                end = place + chance.randint(0, 3)
                broken[place:end] = chance.randbytes(chance.randint(0, 3))
            with suppress(ValueError):
                kept_of(bytes(broken), "dance")
