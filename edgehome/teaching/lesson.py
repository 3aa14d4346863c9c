"""A lesson: the examples of one activity in one home, and every version of them.

An example is kept from one version on and until another, so that an earlier version is never
lost: undoing takes back what the last one brought, and brings back what it took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from edgehome.types import Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_EXAMPLES = 200
"""Kept in a lesson, those taken out among them."""
MOST_NUMBERS = 2_400_000
"""Of all examples, a byte each: 5,000 frames of 480, a quarter of an hour."""
MOST_STEPS = 50
"""That can be undone; earlier ones are forgotten."""


@dataclass(frozen=True, eq=False)
class Example:
    """Some seconds that show the activity, or that do not. Embeddings, never pictures."""

    codes: NDArray[np.uint8]
    """Embeddings in steps of `step`, (frames, width)."""
    step: float
    shows: bool
    """Whether it shows the activity; False: it is normal here."""
    occasion: str
    """What it shares with others: a clip, an evening. Judged together, never by each other."""
    at: str
    """When it was shown, as ISO 8601; or empty."""
    source: str
    """Where it is from, in words: `button`, `feedback`, `clip porch.mp4, 3 to 6 s`."""
    since: int = 0
    """Version of the lesson that brought it."""
    until: int | None = None
    """Version that took it out; None while it counts."""

    @property
    def embeddings(self) -> NDArray[np.float32]:
        """Return the embeddings, (frames, width)."""
        return self.codes.astype(np.float32) * np.float32(self.step)


def example_of(
    embeddings: NDArray[np.float32], *, shows: bool, occasion: str, at: str = "", source: str = ""
) -> Example:
    """Return an example of embeddings, (frames, width), none below 0, a byte each."""
    step = max(float(embeddings.max(initial=0.0)) / 255, 1e-9)
    codes = np.clip(np.round(embeddings / step), 0, 255).astype(np.uint8)
    return Example(codes, step, shows, occasion, at, source)


@dataclass(frozen=True, eq=False)
class Step:
    """What a version changed."""

    version: int
    at: str
    did: str
    """In words: `2 examples added`."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """All that was shown of one activity."""

    name: str
    """The label."""
    embedding: str
    """The space of embeddings; those of another model mean nothing in it."""
    rate: float
    """Frames a second of the examples."""
    examples: tuple[Example, ...] = ()
    steps: tuple[Step, ...] = ()
    """Oldest first; the last one is the version that counts."""

    @property
    def version(self) -> int:
        """Return the version that counts; 0 before the first example."""
        return self.steps[-1].version if self.steps else 0

    @property
    def shown(self) -> tuple[Example, ...]:
        """Return the examples that count, of the activity and of what is normal."""
        return tuple(example for example in self.examples if example.until is None)

    def add(self, examples: Sequence[Example], at: str) -> Lesson | Problem:
        """Return the lesson with more examples, or why it can take no more."""
        numbers = sum(e.codes.size for e in (*self.examples, *examples))
        if len(self.examples) + len(examples) > MOST_EXAMPLES or numbers > MOST_NUMBERS:
            return Problem(
                "lesson_full",
                f"{self.name} has {len(self.examples)} examples and can keep no more.",
                "Take some out first, or give shorter ones.",
            )
        version = self.version + 1
        new = tuple(replace(example, since=version, until=None) for example in examples)
        said = f"{len(new)} example{'' if len(new) == 1 else 's'} added"
        return self._with(version, at, said, (*self.examples, *new))

    def remove(self, numbers: Sequence[int], at: str) -> Lesson:
        """Return the lesson without some of `shown`, by their places in it."""
        version, gone = self.version + 1, {id(self.shown[number]) for number in numbers}
        kept = tuple(
            replace(example, until=version) if id(example) in gone else example
            for example in self.examples
        )
        return self._with(version, at, f"{len(gone)} taken out", kept)

    def undo(self) -> Lesson | Problem:
        """Return the lesson as it was before its last version, or why there is none."""
        last = self.version
        older = any(example.since < last for example in self.examples)
        if not self.steps or (len(self.steps) == 1 and older):  # what went before is not kept
            return Problem("lesson_new", f"There is nothing to undo for {self.name}.", "")
        examples = tuple(
            replace(e, until=None) if e.until == last else e
            for e in self.examples
            if e.since != last
        )
        return replace(self, examples=examples, steps=self.steps[:-1])

    def _with(self, version: int, at: str, did: str, examples: tuple[Example, ...]) -> Lesson:
        steps = (*self.steps, Step(version, at, did))[-MOST_STEPS:]
        oldest = steps[0].version
        kept = tuple(e for e in examples if e.until is None or e.until >= oldest)
        return replace(self, examples=kept, steps=steps)
