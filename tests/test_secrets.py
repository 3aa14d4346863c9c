"""One life of a node with a canary for a password, and everything that it wrote or said searched.

And the same node in a network of its own, where every socket that it has can be seen.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from broker import USER, Broker, Listener, wait_for
from command_line import ROOT
from daemon import BASE, Daemon, problems, wait_for_alerts

CANARY = "canary-0b5e7d1c9a"
FORMS = (
    CANARY.encode(),
    CANARY.encode("utf-16-le"),
    base64.b64encode(CANARY.encode())[:-2],
    CANARY.encode().hex().encode(),
)
CONNECT = 0x10


def found_in(data: bytes) -> bool:
    return any(form in data for form in FORMS)


class Proxy:
    """Stands between node and broker and keeps what goes each way, by connection."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._port = port
        self._server = socket.create_server((address, 0))
        self.port = self._server.getsockname()[1]
        self.sent: list[bytearray] = []
        """What the node sent, a connection each."""
        self.received: list[bytearray] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                node = self._server.accept()[0]
                try:
                    broker = socket.create_connection(("127.0.0.1", self._port))
                except OSError:
                    node.close()
                    continue
                self.sent.append(bytearray())
                self.received.append(bytearray())
                ways = ((node, broker, self.sent[-1]), (broker, node, self.received[-1]))
                for way in ways:
                    threading.Thread(target=self._pump, args=way, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                kept.extend(data)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def without_connect(stream: bytes) -> bytes:
    """Return what a client sent after its CONNECT packet, which is where a password belongs."""
    assert stream[0] == CONNECT
    length, at = 0, 1
    while True:
        length |= (stream[at] & 0x7F) << 7 * (at - 1)
        at += 1
        if not stream[at - 1] & 0x80:
            return stream[at + length :]


def memory(pid: int) -> Iterator[bytes]:
    """Yield a process's memory that can be written, piece by piece."""
    with Path(f"/proc/{pid}/mem").open("rb") as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            first, last = (int(end, 16) for end in line.split()[0].split("-"))
            if "w" in line.split()[1]:
                with contextlib.suppress(OSError, ValueError):
                    file.seek(first)
                    yield file.read(last - first)


def outside(process: Path) -> bytes:
    """Return what anybody on the machine, or of the same user, may see of a process."""
    return (process / "cmdline").read_bytes() + (process / "environ").read_bytes()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker", users={USER: CANARY}) as broker:
        yield broker


@pytest.fixture
def listener(broker: Broker) -> Iterator[Listener]:
    with Listener(broker, "#", user=(USER, CANARY), keeps_session=False) as listener:
        yield listener


def live(node: Daemon, broker: Broker, listener: Listener) -> None:
    """Alert, reload, lose a worker, be refused, and be let in again."""
    node.start()
    wait_for_alerts(listener, 1)
    node.config["rules"].append({"name": "Second", "when": "fighting", "above": 0.4})
    node.write()
    node.send(signal.SIGHUP)
    wait_for(lambda: "reloaded" in node.said(), what="the reload")
    worker = node.worker()
    assert worker
    os.kill(worker, signal.SIGSEGV)
    wait_for(lambda: node.worker() not in (None, worker), what="another worker")
    broker.set_password("another")
    broker.stop()
    broker.start()
    wait_for(lambda: "refused" in node.said(), what="the refusal")
    broker.set_password(CANARY)
    broker.reload()
    heard = len(listener.heard(f"{BASE}/alert"))
    wait_for_alerts(listener, heard + 1)


def test_the_password_is_nowhere_but_in_the_connect_packet(
    tmp_path: Path, broker: Broker, listener: Listener, box_model: Path, rendered: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "mqtt-password").write_text(CANARY)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    clip = rendered / "room-day-fight.mp4"
    with (
        Proxy(broker.port) as proxy,
        Daemon(tmp_path / "node", broker, model=box_model, source=clip) as node,
    ):
        (node.folder / "password").unlink()
        node.config["mqtt"] |= {"port": proxy.port}
        del node.config["mqtt"]["password_file"]
        node.write()
        live(node, broker, listener)
        worker = node.worker()
        assert worker
        supervisor, child = Path(f"/proc/{node.pid}"), Path(f"/proc/{worker}")
        for process in (supervisor, child):
            assert not found_in(outside(process))
            assert (
                "Max core file size        0                    0 "
                in (process / "limits").read_text()
            )
        assert b"CREDENTIALS_DIRECTORY" not in outside(child)
        if os.geteuid() == 0:
            assert any(found_in(piece) for piece in memory(node.pid)), "the search finds nothing"
            assert not any(found_in(piece) for piece in memory(worker))
        doctor = subprocess.run(
            [sys.executable, "-m", "edgehome", "doctor", "--json",
             "-c", node.file, "--state", node.state],
            capture_output=True, check=False, cwd=ROOT,
        )  # fmt: skip
        assert b'"broker"' in doctor.stdout
        assert not found_in(doctor.stdout + doctor.stderr)
        assert node.end() == 0
        written = [path for path in node.folder.rglob("*") if path.is_file()]
        assert {"log", "outbox.db", "config.good.yaml"} <= {path.name for path in written}
        leaks = [path for path in written if found_in(path.read_bytes())]
    assert leaks == []
    assert not found_in((broker.directory / "log").read_bytes())
    assert all(found_in(bytes(stream)) for stream in proxy.sent if stream), "no password was sent"
    assert len(proxy.sent) >= 3, "connected, refused, let in again, doctor"
    for stream in proxy.sent:
        assert not found_in(without_connect(bytes(stream)))
    assert not any(found_in(bytes(stream)) for stream in proxy.received)
    assert not any(found_in(m.payload + m.topic.encode()) for m in listener.heard())


@pytest.fixture
def namespace() -> Iterator[tuple[str, str]]:
    """A network of its own and the address of this side of the wire to it."""
    if os.geteuid() != 0 or shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin") is None:
        pytest.skip("needs root and iproute2 to make a network")
    name, number = f"eh{secrets.token_hex(3)}", secrets.randbelow(250)
    here, there = f"10.231.{number}.1", f"10.231.{number}.2"

    def ip(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        environment = {"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"}
        command = ["ip", *arguments]
        return subprocess.run(command, check=check, capture_output=True, env=environment)

    if ip("netns", "add", name, check=False).returncode:
        pytest.skip("no network can be made here")
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "wire", "netns", name)
        ip("addr", "add", f"{here}/30", "dev", name)
        ip("link", "set", name, "up")
        ip("-n", name, "addr", "add", f"{there}/30", "dev", "wire")
        ip("-n", name, "link", "set", "wire", "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield name, here
    finally:
        ip("link", "del", name, check=False)
        ip("netns", "del", name, check=False)


def sockets(pid: int, kind: str) -> list[list[str]]:
    """Return the rows of a table of sockets in the network of a process."""
    lines = Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]
    return [line.split() for line in lines]


def test_a_node_listens_on_no_socket_and_speaks_to_its_broker_alone(
    tmp_path: Path, broker: Broker, listener: Listener, box_model: Path, rendered: Path,
    namespace: tuple[str, str],
) -> None:  # fmt: skip
    name, here = namespace
    with (
        Proxy(broker.port, here) as proxy,
        Daemon(
            tmp_path / "node", broker, model=box_model, source=rendered / "room-day-fight.mp4",
            user=(USER, CANARY),
        ) as node,
    ):  # fmt: skip
        node.config["mqtt"] |= {"host": here, "port": proxy.port}
        node.write()
        node.prefix = ["ip", "netns", "exec", name]
        node.start()
        wait_for_alerts(listener, 1)
        assert Path(f"/proc/{node.pid}/ns/net").stat() != Path("/proc/self/ns/net").stat()
        peers = set()
        for kind in ("tcp", "tcp6"):
            for row in sockets(node.pid, kind):
                assert row[3] != "0A", f"it listens: {row}"
                peers.add(row[2])
        address = "".join(reversed([f"{int(part):02X}" for part in here.split(".")]))
        assert peers == {f"{address}:{proxy.port:04X}"}
        for kind in ("udp", "udp6", "raw", "raw6", "packet"):
            assert sockets(node.pid, kind) == [], kind
        accepting = 0x10000  # __SO_ACCEPTCON
        assert not [row for row in sockets(node.pid, "unix") if int(row[3], 16) & accepting]
        with socket.create_server((here, 0)):  # the search finds one where there is one
            table = Path("/proc/self/net/tcp").read_text()
            assert re.search(rf"{address}:[0-9A-F]{{4}} 00000000:0000 0A", table)
        assert problems(listener) == {}
        assert node.end() == 0
