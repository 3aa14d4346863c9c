"""systemd is reassured by new frames and by what is honestly done about their absence, only."""

from __future__ import annotations

import os
import signal
import time

import pytest
from broker import Listener, wait_for
from daemon import HEARTBEAT, STATE, Daemon, problems, wait_for_alerts
from keeper import with_faults

LONG = bool(os.environ.get("EDGEHOME_TEST_LONG"))
FED = "WATCHDOG=1"
long_only = pytest.mark.skipif(not LONG, reason="EDGEHOME_TEST_LONG=1")


def fed(daemon: Daemon, seconds: float) -> int:
    """Return how often systemd is reassured in that time."""
    before = daemon.notified().count(FED)
    time.sleep(seconds)
    return daemon.notified().count(FED) - before


@pytest.fixture
def watched(daemon: Daemon, listener: Listener, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """A node that reassures systemd twice a second, and has seen something."""
    with_faults(monkeypatch)
    daemon.start(watchdog_s=1)
    wait_for_alerts(listener, 1)
    return daemon


@long_only
def test_a_worker_that_is_found_hung_ended_and_started_again_is_no_reason_for_a_restart(
    watched: Daemon, listener: Listener
) -> None:
    worker = watched.worker()
    assert worker
    os.kill(worker, signal.SIGSTOP)
    until_s = time.monotonic() + 9
    while time.monotonic() < until_s:
        assert fed(watched, 1.5) >= 1
    assert watched.worker() not in (worker, None)


def test_a_worker_that_is_silent_while_nobody_sees_to_it_stops_the_reassurance(
    watched: Daemon, listener: Listener
) -> None:
    """The loop turns, delivery goes on, and yet nothing is watched."""
    watched.send(signal.SIGUSR2)
    assert fed(watched, 2) >= 2, "new frames are enough"
    worker = watched.worker()
    assert worker
    os.kill(worker, signal.SIGSTOP)
    time.sleep(6.5)
    assert fed(watched, 2) == 0
    count = len(listener.heard(STATE)) + len(listener.heard(HEARTBEAT))
    assert count > 0
    os.kill(worker, signal.SIGCONT)
    wait_for(lambda: fed(watched, 1) > 0, 10, "frames again")


def test_a_loop_that_hangs_stops_the_reassurance_at_once(watched: Daemon) -> None:
    watched.send(signal.SIGUSR1)
    time.sleep(0.6)
    assert fed(watched, 2) == 0


@long_only
def test_a_camera_that_is_missing_for_long_is_told_and_is_no_reason_for_a_restart(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.config["camera"] = {"source": "/dev/video99"}
    daemon.write()
    daemon.start(watchdog_s=1)
    wait_for(lambda: "camera_missing" in problems(listener), 20)
    for _ in range(40):
        assert fed(daemon, 1.5) >= 1
    assert "camera_missing" in problems(listener)
