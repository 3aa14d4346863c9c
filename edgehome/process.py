"""The vision worker as the supervisor holds it: a child process at the end of a socket pair."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from edgehome.messages import (
    MAX_BYTES,
    Message,
    MessageError,
    Ready,
    Said,
    decode,
    places_of,
)
from edgehome.orders import Settings, encode_rate, encode_request, encode_settings
from edgehome.types import Scores

CRASH_SIGNALS = {
    signal.SIGSEGV,
    signal.SIGBUS,
    signal.SIGABRT,
    signal.SIGILL,
    signal.SIGFPE,
}
"""How a corrupt model ends a process. SIGKILL is not among them: it comes from outside."""

PACKETS_PER_TURN = 100
"""Read at most so many before the loop sees to its other duties."""
MOST_WAITING = 64
"""Packets that wait for a worker to take them."""


class WorkerProcess:
    """One run of the worker, from spawn to exit status."""

    def __init__(self, process: subprocess.Popen[bytes], channel: socket.socket) -> None:
        self._process = process
        self._socket = channel
        self._places: Mapping[str, int] = {}
        self._probabilities: Mapping[str, float] | None = None
        self._heard_all = False
        self._waiting: list[bytes] = []
        self.pid = process.pid
        self.exit_descriptor = os.pidfd_open(process.pid)
        """Readable when the process has ended."""

    @classmethod
    def spawn(cls, settings: Settings, *, quiet: bool = False) -> WorkerProcess:
        """Start a worker by exec and hand it its settings. Raises OSError.

        `quiet` leaves out what libcamera, picamera2 and the runtime have to say.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-m", "edgehome.worker", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL if quiet else None,
                env=without_secrets(),
            )
        ours.setblocking(False)
        with contextlib.suppress(OSError):  # it may have died already: its exit tells why
            ours.send(encode_settings(settings))
        return cls(process, ours)

    def fileno(self) -> int:
        """Return the socket's descriptor, for a selector."""
        return self._socket.fileno()

    def messages(self) -> Iterator[Message]:
        """Yield what the worker has said since; raises MessageError for nonsense."""
        self._send_waiting()
        for _ in range(PACKETS_PER_TURN):
            try:
                packet = self._socket.recv(MAX_BYTES)
            except BlockingIOError:
                return
            except ConnectionError:
                packet = b""
            if not packet:
                self._heard_all = True
                return
            message = decode(packet, self._places, self._probabilities)
            if isinstance(message, Ready):
                self._places, self._probabilities = places_of(message.labels), None
            elif isinstance(message, Scores):
                self._probabilities = message.probabilities
            yield message

    def ask_snapshot(self, alert_id: str) -> bool:
        """Ask for a picture without waiting; return whether the worker can hear it."""
        return self._ask(encode_request(alert_id))

    def ask_rate(self, rate: float) -> bool:
        """Ask for so many frames a second; return whether the worker can hear it; never waits."""
        return self._ask(encode_rate(rate))

    def tell(self, packets: Sequence[bytes]) -> bool:
        """Have packets sent one after the other, as it takes them; return whether they will be.

        Never waits: what it cannot take now follows when it is heard next.
        """
        if len(self._waiting) + len(packets) > MOST_WAITING:
            return False
        self._waiting += packets
        self._send_waiting()
        return True

    def _send_waiting(self) -> None:
        while self._waiting:
            try:
                self._socket.send(self._waiting[0])
            except BlockingIOError:
                return
            except OSError:  # it is gone
                self._waiting.clear()
                return
            del self._waiting[0]

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that has ended does not mind."""
        self._process.send_signal(number)

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal, or None while it runs."""
        return self._process.poll()

    def gone(self) -> bool:
        """Return whether it has ended and `messages` has given its last words too."""
        return self._heard_all and self.poll() is not None

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end, at most so long; return whether it has ended."""
        try:
            self._process.wait(max(0.0, timeout_s))
        except subprocess.TimeoutExpired:
            return False
        return True

    def hear_out(self, timeout_s: float, heard: list[Said]) -> bool:
        """Take what it still says until its end, at most so long; return whether it has ended."""
        until_s = time.monotonic() + max(0.0, timeout_s)
        while True:
            ended = self.poll() is not None
            with contextlib.suppress(MessageError):
                heard.extend(m for m in self.messages() if isinstance(m, Said))
            left_s = until_s - time.monotonic()
            if ended or left_s <= 0:
                return ended
            talks = [] if self._heard_all else [self.fileno()]
            select.select([self.exit_descriptor, *talks], [], [], left_s)

    def crashed(self) -> bool:
        """Return whether it ended as a process does that a corrupt file has hit."""
        status = self.poll()
        return status is not None and -status in CRASH_SIGNALS

    def state(self) -> str:
        """Return the kernel's letter for the process, `D` when it hangs in a driver."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        except OSError:
            return "X"
        return stat.rpartition(")")[2].split()[0]

    def end(self) -> None:
        """Kill the process, wait a moment for its end, and give everything back."""
        self.send_signal(signal.SIGKILL)
        self.wait(1.0)
        self.close()

    def _ask(self, packet: bytes) -> bool:
        try:
            self._socket.send(packet)
        except OSError:  # it is gone, or so busy that its queue is full
            return False
        return True

    def close(self) -> None:
        """Give the descriptors back; the process has ended or is left to the kernel."""
        self._socket.close()
        os.close(self.exit_descriptor)


Spawn = Callable[[Settings], WorkerProcess]
"""Starts a worker; raises OSError."""


def without_secrets() -> dict[str, str]:
    """Return the environment for a process that must not find the broker's password."""
    private = {"CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    kept = {name: value for name, value in os.environ.items() if name not in private}
    # A thread that numpy starts at its import would stand outside the walls of `confinement`.
    return kept | {"OPENBLAS_NUM_THREADS": "1"}
