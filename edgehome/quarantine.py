"""Which model to run: a file that kills its workers gives way to the last one that worked."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from edgehome.ladder import CrashCount
from edgehome.statefile import StateFile
from edgehome.types import Problem

logger = logging.getLogger(__name__)

KEPT = 16
"""Remember so many files that are in quarantine."""


class Quarantine:
    """Models by SHA-256: those that crash, and the last one that ran well."""

    def __init__(self, state: StateFile) -> None:
        self._state = state
        self._crashes = CrashCount()

    def choose(self, configured: Path) -> tuple[Path, Problem | None]:
        """Return the model to run, and the problem if it is not the configured one."""
        quarantined = self._state.get("quarantined", [])
        digest = file_sha256(configured) if quarantined else ""
        if digest not in quarantined:
            return configured, None
        good = Path(self._state.get("good_model", ""))
        good_digest = self._state.get("good_sha256", "")
        remedy = "Replace the model file; `edgehome bench` tries one."
        if good_digest and good_digest != digest and file_sha256(good) == good_digest:
            message = f"The model {configured.name} killed three workers; {good.name} runs instead."
            return good, Problem("model_quarantined", message, remedy)
        message = f"The model {configured.name} killed three workers, and there is no earlier one."
        return configured, Problem("model_quarantined", message, remedy)

    def crashed(self, now_s: float, model: Path) -> None:
        """Note that a worker crashed with this model."""
        digest = file_sha256(model)
        kept = self._state.get("quarantined", [])
        if self._crashes.crashed(now_s, digest) and digest and digest not in kept:
            logger.error("model %s (%s) killed three workers: quarantined", model, digest[:12])
            self._state.set("quarantined", [*kept, digest][-KEPT:])

    def worked(self, model: Path) -> None:
        """Note that this model has run for a while."""
        self._state.set("good_model", str(model))
        self._state.set("good_sha256", file_sha256(model))


def file_sha256(path: Path) -> str:
    """Return a file's digest in hexadecimal, empty when it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
