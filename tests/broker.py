"""A real mosquitto of our own on loopback, and a listener like the ones a home has."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

USER, PASSWORD = "edge", "canary-6f1d"


def mosquitto() -> str:
    """Return the path of mosquitto, or skip the test."""
    found = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None or shutil.which("mosquitto_passwd") is None:
        pytest.skip("no mosquitto here: apt install mosquitto")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], object], timeout_s: float = 15.0, what: str = "") -> Any:
    """Return the first true value of `condition`; fail when there is none in time."""
    until_s = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < until_s, what or "waited in vain"
        time.sleep(0.01)
    return value


class Broker:
    """One mosquitto with a password file; `with` starts and ends it, its data outlive a kill."""

    def __init__(
        self,
        directory: Path,
        *,
        autosave_s: int = 3,
        acl: str = "",
        tls: str = "",
        users: Mapping[str, str] | None = None,
        anonymous: bool = False,
    ) -> None:
        """Assign; `tls` are the listener's lines of mosquitto.conf, `users` passwords by name."""
        self.directory = directory
        self.port = free_port()
        self._autosave_s = autosave_s
        self._tls = tls
        self._acl = acl
        self._anonymous = str(anonymous).lower()
        self._users = dict(users or {USER: PASSWORD})
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        mosquitto()
        self._write_passwords()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self.kill()

    def set_password(self, password: str) -> None:
        self._users[USER] = password
        self._write_passwords()

    def _write_passwords(self) -> None:
        file = self.directory / "passwords"
        file.unlink(missing_ok=True)
        file.touch(mode=0o600)
        for user, password in self._users.items():
            command = ["mosquitto_passwd", "-b", str(file), user, password]
            subprocess.run(command, check=True, capture_output=True)

    def set_acl(self, acl: str) -> None:
        (self.directory / "acl").write_text(acl)
        (self.directory / "acl").chmod(0o600)

    def start(self) -> None:
        if self._acl:
            self.set_acl(self._acl)
        acl = f"acl_file {self.directory}/acl\n" if self._acl else ""
        config = self.directory / "mosquitto.conf"
        config.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\n{self._tls}\n"
            f"allow_anonymous {self._anonymous}\n"
            f"password_file {self.directory}/passwords\n{acl}"
            f"persistence true\npersistence_location {self.directory}/\n"
            f"autosave_interval {self._autosave_s}\n"
            f"max_queued_messages 0\nlog_dest file {self.directory}/log\n"
        )
        self._process = subprocess.Popen(
            [mosquitto(), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self._answers, what="mosquitto does not start")

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, "mosquitto ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _end(self, how: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)
        self._process.send_signal(how)
        self._process.wait(10)
        self._process = None

    def kill(self) -> None:
        """SIGKILL: all since the last autosave is forgotten."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM: state is saved."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def reload(self) -> None:
        """SIGHUP: passwords and access lists are read again."""
        assert self._process
        self._process.send_signal(signal.SIGHUP)


@dataclass(frozen=True)
class Heard:
    topic: str
    payload: bytes
    retained: bool
    again: bool = False
    """Sent once more by the broker, which had no answer to it from the listener (DUP)."""

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.payload))


class Listener:
    """A subscriber that keeps its session over restarts of the broker, unless told not to."""

    def __init__(
        self,
        broker: Broker,
        *topics: str,
        name: str = "listener",
        keeps_session: bool = True,
        user: tuple[str, str] = (USER, PASSWORD),
    ) -> None:
        self._topics = topics
        self._broker = broker
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        self._subscribed = threading.Event()
        self._expiry_s = 3600 if keeps_session else 0
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5
        )
        self._client.username_pw_set(*user)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = self._expiry_s
        self._client.connect_async(
            "127.0.0.1",
            self._broker.port,
            keepalive=5,
            clean_start=not self._expiry_s,
            properties=properties,
        )
        self._client.loop_start()
        assert self._subscribed.wait(10), "the listener cannot subscribe"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_message(self, _client: paho.Client, _user: object, message: paho.MQTTMessage) -> None:
        with self._lock:
            heard = Heard(message.topic, bytes(message.payload), message.retain, message.dup)
            self._heard.append(heard)

    def heard(self, topic: str = "") -> list[Heard]:
        """Return what came on a topic, or all, in order."""
        with self._lock:
            return [message for message in self._heard if topic in ("", message.topic)]

    def ids(self, topic: str) -> list[str]:
        return [message.json["id"] for message in self.heard(topic)]

    def say(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish and wait for the broker to have it."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(10)
