"""A vision worker by script: every frame shows what every rule waits for, or it talks nonsense.

Started in the worker's place, at the end of the same socket pair: `worker.py ... FD`. What it does
comes in the environment: EDGEHOME_STORM_RATE, frames a second; EDGEHOME_STORM_NONSENSE, a seed;
EDGEHOME_STORM_FRAMES, so many frames of 0.2 s as fast as they are taken, with the number of those
that are through in the file EDGEHOME_STORM_TOLD.
"""

from __future__ import annotations

import ctypes
import os
import random
import re
import signal
import socket
import sys
import time
from array import array
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edgehome.messages import MAX_BYTES, Message, Probabilities, Ready, encode, places_of
from edgehome.types import Scores

LABELS = ("person", "fall", "fighting")
PACKETS = 200
"""Of nonsense, after which this worker ends as one does that a corrupt model hit."""
VALUE = re.compile(rb': (-?[0-9.]+|true|false|null|"[^"]*"|\[[^]]*\])')
VALUES = (
    b"NaN", b"Infinity", b"-Infinity", b"1e308", b"-1", b"0", b"null", b"true", b'""', b"[]", b"{}",
    b"9" * 400, b'"2026-01-01T00:00:00"', b'"9999-12-31T23:59:59+14:00"', b'"0001-01-01T00:00:00Z"',
    b'["dark", "dark"]', b'["\ud800"]', b'"\ud800"', b'"' + b"x" * 100_000 + b'"',
)  # fmt: skip
"""What stands in the place of a value: right for another, or for none."""


def ready() -> Ready:
    return Ready(LABELS, rate=5.0, sha256="0" * 64, runtime="script", degraded=None)


def scores(
    frame: int, value: float = 1.0, *, time_s: float | None = None, at: datetime | None = None
) -> Scores:
    return Scores(
        time_s=time.monotonic() if time_s is None else time_s,
        at=at or datetime.now().astimezone(),
        probabilities=Probabilities(places_of(LABELS), array("f", [value] * len(LABELS))),
        frame=frame,
        skipped=0,
        inference_ms=1.0,
        warm=1.0,
        motion=0.1,
        still=False,
        camera=frozenset(),
    )


def spoilt(packet: bytes, chance: random.Random) -> bytes:
    """Return a packet that is none, or perhaps one with other words in it."""
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.randrange(1, 4096))
    if kind == 1:
        return packet[: chance.randrange(1, len(packet))]
    if kind == 2:
        return b"[" * chance.randrange(1, 100_000)
    if kind == 3:
        return _other_value(packet, chance)
    if kind == 4:
        return packet + chance.randbytes(chance.randrange(1, 64))
    changed = bytearray(packet)
    for _ in range(chance.randrange(1, 8)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _other_value(packet: bytes, chance: random.Random) -> bytes:
    """Return a packet in which one value is another: valid JSON, and perhaps no message."""
    found = list(VALUE.finditer(packet))
    value = chance.choice(found)
    return packet[: value.start()] + b": " + chance.choice(VALUES) + packet[value.end() :]


def main() -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # go with the supervisor, as the real worker does
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    gone = suppress(BrokenPipeError, ConnectionError)
    with gone, socket.socket(fileno=int(sys.argv[-1])) as channel:
        channel.recv(MAX_BYTES)
        if seed := os.environ.get("EDGEHOME_STORM_NONSENSE"):
            chatter(channel, random.Random(f"{seed} {os.getpid()}"))
        elif count := os.environ.get("EDGEHOME_STORM_FRAMES"):
            hurry(channel, int(count), Path(os.environ["EDGEHOME_STORM_TOLD"]))
        else:
            watch(channel, 1 / float(os.environ.get("EDGEHOME_STORM_RATE", "20")))


def watch(channel: socket.socket, period_s: float) -> None:
    channel.send(encode(ready()))
    frame = 0
    while True:
        frame += 1
        channel.send(encode(scores(frame)))
        time.sleep(period_s)


def hurry(channel: socket.socket, count: int, told: Path) -> None:
    """Show so many frames, in which something comes and goes every hundred seconds."""
    channel.send(encode(ready()))
    start_s, start = time.monotonic(), datetime.now().astimezone()
    for frame in range(1, count + 1):
        gone_s = frame / 5
        value = float(frame // 500 % 2)
        at = start + timedelta(seconds=gone_s)
        channel.send(encode(scores(frame, value, time_s=start_s + gone_s, at=at)))
        if frame % 1000 == 0:
            told.write_text(str(frame), encoding="ascii")
    told.write_text(str(count), encoding="ascii")
    while True:  # in real time from here on, at the same rate
        time.sleep(0.2)
        frame += 1
        gone_s += 0.2
        at = start + timedelta(seconds=gone_s)
        channel.send(encode(scores(frame, 0.0, time_s=start_s + gone_s, at=at)))


def chatter(channel: socket.socket, chance: random.Random) -> None:
    """Begin well more often than not, then spoil what is said."""
    said: list[Message] = [ready(), scores(1), scores(2, 0.0)]
    if chance.random() < 0.7:
        channel.send(encode(ready()))
    for _ in range(PACKETS):
        packet = encode(chance.choice(said))
        channel.send(spoilt(packet, chance) if chance.random() < 0.05 else packet)
        time.sleep(chance.uniform(0, 0.002))
    os.kill(os.getpid(), chance.choice([signal.SIGSEGV, signal.SIGKILL]))


if __name__ == "__main__":
    main()
