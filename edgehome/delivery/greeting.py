"""A look at the broker from beside the running node, for `edgehome doctor`."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from queue import Empty, SimpleQueue
from typing import Any

from edgehome import broker
from edgehome.config.types import MqttConfig
from edgehome.delivery.board import not_allowed
from edgehome.mqtt import FAILURE, Acknowledged, Client, Connected, Lost, Received, Session
from edgehome.types import Message, Problem

BROKER_S = 15.0


def greet(
    mqtt: MqttConfig, base: str, environment: Mapping[str, str]
) -> tuple[Problem | None, bytes]:
    """Connect beside the daemon, under a name of its own, and try to publish.

    Return what is wrong, and the state that the node left at the broker (empty without one).
    """
    events: SimpleQueue[Any] = SimpleQueue()
    client = Client(
        mqtt,
        client_id=f"{base.replace('/', '-')}-doctor",
        will=Message(f"{base}/doctor", b""),
        events=events,
        clock=time.monotonic,
        jitter=random.uniform,
        environment=environment,
    )
    session: Session | None = None
    state = b""
    try:
        with client:
            while True:
                match events.get(timeout=BROKER_S):
                    case Connected(session):
                        session.subscribe([(f"{base}/state", True)])  # answered before the PUBACK
                        session.publish(Message(f"{base}/doctor", b"hello"))
                    case Received(_, state):
                        pass
                    case Lost(problem):
                        return problem, state
                    case Acknowledged(_, reason) if session:
                        session.disconnect()
                        denied = not_allowed("publish on", base) if reason >= FAILURE else None
                        return denied, state
    except Empty:
        return broker.unreachable(mqtt, f"no answer within {BROKER_S:g} s"), state


def mode_in(state: bytes) -> str:
    """Return who vouches for alerts, by a node's state: `broker`, `acknowledged`, or ''."""
    try:
        mode = json.loads(state)["delivery"]
    except (ValueError, TypeError, KeyError):
        return ""
    return mode if mode in ("broker", "acknowledged") else ""
