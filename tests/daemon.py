"""The daemon as systemd runs it, on a clip that stands in for its camera."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import yaml
from broker import PASSWORD, USER, Broker, Listener, wait_for

ROOT = Path(__file__).resolve().parents[1]
IDENTITY = "edgehome_test"
BASE = f"edgehome/{IDENTITY}"
ALERT, STATE, HEARTBEAT = f"{BASE}/alert", f"{BASE}/state", f"{BASE}/heartbeat"
RULE = {
    "name": "Visitor",
    "when": "person",
    "above": 0.3,
    "for": "1s",
    "repeat_interval": "1s",
}


class Daemon:
    """`edgehome run` with a state folder that outlives it, and a socket in systemd's place."""

    def __init__(
        self,
        folder: Path,
        broker: Broker,
        *,
        model: Path,
        source: Path | str,
        identity: str = IDENTITY,
        user: tuple[str, str] = (USER, PASSWORD),
    ) -> None:
        """Assign; `user` is a name and a password at the broker."""
        self.folder = folder
        self.file = folder / "config.yaml"
        self.state = folder / "state"
        self.log = folder / "log"
        self.config: dict[str, Any] = {
            "device": {"id": identity},
            "camera": {"source": str(source)},
            "recognizer": {"model": str(model)},
            "runtime": {"threads": 1, "rate": 5},
            "rules": [dict(RULE)],
            "alerts": {"limit": 1000},
            "mqtt": {
                "host": "127.0.0.1",
                "port": broker.port,
                "username": user[0],
                "password_file": str(folder / "password"),
            },
        }
        self.prefix: list[str] = []
        """What it is started with, as `ip netns exec NAME`."""
        self.program = ["-m", "edgehome"]
        """What Python runs."""
        self.environment: dict[str, str] = {}
        self._password = user[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._notified: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._socket.bind(str(self.folder / "notify"))
        self._socket.setblocking(False)
        password = self.folder / "password"
        password.touch(mode=0o600)
        password.write_text(self._password)
        self.write()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self.end(signal.SIGKILL)
        self._socket.close()

    def write(self) -> None:
        """Write the configuration file as `config` says now."""
        self.file.write_text(yaml.safe_dump(self.config, sort_keys=False))

    def start(self, *, watchdog_s: float = 0) -> None:
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "NOTIFY_SOCKET": str(self.folder / "notify"),
            **self.environment,
        }
        environment.pop("WATCHDOG_PID", None)
        if watchdog_s:
            environment["WATCHDOG_USEC"] = str(int(watchdog_s * 1e6))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self.prefix, sys.executable, *self.program, "run",
                 "-c", self.file, "--state", self.state],
                stdout=log, stderr=log, env=environment,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        assert self._process
        self._process.send_signal(how)
        status = self._process.wait(20)
        self._process = None
        return status

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def worker(self) -> int | None:
        """Return the worker's pid, None while there is none."""
        for task in Path(f"/proc/{self.pid}/task").glob("*"):  # the kernel lists them by thread
            with contextlib.suppress(OSError):
                children = (task / "children").read_text().split()
                if children:
                    return int(children[0])
        return None

    def notified(self) -> list[str]:
        """Return what systemd was told so far, line by line."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._notified += self._socket.recv(4096).decode().splitlines()
        return self._notified

    def wait_ready(self, timeout_s: float = 20) -> None:
        wait_for(lambda: "READY=1" in self.notified(), timeout_s, f"ready: {self.log}")

    def said(self) -> str:
        """Return the log so far."""
        return self.log.read_text(errors="replace")

    def rss_mb(self, pid: int) -> float:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) / 1024


def problems(listener: Listener) -> dict[str, dict[str, Any]]:
    """Return the problems of the newest state, by code."""
    states = listener.heard(STATE)
    return {problem["code"]: problem for problem in states[-1].json["problems"]} if states else {}


def wait_for_alerts(listener: Listener, count: int, timeout_s: float = 30) -> None:
    """Wait until so many have come in all."""
    wait_for(lambda: len(listener.heard(ALERT)) >= count, timeout_s, f"{count} alerts")
