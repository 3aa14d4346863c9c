"""What goes on when a reload makes camera, model and connection anew."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgehome.announcer import Announcer
from edgehome.budget import Measurements
from edgehome.errands import Errands
from edgehome.filewatch import FileWatch, FolderWatch
from edgehome.history import History
from edgehome.learning import Learning
from edgehome.lessons import Lessons
from edgehome.lessonstore import FOLDER, LessonStore
from edgehome.normalkeeper import FILE, NormalKeeper
from edgehome.rulememory import Clocks, RuleMemory, boot_id
from edgehome.safemode import StartCount
from edgehome.silence import Silence
from edgehome.statefile import FileWriter, StateFile
from edgehome.wakeup import Wakeup


@dataclass(frozen=True, slots=True)
class Lasting:
    """The parts that live as long as the process."""

    state: Path
    """The state folder."""
    starts: StartCount
    wakeup: Wakeup
    errands: Errands
    saves: FileWatch
    memory: StateFile
    rules: RuleMemory
    history: History
    silence: Silence
    announcer: Announcer
    measurements: Measurements
    learning: Learning

    @property
    def deadline_s(self) -> float:
        """When files are to be looked at, on the monotonic clock."""
        return min(self.saves.deadline_s, self.learning.lessons.deadline_s)

    def descriptors(self) -> list[int]:
        """Return what the loop is to wake for."""
        ours = [self.wakeup.fileno(), self.errands.fileno(), self.saves.fileno()]
        return [one for one in (*ours, *self.learning.lessons.descriptors()) if one >= 0]


@contextmanager
def lasting_parts(state: Path, starts: StartCount, saves: FileWatch) -> Iterator[Lasting]:
    """Make them, and end them: what waits for a disk is waited for, for some seconds."""
    with (
        FileWriter() as writer,
        History(state) as history,
        Errands() as errands,
        Wakeup() as wakeup,
        Errands() as learner,
        FolderWatch(state / FOLDER, time.monotonic) as taught,
    ):
        memory = StateFile(state / "state.json", writer)
        memory.load()
        clocks = Clocks(time.monotonic, time.time, boot_id())
        rules = RuleMemory(state / "rules.json", writer, clocks)
        silence = Silence(memory, time.monotonic, time.time)
        announcer = Announcer(state / "discovery.json", memory, writer)
        measurements = kept_measurements(state, writer)
        lessons = Lessons(LessonStore(state), learner, taught)
        learning = Learning(lessons, NormalKeeper(state / FILE, errands, writer))
        yield Lasting(
            state, starts, wakeup, errands, saves, memory, rules, history, silence, announcer,
            measurements, learning,
        )  # fmt: skip


def kept_measurements(state: Path, writer: FileWriter | None = None) -> Measurements:
    """Return what is known of how long models take on this board."""
    file = StateFile(state / "budget.json", writer)
    file.load()
    return Measurements(lambda: file.get("measured", []), lambda all_: file.set("measured", all_))
