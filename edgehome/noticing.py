"""The worker's side of the unusual: it learns what is normal here, and says what is not.

Frames at which the model looked are learnt; one of a camera that is covered, moved, dark or the
like teaches nothing, and its time does not count. Nothing is written here: what is to last is told
to the supervisor, every half hour and at an ordered end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial

from edgehome.gate.tamper import ADOPT_S
from edgehome.messages import Message
from edgehome.normality import JudgedSpan, KeptNormal, Normality, Verdict
from edgehome.novelty.evidence import words_of
from edgehome.novelty.normal import MOST_SPANS, Key, Normal, Unusual
from edgehome.novelty.normalfile import decode_normal, encode_normal
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import CameraState, Problem, Scores

KEEP_S = 1800.0
"""Seconds between two tellings of all that was learnt: what a power cut may cost."""
TOLD_DAYS = 0.5
"""What comes less often than that is worth saying what it resembles."""
LONGEST_S = 2.0
"""A longer pause between two frames was not watched."""
MOVED = Problem(
    "normal_position",
    "The camera looks elsewhere now, so what is normal here is learnt anew.",
    "Nothing needs to be done; if nobody moved it, look whether it is loose.",
)


class Noticing:
    """What is normal before the camera, from frame to frame; silent until it was told what was."""

    def __init__(self, recognizer: Recognizer, key: Key, send: Callable[[Message], None]) -> None:
        """Take what the model of normal belongs to, and who is told of it."""
        self._recognizer = recognizer
        self._key = key
        self._send = send
        self._kept: bytes | None = None
        self._normal: Normal | None = None
        self._before_s: float | None = None
        self._moved_s = 0.0
        self._told_s = 0.0
        self._percent = -1
        self._judged: list[JudgedSpan] = []
        """Those that came before the first frame."""
        self._learning = False
        """Whether a frame is just being learnt: an end then finds it half done."""

    def obey(self, order: KeptNormal | JudgedSpan) -> None:
        """Go on from what was kept, or take what a span of time was judged to be."""
        if isinstance(order, KeptNormal):
            self._kept, self._normal = order.data, None
        elif self._normal is None:
            self._judged = [*self._judged, order][-MOST_SPANS:]
        else:
            self._judge(self._normal, order)

    def look(self, scores: Scores) -> Scores:
        """Return a frame's scores, with how unusual it is; learn of it."""
        embedding = self._recognizer.embedding
        if self._kept is None or embedding is None or not len(embedding):
            return scores
        elapsed_s, self._before_s = self._elapsed_s(scores.time_s), scores.time_s
        if self._blind(scores, elapsed_s):
            return scores
        normal = self._normal or self._begin(len(embedding), scores.time_s)
        self._learning = True
        normal.watch(elapsed_s)
        if not scores.still:
            at = scores.at
            hour = at.hour + at.minute / 60
            found = normal.step(embedding, at.timestamp(), hour, scores.motion)
            scores = self._said(normal, found, scores, hour)
        self._learning = False
        self._tell(normal, scores.time_s)
        return scores

    def end(self) -> None:
        """Tell all that was learnt, but for a frame that is half learnt; nothing follows."""
        if self._normal and not self._learning:
            self._normal.flush()
            self._send(Normality(self._normal.learnt, encode_normal(self._normal)))

    def _begin(self, width: int, now_s: float) -> Normal:
        """Go on from what was kept, or begin, and say why."""
        normal = decode_normal(self._kept, self._key, width) if self._kept else None
        begun = normal if isinstance(normal, Problem) else None
        made = normal if isinstance(normal, Normal) else Normal(self._key, width)
        self._take(made, begun, now_s)
        return made

    def _take(self, normal: Normal, begun: Problem | None, now_s: float) -> None:
        self._normal, self._told_s = normal, now_s
        self._percent = int(100 * normal.learnt)
        self._send(Normality(normal.learnt, encode_normal(normal) if begun else b"", begun))
        for span in self._judged:
            self._judge(normal, span)
        self._judged = []

    def _judge(self, normal: Normal, span: JudgedSpan) -> None:
        if span.verdict is Verdict.OPEN:
            normal.hold_back(span.since, span.until)
        else:
            normal.release(span.since, span.until)
            self._told_s = -KEEP_S  # what somebody said is not to be said again

    def _elapsed_s(self, now_s: float) -> float:
        elapsed_s = 0.0 if self._before_s is None else now_s - self._before_s
        return elapsed_s if 0.0 <= elapsed_s <= LONGEST_S else 0.0

    def _blind(self, scores: Scores, elapsed_s: float) -> bool:
        """Return whether the view is not the place's; a new view that stays begins all anew."""
        if CameraState.MOVED in scores.camera:
            self._moved_s += elapsed_s
        elif self._moved_s:
            stayed = self._moved_s >= ADOPT_S[CameraState.MOVED] - 2 * LONGEST_S
            self._moved_s = 0.0
            if stayed and self._normal:
                self._take(Normal(self._key, self._normal.width), MOVED, scores.time_s)
        return bool(scores.camera)

    def _said(self, normal: Normal, found: Unusual, scores: Scores, hour: float) -> Scores:
        """Return the scores with what was found, in words where it is worth it."""
        words = ""
        if found.days >= TOLD_DAYS:
            taught = set(self._recognizer.taught)
            shares = scores.probabilities.items()
            evidence = normal.evidence(
                found,
                hour,
                scores.motion,
                {label: share for label, share in shares if label not in taught},
                {label: share for label, share in shares if label in taught},
            )
            words = words_of(evidence, partial(datetime.fromtimestamp, tz=scores.at.tzinfo))
        return replace(scores, unusual=found.days, episode=found.episode, resembles=words)

    def _tell(self, normal: Normal, now_s: float) -> None:
        """Tell of each percent of the learning, and now and then all that was learnt."""
        percent = int(100 * normal.learnt)
        due = now_s - self._told_s >= KEEP_S
        if due:
            self._told_s = now_s
        if due or percent != self._percent:
            self._percent = percent
            self._send(Normality(normal.learnt, encode_normal(normal) if due else b""))
