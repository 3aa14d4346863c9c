"""A TCP proxy that resets connections or goes silent, and notes the alerts that pass through it."""

from __future__ import annotations

import json
import selectors
import socket
import struct
import threading
from contextlib import suppress
from typing import Self

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of 0 s: closing sends RST instead of FIN."""
PUBLISH = 3
TURN_S = 0.02


class Packets:
    """The MQTT 5 packets of a stream that comes in pieces; only PUBLISH is looked into."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[tuple[str, bytes]]:
        """Return topic and payload of every PUBLISH that is complete now."""
        self._buffer += data
        found = []
        while (cut := self._cut()) is not None:
            first, body = cut
            if first >> 4 == PUBLISH:
                found.append(_published(first, body))
        return found

    def _cut(self) -> tuple[int, bytes] | None:
        try:
            length, start = _variable(self._buffer, 1)
        except IndexError:
            return None
        if len(self._buffer) < start + length:
            return None
        first, body = self._buffer[0], self._buffer[start : start + length]
        self._buffer = self._buffer[start + length :]
        return first, body


def _variable(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable byte integer, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return value, at
        shift += 7


def _published(first: int, body: bytes) -> tuple[str, bytes]:
    end = 2 + int.from_bytes(body[:2], "big")
    topic = body[2:end].decode()
    length, start = _variable(body, end + (2 if first & 0x06 else 0))
    return topic, body[start + length :]


class Link:
    """One connection of the node's, with the alerts that it carried to the broker."""

    def __init__(self, client: socket.socket, server: socket.socket, topic: str) -> None:
        self.ends = {client: server, server: client}
        self.silent = False
        self.alerts: list[tuple[str, int]] = []
        """Ids and seqs in the order of sending."""
        self._client = client
        self._topic = topic
        self._packets = Packets()

    def pump(self, source: socket.socket) -> bool:
        """Move what came in at one end to the other; False when the connection is over."""
        with suppress(OSError):
            data = source.recv(65536)
            if source is self._client:
                for topic, payload in self._packets.feed(data):
                    if topic == self._topic:
                        alert = json.loads(payload)
                        self.alerts.append((alert["id"], alert["seq"]))
            self.ends[source].sendall(data)
            return bool(data)
        return False

    def close(self) -> None:
        """End it with RST on both sides."""
        for end in self.ends:
            with suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            end.close()


class Proxy:
    """Stands between a node and its broker. One thread moves everything."""

    def __init__(self, target_port: int, topic: str) -> None:
        """Assign; `topic` is that of the alerts."""
        self._target = ("127.0.0.1", target_port)
        self._topic = topic
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.links: list[Link] = []
        """All that ever were."""
        self.refuses = False
        """New connections are reset at once."""
        self._open: list[Link] = []
        self._lock = threading.RLock()
        self._selector = selectors.DefaultSelector()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.reset()
        self._listener.close()
        self._selector.close()

    def reset(self) -> int:
        """Reset every connection; return how many there were."""
        with self._lock:
            links = list(self._open)
            for link in links:
                self._close(link)
        return len(links)

    def go_silent(self) -> Link | None:
        """Move nothing more over the connections there are, and tell neither end."""
        with self._lock:
            for link in self._open:
                link.silent = True
                for end in link.ends:
                    with suppress(KeyError):
                        self._selector.unregister(end)
            return self._open[-1] if self._open else None

    def sent(self) -> int:
        """Return how many alerts have passed, copies too."""
        with self._lock:
            return sum(len(link.alerts) for link in self.links)

    def talking(self) -> bool:
        """Say whether there is a connection over which something moves."""
        with self._lock:
            return any(not link.silent for link in self._open)

    def _run(self) -> None:
        while not self._stop.is_set():
            ready = self._selector.select(TURN_S)
            with self._lock:
                for key, _ in ready:
                    if key.data is None:
                        self._accept()
                    elif key.data in self._open and not key.data.silent:
                        self._pump(key.data, key.fileobj)

    def _pump(self, link: Link, end: object) -> None:
        assert isinstance(end, socket.socket)
        if not link.pump(end):
            self._close(link)

    def _accept(self) -> None:
        client = self._listener.accept()[0]
        try:
            if self.refuses:
                raise ConnectionRefusedError
            server = socket.create_connection(self._target, timeout=2.0)
        except OSError:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            client.close()
            return
        client.settimeout(5.0)
        server.settimeout(5.0)  # else the connection's own second counts for every read
        link = Link(client, server, self._topic)
        for end in link.ends:
            self._selector.register(end, selectors.EVENT_READ, link)
        self.links.append(link)
        self._open.append(link)

    def _close(self, link: Link) -> None:
        for end in link.ends:
            with suppress(KeyError, ValueError):
                self._selector.unregister(end)
        link.close()
        self._open.remove(link)
