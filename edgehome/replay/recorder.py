"""Writes what a replay sees as a trace."""

from __future__ import annotations

from edgehome.config.conditions import ActivityCondition, walk
from edgehome.config.types import Config
from edgehome.replay.play import Clip
from edgehome.replay.trace import Header, TraceWriter
from edgehome.rules import RuleEngine, Verdict
from edgehome.types import EdgehomeError, Scores


class TraceSink:
    """Writes a trace of every label that the rules look at; of all where there is no rule."""

    def __init__(self, writer: TraceWriter, config: Config) -> None:
        self._writer = writer
        self._wanted = watched(config)

    def begin(self, clip: Clip, engine: RuleEngine) -> None:
        """Begin a clip."""
        del engine
        wanted = self._wanted
        labels = tuple(label for label in clip.labels if not wanted or label in wanted)
        thresholds = {k: v for k, v in clip.thresholds.items() if k in labels}
        header = Header(clip.name, clip.rate, labels, clip.start, clip.model, thresholds)
        self._writer.begin(header)

    def frame(self, scores: Scores, verdict: Verdict) -> None:
        """Write a frame."""
        del verdict
        self._writer.write(scores)

    def end(self, failure: EdgehomeError | None) -> None:
        """End the clip."""


def watched(config: Config) -> set[str]:
    """Return every label that a rule looks at, those over a look back of its own too."""
    found: set[str] = set()
    for rule in config.rules:
        for condition in walk(rule.when):
            if isinstance(condition, ActivityCondition):
                found |= set(condition.activity.labels)
                if condition.look_back_s:
                    suffix = f"@{condition.look_back_s:g}s"
                    found |= {f"{label}{suffix}" for label in condition.activity.labels}
    return found
