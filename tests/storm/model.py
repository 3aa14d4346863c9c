"""A plain model of a broker and of those who listen to it, for the delivery thread's own turns."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from edgehome.mqtt import Acknowledged, Connected, Lost, Received, Subscribed
from edgehome.outbox import New, Outbox, OutboxFullError
from edgehome.types import Message, OutboxError

BASE = "edgehome/machine"
ALERT, ANSWER, CURSOR = f"{BASE}/alert", f"{BASE}/alert/ack", f"{BASE}/outbox/cursor"
BIRTH = "homeassistant/status"
NOBODY, DENIED = 0x10, 0x87


class Disk(Outbox):
    """The real outbox on a disk that can be full or broken; notes what was committed."""

    fault: ClassVar[str] = ""
    committed: ClassVar[dict[str, int]] = {}
    opened: ClassVar[list[Disk]] = []

    def __enter__(self) -> Self:
        if self.fault == "broken":
            raise OutboxError("storage_failed", "Input/output error.", "Check the disk.")
        super().__enter__()
        self.opened.append(self)
        return self

    def append_all(self, alerts: Sequence[New], **named: Any) -> list[int]:
        if self.fault:
            kind = OutboxFullError if self.fault == "full" else OutboxError
            raise kind("storage_failed", f"The disk is {self.fault}.", "Check the disk.")
        seqs = super().append_all(alerts, **named)
        for alert, seq in zip(alerts, seqs, strict=True):
            assert self.committed.setdefault(alert.id, seq) == seq
        return seqs

    @classmethod
    def kill(cls) -> None:
        """End every opened outbox as a dead process does: nothing more is written."""
        for outbox in cls.opened:
            outbox._connection.close()
        cls.opened.clear()


class Session:
    """The node's end of one connection, as `edgehome.mqtt.Session` is one."""

    most_bytes = 2**20
    """What the broker takes in one message."""

    def __init__(self, broker: ModelBroker) -> None:
        self._broker = broker
        self._mid = 0
        self.open = True
        self.sent: list[dict[str, Any]] = []

    def publish(self, message: Message) -> int | None:
        if not self.open:
            return None
        self._mid += 1
        self._broker.inbox.append((self._mid, message))
        if message.topic == ALERT:
            self.sent.append(json.loads(message.payload))
        return self._mid

    def subscribe(self, filters: Sequence[tuple[str, bool]]) -> int | None:
        self._mid += 1
        self._broker.tell(Subscribed(self._mid, tuple(1 for _ in filters)))
        for topic, retained in filters:
            if retained and topic in self._broker.retained:
                self._broker.tell(Received(topic, self._broker.retained[topic], retained=True))
        return self._mid

    def disconnect(self) -> None:
        self._broker.cut()

    def wake(self) -> None:
        """Nothing sleeps here."""


@dataclass
class Subscriber:
    """Who listens; with `keeps` the broker queues for it while it is away."""

    keeps: bool
    present: bool = True
    known: bool = True
    """The broker believes that it is there."""
    queue: list[bytes] = field(default_factory=list)
    received: list[dict[str, Any]] = field(default_factory=list)

    def ids(self) -> set[str]:
        return {alert["id"] for alert in self.received}


class ModelBroker:
    """Takes messages in order, forgets what it did not save, and answers when it is told to."""

    def __init__(self, *, log: bool, answers: bool) -> None:
        self.home = Subscriber(keeps=False)
        self.log = Subscriber(keeps=True) if log else None
        self.answers = answers
        self.retained: dict[str, bytes] = {}
        self.inbox: deque[tuple[int, Message]] = deque()
        self.taken: set[str] = set()
        """Alerts for which the node got a PUBACK of success."""
        self.denies = False
        self.session: Session | None = None
        self.events: list[object] = []
        self.save()

    def tell(self, event: object) -> None:
        """Have the node hear of something at its next turn."""
        self.events.append(event)

    def save(self) -> None:
        self._saved = dict(self.retained), list(self.log.queue if self.log else [])

    def roll_back(self) -> None:
        """Die and come back with what was saved; what subscribers have they have."""
        self.cut()
        self.retained = dict(self._saved[0])
        if self.log:
            self.log.queue = list(self._saved[1])
            self._flush()

    def connect(self) -> None:
        self.cut()
        self.session = Session(self)
        self.tell(Connected(self.session))  # type: ignore[arg-type]

    def cut(self, taken: int = 0) -> None:
        """Lose the connection; of what is on its way `taken` messages arrive, unanswered."""
        if self.session:
            self.take(taken, answer=False)
            self.inbox.clear()
            self.events = [e for e in self.events if isinstance(e, Lost)]
            self.session.open = False
            self.session = None
            self.tell(Lost(None))

    def take(self, count: int, *, answer: bool = True) -> None:
        """Take so many messages from the node."""
        for _ in range(min(count, len(self.inbox))):
            mid, message = self.inbox.popleft()
            reason = self._route(message)
            if answer:
                self.tell(Acknowledged(mid, reason))
            if answer and not reason and message.topic == ALERT:
                self.taken.add(json.loads(message.payload)["id"])

    def leave(self, *, clean: bool) -> None:
        """Home Assistant goes; unless it says so, the broker finds out later."""
        self.home.present = False
        if clean:
            self.notice()

    def notice(self) -> None:
        """Publish Home Assistant's will."""
        if not self.home.present and self.home.known:
            self.home.known = False
            self._birth(b"offline")

    def come(self) -> None:
        self.notice()
        if not self.home.present:
            self.home.present = self.home.known = True
            self._birth(b"online")

    def log_away(self, *, away: bool) -> None:
        if self.log:
            self.log.present = not away
            self._flush()

    def _birth(self, payload: bytes) -> None:
        if self.session:
            self.tell(Received(BIRTH, payload, retained=False))

    def _route(self, message: Message) -> int:
        if message.topic == ALERT:
            return DENIED if self.denies else self._deliver(message.payload)
        if message.retain:
            self.retained[message.topic] = message.payload
        if message.topic == CURSOR:
            self.tell(Received(CURSOR, message.payload, retained=False))
        return 0

    def _deliver(self, payload: bytes) -> int:
        if self.home.present:
            alert = json.loads(payload)
            self.home.received.append(alert)
            if self.answers:
                self.tell(Received(ANSWER, alert["id"].encode(), retained=False))
        if self.log:
            self.log.queue.append(payload)
            self._flush()
        return 0 if self.log or self.home.known else NOBODY

    def _flush(self) -> None:
        assert self.log
        if self.log.present:
            self.log.received += map(json.loads, self.log.queue)
            self.log.queue.clear()
