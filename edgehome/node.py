"""What the node knows: from scores to alerts, and the status that is told to the home.

Deterministic: the supervisor and `replay` drive the same object, one with a camera's time, the
other with a clip's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import chain
from statistics import median

from edgehome import __version__
from edgehome.config.types import Config, LocationConfig
from edgehome.corrections import Clarity
from edgehome.health import Machine
from edgehome.homeassistant import NodeStatus, RuleStatus, Taught
from edgehome.rules import RuleEngine, Verdict
from edgehome.thresholds import threshold_of
from edgehome.types import Alert, Mode, NearMiss, Problem, Scores, SunTimes

RECENT_ALERTS = 100
"""So many may still be judged."""
STATISTICS_FRAMES = 50
"""Frames over which rate and inference time are told: ten seconds at five a second."""


class Node:
    """Rules at work and all that is known of the node, with one owner: its driver's loop."""

    def __init__(
        self,
        config: Config,
        *,
        identity: str,
        started_at: datetime,
        identify: Callable[[], str],
        rate: float = 5.0,
    ) -> None:
        """Take the frame rate that is expected, in frames a second, and what names alerts."""
        self.config = config
        self.mode = Mode.AWAY
        """What the home expects, from the next frame on."""
        self.silenced_until: datetime | None = None
        """Until when no rule raises alerts; None while they do."""
        self.engine = RuleEngine(
            config, period_s=1 / rate, identify=identify, sun=sun_over(config.location)
        )
        self._status = NodeStatus(identity=identity, version=__version__, started_at=started_at)
        self.teaching = ""
        """The activity that examples are for; empty for none."""
        self.taught: tuple[Taught, ...] = ()
        """What the home teaches, as it stands."""
        self.normal: float | None = None
        """How much of what is normal here is learnt, 0-1; None where nobody learns."""
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._last_alerts: dict[str, Alert] = {}
        self._recent: deque[Alert] = deque(maxlen=RECENT_ALERTS)
        self.clarity = Clarity()
        """How clearly the newest alert's labels were seen."""
        self._last_near_misses: dict[str, NearMiss] = {}
        self._machine = Machine()
        self._seen: Scores | None = None
        self._frames_before = self._skipped_before = 0
        self._times_s: deque[float] = deque(maxlen=STATISTICS_FRAMES)
        self._steps_ms: deque[float] = deque(maxlen=STATISTICS_FRAMES)

    def use(self, config: Config) -> None:
        """Take over a new configuration; a rule whose conditions are the same goes on."""
        self.config = config
        self.engine = self.engine.replaced(config, sun=sun_over(config.location))

    @property
    def identity(self) -> str:
        """`<id>` in topics."""
        return self._status.identity

    @property
    def model(self) -> str:
        """SHA-256 of the model that judges, for alerts to tell; empty until it is known."""
        return self.engine.model

    @model.setter
    def model(self, sha256: str) -> None:
        self.engine.model = sha256

    def run_at(self, rate: float, threads: int | None = None) -> None:
        """Expect so many frames a second from now on, from so many threads, if it is said."""
        self.engine.period_s = 1 / rate
        threads = self._status.threads if threads is None else threads
        self._status = replace(self._status, rate=rate, threads=threads)

    def see(self, scores: Scores) -> Verdict:
        """Return what this frame's scores come to."""
        self._count(scores)
        self._seen = scores
        verdict = self._note(self.engine.update(scores, self.mode))
        self.clarity.look(scores)
        return verdict

    def idle(self, time_s: float) -> Verdict:
        """Return what it comes to that no frame has come until now, by the source's clock."""
        return self._note(self.engine.idle(time_s))

    def mute(self, rule: str, *, muted: bool) -> None:
        """Let a rule be judged without alerts, or with them again."""
        self.engine.mute(rule, muted=muted)

    def silence(self, until: datetime | None) -> None:
        """Let no rule raise alerts, until then for people to know, or None: let them again."""
        self.silenced_until = until
        self.engine.silence(silent=until is not None)

    def look_at(self, machine: Machine) -> None:
        """Take how the machine is that all this runs on."""
        self._machine = machine
        self.report_all("machine", machine.problems)

    def memory(self) -> dict[str, object]:
        """Return how the rules stand, as JSON-able data, for `restore` after a restart."""
        return self.engine.memory()

    def restore(self, memory: Mapping[str, object], *, gap_s: float) -> None:
        """Go on from a memory whose last frame was `gap_s` ago; before the first frame."""
        self.engine.restore(memory, gap_s=gap_s)

    def recall(self, records: Iterable[Alert | NearMiss]) -> None:
        """Take the newest alert and near miss of each rule from records, the oldest first."""
        for record in records:
            if isinstance(record, Alert):
                self._last_alerts[record.rule] = record
                self._recent.append(record)
            else:
                self._last_near_misses[record.rule] = record

    def alert(self, alert_id: str = "") -> Alert | None:
        """Return the alert with this id, or the newest one, if it is remembered."""
        alerts = (alert for alert in reversed(self._recent) if alert_id in {"", alert.id})
        return next(alerts, None)

    def worker_gone(self) -> None:
        """Start a new worker's counters where the last one's ended; to the rules it is a gap."""
        self._frames_before, self._skipped_before = self._status.frames, self._status.skipped
        self._times_s.clear()
        self._steps_ms.clear()
        self._seen = None

    def report(self, origin: str, problem: Problem | None) -> None:
        """Set what is wrong with a part of the node, or clear it with None."""
        self.report_all(origin, (problem,) if problem else ())

    def report_all(self, origin: str, problems: tuple[Problem, ...]) -> None:
        """Set everything that is wrong with a part of the node."""
        self._problems[origin] = problems

    def status(
        self,
        *,
        restarts: int = 0,
        pending: int = 0,
        dropped: int = 0,
        ignored: int = 0,
        delivery: str = "broker",
        frame_age_s: float | None = None,
    ) -> NodeStatus:
        """Return all that the home is told; the counts come from those who count them."""
        rate, inference_ms = self._speed()
        activity, confidence = self.engine.strongest() if self._seen else ("", 0.0)
        return replace(
            self._status,
            rules=self._rules(),
            mode=self.mode,
            teaching=self.teaching,
            taught=self.taught,
            normal=self.normal,
            unusual=self._seen.unusual if self._seen else 0.0,
            silenced_until=self.silenced_until,
            release=self._machine.release,
            temperature=self._machine.temperature,
            throttled=self._machine.throttled,
            motion=self._seen.motion if self._seen else None,
            camera=self._seen.camera if self._seen else frozenset(),
            activity=activity,
            confidence=confidence,
            problems=tuple(chain.from_iterable(self._problems.values())),
            frames_per_second=rate,
            inference_ms=inference_ms,
            worker_restarts=restarts,
            pending=pending,
            dropped=dropped,
            ignored=ignored,
            delivery=delivery,
            frame_age_s=frame_age_s,
        )

    def _rules(self) -> tuple[RuleStatus, ...]:
        return tuple(
            RuleStatus(
                name=status.name,
                threshold=threshold_of(rule),
                state=str(status.state),
                muted=status.muted,
                last_alert=self._last_alerts.get(status.name),
                last_near_miss=self._last_near_misses.get(status.name),
            )
            for rule, status in zip(self.config.rules, self.engine.statuses(), strict=True)
        )

    def _note(self, verdict: Verdict) -> Verdict:
        for alert in verdict.alerts:
            self._last_alerts[alert.rule] = alert
            self._recent.append(alert)
            for rule in self.config.rules:
                if rule.name == alert.rule:
                    self.clarity.follow(alert, rule)
        self._last_near_misses |= {missed.rule: missed for missed in verdict.near_misses}
        return verdict

    def _count(self, scores: Scores) -> None:
        self._times_s.append(scores.time_s)
        if not scores.still:
            self._steps_ms.append(scores.inference_ms)
        self._status = replace(
            self._status,
            frames=self._frames_before + scores.frame,
            skipped=self._skipped_before + scores.skipped,
        )

    def _speed(self) -> tuple[float | None, float | None]:
        """Return frames a second of the last frames, and the median milliseconds of a step.

        A frame on which the model rests is a frame, but no step: the last steps are told.
        """
        if len(self._times_s) < 2:
            return None, None
        elapsed_s = self._times_s[-1] - self._times_s[0]
        rate = (len(self._times_s) - 1) / elapsed_s if elapsed_s > 0 else None
        return rate, median(self._steps_ms) if self._steps_ms else None


def said(status: NodeStatus) -> str:
    """Return how the node is, in the line that `systemctl status` shows."""
    if status.problems:
        return " ".join(problem.message for problem in status.problems)
    if status.frames_per_second is None:
        return "starting"
    return f"{status.mode}, {status.frames_per_second:.0f} frames a second"


def sun_over(location: LocationConfig) -> SunTimes | None:
    """Return the sun over the home, or None where the file does not say where that is."""
    if location.latitude is None or location.longitude is None:
        return None
    from edgehome.sun import sun_at  # noqa: PLC0415 - it takes two megabytes

    return sun_at(location.latitude, location.longitude)
