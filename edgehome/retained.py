"""What the broker retains of a node, found and taken back: for a node that goes for good."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from edgehome import broker
from edgehome.config.types import MqttConfig
from edgehome.mqtt import (
    FAILURE,
    Acknowledged,
    Client,
    Connected,
    Lost,
    Received,
    Session,
    Subscribed,
)
from edgehome.types import EdgehomeError, Message, Problem

logger = logging.getLogger(__name__)

ANSWER_S = 10.0
"""For the connection, and for everything that the broker answers."""
QUIET_S = 0.5
"""What the broker retains follows its SUBACK at once."""
ROUNDS = 3
"""How often what is still there is taken back again."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What became of the node's retained messages."""

    cleared: tuple[str, ...]
    """Topics that were seen retained and are not any more."""
    left: tuple[str, ...]
    """Topics that still are."""
    verified: bool
    """Whether the broker lets us see what it retains of the node at all."""


def sweep(
    mqtt: MqttConfig,
    *,
    base: str,
    topics: Collection[str],
    environment: Mapping[str, str],
) -> Swept:
    """Clear all that is retained below `base`, and on `topics`, in their order before the rest.

    `topics` are cleared unseen as well: a message that is larger than we take is not shown to us.
    Raises EdgehomeError: the broker's problem, or `node_running` when the node is there.
    """
    sweeper = Sweeper(mqtt, base, environment)
    with sweeper.client:
        session = sweeper.connected()
        found = sweeper.read(session, topics)
        if found.get(f"{base}/availability") == b"online":
            raise failed(running("it is online at the broker"))
        left = found
        for _ in range(ROUNDS):
            sweeper.clear(session, dict.fromkeys([*topics, *sorted(left)]))
            left = sweeper.read(session, topics)
            if not left:
                break
        session.disconnect()
    return Swept(tuple(sorted(found.keys() - left.keys())), tuple(sorted(left)), sweeper.echoed)


def running(why: str) -> Problem:
    """Return the problem of a node that must be stopped first."""
    return Problem(
        "node_running",
        f"The node runs: {why}. It would write everything anew.",
        "Stop it first: sudo systemctl stop edgehome. After a power cut the broker takes half a "
        "minute to notice.",
    )


class Sweeper:
    """A client beside the node's own, that asks and waits for the answer."""

    def __init__(self, mqtt: MqttConfig, base: str, environment: Mapping[str, str]) -> None:
        """Make the client; whoever uses it enters it."""
        self._mqtt = mqtt
        self._base = base
        self._events: SimpleQueue[Any] = SimpleQueue()
        self.echoed = False
        """Whether a message of our own came back: what is not shown then is not there."""
        self.client = Client(
            mqtt,
            client_id=f"{base.replace('/', '-')}-purge",
            will=Message(f"{base}/purge", b""),
            events=self._events,
            clock=time.monotonic,
            jitter=random.uniform,
            environment=environment,
        )

    def connected(self) -> Session:
        """Return the session once the broker has accepted it."""
        for event in self._within(ANSWER_S):
            if isinstance(event, Connected):
                return event.session
        raise failed(self._silent())

    def read(self, session: Session, topics: Collection[str]) -> dict[str, bytes]:
        """Return what the broker retains on the topics and below the base."""
        filters = [f"{self._base}/#", *(t for t in topics if not t.startswith(f"{self._base}/"))]
        question = session.subscribe([(name, True) for name in filters])
        found: dict[str, bytes] = {}
        for event in self._within(ANSWER_S):
            self._note(event, found)
            if isinstance(event, Subscribed) and event.mid == question:
                break
        else:
            raise failed(self._silent())
        session.publish(Message(f"{self._base}/purge", b"echo"))
        for event in self._within(QUIET_S):
            self._note(event, found)
        return found

    def _note(self, event: object, found: dict[str, bytes]) -> None:
        if isinstance(event, Received):
            self.echoed = self.echoed or event.topic == f"{self._base}/purge"
            if event.retained and event.payload:
                found[event.topic] = event.payload

    def clear(self, session: Session, topics: Collection[str]) -> None:
        """Have the broker forget what it retains on these topics; one that it denies stays."""
        waiting = {session.publish(Message(topic, b"", retain=True)) for topic in topics}
        for event in self._within(ANSWER_S):
            if isinstance(event, Acknowledged):
                waiting.discard(event.mid)
                if event.reason >= FAILURE:
                    logger.warning("the broker denies a topic of the node (%#x)", event.reason)
            if not waiting:
                return
        raise failed(self._silent())

    def _within(self, seconds: float) -> Iterator[object]:
        """Yield what happens; raises EdgehomeError when the connection ends."""
        until_s = time.monotonic() + seconds
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left_s)
            except Empty:
                return
            if isinstance(event, Lost):
                raise failed(event.problem or self._silent())
            yield event

    def _silent(self) -> Problem:
        return broker.unreachable(self._mqtt, f"no answer within {ANSWER_S:g} s")


def failed(problem: Problem) -> EdgehomeError:
    """Return the error that ends a command for this reason."""
    return EdgehomeError(problem.code, problem.message, problem.remedy)
