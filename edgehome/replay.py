"""Clips through the same pipeline as a camera's pictures, without broker, process or clock.

Deterministic: the same clips, model and configuration give the same lines every time, but for the
last one, the summary, which holds measured times.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import quantiles
from typing import Any, TextIO

from edgehome.camera import open_clip
from edgehome.config.types import Config
from edgehome.events import Moment
from edgehome.node import Node
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Alert, CameraError, Event, Scores
from edgehome.vision import shorter_windows
from edgehome.worker import watch

START = datetime(2000, 1, 1, tzinfo=UTC)
"""Midnight: what a clip's clock shows at its first frame unless another time is given."""
TOP = 5
PROGRESS_FRAMES = 25

Emit = Callable[[dict[str, Any]], None]


def replay(
    clips: Sequence[Path],
    config: Config,
    *,
    model: Path,
    start: datetime,
    emit: Emit,
    progress: Callable[[str], None],
) -> list[CameraError]:
    """Replay clips one after the other, each as if the node had just started.

    Emits objects of `kind` scores, event, alert, and last a summary. Returns what was wrong with
    clips that could not be read; they keep none of the others from being replayed. Raises
    ModelError.
    """
    began_s = time.perf_counter()
    tally = _Tally()
    failures: list[CameraError] = []
    numbers = count(1)
    with _recognizer(model, config) as recognizer:
        for clip in clips:
            node = _fresh_node(config, start, numbers, recognizer)
            try:
                for scores in _scores_of(clip, recognizer, start):
                    moment, alerts = node.see(scores)
                    tally.add(scores, alerts)
                    for line in _lines(clip, scores, moment, alerts):
                        emit(line)
                    if scores.frame % PROGRESS_FRAMES == 0:
                        progress(f"{clip.name}: {scores.time_s:.0f} s")
            except CameraError as error:
                failures.append(error)
    progress("")
    emit(tally.summary(time.perf_counter() - began_s))
    return failures


class _Tally:
    """What the summary says."""

    def __init__(self) -> None:
        self._milliseconds: list[float] = []
        self._alerts = 0

    def add(self, scores: Scores, alerts: Sequence[Alert]) -> None:
        self._milliseconds.append(scores.inference_ms)
        self._alerts += len(alerts)

    def summary(self, wall_s: float) -> dict[str, Any]:
        """Return the last line; percentiles need two frames."""
        times = self._milliseconds
        cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else None
        return {
            "kind": "summary",
            "frames": len(times),
            "alerts": self._alerts,
            "inference_ms": {
                "p50": round(cuts[49], 2) if cuts else None,
                "p95": round(cuts[94], 2) if cuts else None,
            },
            "wall_s": round(wall_s, 2),
        }


def _recognizer(model: Path, config: Config) -> Recognizer:
    settings = config.recognizer
    return Recognizer(
        model,
        threads=settings.threads,
        delegate=settings.delegate,
        window_s=settings.window_s,
        shorter_s=shorter_windows(config),
        ensemble=settings.ensemble,
    )


def _fresh_node(
    config: Config, start: datetime, numbers: Iterator[int], recognizer: Recognizer
) -> Node:
    """Return a node, and a recogniser, that have seen nothing yet; alerts go on being numbered."""
    recognizer.reset()
    return Node(
        config,
        identity="replay",
        started_at=start,
        identify=lambda: f"replay-{next(numbers)}",
        rate=recognizer.manifest.rate,
    )


def _scores_of(clip: Path, recognizer: Recognizer, start: datetime) -> Iterator[Scores]:
    manifest = recognizer.manifest
    with open_clip(clip, size=manifest.size, rate=manifest.rate, start=start) as camera:
        yield from watch(camera, recognizer)


def _lines(
    clip: Path, scores: Scores, moment: Moment, alerts: list[Alert]
) -> Iterator[dict[str, Any]]:
    top = {label: round(value, 4) for label, value in scores.top(TOP)}
    head = {"clip": str(clip), "time_s": round(scores.time_s, 3)}
    yield {"kind": "scores", **head, "scores": top}
    for event in moment.events:
        yield {"kind": "event", **head, **_event(event)}
    for alert in alerts:
        fields = asdict(alert)
        fields["at"] = alert.at.isoformat()
        fields["score"] = round(alert.score, 4)
        yield {"kind": "alert", **head, **fields}


def _event(event: Event) -> dict[str, Any]:
    return {
        "at": event.at.isoformat(),
        "activity": event.activity,
        "edge": event.edge,
        "score": round(event.score, 4),
        "threshold": event.threshold,
    }


class JsonLines:
    """Write every object as a line of JSON."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, line: dict[str, Any]) -> None:
        """Write one object."""
        self._out.write(json.dumps(line, ensure_ascii=False) + "\n")


class Text:
    """Write what a person wants to see: each clip's changes, alerts and strongest label."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._clip = ""
        self._best: dict[str, float] = {}

    def __call__(self, line: dict[str, Any]) -> None:
        """Write what one object says, if it is worth a line."""
        kind = line["kind"]
        if kind == "summary" or line["clip"] != self._clip:
            self._finish_clip()
        if kind == "summary":
            self._summary(line)
            return
        if line["clip"] != self._clip:
            self._clip = line["clip"]
            self._out.write(f"{self._clip}\n")
        when = f"  {line['time_s']:7.1f} s  "
        if kind == "scores":
            for label, value in line["scores"].items():
                self._best[label] = max(value, self._best.get(label, 0.0))
        elif kind == "event":
            verb = "begins" if line["edge"] == "onset" else "ends"
            self._out.write(f"{when}{line['activity']} {verb} ({line['score']:.2f})\n")
        elif kind == "alert":
            self._out.write(f"{when}ALERT {line['rule']} [{line['severity']}]: {line['message']}\n")

    def _finish_clip(self) -> None:
        if self._best:
            ranked = sorted(self._best.items(), key=lambda item: (-item[1], item[0]))[:TOP]
            words = ", ".join(f"{label} {value:.2f}" for label, value in ranked)
            self._out.write(f"  strongest: {words}\n")
        self._best = {}

    def _summary(self, line: dict[str, Any]) -> None:
        times = line["inference_ms"]
        speed = "" if times["p50"] is None else f", {times['p50']} ms a frame (p95 {times['p95']})"
        self._out.write(
            f"{line['frames']} frames, {line['alerts']} alerts{speed}, {line['wall_s']} s\n"
        )


def terminal_progress(text: str) -> None:
    """Show how far it is, on a terminal only, on one line that is overwritten."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
