"""One run of `edgehome replay`: its parts, put together as the options ask."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edgehome.config.conditions import ActivityCondition, walk
from edgehome.config.types import Config
from edgehome.config.values import suggest
from edgehome.configfile import required
from edgehome.junit import Case, write_junit
from edgehome.replay import MIDNIGHT
from edgehome.replay.differences import Came, Difference, Expected, compare
from edgehome.replay.expectations import read_expectations
from edgehome.replay.output import JsonLines, Text, terminal_progress
from edgehome.replay.play import Clip, Sink, play
from edgehome.replay.recorder import TraceSink, TraceWriter
from edgehome.replay.reporting import ReportSink
from edgehome.replay.trace import TraceError, TraceFile, clip_names
from edgehome.rules import RuleEngine, Verdict
from edgehome.statefolder import state_of
from edgehome.types import EdgehomeError, Scores


@dataclass(slots=True)
class Result:
    """What a clip came to."""

    clip: str
    began_s: float
    seconds: float = 0.0
    """How long it took."""
    failure: str = ""


class Results:
    """A sink that keeps every clip's alerts."""

    def __init__(self) -> None:
        self.clips: list[Result] = []
        self.came: list[Came] = []

    def begin(self, clip: Clip, engine: RuleEngine) -> None:
        """Begin a clip."""
        del engine
        self.clips.append(Result(clip.name, time.perf_counter()))

    def frame(self, scores: Scores) -> None:
        """Pass over the frame."""

    def told(self, time_s: float, verdict: Verdict) -> None:
        """Keep the alerts."""
        clip = self.clips[-1].clip
        self.came += [Came(alert.rule, time_s, alert.message, clip) for alert in verdict.alerts]

    def end(self, failure: EdgehomeError | None) -> None:
        """End the clip."""
        result = self.clips[-1]
        result.seconds = time.perf_counter() - result.began_s
        result.failure = str(failure) if failure else ""


def run_replay(options: Namespace) -> int:
    """Replay as the options ask; return 1 where the alerts are not those that are expected.

    Raises the first EdgehomeError of all, once everything else is done and written.
    """
    began_s = time.perf_counter()
    out = (JsonLines if options.json else Text)(sys.stdout)
    results = Results()
    with ExitStack() as stack:
        trace = stack.enter_context(TraceFile(options.from_scores)) if options.from_scores else None
        config = _config(options, trace)
        expected = _expected(options, config)
        report = ReportSink(config, options.armed) if options.report else None
        sinks: list[Sink] = [out, results]
        if options.record:
            writer = stack.enter_context(TraceWriter(options.record))
            sinks.append(TraceSink(writer, config))
        if report:
            sinks.append(report)
        clips = _recorded(trace, options) if trace else _films(options, config, stack, report)
        tally = play(clips, config, mode=options.armed, sinks=sinks, progress=terminal_progress)
    differences = [] if expected is None else compare(expected, results.came)
    for difference in differences:
        out.difference(difference)
    out.summary(tally, time.perf_counter() - began_s)
    _write(options, config, results, report, None if expected is None else differences)
    for failure in tally.failures[1:]:
        sys.stderr.write(f"edgehome: {failure}\n")
    if tally.failures:
        raise tally.failures[0]
    return 1 if differences else 0


def _config(options: Namespace, trace: TraceFile | None) -> Config:
    """Return the rules. Raises ConfigInvalidError, and TraceError where they ask for more."""
    path: Path = options.config or options.default_config
    if trace and trace.header:
        header = trace.header
        # Labels that the rules ask for are looked at below: a recording has no others.
        config = required(
            path, labels=lambda _model: None, thresholds=lambda _model: header.thresholds
        )
        _check_labels(config, header.labels, path)
        return config
    if options.config or not options.model:
        return required(path, state=options.home)
    return Config()


def _check_labels(config: Config, labels: Sequence[str], path: Path) -> None:
    """Raise TraceError where a rule looks at nothing that was recorded."""
    known = {label.partition("@")[0] for label in labels}
    for rule in config.rules:
        for condition in walk(rule.when):
            if not isinstance(condition, ActivityCondition):
                continue
            activity = condition.activity
            if not known & set(activity.labels):
                hint = suggest(activity.name, tuple(known))
                raise TraceError(
                    "trace_labels",
                    f"{path}: the rule {rule.name!r} looks at {activity.name!r}, of which there "
                    f"is no score in the recording{hint}.",
                    "Record it again with these rules: edgehome replay CLIP -c FILE --record ...",
                )


def _expected(options: Namespace, config: Config) -> list[Expected] | None:
    if not options.expect:
        return None
    recorded = options.from_scores
    clips = clip_names(recorded) if recorded else [str(path) for path in options.clips]
    rules = [rule.name for rule in config.rules]
    return read_expectations(options.expect, rules=rules, clips=clips)


def _recorded(trace: TraceFile, options: Namespace) -> Iterator[Clip]:
    """Yield the clips of a recording."""
    while header := trace.header:
        yield Clip(
            name=header.clip,
            start=options.at or header.start,
            rate=header.rate,
            frames=trace.frames(options.at),
            labels=header.labels,
            model=header.model,
        )
        if trace.header is header:
            return


def _films(
    options: Namespace, config: Config, stack: ExitStack, report: ReportSink | None
) -> Iterator[Clip]:
    """Return the films through the model, which is loaded. Raises ModelError."""
    # numpy and the model's runtime, which recorded scores do without
    from edgehome.replay.athome import AtHome  # noqa: PLC0415
    from edgehome.replay.films import Films  # noqa: PLC0415

    model = options.model or config.recognizer.model
    home = None
    if options.home or options.config or not options.model:
        state = options.home or state_of(options.config or options.default_config)
        home = AtHome(state, config, lambda text: sys.stderr.write(f"note: {text}\n"))
    films = stack.enter_context(Films(model, config, home, report.look if report else None))
    return films.clips(options.clips, options.at or MIDNIGHT)


def _write(
    options: Namespace,
    config: Config,
    results: Results,
    report: ReportSink | None,
    differences: Sequence[Difference] | None,
) -> None:
    """Write the files that are asked for."""
    said = {
        result.clip: tuple(str(d) for d in differences or () if d.clip == result.clip)
        for result in results.clips
    }
    if options.junit:
        cases = [Case(r.clip, r.seconds, said[r.clip], r.failure) for r in results.clips]
        write_junit(options.junit, "edgehome replay", cases)
    if report:
        from edgehome.report.page import page  # noqa: PLC0415

        for recording in report.recordings:
            recording.differences = None if differences is None else said[recording.name]
        html = page(report.recordings, config)
        options.report.write_text(html, encoding="utf-8")
