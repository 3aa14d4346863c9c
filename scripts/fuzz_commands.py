"""Commands by chance through everything that a message on `<base>/.../set` passes."""

from __future__ import annotations

import logging
import random
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

from figures import Progress, memory_mb

from edgehome.config.types import Config, Rule
from edgehome.controls import Controls, accepted
from edgehome.delivery.commands import Commands
from edgehome.errands import Errands
from edgehome.filewatch import FolderWatch
from edgehome.homeassistant import Command
from edgehome.learning import Learning
from edgehome.lessoncontrols import LessonControls
from edgehome.lessons import Lessons
from edgehome.lessonstore import FOLDER, LessonStore
from edgehome.mqtt import Received
from edgehome.node import Node
from edgehome.normalkeeper import NormalKeeper
from edgehome.silence import Silence
from edgehome.statefile import FileWriter, StateFile

BASE = "edgehome/fuzz"
RULES = ("Visitor", "Fall", "Fight")
WARM = 20
"""A twentieth of the commands goes before the memory is looked at for the first time."""
ON_OFF = (b"ON", b"OFF")
VALID: dict[str, tuple[bytes, ...]] = {
    "mode": (b"away", b"home", b"night", b"disarmed"),
    "silence": ON_OFF,
    "reload": (b"PRESS",),
    "retry": (b"PRESS",),
    "rule/visitor/mute": ON_OFF,
    "rule/fall/mute": ON_OFF,
    "rule/fight/mute": ON_OFF,
    "rule/visitor/threshold": (b"0.5", b"1", b"0.05", b"0.123456789"),
    "new_activity": (b"wave", b"Over the wall", b"violence", "Größe".encode()),
    "that_was_it": (b"PRESS",),
    "that_was_normal": (b"PRESS",),
    "not_suspicious": (b"PRESS", b"0123456789abcdef" * 2),
}
"""All that may be obeyed; a threshold may also be another decimal from 0.05 to 1, an activity any
line of at most 40 characters, an alert any 32 hexadecimal digits."""
TOKENS = (
    b"", b" ", b"\0", b"on", b"ON ", b"NaN", b"Infinity", b"1e9", b"-1", b"null", b"{}", b"[]",
    b'{"mode": "away"}', b"[" * 4000, b'{"a":' * 700, b"\xff\xfe", b"1" * 4097, b"A" * 70000,
    "\u202eaway".encode(), b"1.00000000000000000001", b"0.049", b"0,5", b"../../etc/passwd",
    b"{{ states }}", b"PRESS\n", b"away\0", b"0.5\n",
)  # fmt: skip


class Raised(logging.Handler):
    """Counts the exceptions that were caught and logged."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count those with a traceback."""
        self.count += record.exc_info is not None


def command(chance: random.Random) -> tuple[str, bytes, bool]:
    """Return key, payload and whether it is retained; one in ten is as it should be."""
    key = chance.choice(list(VALID))
    payload = chance.choice(VALID[key])
    kind = chance.randrange(10)
    if kind in (1, 2, 3):
        payload = chance.choice(TOKENS)
    elif kind in (4, 5):
        payload = chance.randbytes(chance.choice((1, 4, 30, 5000)))
    elif kind == 6:
        payload = _changed(payload, chance)
    elif kind == 7:
        key = _changed(key.encode(), chance).decode(errors="replace")
    elif kind == 8:
        key = chance.choice(("", "rule//mute", "rule/+/mute", "#", "rule/none/mute", "mode/x", "ß"))
    return key, payload, chance.randrange(4) == 0


def _changed(text: bytes, chance: random.Random) -> bytes:
    changed = bytearray(text)
    at = chance.randrange(len(changed))
    how = chance.randrange(3)
    if how == 0:
        changed[at] = chance.randrange(256)
    elif how == 1:
        del changed[at]
    else:
        changed.insert(at, chance.randrange(256))
    return bytes(changed)


def allowed(key: str, payload: bytes) -> bool:
    """Say by other means than the code's own whether a command is one that may be obeyed."""
    if payload in VALID.get(key, ()):
        return True
    if key == "new_activity":
        text = payload.decode(errors="replace")
        return text.encode() == payload and len(text) <= 40 and (text.isprintable() or not text)
    if key == "not_suspicious":
        return len(payload) == 32 and not payload.strip(b"0123456789abcdef")
    digits = payload.replace(b".", b"", 1)
    decimal = key == "rule/visitor/threshold" and digits.isdigit() and digits.isascii()
    return decimal and 0.05 <= float(payload) <= 1.0


def fuzz_commands(count: int, seed: int) -> tuple[dict[str, object], list[str]]:
    """Return the figures and what is wrong with them."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated
    raised = Raised()
    root = logging.getLogger("edgehome")
    root.addHandler(raised)
    root.propagate = False
    with tempfile.TemporaryDirectory() as place, FileWriter() as writer:
        table = _Table(Path(place), writer)
        began_s = time.perf_counter()
        start_mb = memory_mb()
        progress = Progress()
        for number in range(count):
            if number == count // WARM:
                start_mb = memory_mb()
            table.take(*command(chance))
            if number % 1000 == 0:
                progress(f"{number:,} of {count:,} commands, {memory_mb():.1f} MB")
        grown_mb = memory_mb() - start_mb
        took_s = time.perf_counter() - began_s
    figures: dict[str, object] = {
        "commands": count,
        "obeyed": dict(table.obeyed),
        "refused": table.ignored,
        "exceptions": raised.count,
        "obeyed_wrongly": table.wrong,
        "grown_mb": round(grown_mb, 2),
        "microseconds_each": round(took_s / count * 1e6, 1),
    }
    faults = [f"{table.wrong} commands were obeyed that are none"] if table.wrong else []
    faults += [f"{raised.count} exceptions"] if raised.count else []
    faults += [f"memory grew by {grown_mb:.1f} MB"] if grown_mb > 2.0 else []
    faults += [] if sum(table.obeyed.values()) else ["none was obeyed: nothing was tried"]
    return figures, faults


class _Table:
    """The node's side of a command, from the delivery thread to the supervisor's loop."""

    def __init__(self, place: Path, writer: FileWriter) -> None:
        self.obeyed: Counter[str] = Counter()
        self.wrong = 0
        self._now_s = 0.0
        rules = tuple(Rule(name=name, adjustable=name == "Visitor") for name in RULES)
        config = Config(rules=rules)
        memory = StateFile(place / "state.json", writer)
        node = Node(
            config, identity="fuzz", started_at=datetime.now().astimezone(), identify=lambda: "id"
        )
        # Nobody watches and nobody works here: what is taught ends at the first refusal.
        watch = FolderWatch(place / FOLDER, self._clock)
        lessons = Lessons(LessonStore(place), Errands(), watch)
        normal = NormalKeeper(place / "normal.bin", Errands(), FileWriter())
        learning = Learning(lessons, normal)
        self._controls = Controls(
            node,
            config,
            memory=memory,
            silence=Silence(memory, self._clock, time.time),
            tell=lambda _alert, _type: None,
            reload=lambda: None,
            retry=lambda: None,
            lessons=LessonControls(
                node, learning, memory, (), lambda _names: None, clock=self._clock
            ),
            clock=self._clock,
        )
        self._commands = Commands(BASE, accepted(self._controls, self._obey), self._clock)
        self._given = "", b"", False

    @property
    def ignored(self) -> int:
        return self._commands.ignored

    def take(self, key: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001
        self._now_s += 0.11  # else nearly all are one too many in their second
        self._given = key, payload, retained
        self._commands.take(Received(f"{BASE}/{key}/set", payload, retained))
        self._controls.turn()

    def _clock(self) -> float:
        return self._now_s

    def _obey(self, command: Command) -> None:
        key, payload, retained = self._given
        self.obeyed[type(command).__name__] += 1
        self.wrong += retained or not allowed(key, payload)
        self._controls.obey(command)
