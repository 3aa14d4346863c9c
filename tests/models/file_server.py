"""A real web server on loopback that gives files, whole or in part, and fails as servers do."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    """How one path is answered."""

    data: bytes = b""
    status: int = 200
    etag: str = '"1"'
    cut_after: int = 0
    """Bytes of each answer after which the connection is closed; 0: never."""
    cuts: int = 1_000_000
    """How many answers are cut."""
    failures: int = 0
    """How many requests are answered with `status` before the file is given."""
    ranges: bool = True
    location: str = ""
    length: bool = True
    stall_s: float = 0.0
    """Silence in the middle of the answer."""


@dataclass
class Files:
    """The server's paths, and what it was asked for."""

    base: str = ""
    paths: dict[str, Reply] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range header, in order."""

    def add(self, path: str, **about: object) -> str:
        """Return the address of a new path."""
        self.paths[path] = Reply(**about)  # type: ignore[arg-type]
        return self.base + path


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    files: Files


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.files.asked.append((self.path, wanted))
        reply = self.server.files.paths.get(self.path)
        if not reply:
            self.send_error(404)
        elif reply.location:
            self.send_response(302)
            self.send_header("Location", reply.location)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif reply.failures:
            reply.failures -= 1
            self.send_error(reply.status)
        else:
            self._give(reply, wanted)

    def _give(self, reply: Reply, wanted: str) -> None:
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if not (reply.ranges and self.headers.get("If-Range") == reply.etag):
            start = 0
        if start and start >= len(reply.data):
            self.send_error(416)
            return
        self._head(reply, start)
        data = reply.data[start:]
        if reply.cut_after and reply.cuts:
            reply.cuts -= 1
            data = data[: reply.cut_after]
        self.wfile.write(data[: len(data) // 2])
        time.sleep(reply.stall_s)
        self.wfile.write(data[len(data) // 2 :])

    def _head(self, reply: Reply, start: int) -> None:
        whole = len(reply.data)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        if reply.length:
            self.send_header("Content-Length", str(whole - start))
        if reply.etag:
            self.send_header("ETag", reply.etag)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def file_server() -> Iterator[Files]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.files = Files(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="file server")
    thread.start()
    try:
        yield server.files
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
