"""The vision worker: camera and model in one process that may be killed at any moment.

Started by the supervisor as `python -m edgehome.worker FD`. It has no broker password, keeps no
file, and says what it sees in packets of a few kilobytes. Frames never leave it; where snapshots
are enabled, a JPEG of the newest one does when the supervisor asks. What the privacy polygons
cover is blackened before anything here looks at it.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import logging
import resource
import signal
import socket
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType

from edgehome.boardtrial import Plan, planned
from edgehome.camera import Aim, Camera, LiveCamera, open_camera
from edgehome.confinement import confine
from edgehome.gate.gate import Gate
from edgehome.messages import (
    MAX_BYTES,
    Failure,
    Measuring,
    Message,
    Paced,
    Probabilities,
    Ready,
    encode,
    places_of,
)
from edgehome.normality import JudgedSpan, KeptNormal
from edgehome.noticing import Noticing
from edgehome.novelty.normal import Key
from edgehome.orders import Order, Settings, decode_request, decode_settings
from edgehome.privacy import PrivateCamera
from edgehome.pupil import Pupil
from edgehome.recognizer.recognizer import Recognizer
from edgehome.snapshot import Photographer
from edgehome.types import Delegate, EdgehomeError, Problem, Scores

PR_SET_PDEATHSIG = 1
logger = logging.getLogger(__name__)


def watch(camera: Camera, recognizer: Recognizer, gate: Gate) -> Iterator[Scores]:
    """Yield the scores of every frame that the camera gives, until it ends.

    While the gate says that nothing moves the recogniser rests, and what it said last goes on.
    Raises CameraError when the camera stops, ModelError when the model no longer runs.
    """
    labels: tuple[str, ...] = ()
    places = places_of(labels)
    probabilities = Probabilities({}, array("f"))
    for number, frame in enumerate(camera.frames(), start=1):
        look = gate.look(frame)
        began_s = time.perf_counter()
        told, labels = labels is recognizer.labels, recognizer.labels
        still = told and look.still and recognizer.rest(frame)
        if not still:
            places = places if told else places_of(labels)
            row = recognizer.step(frame)
            probabilities = Probabilities(places, array("f", row.tobytes()))
        yield Scores(
            time_s=frame.time_s,
            at=frame.at,
            probabilities=probabilities,
            frame=number,
            skipped=camera.skipped,
            inference_ms=0.0 if still else (time.perf_counter() - began_s) * 1000,
            warm=recognizer.warm,
            motion=look.motion,
            still=still,
            camera=look.camera,
        )


def run(settings: Settings, send: Sender) -> None:
    """Measure the board where it is not known, load, open, and send scores until something ends it.

    The camera opens at the highest rate that was chosen; a board that is strained gets fewer of
    its frames.
    """
    plan = planned(settings, lambda: send(Measuring()))
    fastest = plan.budget.rate
    rate = min(fastest, settings.at_most or fastest)
    with Recognizer(
        Path(settings.model),
        threads=plan.budget.threads,
        delegate=Delegate(settings.delegate),
        library=settings.library,
        window_s=settings.window_s,
        shorter_s=settings.shorter_s,
        ensemble=settings.ensemble,
    ) as recognizer:
        if rate != recognizer.manifest.rate:
            recognizer.set_rate(rate)
        send(ready := _ready(recognizer, plan, rate))
        _give_back_memory()
        gate = Gate(
            hold=recognizer.look_back,
            enabled=settings.gate,
            threshold=settings.motion,
            ignore=settings.ignore,
        )
        camera = open_camera(
            settings.source,
            size=recognizer.manifest.size,
            rate=fastest,
            picture=settings.snapshot,
            aim=Aim(settings.rotation, settings.region),
        )
        with camera as opened, told(send):  # before the camera is left
            if rate != fastest:
                opened.set_rate(rate)
            _look(opened, recognizer, gate, send, settings, fastest, ready)
    send(Failure(Problem("camera_ended", "The camera gives no more frames.", "It is opened anew.")))


def _look(  # noqa: PLR0917
    opened: LiveCamera,
    recognizer: Recognizer,
    gate: Gate,
    send: Sender,
    settings: Settings,
    fastest: float,
    ready: Ready,
) -> None:
    """Send the scores of every frame, and do between two of them what the supervisor asks for."""
    camera = PrivateCamera(opened, settings.privacy)
    pupil = Pupil(recognizer, ready, send)
    noticing = Noticing(recognizer, Key(ready.sha256, position_of(settings)), send)
    photographer = Photographer(camera, send.asked, send) if settings.snapshot else None
    try:
        for seen in watch(camera, recognizer, gate):
            send(scores := noticing.look(seen))
            pupil.look(scores)
            if photographer:
                photographer.look()
            if wanted := send.asked_rate(fastest):
                _change(wanted, opened, recognizer, gate)
                pupil.rate = wanted
                send(Paced(wanted))
            _obey(send.orders(), pupil, noticing)
    finally:
        noticing.end()


def _obey(orders: Sequence[Order], pupil: Pupil, noticing: Noticing) -> None:
    for order in orders:
        if isinstance(order, KeptNormal | JudgedSpan):
            noticing.obey(order)
        else:
            pupil.obey(order)


def position_of(settings: Settings) -> str:
    """Return a name of what is looked at: another one is another place."""
    seen = f"{settings.source} {settings.rotation} {settings.region}"
    return hashlib.sha256(seen.encode()).hexdigest()[:16]  # an address may hold a password


@contextlib.contextmanager
def told(send: Callable[[Message], None]) -> Iterator[None]:
    """Tell why it ends before anything is let go: to leave a camera that hangs may take for ever.

    The supervisor then gives it a moment, and kills it.
    """
    try:
        yield
    except EdgehomeError as error:
        send(Failure(error.problem))
        raise SystemExit(1) from error


def _ready(recognizer: Recognizer, plan: Plan, rate: float) -> Ready:
    return Ready(
        labels=recognizer.labels,
        rate=rate,
        sha256=recognizer.manifest.sha256,
        runtime=recognizer.runtime,
        degraded=recognizer.degraded,
        own_rate=plan.own_rate,
        delegate=recognizer.delegate,
        budget=plan.budget,
        measured=plan.measured,
        embedding=recognizer.manifest.embedding,
    )


def _change(rate: float, camera: LiveCamera, recognizer: Recognizer, gate: Gate) -> None:
    """Go on at another rate, in frames a second; what was seen before is forgotten."""
    camera.set_rate(rate)
    recognizer.set_rate(rate)
    gate.begin_anew(recognizer.look_back)


class Sender:
    """Send messages to the supervisor, and end with it."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._alert_id: str | None = None
        self._rate: float | None = None
        self._orders: list[Order] = []

    def __call__(self, message: Message) -> None:
        """Send one message; raises SystemExit when nobody is there to hear it."""
        try:
            self._channel.send(encode(message))
        except (BrokenPipeError, ConnectionError):
            raise SystemExit(0) from None

    def asked(self) -> str | None:
        """Return the alert that a snapshot was last asked for since, if any; never waits."""
        self._listen()
        alert_id, self._alert_id = self._alert_id, None
        return alert_id

    def asked_rate(self, fastest: float) -> float | None:
        """Return the frames a second that were last asked for since, if any; never waits."""
        self._listen()
        rate, self._rate = self._rate, None
        return None if rate is None else min(rate, fastest)

    def orders(self) -> list[Order]:
        """Return what else was asked for since; never waits."""
        self._listen()
        orders, self._orders = self._orders, []
        return orders

    def _listen(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while packet := self._channel.recv(MAX_BYTES, socket.MSG_DONTWAIT):
                asked = decode_request(packet)
                if isinstance(asked, str):
                    self._alert_id = asked
                elif isinstance(asked, float):
                    self._rate = asked
                else:
                    self._orders.append(asked)


def _give_back_memory() -> None:
    """Return to the kernel what loading the model took for a moment: 10 of 100 MB (measured)."""
    with contextlib.suppress(AttributeError):  # another C library than GNU's
        ctypes.CDLL(None).malloc_trim(0)


def _die_with_parent() -> None:
    """Have the kernel kill us when the supervisor dies: a blocked camera would not notice."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # Be the one that the kernel ends when memory is short: the supervisor keeps the alerts.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def main(arguments: list[str]) -> int:
    """Serve the supervisor at the other end of the given descriptor."""
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    _die_with_parent()
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the supervisor
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with socket.socket(fileno=int(arguments[0])) as channel:
        settings = decode_settings(channel.recv(MAX_BYTES))
        confine(Path(settings.model), settings.source, settings.library)
        send = Sender(channel)
        with told(send):
            run(settings, send)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
