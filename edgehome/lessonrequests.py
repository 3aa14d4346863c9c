"""What the command line asks of a running node: files in the folder of lessons.

`ID.ask` is {"name": ..., "spans": [[shows, since, until], ...]}, times in seconds since 1970; the
answer beside it, `ID.told`, has the lesson's `status`, or null, and a `problem`, or null.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgehome.lessonstore import LessonStatus, LessonStore, is_name
from edgehome.statefile import write_atomically
from edgehome.types import Problem

MOST_SPANS = 50
STALE_S = 300.0
"""An answer that nobody took is removed after so long."""
_LARGEST = 100_000
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    id: str
    name: str
    spans: tuple[tuple[bool, tuple[float, float]], ...]
    """Whether it shows the activity; from and until, seconds since 1970."""


def ask(store: LessonStore, request: Request) -> None:
    """Write a request. Raises OSError."""
    spans = [[shows, since, until] for shows, (since, until) in request.spans]
    data = json.dumps({"name": request.name, "spans": spans}).encode()
    with store.locked():
        write_atomically(store.folder / f"{request.id}.ask", data)


def told(store: LessonStore, request: Request) -> dict[str, Any] | None:
    """Return the answer, once, or None while there is none. Raises OSError."""
    path = store.folder / f"{request.id}.told"
    try:
        answer: dict[str, Any] = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    path.unlink(missing_ok=True)
    return answer


def read(store: LessonStore) -> list[Request]:
    """Return the requests, which are then removed, and tidy up; what is no request is passed over.

    Runs as an errand.
    """
    found = []
    for path in sorted(store.folder.glob("*.ask")):
        try:
            with path.open("rb") as file:
                found.append(_request(path.stem, json.loads(file.read(_LARGEST))))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            pass
        path.unlink(missing_ok=True)
    for path in store.folder.glob("*.told"):
        if time.time() - _changed(path) > STALE_S:
            path.unlink(missing_ok=True)
    return found


def withdraw(store: LessonStore, request: Request) -> bool:
    """Take a request back; return whether nobody had read it."""
    try:
        (store.folder / f"{request.id}.ask").unlink()
    except FileNotFoundError:
        return False
    return True


def write(store: LessonStore, identity: str, data: bytes) -> None:
    """Write an answer; runs as an errand. Raises OSError."""
    write_atomically(store.folder / f"{identity}.told", data)


class Answer:
    """Told how each part of a request ended, it answers after the last."""

    def __init__(
        self,
        request: Request,
        status: Callable[[str], LessonStatus | None],
        write: Callable[[str, bytes], None],
    ) -> None:
        """Take what tells how far a lesson is, and what writes the answer to a request."""
        self._request = request
        self._status = status
        self._write = write
        self._parts: list[Problem | None] = []

    def __call__(self, problem: Problem | None) -> None:
        """Take how a part ended."""
        self._parts.append(problem)
        if len(self._parts) == len(self._request.spans):
            status = self._status(self._request.name)
            failed = next((one for one in self._parts if one), None)
            fields = {
                "status": asdict(status) if status else None,
                "problem": asdict(failed) if failed else None,
            }
            self._write(self._request.id, json.dumps(fields).encode())


def _request(identity: str, fields: dict[str, Any]) -> Request:
    spans = tuple(
        (shows is True, (float(since), float(until))) for shows, since, until in fields["spans"]
    )
    good = all(math.isfinite(since) and since < until < math.inf for _, (since, until) in spans)
    named = isinstance(fields["name"], str) and is_name(fields["name"])
    if not (named and good and 0 < len(spans) <= MOST_SPANS and len(identity) <= _LONGEST_ID):
        raise ValueError("it is no request")
    return Request(identity, fields["name"], spans)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return math.inf
