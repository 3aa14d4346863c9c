"""What is wrong or doubtful in a file, and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edgehome.config.conditions import Condition
from edgehome.config.document import Mark


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake in a file, or something in it that may not be meant."""

    file: str
    line: int
    """From 1."""
    column: int
    """From 1, in characters."""
    path: str
    """Where it is, the way the person wrote it: `rules.0.for`."""
    message: str
    level: Literal["error", "warning"] = "error"
    """With an error the file is not used; a warning changes nothing."""

    def __str__(self) -> str:
        level = "warning: " if self.level == "warning" else ""
        path = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {level}{path}{self.message}"


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the file, and its path there."""

    mark: Mark
    path: str


@dataclass(slots=True)
class Places:
    """Where the parts of a configuration stand in its file, for warnings about them."""

    rules: list[Place] = field(default_factory=list)
    """In the order of the configuration's rules."""
    labels: list[tuple[str, Place]] = field(default_factory=list)
    """Each label that the file itself names, and where."""
    _conditions: dict[int, Place] = field(default_factory=dict)

    def add(self, condition: Condition, place: Place) -> None:
        """Remember where a condition stands, by identity: two in a file may be equal."""
        self._conditions[id(condition)] = place

    def of(self, condition: Condition) -> Place:
        """Return where the condition stands; it must be one of the configuration's own."""
        return self._conditions[id(condition)]
