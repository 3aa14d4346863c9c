"""What systemd is told, on a socket in its place."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from edgehome import systemd


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "notify"))
    listener.settimeout(1)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    return listener


def test_states_arrive_line_by_line(manager: socket.socket) -> None:
    assert systemd.notify("READY=1", "STATUS=fine")
    assert manager.recv(100) == b"READY=1\nSTATUS=fine"


def test_a_manager_that_does_not_listen_holds_nothing_up(manager: socket.socket) -> None:
    began_s = time.monotonic()
    told = [systemd.notify("WATCHDOG=1") for _ in range(2000)]
    assert time.monotonic() - began_s < 1
    assert told[0]
    assert not told[-1]


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    assert not systemd.notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/notify")
    assert not systemd.notify("READY=1")


@pytest.mark.parametrize(
    ("value", "interval_s"), [("30000000", 15.0), ("0", None), ("soon", None), (None, None)]
)
def test_the_watchdog_is_fed_twice_in_its_time(
    monkeypatch: pytest.MonkeyPatch, value: str | None, interval_s: float | None
) -> None:
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    if value is not None:
        monkeypatch.setenv("WATCHDOG_USEC", value)
    assert systemd.watchdog_interval_s() == interval_s
    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert systemd.watchdog_interval_s() is None
