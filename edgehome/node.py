"""What the node knows: from scores to alerts, and the status that is told to the home.

Deterministic: the supervisor and `replay` drive the same object, one with a camera's time, the
other with a clip's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import chain
from statistics import median

from edgehome import __version__
from edgehome.config.types import Config
from edgehome.events import Events, Moment
from edgehome.homeassistant import NodeStatus, RuleStatus
from edgehome.rules import RuleEngine, State
from edgehome.types import Alert, Problem, Scores

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
        self.armed = True
        self._rate = rate
        self._identify = identify
        self._status = NodeStatus(identity=identity, version=__version__, started_at=started_at)
        self._problems: dict[str, tuple[Problem, ...]] = {}
        self._last_alerts: dict[str, Alert] = {}
        self._frames_before = self._skipped_before = 0
        self._recent: deque[tuple[float, float]] = deque(maxlen=STATISTICS_FRAMES)
        self.use(config)

    def use(self, config: Config) -> None:
        """Take over rules and thresholds of a new configuration; what is pending begins anew."""
        self.config = config
        self.engine = RuleEngine(config.rules)
        self.events = Events(
            self.engine.watches(),
            smoothing_s=config.events.smoothing_s,
            period_s=1 / self._rate,
        )

    def see(self, scores: Scores) -> tuple[Moment, list[Alert]]:
        """Return what this frame's scores mean, and the alerts that are due."""
        self._count(scores)
        moment = self.events.update(scores)
        self._note_activity(moment)
        if not self.armed:
            self.engine.reset()
            return moment, []
        alerts = self.engine.update(moment, self._identify)
        self._last_alerts |= {alert.rule: alert for alert in alerts}
        return moment, alerts

    def worker_gone(self) -> None:
        """Start a new worker's counters where the last one's ended; nothing is known to go on."""
        self.engine.reset()
        self._frames_before, self._skipped_before = self._status.frames, self._status.skipped
        self._recent.clear()
        self._status = replace(self._status, activity="", confidence=0.0)

    def report(self, origin: str, problem: Problem | None) -> None:
        """Set what is wrong with a part of the node, or clear it with None."""
        self.report_all(origin, (problem,) if problem else ())

    def report_all(self, origin: str, problems: tuple[Problem, ...]) -> None:
        """Set everything that is wrong with a part of the node."""
        self._problems[origin] = problems

    def status(self, *, restarts: int = 0, pending: int = 0, dropped: int = 0) -> NodeStatus:
        """Return all that the home is told; the counts come from those who count them."""
        rate, inference_ms = self._speed()
        rules = tuple(
            RuleStatus(
                name=evaluator.rule.name,
                firing=self.armed and evaluator.state is State.FIRING,
                last_alert=self._last_alerts.get(evaluator.rule.name),
            )
            for evaluator in self.engine.evaluators
        )
        return replace(
            self._status,
            rules=rules,
            armed=self.armed,
            problems=tuple(chain.from_iterable(self._problems.values())),
            frames_per_second=rate,
            inference_ms=inference_ms,
            worker_restarts=restarts,
            pending=pending,
            dropped=dropped,
        )

    def _count(self, scores: Scores) -> None:
        self._recent.append((scores.time_s, scores.inference_ms))
        self._status = replace(
            self._status,
            frames=self._frames_before + scores.frame,
            skipped=self._skipped_before + scores.skipped,
        )

    def _note_activity(self, moment: Moment) -> None:
        """Name the strongest activity that is going on; the strongest score there is otherwise."""
        ranked = sorted(
            moment.levels.items(),
            key=lambda item: (-item[1].active, -item[1].score, item[0].activity.name),
        )
        if not ranked:
            return
        watch, level = ranked[0]
        activity = watch.activity.name if level.active else ""
        self._status = replace(self._status, activity=activity, confidence=level.score)

    def _speed(self) -> tuple[float | None, float | None]:
        """Return frames a second and the median milliseconds of one, of the last frames."""
        if len(self._recent) < 2:
            return None, None
        elapsed_s = self._recent[-1][0] - self._recent[0][0]
        rate = (len(self._recent) - 1) / elapsed_s if elapsed_s > 0 else None
        return rate, median(milliseconds for _, milliseconds in self._recent)
