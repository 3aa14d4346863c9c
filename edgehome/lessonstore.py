"""Where lessons lie: a folder with a file each. Bytes; what is in them is the learner's business.

    taught/NAME.json      the lesson, and the head that was learnt of it
    taught/NAME.removed   one that was taken out: `undo` brings it back; NAME.removed2 a later one
    taught/NAME.broken    one that could not be read

Files belong to whom the state folder belongs, also when root's command writes them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgehome.lessonproblems import broken, unreadable
from edgehome.statefile import write_atomically
from edgehome.teaching.words import NEEDED_ALONE_S, NEEDED_EXAMPLES, NEEDED_NORMAL_S, needs
from edgehome.types import EdgehomeError, Problem

FOLDER = "taught"
LARGEST_BYTES = 4_000_000
"""As of any head file."""
MOST_LESSONS = 16
MOST_REMOVED = 9
"""Taken out under one name, and kept."""
LONGEST_NAME = 40
_NAME = re.compile(r"[a-z0-9][a-z0-9 _-]{0,39}")
_GENERALS = Path(__file__).parent / "teaching"
CORRECTION = "correction"
"""In the file of one (edgehome.teaching.correction)."""
_SAYS = "Taught at home: "


@dataclass(frozen=True, slots=True)
class LessonStatus:
    """How far a taught activity is."""

    name: str
    """The label."""
    version: int
    shown: int
    """Examples of the activity that count."""
    says: str
    """How good it is, in words; empty while it is too early."""
    missing: str
    """What it still needs, as a sentence; empty once it is learnt."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A lesson as the supervisor knows it."""

    status: LessonStatus
    embedding: str
    """The space of embeddings that it was taught in."""
    head: Mapping[str, Any] | None
    """As a head's file has it, or a correction's; None while it is too early."""

    @property
    def corrects(self) -> bool:
        """Whether it lowers a label that came with the model, in place of being one."""
        return self.head is not None and CORRECTION in self.head


def lesson_name(text: str) -> str:
    """Return the label that a name stands for: small letters, digits, `_` and `-`.

    Raises EdgehomeError (`lesson_name`) where nothing is left, or too much.
    """
    plain = unicodedata.normalize("NFKD", text.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9-]+", "_", plain).strip("_-")
    if not 0 < len(name) <= LONGEST_NAME:
        raise EdgehomeError(
            "lesson_name",
            f"{text[:60]!r} cannot be the name of an activity.",
            f"Use 1 to {LONGEST_NAME} letters and digits.",
        )
    return name


class LessonStore:
    """The folder. Everything here waits for the disk."""

    def __init__(self, state: Path) -> None:
        """Take the state folder."""
        self.folder = state / FOLDER

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others from writing meanwhile, and be whom the state folder belongs to.

        Raises OSError.
        """
        with _as_owner(self.folder.parent):
            self.folder.mkdir(mode=0o700, exist_ok=True)
            with (self.folder / "lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    def read(self, name: str) -> bytes | None:
        """Return a lesson's file, or None where there is none. Raises OSError."""
        try:
            with (self.folder / f"{name}.json").open("rb") as file:
                return file.read(LARGEST_BYTES + 1)
        except FileNotFoundError:
            return None

    def write(self, name: str, data: bytes) -> None:
        """Replace a lesson's file, or make it. Raises OSError."""
        path = self.folder / f"{name}.json"
        try:
            write_atomically(path, data)
        except OSError:
            with contextlib.suppress(OSError):
                path.with_name(path.name + ".new").unlink()
            raise

    def remove(self, name: str) -> bool:
        """Take a lesson out; return whether there was one. Raises OSError.

        Those that were taken out under this name before stay: the last MOST_REMOVED of them.
        """
        before = self._removed(name)
        gone = self._rename(name, ".json", f".removed{before[-1][0] + 1 if before else ''}")
        for _, path in before[: -(MOST_REMOVED - 1)] if gone else ():
            path.unlink(missing_ok=True)
        return gone

    def restore(self, name: str) -> bool:
        """Bring back the one that was taken out last; return whether there was one."""
        removed = self._removed(name)
        if not removed or (self.folder / f"{name}.json").exists():
            return False
        return self._rename(name, removed[-1][1].suffix, ".json")

    def _removed(self, name: str) -> list[tuple[int, Path]]:
        """Return what was taken out under a name, the last one at the end."""
        found = []
        for path in self.folder.glob(f"{name}.removed*"):
            number = path.name.removeprefix(f"{name}.removed")
            if number.isdecimal() or not number:
                found.append((int(number or 1), path))
        return sorted(found)

    def set_aside(self, name: str) -> bool:
        """Put away a file that cannot be read, so that the next lesson begins anew."""
        return self._rename(name, ".json", ".broken")

    def names(self) -> list[str]:
        """Return the names of all lessons. Raises OSError, but not where there is no folder."""
        return sorted(path.stem for path in self.folder.glob("*.json") if is_name(path.stem))

    def load(self, *, tidy: bool = True) -> tuple[dict[str, Kept], dict[str, Problem]]:
        """Return every lesson, and what is wrong with each that cannot be read.

        Such a one is set aside where `tidy`.
        """
        kept: dict[str, Kept] = {}
        problems: dict[str, Problem] = {}
        for name in self.names():
            try:
                data = self.read(name)
                if data is not None:
                    kept[name] = kept_of(data, name)
            except OSError as error:
                problems[name] = unreadable(self.folder / f"{name}.json", error.strerror or "")
            except ValueError as error:
                problems[name] = broken(name, str(error), aside=tidy)
                with contextlib.suppress(OSError):
                    if tidy:
                        self.set_aside(name)
        return kept, problems

    def _rename(self, name: str, before: str, after: str) -> bool:
        try:
            (self.folder / f"{name}{before}").replace(self.folder / f"{name}{after}")
        except FileNotFoundError:
            return False
        return True


def is_name(text: str) -> bool:
    """Say whether a text is a label that can be taught."""
    return _NAME.fullmatch(text) is not None


def kept_of(data: bytes, name: str) -> Kept:
    """Return what a file says, without its numbers. Raises ValueError."""
    try:
        return _kept(data, name)
    except (LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"it is no lesson: {error!r}"[:200]) from error


def _kept(data: bytes, name: str) -> Kept:
    if len(data) > LARGEST_BYTES:
        raise ValueError(f"it is larger than {LARGEST_BYTES} bytes")
    fields = json.loads(data)
    if not isinstance(fields, dict):
        raise ValueError("it is no object")
    lesson = fields.pop("lesson")
    if lesson["name"] != name or not isinstance(lesson["embedding"], str):
        raise ValueError(f"it is a lesson of {lesson['name']!r}")
    version = int(lesson["steps"][-1]["version"]) if lesson["steps"] else 0
    shown = [example for example in lesson["examples"] if example["until"] is None]
    yes = sum(example["shows"] is True for example in shown)
    if not fields:
        missing = _missing(lesson, shown, yes)
        return Kept(LessonStatus(name, version, yes, "", missing), lesson["embedding"], None)
    if fields["name"] != name or fields["embedding"] != lesson["embedding"]:
        raise ValueError("its head is of another lesson")
    yes = len(shown) if CORRECTION in fields else yes
    says = str(fields["card"]["description"]).removeprefix(_SAYS)
    return Kept(LessonStatus(name, version, yes, says, ""), lesson["embedding"], fields)


def _missing(lesson: Mapping[str, Any], shown: list[Mapping[str, Any]], yes: int) -> str:
    """Return what a lesson without a head needs, as a sentence."""
    general = (_GENERALS / f"{lesson['embedding']}.normal").exists()
    codes = sum(len(e["codes"]) * 3 // 4 // e["width"] for e in shown if e["shows"] is False)
    seconds = (NEEDED_NORMAL_S if general else NEEDED_ALONE_S) - codes / float(lesson["rate"])
    return needs(str(lesson["name"]), max(NEEDED_EXAMPLES - yes, 0), max(seconds, 0.0))[0]


@contextlib.contextmanager
def _as_owner(folder: Path) -> Iterator[None]:
    """Act as the owner of a folder where root asks: what is written is the service's then.

    And what the service may not write, root does not write for it.
    """
    owner = folder.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
