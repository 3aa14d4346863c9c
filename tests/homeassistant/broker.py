"""A real mosquitto with users and the ACL that the documentation gives."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

USERS = {"homeassistant": "secret of the house", "edgehome": "secret of the node", "test": "test"}

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 30) -> float:
    """Return the seconds until `condition` held; raises AssertionError when it never does."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > timeout_s:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}")
        time.sleep(0.02)
    return time.monotonic() - start


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """A mosquitto on loopback; what it retains survives `stop` and `start`."""

    def __init__(self, folder: Path, acl: str) -> None:
        self.folder = folder
        self.port = free_port()
        self._acl = acl
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert MOSQUITTO
        self._configure()
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self.folder / "mosquitto.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._listens, "mosquitto to listen")

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)
            self._process = None

    @contextlib.contextmanager
    def running(self) -> Iterator[Broker]:
        try:
            self.start()
            yield self
        finally:
            self.stop()

    def _configure(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        passwords = self.folder / "passwords"
        if not passwords.exists():
            passwords.touch(mode=0o600)
            for user, password in USERS.items():
                command = ["mosquitto_passwd", "-b", str(passwords), user, password]
                subprocess.run(command, check=True)
        acl = self.folder / "acl"
        acl.write_text(f"{self._acl}\nuser test\ntopic readwrite #\n")
        acl.chmod(0o600)
        settings = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous false",
            f"password_file {passwords}",
            f"acl_file {acl}",
            "persistence true",
            f"persistence_location {self.folder}/",
            f"log_dest file {self.folder}/mosquitto.log",
            "user root",
        ]
        (self.folder / "mosquitto.conf").write_text("\n".join(settings) + "\n")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False
