"""Scores through rules, frame by frame: what `replay` and `test-rules` have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Protocol

from edgehome.config.types import Config
from edgehome.rules import RuleEngine, Verdict
from edgehome.rules.timing import FORGET_S
from edgehome.types import EdgehomeError, Mode, Scores

PROGRESS_FRAMES = 25
"""So many frames apart it is said how far a clip is."""


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to replay."""

    name: str
    start: datetime
    """Wall clock with zone at its first frame."""
    rate: float
    """Frames a second."""
    frames: Iterator[Scores]
    """Raises CameraError or TraceError when no more of them can be had."""
    labels: tuple[str, ...] = ()
    """Of the scores."""
    model: str = ""
    """SHA-256 of the model."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """From which score on labels are there, where the model's makers say."""


class Sink(Protocol):
    """Takes in what happens, clip by clip."""

    def begin(self, clip: Clip, engine: RuleEngine) -> None:
        """Begin a clip; `engine` is asked for what a verdict does not hold, and never changed."""

    def frame(self, scores: Scores) -> None:
        """Take in a frame."""

    def told(self, time_s: float, verdict: Verdict) -> None:
        """Take in what the rules said of it, or of a moment without one, if they said anything."""

    def end(self, failure: EdgehomeError | None) -> None:
        """End the clip; `failure` is why it could not be read to its end."""


@dataclass(slots=True)
class Tally:
    """What all clips came to."""

    frames: int = 0
    alerts: int = 0
    milliseconds: list[float] = field(default_factory=list)
    """Of inference, by frame; none for recorded scores."""
    failures: list[EdgehomeError] = field(default_factory=list)
    """What was wrong with clips that could not be read."""


def play(
    clips: Iterable[Clip],
    config: Config,
    *,
    mode: Mode,
    sinks: Sequence[Sink],
    progress: Callable[[str], None] = lambda _text: None,
) -> Tally:
    """Judge clips one after the other, each as if the node had just started.

    A clip that cannot be read keeps none of the others from being judged.
    """
    tally = Tally()
    numbers = count(1)
    for clip in clips:
        engine = engine_for(config, clip.rate, clip.model, lambda: f"replay-{next(numbers)}")
        for sink in sinks:
            sink.begin(clip, engine)
        failure: EdgehomeError | None = None
        try:
            for time_s in _play_clip(clip, engine, mode, sinks, tally):
                progress(f"{clip.name}: {time_s:.0f} s")
        except EdgehomeError as error:
            failure = error
            tally.failures.append(error)
        for sink in sinks:
            sink.end(failure)
    progress("")
    return tally


def engine_for(config: Config, rate: float, model: str, identify: Callable[[], str]) -> RuleEngine:
    """Return the rules of a node that has seen nothing yet."""
    location = config.location
    sun = None
    if location.latitude is not None and location.longitude is not None:
        from edgehome.sun import sun_at  # noqa: PLC0415 - it takes two megabytes

        sun = sun_at(location.latitude, location.longitude)
    return RuleEngine(config, period_s=1 / rate, identify=identify, model=model, sun=sun)


def _play_clip(
    clip: Clip, engine: RuleEngine, mode: Mode, sinks: Sequence[Sink], tally: Tally
) -> Iterator[float]:
    """Judge a clip; yield the time now and then, in seconds."""
    update = engine.update
    shown = [sink.frame for sink in sinks]
    last_s = math.inf
    for scores in clip.frames:
        time_s = scores.time_s
        if time_s - last_s > FORGET_S:
            # As in a node, whose supervisor lets the rules know that nothing comes.
            idle_s = last_s + FORGET_S + 1 / clip.rate
            _tell(sinks, idle_s, engine.idle(idle_s), tally)
        last_s = time_s
        verdict = update(scores, mode)
        for show in shown:
            show(scores)
        if verdict.transitions or verdict.events or verdict.alerts or verdict.near_misses:
            _tell(sinks, time_s, verdict, tally)
        tally.frames += 1
        if scores.inference_ms:
            tally.milliseconds.append(scores.inference_ms)
        if not scores.frame % PROGRESS_FRAMES:
            yield time_s
    # What was about to be when the clip ended is told as well: most ask why a rule did not fire.
    ended = engine.idle(last_s + FORGET_S + 1 / clip.rate)
    if ended.near_misses:
        _tell(sinks, last_s, Verdict(near_misses=ended.near_misses), tally)


def _tell(sinks: Sequence[Sink], time_s: float, verdict: Verdict, tally: Tally) -> None:
    tally.alerts += len(verdict.alerts)
    for sink in sinks:
        sink.told(time_s, verdict)
