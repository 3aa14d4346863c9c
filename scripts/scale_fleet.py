"""A share of the simulated nodes: their connections in one process, at the real topics."""

from __future__ import annotations

import json
import random
import selectors
import socket
import time
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing.queues import Queue
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edgehome import __version__, homeassistant
from edgehome.config.types import Config, DeviceConfig, Rule
from edgehome.delivery.commands import Commands
from edgehome.mqtt import KEEPALIVE_S, WINDOW
from edgehome.node import Node
from edgehome.types import Alert, Message, Severity

RULES = ("Somebody fell", "Fight at the door", "Visitor")
MISC_S = 1.0


@dataclass(frozen=True)
class Task:
    """What a fleet has to do."""

    port: int
    user: str
    password: str
    first: int
    count: int
    heartbeat_s: float
    seconds: float
    """Of heartbeats, in which each node raises its alert."""
    seed: int


@dataclass
class Told:
    """What a fleet did."""

    connected: int = 0
    disconnects: int = 0
    announced_bytes: int = 0
    heartbeats: int = 0
    alerts: dict[str, float] = field(default_factory=dict)
    """When each was sent, in seconds on the machine's monotonic clock."""
    acknowledged: int = 0
    seconds: float = 0.0


class Simulated:
    """One node: identity, states and messages as the supervisor makes them, a socket of its own."""

    def __init__(self, number: int, task: Task, told: Told) -> None:
        rules = tuple(Rule(name=name) for name in RULES)
        self._config = Config(device=DeviceConfig(name=f"Node {number}"), rules=rules)
        self._topics = homeassistant.Topics(f"scale_{number}")
        self._node = Node(
            self._config,
            identity=self._topics.identity,
            started_at=datetime.now().astimezone(),
            identify=lambda: uuid.uuid4().hex,
        )
        self._told = told
        self._alert_mid = -1
        name = self._topics.base.replace("/", "-")  # fixed and unique, as the delivery thread's is
        self.client = client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5
        )
        client.username_pw_set(task.user, task.password)
        client.will_set(self._topics.availability, b"offline", 1, retain=True)
        client.on_connect = self._on_connect
        client.on_publish = self._on_publish
        client.on_disconnect = self._on_disconnect

    def connect(self, port: int) -> socket.socket:
        """Connect as `edgehome.mqtt` does; the answer comes with the socket's turns."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = WINDOW
        self.client.connect("127.0.0.1", port, KEEPALIVE_S, clean_start=True, properties=properties)
        peer = self.client.socket()
        if not isinstance(peer, socket.socket):
            raise TypeError("no socket")
        return peer

    def announce(self) -> None:
        """Publish what a node publishes when it has connected."""
        base = self._topics.base
        levels = [f"{base}/outbox/cursor", "homeassistant/status", f"{base}/alert/ack"]
        levels += Commands(base, lambda _key, _payload: None).filters
        self.client.subscribe([(level, 1) for level in levels])
        message = homeassistant.discovery(
            self._config, self._topics.identity, list(RULES), __version__
        )
        self._told.announced_bytes += len(message.payload)
        self._publish(Message(self._topics.availability, b"online", retain=True))
        self._publish(message)
        for state in homeassistant.state_messages(self._node.status()):
            self._publish(state)

    def beat(self) -> None:
        """Publish a heartbeat."""
        self._publish(homeassistant.heartbeat(self._node.status()))
        self._told.heartbeats += 1

    def alert(self) -> None:
        """Publish an alert, once."""
        alert = Alert(
            id=uuid.uuid4().hex,
            at=datetime.now().astimezone(),
            rule=RULES[0],
            label="fall",
            severity=Severity.CRITICAL,
            message="Somebody may have fallen (93%)",
            score=0.93,
            folded=0,
            model="0" * 64,
            config="0" * 64,
        )
        payload = homeassistant.alert_payload(alert, "somebody_fell", "fall 93%, at least 50%")
        body = json.dumps(payload | {"seq": 1, "replay": False, "age_s": 0.0}).encode()
        self._told.alerts[alert.id] = time.monotonic()
        self._alert_mid = self._publish(Message(self._topics.alert, body))

    def _publish(self, message: Message) -> int:
        info = self.client.publish(message.topic, message.payload, message.qos, message.retain)
        return info.mid

    def _on_connect(self, *_: Any) -> None:  # noqa: ANN401
        self._told.connected += 1
        self.announce()

    def _on_publish(self, _c: Any, _u: Any, mid: int, reason: Any, *_: Any) -> None:  # noqa: ANN401
        self._told.acknowledged += mid == self._alert_mid and reason.value == 0

    def _on_disconnect(self, *_: Any) -> None:  # noqa: ANN401
        self._told.disconnects += 1


class Fleet:
    """Moves the packets of all its nodes."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.told = Told()
        self._nodes = [
            Simulated(number, task, self.told)
            for number in range(task.first, task.first + task.count)
        ]
        self._selector = selectors.DefaultSelector()
        self._misc_s = 0.0

    def connect(self) -> None:
        """Connect all, one after the other, and wait for the broker to have accepted them."""
        for node in self._nodes:
            self._selector.register(node.connect(self._task.port), selectors.EVENT_READ, node)
            self._turn(0.0)
        while self.told.connected < len(self._nodes):
            self._turn(0.05)

    def live(self) -> None:
        """Send heartbeats, each node at its own moment, and each node's alert by chance."""
        chance = random.Random(self._task.seed)  # noqa: S311  # to be repeated
        began_s = time.monotonic()
        end_s = began_s + self._task.seconds
        due: list[tuple[float, int, bool]] = []
        for index in range(len(self._nodes)):
            at_s = began_s + chance.uniform(0, self._task.heartbeat_s)
            due.append((chance.uniform(began_s, end_s), index, True))
            while at_s < end_s:
                due.append((at_s, index, False))
                at_s += self._task.heartbeat_s
        for at_s, index, is_alert in sorted(due):
            while (left_s := at_s - time.monotonic()) > 0:
                self._turn(left_s)
            node = self._nodes[index]
            (node.alert if is_alert else node.beat)()
            self._turn(0.0)
        while self.told.acknowledged < len(self._nodes) and time.monotonic() < end_s + 10:
            self._turn(0.05)
        self.told.seconds = time.monotonic() - began_s

    def leave(self) -> None:
        """Say goodbye."""
        for node in self._nodes:
            node.client.disconnect()
        self._turn(0.1)

    def _turn(self, pause_s: float) -> None:
        for key, _ in self._selector.select(min(pause_s, MISC_S)):
            key.data.client.loop_read()
        now_s = time.monotonic()
        late = now_s >= self._misc_s
        if late:
            self._misc_s = now_s + MISC_S
        for node in self._nodes:
            if late:
                node.client.loop_misc()
            if node.client.want_write():
                node.client.loop_write()


def run(task: Task, results: Queue[Any]) -> None:
    """Connect and say so; live when all fleets are there; tell what was done."""
    fleet = Fleet(task)
    fleet.connect()
    results.put(("connected", None))
    fleet.live()
    results.put(("told", fleet.told))
    time.sleep(1.0)
    fleet.leave()
