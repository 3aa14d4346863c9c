"""The service in systemd: killed, hung, stalled; and a release that has proven itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from machine import Machine, wait_until

if TYPE_CHECKING:
    from home import Home


def worker(machine: Machine) -> str:
    """Return the number of the worker's process."""
    main = machine.main_process()

    def children() -> list[str]:
        return machine.run(f"cat /proc/{main}/task/*/children").stdout.split()

    wait_until(children, "a worker")
    return children()[0]


def test_a_release_that_stays_healthy_for_a_minute_has_proven_itself(machine: Machine) -> None:
    wait_until(lambda: not (machine.root / "opt/edgehome/trial").exists(), "the verdict", 120)
    proven = (machine.root / "opt/edgehome/proven").read_text()
    assert proven == f"releases/{machine.release()}"
    assert len(machine.run("ls /opt/edgehome/releases").stdout.split()) == 2
    machine.main_process()


def test_a_killed_service_is_back_in_seconds(home: Home) -> None:
    machine = home.machine
    before = machine.main_process()
    machine.run("systemctl kill -s KILL --kill-who=main edgehome")
    wait_until(lambda: machine.show("MainPID") not in {before, "0"}, "a new main process")
    assert home.await_alert()["label"] == "person"
    assert machine.show("NRestarts") == "1"


def test_a_hung_worker_is_replaced_and_the_service_goes_on(home: Home) -> None:
    machine = home.machine
    main, hung = machine.main_process(), worker(machine)
    machine.run(f"kill -STOP {hung}")
    wait_until(lambda: worker(machine) != hung, "another worker", 60)
    assert home.await_alert()["label"] == "person"
    assert machine.show("MainPID") == main


def test_a_hung_supervisor_is_restarted_by_systemd(home: Home) -> None:
    machine = home.machine
    hung = machine.main_process()
    machine.run(f"kill -STOP {hung}")
    wait_until(lambda: machine.show("MainPID") not in {hung, "0"}, "the watchdog", 60)
    assert "Watchdog timeout" in machine.journal()
    assert home.await_alert()["label"] == "person"


def test_a_stalled_camera_is_told_and_recovers_when_it_comes_back(home: Home) -> None:
    machine = home.machine
    if machine.suite != "trixie":
        pytest.skip("a video file never stalls, and Debian 12 has no virtual camera that works")
    main = machine.main_process()
    machine.run("touch /run/stall")
    began_s = time.monotonic()
    wait_until(lambda: "camera_timeout" in home.problems(), "the word of it", 60)
    found_s = time.monotonic() - began_s
    machine.run("rm /run/stall")
    began_s = time.monotonic()
    wait_until(lambda: "camera_timeout" not in home.problems(), "the camera to be back", 60)
    print(f"found after {found_s:.1f} s, back after {time.monotonic() - began_s:.1f} s")
    assert home.await_alert()["label"] == "person"
    assert machine.show("MainPID") == main


def test_a_stop_is_clean_and_told(home: Home) -> None:
    machine = home.machine
    machine.main_process()
    machine.run("systemctl stop edgehome")
    assert machine.show("Result") == "success"
    said = home.listener.heard("edgehome/hall/availability")[-1]
    assert said.payload == b"offline"
    machine.run("systemctl start edgehome")
