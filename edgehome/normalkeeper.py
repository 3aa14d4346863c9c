"""The supervisor's side of the unusual: keeps what the worker learnt, and tells it of alerts.

The bytes of `normal.bin` are the worker's: nobody here looks into them. A file that cannot be
written costs what was learnt since the last one, and nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from edgehome.errands import Errands
from edgehome.messages import Ready
from edgehome.normality import (
    MOST_NORMAL_BYTES,
    JudgedSpan,
    Normality,
    Verdict,
    encode_judged,
    encode_kept,
)
from edgehome.statefile import FileWriter
from edgehome.types import Alert, Problem

FILE = "normal.bin"
MOST_SPANS = 24
"""Of alerts, told again to a worker: it takes few packets at a time."""
APART_S = 30.0
"""What is so near to an alert is not learnt either."""

Tell = Callable[[Sequence[bytes]], bool]
Report = Callable[[str, Problem | None], None]

logger = logging.getLogger(__name__)


class NormalKeeper:
    """What is normal before the camera; as long as the process."""

    def __init__(self, path: Path, errands: Errands, writer: FileWriter) -> None:
        """Take the file, who reads it, and who writes it."""
        self._path = path
        self._writer = writer
        self._tell: Tell = lambda _: False
        self._report: Report = lambda _origin, _problem: None
        self._data: bytes | None = None
        self._newest: list[bytes] = []
        self._spans: list[bytes] = []
        """What was said of alerts since the worker told what it learnt, and between the last two
        times: it may have told before it heard."""
        self._waits = False
        """Whether a worker waits for what is being read."""
        self.learnt: float | None = None
        """How much of the learning is done, 0-1; None while nobody learns."""
        errands.put(self._read, self._take)

    def attach(self, tell: Tell, report: Report) -> None:
        """Take what tells the worker, and the home of what is wrong; those before are no more."""
        self._tell, self._report = tell, report

    def ready(self, ready: Ready) -> None:
        """Tell a worker what was kept; one whose model has no embedding learns nothing."""
        if not ready.embedding:
            self.learnt = None
        elif self._data is None:
            self._waits = True
        elif self.learnt is None:  # once a worker: it says again that it is ready
            self._hand_over(self._data)

    def said(self, normality: Normality) -> None:
        """Note how far the worker is, and have written what it learnt."""
        self.learnt = normality.learnt
        if normality.begun:
            logger.warning("%s", normality.begun)
        if normality.begun or normality.data:
            self._report("normal", normality.begun)
        if normality.data:
            self._data = normality.data
            self._spans, self._newest = self._newest, []
            self._writer.put(self._path, normality.data)

    def worker_gone(self) -> None:
        """Note that nobody learns any more."""
        self.learnt, self._waits = None, False

    def leave_out(self, alert: Alert) -> None:
        """Have an alert's time not learnt, unless it is judged to be normal."""
        self._judge(alert, Verdict.OPEN)

    def judged_normal(self, alert: Alert) -> None:
        """Have an alert's time learnt as normal."""
        self._judge(alert, Verdict.NORMAL)

    def _judge(self, alert: Alert, verdict: Verdict) -> None:
        since, until = (alert.since or alert.at).timestamp(), alert.at.timestamp()
        span = encode_judged(JudgedSpan(max(since - APART_S, 0.0), until + APART_S, verdict))
        self._newest = [*self._newest, span][-MOST_SPANS:]
        if self.learnt is not None:
            self._tell([span])

    def _hand_over(self, data: bytes) -> None:
        """Tell a worker what was kept, and what was judged since."""
        self._tell([encode_kept(data), *self._spans, *self._newest])
        self.learnt = 0.0

    def _read(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                return file.read(MOST_NORMAL_BYTES)
        except FileNotFoundError:
            return b""
        except OSError as error:
            logger.warning("%s cannot be read (%s): it is learnt anew", self._path, error)
            return b""

    def _take(self, data: bytes) -> None:
        self._data = data
        if self._waits:
            self._waits = False
            self._hand_over(data)
