"""Which model to run: a file that kills its workers gives way to the last one that worked."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

from edgehome.ladder import CrashCount
from edgehome.statefile import StateFile
from edgehome.types import Problem

logger = logging.getLogger(__name__)

KEPT = 16
"""Remember so many files that are in quarantine."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A model to run."""

    model: Path
    sha256: str = ""
    """Of the file as it is now; empty where it cannot be read."""
    problem: Problem | None = None
    """Why it is not the configured one, or is one that kills its workers."""


class Quarantine:
    """Models by SHA-256: those that crash, and the last one that ran well."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        self._crashes = CrashCount()

    def choose(self, configured: Path) -> Choice:
        """Return the model to run. It is read from the disk: not for the loop's own thread."""
        digest = file_sha256(configured)
        if digest not in self._state.get("quarantined", []):
            return Choice(configured, digest)
        good = Path(self._state.get("good_model", ""))
        good_digest = self._state.get("good_sha256", "")
        remedy = "Replace the model file and reload; `edgehome bench` tries one."
        if good_digest and good_digest != digest and file_sha256(good) == good_digest:
            message = f"The model {configured.name} killed three workers; {good.name} runs instead."
            return Choice(good, good_digest, Problem("model_quarantined", message, remedy))
        message = f"The model {configured.name} killed three workers, and there is no earlier one."
        return Choice(configured, digest, Problem("model_quarantined", message, remedy))

    def crashed(self, now_s: float, choice: Choice) -> None:
        """Note that a worker crashed with this model."""
        digest = choice.sha256
        kept = self._state.get("quarantined", [])
        if digest and self._crashes.crashed(now_s, digest) and digest not in kept:
            model = choice.model
            logger.error("model %s (%s) killed three workers: quarantined", model, digest[:12])
            self._state.set("quarantined", [*kept, digest][-KEPT:])

    def worked(self, choice: Choice) -> None:
        """Note that this model has run for a while."""
        if choice.sha256:
            self._state.set("good_model", str(choice.model))
            self._state.set("good_sha256", choice.sha256)


def file_sha256(path: Path) -> str:
    """Return a file's digest in hexadecimal, empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
