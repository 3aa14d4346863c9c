"""A stand-in node: edgehome.homeassistant and a bare MQTT client, where exact states are needed."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from edgehome.homeassistant import Command, Topics, parse_command
from edgehome.types import Message

from .broker import USERS, wait_until

_ACKNOWLEDGED_S = 10


class Client:
    """An MQTT 5 client that keeps what arrives on `topics`, newest last."""

    def __init__(self, port: int, *, user: str, topics: Iterable[str]) -> None:
        self.received: list[tuple[str, bytes]] = []
        self._port = port
        self._topics = [(topic, 1) for topic in topics]
        self._ready = threading.Event()
        self._mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._mqtt.username_pw_set(user, USERS[user])
        self._mqtt.on_connect = self._on_connect
        self._mqtt.on_subscribe = lambda *_: self._ready.set()
        self._mqtt.on_message = lambda _client, _data, message: self.received.append(
            (message.topic, bytes(message.payload))
        )

    @contextlib.contextmanager
    def running(self, will: str = "") -> Iterator[Client]:
        if will:
            self._mqtt.will_set(will, "offline", qos=1, retain=True)
        self._mqtt.connect("127.0.0.1", self._port, keepalive=20)
        self._mqtt.loop_start()
        try:
            assert self._ready.wait(10)
            yield self
        finally:
            self._mqtt.disconnect()
            self._mqtt.loop_stop()

    def send(self, messages: Iterable[Message]) -> None:
        for message in messages:
            sent = self._mqtt.publish(
                message.topic, message.payload, qos=max(1, message.qos), retain=message.retain
            )
            sent.wait_for_publish(_ACKNOWLEDGED_S)
            assert sent.is_published(), message.topic

    def payloads(self, topic: str) -> list[bytes]:
        return [payload for name, payload in self.received if name == topic]

    def wait_for(self, topic: str) -> Any:
        """Return the newest payload on `topic`, from JSON, once there is one."""
        wait_until(lambda: self.payloads(topic), f"a message on {topic}")
        return json.loads(self.payloads(topic)[-1])

    def _on_connect(self, *_: object) -> None:
        self._mqtt.subscribe(self._topics)


class StandInNode:
    """Announces, says states, sends alerts and hears commands."""

    def __init__(self, client: Client, identity: str) -> None:
        self.topics = Topics(identity)
        self._client = client

    def online(self, *messages: Message) -> None:
        available = Message(self.topics.availability, b"online", retain=True)
        self._client.send([*messages, available])

    def say(self, *messages: Message) -> None:
        self._client.send(messages)

    def alert(self, payload: Mapping[str, object]) -> None:
        self._client.send([Message(self.topics.alert, json.dumps(payload).encode())])

    def wait_command(self, key: str) -> Command:
        """Return what Home Assistant asks for on `<base>/<key>/set`."""
        topic = self.topics.command(key)
        wait_until(lambda: self._client.payloads(topic), "a command")
        command = parse_command(key, self._client.payloads(topic)[-1])
        assert command
        return command
