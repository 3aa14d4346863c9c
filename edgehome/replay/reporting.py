"""Keeps what a report shows of every clip, while it is replayed."""

from __future__ import annotations

from collections.abc import Callable

from edgehome.config.types import Config
from edgehome.events import Score
from edgehome.replay.play import Clip
from edgehome.report.recording import Pictures, Recording
from edgehome.rules import RuleEngine, State, Verdict
from edgehome.types import EdgehomeError, Frame, Mode, Scores


class ReportSink:
    """Keeps a recording a clip, with pictures where `look` is shown the frames."""

    def __init__(self, config: Config, mode: Mode) -> None:
        self._config = config
        self._mode = mode
        self._pictures = Pictures()
        self._follow: list[tuple[Callable[[float], None], Score]] = []
        self.recordings: list[Recording] = []

    def begin(self, clip: Clip, engine: RuleEngine) -> None:
        """Begin a clip."""
        watched = {_name(key[0].name, key[1]): score for key, score in engine.scores().items()}
        recording = Recording(
            name=clip.name,
            start=clip.start,
            period_s=1 / clip.rate,
            activities=tuple(watched),
            rules=tuple(rule.name for rule in self._config.rules),
            mode=str(self._mode),
        )
        self._follow = [
            (row.append, score)
            for row, score in zip(recording.scores, watched.values(), strict=True)
        ]
        self._pictures = Pictures()
        self.recordings.append(recording)

    def look(self, frame: Frame) -> None:
        """Keep a picture now and then."""
        if self._pictures.due(frame.time_s):
            from edgehome.camera.video import jpeg  # noqa: PLC0415 - a trace needs no video

            self._pictures.keep(frame.time_s, jpeg(frame.image))

    def frame(self, scores: Scores) -> None:
        """Keep a frame."""
        recording = self.recordings[-1]
        recording.times.append(scores.time_s)
        recording.motion.append(scores.motion)
        for append, score in self._follow:
            append(score.value)
        recording.still.change(scores.time_s, "still" if scores.still else "")
        for state, spans in recording.camera.items():
            spans.change(scores.time_s, str(state) if state in scores.camera else "")

    def told(self, time_s: float, verdict: Verdict) -> None:
        """Keep what the rules said."""
        recording = self.recordings[-1]
        for change in verdict.transitions:
            name = "" if change.new is State.INACTIVE else str(change.new)
            recording.states[change.rule].change(change.time_s, name)
        recording.alerts += [(time_s, alert) for alert in verdict.alerts]
        recording.misses += [(time_s, miss) for miss in verdict.near_misses]

    def end(self, failure: EdgehomeError | None) -> None:
        """End the clip."""
        recording = self.recordings[-1]
        recording.pictures = self._pictures.kept
        recording.failure = str(failure) if failure else ""


def _name(activity: str, look_back_s: float | None) -> str:
    return f"{activity} over {look_back_s:g}s" if look_back_s else activity
