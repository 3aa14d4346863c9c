"""Whether an alert counts as delivered when the broker has it, or when the home says so.

`<base>/alert/ack` takes the id of an alert that Home Assistant's automation has dealt with (the
blueprints send it). From the first one on, an alert that the broker took and nobody acknowledged
is sent again. An automation that falls silent while Home Assistant is there ends that: nothing
waits for ever.
"""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from edgehome.types import Problem

logger = logging.getLogger(__name__)

BROKER, ACKNOWLEDGED, LAPSED = "broker", "acknowledged", "lapsed"
"""Modes; `lapsed` is `broker` again after `acknowledged`."""
NOTE = "delivery"
"""The outbox's note of the mode, with the seq from which alerts want an answer."""
PAUSES_S = (5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""From a sending to the next one, while there is no answer."""
LOOK_S = 1.0
"""How often what waits is looked through."""
BATCH = 16
"""Alerts sent again at one look."""
UNANSWERED = 16
"""Alerts sent within the first pause and not answered; Home Assistant's queue takes 50 runs."""
SILENCE_S = 600.0
"""Without any answer for so long, with Home Assistant there, the automation has gone."""
OLDEST_S = 86400.0
"""After a day an alert without an answer is not sent again in this run."""
MOST = 2000
"""Sent alerts that are watched, as many as the outbox keeps."""
PAYLOAD_BYTES = 4096
RATE, BURST = 100.0, 500.0
"""Answers that are taken: a second, and at once."""
REMEMBERED = 512
"""Answered alerts that are known as such: a second answer is no mistake."""

_ID = re.compile(r"[0-9A-Za-z_.:-]{1,64}")


@dataclass(slots=True)
class _Waiting:
    """An alert that the broker took and the home has not answered for."""

    seq: int
    first_s: float
    due_s: float
    tries: int = 0


class Acknowledgement:
    """Decides which mode is in force and what is to be sent again; times are monotonic seconds."""

    def __init__(self) -> None:
        """Begin as one that knows of no answer."""
        self.ignored = 0
        """Messages on the topic that said nothing: malformed, retained, unknown, too many."""
        self.since = 0
        """The seq from which alerts want an answer."""
        self._mode = BROKER
        self._waiting: dict[str, _Waiting] = {}
        self._answered: deque[str] = deque(maxlen=REMEMBERED)
        self._fresh: dict[str, float] = {}
        self._tokens, self._filled_s = BURST, 0.0
        self._look_s = 0.0
        self._silent_s = inf
        self._again = False
        self._problem: Problem | None = None

    @property
    def mode(self) -> str:
        """`acknowledged`: delivered is what the home answered for; `broker`: what was taken."""
        return ACKNOWLEDGED if self._mode == ACKNOWLEDGED else BROKER

    @property
    def fact(self) -> str:
        """The mode as it is kept in the outbox."""
        return "" if self._mode == BROKER else f"{self._mode} {self.since}"

    @property
    def unanswered(self) -> int:
        """Alerts that the broker took and the home has not answered for, where it should."""
        return len(self._waiting) if self._mode == ACKNOWLEDGED else 0

    @property
    def problem(self) -> Problem | None:
        """Set from the automation's silence until its next answer."""
        return self._problem

    def restore(self, fact: str | None) -> None:
        """Go on from a fact of an earlier run; all that it left unanswered is due."""
        mode, _, since = (fact or "").partition(" ")
        known = mode in (ACKNOWLEDGED, LAPSED) and since.isascii() and since.isdigit()
        self._mode, self.since = (mode, int(since)) if known else (BROKER, 0)
        self._again = self._mode == ACKNOWLEDGED
        self._waiting.clear()
        self._fresh.clear()

    def read(self, payload: bytes, now_s: float, *, retained: bool = False) -> str | None:
        """Return the id in a message on the topic, None when it is to be ignored."""
        self._tokens = min(BURST, self._tokens + max(0.0, now_s - self._filled_s) * RATE)
        self._filled_s = now_s
        alert_id = None if retained else parse(payload)
        if alert_id is None or self._tokens < 1:
            self.ignored += 1
            return None
        self._tokens -= 1
        return alert_id

    def stored(self, alert_ids: Sequence[str], changed: int, cursor: int) -> None:
        """Note answers that the outbox has; `changed` of them were new, and known at all.

        `cursor` is the seq up to which everything was sent: what the first answer is not about.
        """
        seqs = [self._waiting[one].seq for one in alert_ids if one in self._waiting]
        repeated = sum(alert_id in self._answered for alert_id in alert_ids)
        self.ignored += max(0, len(alert_ids) - repeated - changed)
        for alert_id in alert_ids:
            self._waiting.pop(alert_id, None)
            self._fresh.pop(alert_id, None)
        if not changed:
            return
        self._answered.extend(alert_ids)
        self._silent_s = inf
        self._problem = None
        if self._mode != ACKNOWLEDGED:
            logger.info("Home Assistant acknowledges alerts: those without an answer go again")
            self._again = self._mode == LAPSED
            self.since = self.since if self._mode == LAPSED else min(seqs, default=cursor + 1)
            self._mode = ACKNOWLEDGED
            self._waiting = {i: w for i, w in self._waiting.items() if w.seq >= self.since}

    def sent(self, alert_id: str, seq: int, now_s: float) -> None:
        """Note that the broker took an alert (again)."""
        if alert_id in self._answered:  # the answer was faster than the broker's
            return
        waiting = self._waiting.setdefault(alert_id, _Waiting(seq, now_s, inf, -1))
        waiting.tries += 1
        waiting.due_s = now_s + PAUSES_S[min(waiting.tries, len(PAUSES_S) - 1)]
        self._fresh[alert_id] = now_s
        if len(self._waiting) > MOST:
            self._waiting.pop(next(iter(self._waiting)))

    def room(self, now_s: float, in_flight: int) -> bool:
        """Say whether one more alert may be sent: the automation takes them one by one."""
        if self._mode != ACKNOWLEDGED:
            self._fresh.clear()
            return True
        old = [one for one, sent_s in self._fresh.items() if now_s - sent_s >= PAUSES_S[0]]
        for alert_id in old:
            del self._fresh[alert_id]
        return len(self._fresh) + in_flight < UNANSWERED

    def everything(self) -> int | None:
        """Return, once, the seq above which all that is unanswered has to be sent again."""
        if not self._again:
            return None
        self._again = False
        self._waiting.clear()
        return self.since - 1

    def connected(self, now_s: float) -> None:
        """Begin a connection: answers that are on their way come first, then all is due."""
        for waiting in self._waiting.values():
            waiting.tries = 0
            waiting.due_s = now_s + PAUSES_S[0]

    def returned(self) -> None:
        """Note that Home Assistant has started: what it has not answered for is due at once."""
        if self._mode == LAPSED:
            self._mode = ACKNOWLEDGED  # it may well have been away when the answers stopped
            self._silent_s = inf
        self._again = self._mode == ACKNOWLEDGED

    def due(self, now_s: float, *, present: bool) -> list[int]:
        """Return the seqs to send again; `present`: Home Assistant is not known to be away."""
        if now_s < self._look_s or self._mode != ACKNOWLEDGED:
            return []
        self._look_s = now_s + LOOK_S
        if not present or not self._waiting:
            self._silent_s = inf
            return []
        self._silent_s = min(self._silent_s, now_s)
        if now_s - self._silent_s >= SILENCE_S:
            self._lapse()
            return []
        for alert_id, waiting in list(self._waiting.items()):
            if now_s - waiting.first_s > OLDEST_S:
                del self._waiting[alert_id]
        late = [waiting for waiting in self._waiting.values() if waiting.due_s <= now_s]
        late = sorted(late, key=lambda waiting: waiting.seq)[:BATCH]
        for waiting in late:
            waiting.due_s = now_s + PAUSES_S[-1]  # until it is sent
        return [waiting.seq for waiting in late]

    def next_step_s(self, now_s: float) -> float:
        """Return when `due` or `room` may answer differently."""
        return now_s + LOOK_S if self._waiting and self._mode == ACKNOWLEDGED else inf

    def _lapse(self) -> None:
        logger.warning("no answer for %.0f s: alerts count as delivered at the broker", SILENCE_S)
        self._mode = LAPSED
        self._problem = Problem(
            "acknowledgement_silent",
            f"Home Assistant no longer acknowledges alerts: {len(self._waiting)} went without an "
            f"answer for {SILENCE_S / 60:.0f} minutes.",
            "See whether the automation made from edgehome's blueprint is on and runs without "
            "errors; until it answers, alerts count as delivered when the broker has them.",
        )


def parse(payload: bytes) -> str | None:
    """Return the id in an answer, as plain text or as {"id": ...}; None for anything else."""
    if len(payload) > PAYLOAD_BYTES:
        return None
    try:
        text = payload.decode()
        if text.startswith("{"):
            content = json.loads(text)
            text = content["id"] if content.keys() == {"id"} else ""
    except (ValueError, KeyError, RecursionError):
        return None
    return text if isinstance(text, str) and _ID.fullmatch(text) else None
