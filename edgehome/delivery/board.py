"""The states that the home sees: the newest message of every topic."""

from __future__ import annotations

from math import inf

from edgehome.mqtt import FAILURE, NOT_AUTHORIZED, Session
from edgehome.types import Message, Problem

WINDOW = 64
"""Messages handed over and not acknowledged; more wait here, where newer ones replace them."""
REFUSED_S = 600.0
"""A topic that the broker refused rests so long: Mosquitto 2.0.11 ends the connection with each
refusal (measured), and a wrong access list for one state must not keep the alerts away."""


TOO_LARGE = 0x95
ROOM_BYTES = 256
"""What a packet holds beside its payload, at most; one that the broker does not take ends the
connection, and all alerts behind it would wait."""


class Board:
    """Keeps the newest retained message of every topic, and says what the broker refused.

    Topics keep the order of their first message, so what is put first is told first after every
    connection. A message that is not retained is sent once, or dropped without a connection.
    """

    def __init__(self) -> None:
        """Begin empty and offline."""
        self._kept: dict[str, Message] = {}
        self._waiting: dict[str, Message] = {}
        self._in_flight: dict[int, str] = {}
        self._refused: dict[str, tuple[int, float]] = {}
        self._online = False
        self._most_bytes = inf
        self.announcements = 0
        """How often everything was told."""

    def put(self, message: Message, now_s: float, *, once: bool = False) -> None:
        """Take a message to publish; `once`: not again after the next connection."""
        if len(message.payload) + ROOM_BYTES > self._most_bytes:
            self.note(message.topic, TOO_LARGE, now_s)
            return
        if message.retain and not once:
            self._kept[message.topic] = message
        if self._online and not self._rests(message.topic, now_s):
            self._waiting[message.topic] = message

    def tell_everything(self, now_s: float) -> None:
        """Publish every kept message again, in order."""
        told = {t: message for t, message in self._kept.items() if not self._rests(t, now_s)}
        self._waiting = told | self._waiting
        self.announcements += 1

    def connected(self, now_s: float, *, most_bytes: float = inf) -> None:
        """Begin a connection with everything that is kept; a broker may not take large packets."""
        self._online = True
        self._most_bytes = most_bytes
        self.tell_everything(now_s)

    def disconnected(self) -> None:
        """Forget what was not kept."""
        self._online = False
        self._waiting.clear()
        self._in_flight.clear()

    def flush(self, session: Session) -> bool:
        """Hand over what waits; return whether nothing waits any more."""
        while self._waiting and len(self._in_flight) < WINDOW:
            topic = next(iter(self._waiting))
            message = self._waiting[topic]
            mid = session.publish(message)
            if mid is None:
                return False
            del self._waiting[topic]
            if message.qos:
                self._in_flight[mid] = topic
        return not self._waiting

    def acknowledge(self, mid: int, reason: int, now_s: float) -> str:
        """Take a PUBACK; return the topic when it was for a message of ours and good, or ''."""
        topic = self._in_flight.pop(mid, "")
        if topic:
            self.note(topic, reason, now_s)
        return topic if reason < FAILURE else ""

    @property
    def in_flight(self) -> int:
        """Messages that the broker has not answered for."""
        return len(self._in_flight)

    def note(self, topic: str, reason: int, now_s: float) -> None:
        """Remember a refusal of a topic, or that it is over."""
        if reason >= FAILURE:
            self._refused[topic] = (reason, now_s + REFUSED_S)
        else:
            self._refused.pop(topic, None)

    def problems(self) -> list[Problem]:
        """Say what the broker refuses, once for the ACL and once for all other reasons."""
        refused = sorted((topic, reason) for topic, (reason, _) in self._refused.items())
        denied = [topic for topic, reason in refused if reason == NOT_AUTHORIZED]
        other = [(topic, reason) for topic, reason in refused if reason != NOT_AUTHORIZED]
        problems = []
        if denied:
            problems.append(not_allowed("publish on", denied[0]))
        if other:
            topic, reason = other[0]
            problems.append(
                Problem(
                    "broker_rejected",
                    f"The broker rejects messages on {topic} (MQTT reason 0x{reason:02x}).",
                    "See the broker's log and its limits; alerts are kept.",
                )
            )
        return problems

    def _rests(self, topic: str, now_s: float) -> bool:
        return topic in self._refused and now_s < self._refused[topic][1]


def not_allowed(what: str, topic: str) -> Problem:
    """Return the problem of an access list that does not know this device."""
    return Problem(
        "broker_acl",
        f"The broker does not allow this device to {what} {topic}.",
        "Add the topic to the access list of the device's user; alerts are kept meanwhile.",
    )
