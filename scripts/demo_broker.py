"""The demo's surroundings: a private broker, a listener as Home Assistant is one, programs to end.

They live on the loopback interface and in a folder of their own, and go with it.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import queue
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

STOP_S = 15.0
USER = "edgehome"

Messages = queue.Queue[tuple[str, bytes]]
"""Topics and payloads, as they arrived."""


class BrokerError(Exception):
    """Raised with a sentence when there is no broker."""


@contextlib.contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its output in the file; end it on leaving, by force if need be."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # the output of both streams, in order
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            env={**os.environ, **environment},
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Broker:
    """A mosquitto on a free port, with one user; entering it starts it, leaving it ends it."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self.password = secrets.token_urlsafe(16)
        self._folder = folder
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Start it, and return when it listens. Raises BrokerError."""
        log = self._folder / "mosquitto.log"
        self._stack.enter_context(running(self._command(), log))
        self._wait(log)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextlib.contextmanager
    def listening(self, *topics: str) -> Iterator[Messages]:
        """Subscribe as Home Assistant would; yield a queue of what arrives."""
        messages: Messages = queue.Queue()
        client = paho.Client(CallbackAPIVersion.VERSION2, "demo", protocol=paho.MQTTv5)
        client.username_pw_set(USER, self.password)

        def subscribe(*_connection: object) -> None:
            client.subscribe([(topic, 1) for topic in topics])

        def keep(_client: object, _data: object, message: paho.MQTTMessage) -> None:
            messages.put((message.topic, bytes(message.payload)))

        client.on_connect = subscribe
        client.on_message = keep
        client.connect("127.0.0.1", self.port)
        client.loop_start()
        try:
            yield messages
        finally:
            client.disconnect()
            client.loop_stop()

    def _command(self) -> list[str]:
        """Write the broker's files, and return how it is started."""
        search = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
        mosquitto = shutil.which("mosquitto", path=search)
        hasher = shutil.which("mosquitto_passwd", path=search)
        if mosquitto is None or hasher is None:
            raise BrokerError("There is no mosquitto. Install it: sudo apt install mosquitto")
        passwords = self._folder / "passwords"
        passwords.write_text(f"{USER}:{self.password}\n", encoding="ascii")
        passwords.chmod(0o600)
        subprocess.run([hasher, "-U", str(passwords)], check=True)  # hashes in place, not in argv
        config = self._folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
            f"user {getpass.getuser()}\npersistence false\n",
            encoding="utf-8",
        )
        return [mosquitto, "-c", str(config)]

    def _wait(self, log: Path) -> None:
        """Return when it listens; raises BrokerError after ten seconds."""
        deadline_s = time.monotonic() + 10
        address = ("127.0.0.1", self.port)
        while time.monotonic() < deadline_s:
            with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
                return
            time.sleep(0.05)
        raise BrokerError(f"mosquitto did not start:\n{log.read_text(errors='replace')}")


def _free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
