"""The worker's side of what is taught at home: it remembers, tells of it, and takes new heads."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from edgehome.heads.head import Head, head_of
from edgehome.messages import Message, Ready
from edgehome.orders import Take, TaughtHeads
from edgehome.recognizer.corrections import KEY, Correction, Corrections, correction_of
from edgehome.recognizer.recognizer import Recognizer
from edgehome.recollection import Recollection
from edgehome.taken import Piece, Taken
from edgehome.types import ModelError, Problem, Scores

LONGEST_S = 3.0
"""Of what is remembered, so many seconds fill the windows of new heads: those taught look at 3."""
MOST_HEADS = 64
"""Taken at most: a supervisor keeps fewer."""

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Recent = Sequence[NDArray[np.float32]]


class Pupil:
    """Remembers while the model looks, and answers between two frames."""

    def __init__(
        self, recognizer: Recognizer, ready: Ready, send: Callable[[Message], None]
    ) -> None:
        """Take what the worker said when it began."""
        self._recognizer = recognizer
        self._ready = ready
        self._send = send
        self._remembered: Recollection | None = None
        self._coming: list[Mapping[str, Any]] = []
        self._looked = self._seen = 0
        self.rate = ready.rate
        """Frames a second from now on."""

    def look(self, scores: Scores) -> None:
        """Remember the frame that these scores are of, if the model looked at it."""
        self._seen += 1
        embedding = self._recognizer.embedding
        if scores.still or embedding is None or not len(embedding):
            return
        self._looked += 1
        if self._remembered is None:
            self._remembered = Recollection(len(embedding))
        self._remembered.add(embedding, scores.at.timestamp())

    def obey(self, order: Take | TaughtHeads) -> None:
        """Do what the supervisor asks for."""
        if isinstance(order, Take):
            self._send(self._taken(order))
            return
        if order.first:
            self._coming = []
        self._coming = [*self._coming, *order.heads][:MOST_HEADS]
        if order.last:
            self._take_over()

    def _taken(self, order: Take) -> Taken:
        if self._remembered is None:
            return Taken(order.id, self.rate, 0, (Piece(max(order.since, 0.0), 0, b"", b""),))
        taken = self._remembered.take(
            (order.since, order.until),
            name=order.id,
            rate=self.rate,
            spread=order.spread,
            apart=order.apart,
        )
        looked_s, seen_s = self._looked / self.rate, self._seen / self.rate
        return replace(taken, looked_s=looked_s, watched_s=seen_s)

    def _take_over(self) -> None:
        """Use the heads that came, and tell which labels there are now."""
        heads: list[Head] = []
        corrections: list[Correction] = []
        problem: Problem | None = None
        for fields in self._coming:
            try:
                if isinstance(fields, dict) and KEY in fields:
                    corrections.append(correction_of(fields))
                    continue
                head = head_of(fields, "of a taught activity")
            except ModelError as error:
                problem = problem or error.problem
                continue
            if head.embedding == self._ready.embedding:
                heads.append(head)
        self._coming = []
        frames = round(LONGEST_S * self.rate)
        recent = list(self._remembered.recent(frames)) if self._remembered else []
        problem = self._recognizer.set_taught(heads, recent) or problem
        self._correct(corrections, recent)
        if problem:
            logger.warning("%s", problem)
        self._send(
            replace(
                self._ready,
                labels=self._recognizer.labels,
                rate=self.rate,
                degraded=self._ready.degraded or problem,
                measured=None,
            )
        )

    def _correct(self, wanted: Sequence[Correction], recent: Recent) -> None:
        """Use the corrections of this model's space from the next frame on."""
        fitting = [one for one in wanted if one.embedding == self._ready.embedding]
        labels = self._recognizer.labels
        self._recognizer.corrections = Corrections(fitting, labels, rate=self.rate, recent=recent)
