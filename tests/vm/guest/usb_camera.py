"""A USB camera made of software: UVC 1.0, MJPEG over a bulk endpoint, for the kernel's vhci_hcd.

The kernel hands what it would send to a device to a socket (USB/IP, Documentation/usb/
usbip_protocol in its source), and this answers as a camera would: uvcvideo and V4L2 see a real one.
Descriptors: USB Device Class Definition for Video Devices 1.0 (Classes, and MJPEG Payload).
"""

from __future__ import annotations

import itertools
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

CONTROLLER = Path("/sys/devices/platform/vhci_hcd.0")
PORT, DEVICE, HIGH_SPEED = 0, 2, 3
WIDTH, HEIGHT, RATE = 640, 480, 10
PERIOD = 10_000_000 // RATE
"""Of a frame, in units of 100 ns."""
LARGEST_FRAME, PAYLOAD = 1 << 17, 16384
"""Bytes."""

SUBMIT, UNLINK, SUBMITTED, UNLINKED = 1, 2, 3, 4
"""USB/IP commands and their answers."""
STALL, RESET = -32, -104
"""EPIPE: no such request; ECONNRESET: taken back."""
STANDARD, GET_DESCRIPTOR, STRING = 0x80, 6, 3
FROM_INTERFACE, GET_LENGTH, GET_INFORMATION = 0xA1, 0x85, 0x86
END_OF_FRAME, END_OF_HEADER = 2, 0x80


def packed(layout: str, *fields: int) -> bytes:
    """Return little-endian fields, as USB has them."""
    return struct.pack("<" + layout, *fields)


def control_interface() -> bytes:
    """Return the descriptors of a camera terminal wired to a USB terminal."""
    camera = packed("4BHBBHHHB3B", 18, 0x24, 2, 1, 0x0201, 0, 0, 0, 0, 0, 3, 0, 0, 0)
    output = packed("4BHBBB", 9, 0x24, 3, 2, 0x0101, 0, 1, 0)
    length = 13 + len(camera) + len(output)
    header = packed("3BHHI2B", 13, 0x24, 1, 0x0100, length, 48_000_000, 1, 1)
    return packed("9B", 9, 4, 0, 0, 0, 14, 1, 0, 0) + header + camera + output


def stream_interface() -> bytes:
    """Return the descriptors of one MJPEG format of one size, over a bulk endpoint."""
    bits = LARGEST_FRAME * 8 * RATE
    form = packed("11B", 11, 0x24, 6, 1, 1, 1, 1, 0, 0, 0, 0)
    frame = packed(
        "5B2H4IBI", 30, 0x24, 7, 1, 0, WIDTH, HEIGHT, bits, bits, LARGEST_FRAME, PERIOD, 1, PERIOD
    )
    colour = packed("6B", 6, 0x24, 13, 1, 1, 4)
    length = 14 + len(form) + len(frame) + len(colour)
    header = packed("4BH8B", 14, 0x24, 1, 1, length, 0x81, 0, 2, 0, 0, 0, 1, 0)
    interface = packed("9B", 9, 4, 1, 0, 1, 14, 2, 0, 0)
    endpoint = packed("4BHB", 7, 5, 0x81, 2, 512, 0)
    return interface + header + form + frame + colour + endpoint


def text(words: str) -> bytes:
    """Return a string descriptor."""
    return packed("2B", 2 + 2 * len(words), STRING) + words.encode("utf-16le")


BODY = packed("8B", 8, 11, 0, 2, 14, 3, 0, 2) + control_interface() + stream_interface()
DESCRIPTORS = {
    1: packed("BBHBBBBHHHBBBB", 18, 1, 0x0200, 0xEF, 2, 1, 64, 0x1D6B, 0x0102, 0x0100, 1, 2, 3, 1),
    2: packed("BBHBBBBB", 9, 2, 9 + len(BODY), 2, 1, 0, 0x80, 50) + BODY,
}
STRINGS = [packed("BBH", 4, 3, 0x0409), text("edgehome"), text("Software camera"), text("1")]
PROBE = packed("HBBI5HII", 1, 1, 1, PERIOD, 0, 0, 0, 0, 0, LARGEST_FRAME, PAYLOAD)
"""What the camera answers to the negotiation of a stream: it has one."""


def answer(setup: bytes) -> bytes | None:
    """Return what a control request gets: data, nothing, or None for a stall."""
    kind, request, value, index, _ = struct.unpack("<BBHHH", setup)
    if kind == STANDARD and request == GET_DESCRIPTOR:
        if value >> 8 == STRING:
            return STRINGS[value & 255] if value & 255 < len(STRINGS) else None
        return DESCRIPTORS.get(value >> 8)
    if kind == FROM_INTERFACE and index & 255 == 1 and value >> 8 in (1, 2):
        return {GET_LENGTH: packed("H", len(PROBE)), GET_INFORMATION: b"\3"}.get(request, PROBE)
    if kind == FROM_INTERFACE:
        return b"\0" if request == GET_INFORMATION else None
    return b"" if not kind & 0x80 else b"\0\0" if request == 0 else None


class UsbCamera:
    """Shows pictures (JPEG, 640x480) in turn, while it is plugged in."""

    def __init__(self, pictures: Sequence[bytes]) -> None:
        self._pictures = pictures
        self._socket: socket.socket | None = None
        self.sends = threading.Event()
        """Cleared: the camera is there and sends nothing."""
        self.sends.set()

    def plug(self) -> None:
        """Put the camera in; the kernel asks it what it is from now on."""
        self._socket, theirs = socket.socketpair()
        with theirs:
            (CONTROLLER / "attach").write_text(f"{PORT} {theirs.fileno()} {DEVICE} {HIGH_SPEED}")
        session = _Session(self._socket, self._pictures, self.sends)
        for work in (session.listen, session.stream):
            threading.Thread(target=work, daemon=True).start()

    def pull(self) -> None:
        """Pull the camera out."""
        (CONTROLLER / "detach").write_text(str(PORT))
        if self._socket:
            self._socket.close()


class _Session:
    """The camera from being put in to being pulled out."""

    def __init__(
        self, channel: socket.socket, pictures: Sequence[bytes], sends: threading.Event
    ) -> None:
        self._channel = channel
        self._sends = sends
        self._payloads = _payloads(pictures)
        self._waiting: deque[tuple[int, int]] = deque()
        """Number and length of what the kernel asked the stream for."""
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._out = False

    def listen(self) -> None:
        """Answer what the kernel asks until the camera is pulled out."""
        try:
            while True:
                self._hear(self._receive(48))
        except (EOFError, OSError):
            with self._changed:
                self._out = True
                self._changed.notify()

    def stream(self) -> None:
        """Send a picture each period, in pieces as they are asked for."""
        due_s = time.monotonic()
        while piece := self._next_asked():
            number, length = piece
            last, payload = next(self._payloads)
            try:
                self._give(number, payload[:length])
            except OSError:
                return
            if last:
                due_s = max(due_s + 1 / RATE, time.monotonic() - 1 / RATE)
                time.sleep(max(0.0, due_s - time.monotonic()))

    def _next_asked(self) -> tuple[int, int] | None:
        # What is asked for while nothing is sent stays there: it may be taken back.
        self._sends.wait()
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._out)
            return None if self._out else self._waiting.popleft()

    def _hear(self, header: bytes) -> None:
        command, number, _, incoming, endpoint = struct.unpack(">5I", header[:20])
        if command == SUBMIT:
            (length,) = struct.unpack(">I", header[24:28])
            if not incoming and length:
                self._receive(length)
            if endpoint:
                with self._changed:
                    self._waiting.append((number, length))
                    self._changed.notify()
                return
            reply = answer(header[40:48])
            if reply is None:
                self._give(number, b"", status=STALL)
            elif incoming:
                self._give(number, reply[:length])
            else:
                self._give(number, b"", taken=length)
        elif command == UNLINK:
            (unlinked,) = struct.unpack(">I", header[20:24])
            with self._changed:
                found = [item for item in self._waiting if item[0] == unlinked]
                self._waiting = deque(item for item in self._waiting if item[0] != unlinked)
            status = RESET if found else 0
            self._send(struct.pack(">5Ii24x", UNLINKED, number, 0, 0, 0, status))

    def _give(self, number: int, data: bytes, *, status: int = 0, taken: int = 0) -> None:
        length = len(data) or taken
        header = struct.pack(">5I5i8x", SUBMITTED, number, 0, 0, 0, status, length, 0, 0, 0)
        self._send(header + data)

    def _send(self, data: bytes) -> None:
        with self._sending:
            self._channel.sendall(data)

    def _receive(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            piece = self._channel.recv(length - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


def _payloads(pictures: Sequence[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Yield the pieces of one picture after the other, and whether each is the picture's last."""
    for turn, picture in enumerate(itertools.cycle(pictures)):
        for start in range(0, len(picture), PAYLOAD - 12):
            piece = picture[start : start + PAYLOAD - 12]
            last = start + len(piece) == len(picture)
            flags = END_OF_HEADER | turn & 1 | (END_OF_FRAME if last else 0)
            yield last, packed("BBIIH", 12, flags, 0, 0, 0) + piece
