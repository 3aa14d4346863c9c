"""A small RTSP server on loopback (RFC 2326, RTP over the same TCP connection, H.264).

It speaks just what a camera speaks: OPTIONS, DESCRIBE, SETUP and PLAY, optionally with a
password. FFmpeg makes the RTP packets; the server hands them on, as a camera would.
"""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from typing import Self

import av
from made_clips import Picture, numbered

SDP = """v=0
o=- 0 0 IN IP4 127.0.0.1
s=test
c=IN IP4 127.0.0.1
t=0 0
m=video 0 RTP/AVP 96
a=rtpmap:96 H264/90000
a=fmtp:96 packetization-mode=1
a=control:video
""".replace("\n", "\r\n")


class RtspServer:
    """Serves pictures at `rate` to one client after the other; `picture` makes each."""

    def __init__(
        self,
        *,
        rate: int = 20,
        password: str = "",
        frames: int | None = None,
        picture: Callable[[int], Picture] = numbered,
    ) -> None:
        self._picture = picture
        self._rate = rate
        self._password = password
        self._frames = frames
        """Frames until the server falls silent and keeps the connection."""
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._serve, name="rtsp-server", daemon=True)]

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.1)
        self._rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._rtp.bind(("127.0.0.1", 0))
        self._rtp.settimeout(0.1)
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()
        self._rtp.close()

    @property
    def address(self) -> str:
        user = f"viewer:{self._password}@" if self._password else ""
        return f"rtsp://{user}127.0.0.1:{self._listener.getsockname()[1]}/stream"

    def _serve(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                client, _ = self._listener.accept()
                with client, suppress(ConnectionError, BrokenPipeError):
                    self._converse(client)

    def _converse(self, client: socket.socket) -> None:
        client.settimeout(0.1)
        lines = b""
        while not self._stop.is_set():
            with suppress(TimeoutError):
                received = client.recv(4096)
                if not received:
                    return
                lines += received
            while b"\r\n\r\n" in lines:
                request, _, lines = lines.partition(b"\r\n\r\n")
                client.sendall(self._answer(request.decode()).encode())
                if request.startswith(b"PLAY"):
                    self._play(client)
                    return

    def _answer(self, request: str) -> str:
        method = request.split(maxsplit=1)[0]
        sequence = next(line for line in request.splitlines() if line.startswith("CSeq"))
        credentials = base64.b64encode(f"viewer:{self._password}".encode()).decode()
        if self._password and method != "OPTIONS" and credentials not in request:
            return (
                f"RTSP/1.0 401 Unauthorized\r\n{sequence}\r\n"
                'WWW-Authenticate: Basic realm="camera"\r\n\r\n'
            )
        head = f"RTSP/1.0 200 OK\r\n{sequence}\r\n"
        if method == "OPTIONS":
            return head + "Public: OPTIONS, DESCRIBE, SETUP, PLAY\r\n\r\n"
        if method == "DESCRIBE":
            length = f"Content-Length: {len(SDP)}\r\n\r\n"
            return head + "Content-Type: application/sdp\r\n" + length + SDP
        if method == "SETUP":
            return head + "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n\r\n"
        return head + "Session: 1\r\n\r\n"

    def _play(self, client: socket.socket) -> None:
        coder = threading.Thread(target=self._encode, name="rtsp-coder", daemon=True)
        self._threads.append(coder)
        coder.start()
        while not self._stop.is_set():
            with suppress(TimeoutError):
                packet = self._rtp.recv(65536)
                if packet[1] & 0x7F == 96:  # RTP; RTCP has other payload types
                    client.sendall(b"$\x00" + len(packet).to_bytes(2) + packet)

    def _encode(self) -> None:
        port = self._rtp.getsockname()[1]
        # Each key frame repeats the parameters, as cameras do: the SDP does not have them.
        options = {"tune": "zerolatency", "x264-params": "repeat-headers=1:keyint=10"}
        address = f"rtp://127.0.0.1:{port}?pkt_size=1200&localrtcpport=0"
        with av.open(address, "w", format="rtp") as file:
            stream = file.add_stream("libx264", rate=self._rate, options=options)
            stream.height, stream.width = self._picture(0).shape[:2]
            stream.pix_fmt = "yuv420p"
            number = 0
            while not self._stop.wait(1 / self._rate) and number != self._frames:
                frame = av.VideoFrame.from_ndarray(self._picture(number), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, self._rate)
                file.mux(stream.encode(frame))
                number += 1
            self._stop.wait()
