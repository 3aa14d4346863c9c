"""The cursor: a retained message that tells whether the broker still knows what it took.

An acknowledged message can be lost with the broker: Mosquitto keeps its state in memory and saves
it every 1800 s (mosquitto.conf, autosave_interval). What it retains is lost with it, so after
every connection the cursor is read back: alerts above what it says are sent again.
"""

from __future__ import annotations

import json
import logging
from math import inf

from edgehome.delivery.backlog import Backlog
from edgehome.delivery.board import not_allowed
from edgehome.mqtt import FAILURE, Received, Subscribed
from edgehome.types import Message, Problem

logger = logging.getLogger(__name__)

PERIOD_S = 1.0
ANSWER_S = 5.0
"""Without a SUBACK after this long the alerts go out without an answer."""
GRACE_S = 0.5
"""What the broker retains follows its SUBACK at once."""
FORGOTTEN_S = 3600.0
"""Without any cursor, alerts count as lost that were sent this long before the connection ended:
twice Mosquitto's default interval."""
OLDEST_S = 86400.0
"""Without any cursor nothing older than this is sent again: such brokers forget at each restart."""


class Cursor:
    """Reads the cursor at every connection before alerts go out, and writes it as they do."""

    def __init__(self, topic: str, backlog: Backlog) -> None:
        """Assign; `topic` is `<base>/outbox/cursor`."""
        self.topic = topic
        self._backlog = backlog
        self._question: int | None = None
        self._due_s = inf
        self._write_s = inf
        self._echo_s = inf
        self._written = 0
        self._readable: bool | None = None
        self._lost_wall = 0.0
        self.settled = False
        """Alerts may go out."""

    @property
    def problem(self) -> Problem | None:
        """Set when what is written never comes back."""
        return not_allowed("read", self.topic) if self._readable is False else None

    def next_step_s(self, now_s: float) -> float:
        """Return when `step` has something to do."""
        times = (self._due_s, self._write_s, self._echo_s)
        return min((at_s for at_s in times if at_s > now_s), default=inf)

    def ask(self, question: int | None, now_s: float) -> None:
        """Begin a connection; `question` is the id of the subscription, the cursor first in it."""
        self.settled = False
        self._question = question
        self._due_s = now_s + ANSWER_S
        self._write_s = inf

    def disconnected(self, wall_s: float) -> None:
        """Remember when the broker was last known to be there."""
        if self.settled:
            self._lost_wall = wall_s
        self.settled = False
        self._due_s = self._write_s = self._echo_s = inf

    def acknowledged(self, now_s: float) -> None:
        """Take the PUBACK of what `step` returned: we hear it ourselves, or may not read it."""
        if self._readable is None:
            self._echo_s = now_s + ANSWER_S

    def subscribed(self, event: Subscribed, now_s: float) -> None:
        """Take a SUBACK."""
        if event.mid != self._question or self.settled:
            return
        refused = not event.reasons or event.reasons[0] >= FAILURE
        self._readable = False if refused else self._readable
        self._due_s = now_s if refused else now_s + GRACE_S

    def received(self, event: Received, now_s: float) -> None:
        """Take a message on the cursor's topic."""
        self._readable = True
        self._echo_s = inf
        if not event.retained or self.settled:
            return
        seq = read(event.payload, self._backlog.store)
        if seq is None:
            self._due_s = now_s
        else:
            self._settle(seq, now_s)

    def step(self, now_s: float, wall_s: float) -> Message | None:
        """Settle when no answer came; return the message to publish when it is time for one."""
        if not self.settled:
            if now_s >= self._due_s:
                self._settle_without(now_s, wall_s)
            return None
        if now_s >= self._echo_s:
            self._readable = False
            self._echo_s = inf
        if now_s < self._write_s:
            return None
        seq = self._backlog.cursor()
        if seq in (0, self._written):
            return None
        self._write_s = now_s + PERIOD_S
        self._written = seq
        payload = json.dumps({"seq": seq, "store": self._backlog.store}).encode()
        return Message(self.topic, payload, retain=True)

    def last(self, now_s: float, wall_s: float) -> Message | None:
        """Return the message with which to end a connection, None when nothing is new."""
        return self.step(now_s + PERIOD_S, wall_s) if self.settled else None

    def _settle_without(self, now_s: float, wall_s: float) -> None:
        if self._readable is False:
            self._settle(None, now_s)
            return
        known_wall = self._lost_wall or self._backlog.newest_sent_wall()
        since_wall = max(known_wall - FORGOTTEN_S, wall_s - OLDEST_S)
        self._settle(0, now_s, since_wall=since_wall)

    def _settle(self, seq: int | None, now_s: float, *, since_wall: float = 0.0) -> None:
        """Send again what the broker forgot: all above `seq`; None: nothing is known."""
        if seq is not None and (count := self._backlog.replay_above(seq, since_wall=since_wall)):
            logger.warning("the cursor at the broker is behind: %d alerts are sent again", count)
        self.settled = True
        self._due_s = inf
        self._written = 0
        self._write_s = now_s


def read(payload: bytes, store: str) -> int | None:
    """Return the seq in a cursor, None when it is not one of this store."""
    try:
        cursor = json.loads(payload[:4096])
    except (ValueError, RecursionError):
        return None
    if not isinstance(cursor, dict) or cursor.get("store") != store:
        return None
    seq = cursor.get("seq")
    return seq if isinstance(seq, int) and not isinstance(seq, bool) else None
