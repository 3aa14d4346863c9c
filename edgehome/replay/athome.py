"""What a home's node has learnt, given to a replay as to a worker; nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from edgehome.config.conditions import UnusualCondition, walk
from edgehome.config.types import Config
from edgehome.labels import taught_in
from edgehome.lessonproblems import resting
from edgehome.lessonstore import LessonStore
from edgehome.messages import Message, Ready
from edgehome.normality import MOST_NORMAL_BYTES, KeptNormal, Normality
from edgehome.normalkeeper import FILE
from edgehome.noticing import Noticing
from edgehome.novelty.normal import Key
from edgehome.orders import TaughtHeads
from edgehome.pupil import Pupil
from edgehome.recognizer.recognizer import Recognizer
from edgehome.settings import worker_settings
from edgehome.types import Scores
from edgehome.worker import position_of

Say = Callable[[str], object]


class AtHome:
    """Taught activities, corrections, and what is normal, of one node."""

    def __init__(self, state: Path, config: Config, say: Say) -> None:
        """Take the node's state folder; `say` is told what of it cannot be used, once each."""
        self._state = state
        self._config = config
        self._told: set[str] = set()
        self._say = say
        self._normal = b""
        self.thresholds: Mapping[str, float] = {}
        """Of the taught activities."""

    def teach(self, recognizer: Recognizer, model: Path) -> None:
        """Give a loaded recogniser the home's activities and corrections."""
        manifest = recognizer.manifest
        settings = worker_settings(self._config, model)
        self._key = Key(manifest.sha256, position_of(settings))
        self._normal = self._read_normal() if manifest.embedding else b""
        taught = taught_in(self._state) or {}
        self.thresholds = {name: at for name, at in taught.items() if at is not None}
        try:
            kept, problems = LessonStore(self._state).load(tidy=False)
        except OSError as error:
            self._tell(f"what was taught cannot be read ({error}): try with sudo")
            return
        for problem in problems.values():
            self._tell(str(problem))
        others = [name for name, one in kept.items() if one.embedding != manifest.embedding]
        if others:
            self._tell(str(resting(sorted(others), manifest.embedding)))
        heads = tuple(lesson.head for lesson in kept.values() if lesson.head is not None)
        if heads:
            ready = Ready(
                recognizer.labels,
                manifest.rate,
                manifest.sha256,
                recognizer.runtime,
                None,
                embedding=manifest.embedding,
            )
            pupil = Pupil(recognizer, ready, self._hear)
            pupil.obey(TaughtHeads(heads, first=True, last=True))

    def noticed(self, recognizer: Recognizer, frames: Iterable[Scores]) -> Iterator[Scores]:
        """Yield a clip's frames with how unusual each is for this home, where that is known."""
        if not self._normal:
            if rules := ", ".join(self._on_the_unusual()):
                where = self._state / FILE
                self._tell(f"what is normal is not known ({where}): nothing is unusual to {rules}")
            yield from frames
            return
        noticing = Noticing(recognizer, self._key, self._hear)
        noticing.obey(KeptNormal(self._normal))
        yield from map(noticing.look, frames)

    def _on_the_unusual(self) -> Iterator[str]:
        for rule in self._config.rules:
            if any(isinstance(condition, UnusualCondition) for condition in walk(rule.when)):
                yield rule.name

    def _read_normal(self) -> bytes:
        try:
            with (self._state / FILE).open("rb") as file:
                return file.read(MOST_NORMAL_BYTES)
        except FileNotFoundError:
            return b""
        except OSError as error:
            self._tell(f"what is normal cannot be read ({error}): try with sudo")
            return b""

    def _hear(self, message: Message) -> None:
        """Take what a worker would tell its supervisor."""
        if isinstance(message, Ready) and message.degraded:
            self._tell(str(message.degraded))
        if isinstance(message, Normality):
            if message.begun:
                self._tell(f"what is normal there is of no use here. {message.begun.message}")
            elif message.learnt < 1:
                percent = int(100 * message.learnt)
                self._tell(f"what is normal is learnt to {percent} %: nothing is unusual yet")

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._say(text)
