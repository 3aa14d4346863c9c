"""What a replay prints: a line of JSON for everything, or what a person wants to see."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import datetime
from statistics import quantiles
from typing import Any, TextIO

from edgehome.messages import Probabilities
from edgehome.replay.differences import Difference
from edgehome.replay.play import Clip, Tally
from edgehome.rules import RuleEngine, Transition, Verdict
from edgehome.types import Alert, EdgehomeError, Event, Evidence, NearMiss, Scores

TOP = 5


class JsonLines:
    """Writes every frame, event, change of state, alert and near miss as a line of JSON."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._clip = ""

    def begin(self, clip: Clip, engine: RuleEngine) -> None:
        """Begin a clip."""
        del engine
        self._clip = clip.name

    def frame(self, scores: Scores) -> None:
        """Write a frame."""
        head = {"clip": self._clip, "time_s": round(scores.time_s, 3)}
        top = {label: round(value, 4) for label, value in scores.top(TOP)}
        line = {"kind": "scores", **head, "scores": top, "motion": round(scores.motion, 4)}
        if scores.still:
            line["still"] = True
        if scores.camera:
            line["camera"] = sorted(scores.camera)
        if scores.unusual:
            line["unusual"] = round(scores.unusual, 2)
        self._write(line)

    def told(self, time_s: float, verdict: Verdict) -> None:
        """Write what the rules said."""
        head = {"clip": self._clip, "time_s": round(time_s, 3)}
        for event in verdict.events:
            self._write({"kind": "event", **head, **_event(event)})
        for change in verdict.transitions:
            self._write({"kind": "state", **head, **_change(change)})
        for alert in verdict.alerts:
            self._write({"kind": "alert", **head, **_alert(alert)})
        for miss in verdict.near_misses:
            self._write({"kind": "near_miss", **head, **_miss(miss)})

    def end(self, failure: EdgehomeError | None) -> None:
        """End the clip."""

    def difference(self, difference: Difference) -> None:
        """Write what is not as expected."""
        fields = asdict(difference)
        self._write({"kind": "difference", "difference": fields.pop("kind"), **fields})

    def summary(self, tally: Tally, wall_s: float) -> None:
        """Write the last line."""
        self._write({"kind": "summary", **_summary(tally, wall_s)})

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(json.dumps(line, ensure_ascii=False) + "\n")


class Text:
    """Writes each clip's changes, alerts, near misses and strongest labels."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._labels: tuple[str, ...] = ()
        self._best: list[float] = []

    def begin(self, clip: Clip, engine: RuleEngine) -> None:
        """Write the clip's name."""
        del engine
        self._out.write(f"{clip.name}\n")
        self._labels, self._best = clip.labels, []

    def frame(self, scores: Scores) -> None:
        """Note which labels are strong."""
        found = scores.probabilities
        row = found.row if isinstance(found, Probabilities) else list(found.values())
        self._best = list(map(max, self._best, row)) if self._best else list(row)

    def told(self, time_s: float, verdict: Verdict) -> None:
        """Write what changed."""
        when = f"  {time_s:7.1f} s  "
        for event in verdict.events:
            verb = "begins" if event.edge == "onset" else "ends"
            self._out.write(f"{when}{event.activity} {verb} ({event.score:.2f})\n")
        for alert in verdict.alerts:
            self._out.write(f"{when}ALERT {alert.rule} [{alert.severity}]: {alert.message}\n")
        for miss in verdict.near_misses:
            self._out.write(f"{when}near miss {miss.rule}: {miss.message}\n")

    def end(self, failure: EdgehomeError | None) -> None:
        """Write the clip's strongest labels."""
        del failure
        ranked = sorted(zip(self._labels, self._best, strict=False), key=_strongest)[:TOP]
        if ranked:
            words = ", ".join(f"{label} {value:.2f}" for label, value in ranked)
            self._out.write(f"  strongest: {words}\n")

    def difference(self, difference: Difference) -> None:
        """Write what is not as expected."""
        clip = f"{difference.clip}: " if difference.clip else ""
        self._out.write(f"NOT AS EXPECTED {clip}{difference}\n")

    def summary(self, tally: Tally, wall_s: float) -> None:
        """Write the last line."""
        said = _summary(tally, wall_s)
        times = said["inference_ms"]
        speed = "" if times["p50"] is None else f", {times['p50']} ms a frame (p95 {times['p95']})"
        self._out.write(
            f"{said['frames']} frames, {said['alerts']} alerts{speed}, {said['wall_s']} s\n"
        )


def _strongest(item: tuple[str, float]) -> tuple[float, str]:
    return -item[1], item[0]


def _summary(tally: Tally, wall_s: float) -> dict[str, Any]:
    """Return the last line's fields; percentiles need two frames."""
    times = tally.milliseconds
    cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else None
    return {
        "frames": tally.frames,
        "alerts": tally.alerts,
        "inference_ms": {
            "p50": round(cuts[49], 2) if cuts else None,
            "p95": round(cuts[94], 2) if cuts else None,
        },
        "wall_s": round(wall_s, 2),
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "at": event.at.isoformat(),
        "activity": event.activity,
        "edge": event.edge,
        "score": round(event.score, 4),
        "threshold": event.threshold,
    }


def _change(change: Transition) -> dict[str, Any]:
    return {
        "at": change.at.isoformat(),
        "rule": change.rule,
        "old": str(change.old),
        "new": str(change.new),
    }


def _alert(alert: Alert) -> dict[str, Any]:
    fields = asdict(alert)
    fields["at"] = alert.at.isoformat()
    fields["score"] = round(alert.score, 4)
    fields["since"] = _iso(alert.since)
    fields["evidence"] = [_evidence(one) for one in alert.evidence]
    return fields


def _miss(miss: NearMiss) -> dict[str, Any]:
    fields = asdict(miss)
    fields["at"] = miss.at.isoformat()
    fields["evidence"] = [_evidence(one) for one in miss.evidence]
    return fields


def _evidence(one: Evidence) -> dict[str, Any]:
    return {**asdict(one), "since": _iso(one.since)}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def terminal_progress(text: str) -> None:
    """Show how far it is, on a terminal only, on one line that is overwritten."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
