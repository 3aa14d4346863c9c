"""A node that can be killed as often as one likes and remembers what it committed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from broker import Broker
from daemon import BASE, Daemon

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ALERT = f"{BASE}/alert"


class Node(Daemon):
    """The daemon with a worker by script; its state folder may lie on another disk."""

    def __init__(
        self, folder: Path, broker: Broker, *, port: int, state: Path, rate: float, rules: int = 3
    ) -> None:
        """Assign; `port` is where it finds the broker, `rate` its frames a second."""
        super().__init__(
            folder, broker, model=ROOT / "models" / "edgehome-a0.tflite", source=folder / "none.mp4"
        )
        self.state = state
        self.config["mqtt"]["port"] = port
        self.config["alerts"] = {"limit": 1000, "window": "1s"}
        self.config["rules"] = [
            {"name": f"Rule {n}", "when": "person", "above": 0.5, "repeat_interval": "10ms"}
            for n in range(rules)
        ]
        self._environment = {"EDGEHOME_STORM_RATE": str(rate)}
        self.lives = 0
        self.committed: dict[str, int] = {}
        """Seq of every alert that was committed, by id, in that order."""
        self.other_seq = 0
        """Ids that were committed again under another seq."""
        self.refused = 0
        """Appends that the disk refused."""
        self._reader: threading.Thread | None = None

    def use(self, **environment: str) -> None:
        """Set what the worker is told in its environment."""
        self._environment |= environment

    def start(self, **_: float) -> None:
        """Start the supervisor, without a watchdog."""
        self.lives += 1
        python = self.folder / "python"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "worker.py"} "$@"\n')
        python.chmod(0o755)
        reader, writer = os.pipe()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, HERE / "supervisor.py", self.file, self.state, python,
                    str(writer),
                ],
                stdout=log, stderr=log, pass_fds=[writer],
                env=os.environ | self._environment,
            )  # fmt: skip
        os.close(writer)
        self._reader = threading.Thread(target=self._read, args=(reader,), daemon=True)
        self._reader.start()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, wait for the end, and for its last words; return the exit status."""
        if self.alive():
            self.send(signal.SIGCONT)
        status = super().end(how)
        if self._reader:
            self._reader.join(10)
        return status

    def _read(self, descriptor: int) -> None:
        with os.fdopen(descriptor) as lines:
            for line in lines:
                if not line.endswith("\n"):
                    continue
                alert, seq = line.split()
                if seq == "refused":
                    self.refused += 1
                elif self.committed.setdefault(alert, int(seq)) != int(seq):
                    self.other_seq += 1
