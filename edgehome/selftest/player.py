"""A worker whose camera shows the bundled pictures: a still scene, and then somebody fights.

`python -m edgehome.selftest.player FD LEAD_S` talks to its parent as `edgehome.worker` does. No
video file and no PyAV are needed, and nobody has to stand before the camera.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from edgehome.budget import UNMEASURED_THREADS
from edgehome.gate.gate import Gate
from edgehome.messages import MAX_BYTES, Failure, Ready
from edgehome.models.frames import scenes
from edgehome.orders import Settings, decode_settings, encode_settings
from edgehome.process import WorkerProcess
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Delegate, EdgehomeError, Frame
from edgehome.worker import Sender, watch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCENE = 2
"""Of the bundled ones: two people fight; the model in the box calls it so with 0.99."""
LABEL = "fighting"


class Pictures:
    """A camera in front of which nothing happens for `lead_s` seconds, and then somebody fights."""

    def __init__(self, *, size: int, rate: float, lead_s: float) -> None:
        scene = scenes(size)[SCENE]
        self._still: NDArray[np.uint8] = scene[0]
        self._act: list[NDArray[np.uint8]] = [*scene, *scene[-2:0:-1]]
        self._rate = rate
        self._lead = round(lead_s * rate)
        self.skipped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def frames(self) -> Iterator[Frame]:
        """Yield the newest frame that is due, and count those that nobody looked at."""
        began_s, number = time.monotonic(), 0
        while True:
            due = int((time.monotonic() - began_s) * self._rate)
            if due > number:
                self.skipped += due - number
                number = due
            time.sleep(max(0.0, began_s + number / self._rate - time.monotonic()))
            now_s = began_s + number / self._rate
            yield Frame(now_s, datetime.now(UTC), self._picture(number))
            number += 1

    def _picture(self, number: int) -> NDArray[np.uint8]:
        if number < self._lead:
            return self._still
        return self._act[(number - self._lead) % len(self._act)]


def spawn(settings: Settings, lead_s: float) -> WorkerProcess:
    """Start it with a worker's settings; its source does not count. Raises OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "edgehome.selftest.player", str(theirs.fileno()), str(lead_s)],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    ours.setblocking(False)
    ours.send(encode_settings(settings))
    return WorkerProcess(process, ours)


def main(arguments: list[str]) -> int:
    """Serve the parent at the other end of the given descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with socket.socket(fileno=int(arguments[0])) as channel:
        settings = decode_settings(channel.recv(MAX_BYTES))
        send = Sender(channel)
        try:
            _play(settings, float(arguments[1]), send)
        except EdgehomeError as error:
            send(Failure(error.problem))
    return 1


def _play(settings: Settings, lead_s: float, send: Sender) -> None:
    with Recognizer(
        Path(settings.model),
        threads=settings.threads or UNMEASURED_THREADS,
        delegate=Delegate(settings.delegate),
        library=settings.library,
        window_s=settings.window_s,
    ) as recognizer:
        manifest = recognizer.manifest
        send(
            Ready(
                recognizer.labels,
                manifest.rate,
                manifest.sha256,
                recognizer.runtime,
                recognizer.degraded,
            )
        )
        gate = Gate(hold=recognizer.look_back, enabled=settings.gate, threshold=settings.motion)
        with Pictures(size=manifest.size, rate=manifest.rate, lead_s=lead_s) as camera:
            for scores in watch(camera, recognizer, gate):
                send(scores)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
