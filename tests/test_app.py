"""The whole node against a real broker: a clip in, alerts out, and trouble in between."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker, Listener, wait_for
from daemon import (
    ALERT,
    BASE,
    IDENTITY,
    STATE,
    Daemon,
    problems,
    wait_for_alerts,
)

ROOT = Path(__file__).resolve().parents[1]
SUPERVISOR_MB, WORKER_MB = 40, 120


def test_a_clip_becomes_alerts_in_the_order_that_home_assistant_needs(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 2)
    first, second = (message.json for message in listener.heard(ALERT)[:2])
    assert first["rule"] == "Visitor"
    assert first["label"] == "person"
    assert [part["condition"] for part in first["evidence"]] == ["person above", "for"]
    assert (first["seq"], second["seq"]) == (1, 2)
    assert first["id"] != second["id"]
    order = [message.topic for message in listener.heard()]
    begin = [f"{BASE}/availability", f"homeassistant/device/{IDENTITY}/config"]
    places = [order.index(topic) for topic in [*begin, STATE, ALERT]]
    assert places == sorted(places)
    on = [m for m in listener.heard(f"{BASE}/rule/visitor") if m.payload == b"ON"]
    assert on, "the rule's own sensor goes on"
    assert daemon.end() == 0
    wait_for(lambda: listener.heard(f"{BASE}/availability")[-1].payload == b"offline")


def test_both_processes_stay_within_their_memory(
    daemon: Daemon, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon.start()
    wait_for_alerts(listener, 5)
    worker = daemon.worker()
    assert worker
    supervisor_mb, worker_mb = daemon.rss_mb(daemon.pid), daemon.rss_mb(worker)
    with capsys.disabled():
        print(f"\nsupervisor: {supervisor_mb:.1f} MB, worker: {worker_mb:.1f} MB resident")
    assert supervisor_mb < SUPERVISOR_MB
    assert worker_mb < WORKER_MB


def test_systemd_hears_of_readiness_and_of_work(daemon: Daemon, listener: Listener) -> None:
    daemon.start(watchdog_s=1.0)
    daemon.wait_ready()
    before = daemon.notified().count("WATCHDOG=1")
    wait_for(lambda: daemon.notified().count("WATCHDOG=1") > before + 3, 5)
    assert any(line.startswith("STATUS=") for line in daemon.notified())
    daemon.end()
    assert daemon.notified()[-1] == "STOPPING=1"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_a_worker_that_dies_or_hangs_is_replaced_and_the_home_is_told(
    daemon: Daemon, listener: Listener, how: signal.Signals
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    worker = daemon.worker()
    assert worker
    began_s = time.monotonic()
    os.kill(worker, how)
    wait_for(lambda: daemon.worker() not in (worker, None), 15)
    took_s = time.monotonic() - began_s
    assert took_s < (10 if how == signal.SIGSTOP else 3), f"replaced after {took_s:.1f} s"
    seen = len(listener.heard(ALERT))
    code = "worker_hung" if how == signal.SIGSTOP else "worker_ended"
    wait_for(lambda: any(code in m.payload.decode() for m in listener.heard(STATE)), 10)
    wait_for_alerts(listener, seen + 1)
    wait_for(lambda: problems(listener) == {}, 10, "the problem is over")


def test_a_camera_that_is_missing_is_told_with_its_remedy_and_the_node_stays(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.config["camera"] = {"source": "/dev/video99"}
    daemon.write()
    daemon.start()
    daemon.wait_ready()
    wait_for(lambda: "camera_missing" in problems(listener), 10)
    assert problems(listener)["camera_missing"]["remedy"]
    assert daemon.alive()


def test_a_rule_that_looks_back_less_far_takes_a_new_worker_and_alerts_of_it(
    daemon: Daemon, listener: Listener
) -> None:
    """A window is asked of the network, unlike a threshold."""
    daemon.start()
    wait_for_alerts(listener, 1)
    worker = daemon.worker()
    daemon.config["rules"][0]["look_back"] = "2s"
    daemon.write()
    daemon.send(signal.SIGHUP)
    wait_for(lambda: daemon.worker() not in (worker, None), 15)
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 1)
    assert listener.heard(ALERT)[-1].json["label"] == "person"


def test_a_new_camera_is_taken_over_by_a_reload(
    daemon: Daemon, listener: Listener, rendered: Path
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    worker = daemon.worker()
    other = rendered / "porch-day-fight.mp4"
    daemon.config["camera"] = {"source": str(other)}
    daemon.write()
    daemon.send(signal.SIGHUP)
    wait_for(lambda: daemon.worker() not in (worker, None), 15)
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 1)
    assert daemon.alive()


def test_at_start_a_wrong_config_gives_way_to_the_last_good_one(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    daemon.end()
    daemon.file.write_text("rules: [{name: x")
    daemon.start()
    wait_for(lambda: "config_invalid" in problems(listener), 15)
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 1)


def test_a_broker_that_refuses_the_password_is_told_and_alerts_are_kept(
    daemon: Daemon, broker: Broker, listener: Listener
) -> None:
    (daemon.folder / "password").write_text("wrong")
    daemon.start()
    wait_for(lambda: "refused the connection" in daemon.said(), 20)
    wait_for(lambda: daemon.said().count("alert Visitor") >= 2, 20)
    done = subprocess.run(
        [sys.executable, "-m", "edgehome", "doctor", "--json", "-c", daemon.file,
         "--state", daemon.state],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 1
    findings = {line["part"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert findings["broker"]["state"] == "bad"
    assert "password" in findings["broker"]["remedy"]
    assert {part for part, line in findings.items() if line["state"] == "bad"} == {"broker"}
    assert "wrong" not in done.stdout + done.stderr + daemon.said()
    (daemon.folder / "password").write_text("canary-6f1d")
    wait_for_alerts(listener, 2, 60)
    assert [message.json["seq"] for message in listener.heard(ALERT)[:2]] == [1, 2]


def test_a_model_whose_workers_crash_thrice_is_told_and_the_home_still_watched(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    for _ in range(3):
        count = len(listener.heard(ALERT))
        wait_for_alerts(listener, count + 1)
        worker = daemon.worker()
        assert worker
        os.kill(worker, signal.SIGSEGV)
        wait_for(lambda old=worker: daemon.worker() not in (old, None), 10)
    wait_for(lambda: "model_quarantined" in problems(listener), 10)
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 1)


@pytest.fixture
def small_disk(daemon: Daemon) -> Iterator[Path]:
    """Make the state folder a disk of its own, of 12 MB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    daemon.state.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", daemon.state], check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield daemon.state
    if daemon.alive():
        daemon.end(signal.SIGKILL)
    subprocess.run(["umount", daemon.state], check=True)


def fill(folder: Path) -> None:
    """Leave not a byte."""
    with (folder / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 65536):
                pass
        except OSError:
            pass


def test_on_a_full_disk_alerts_are_kept_and_told(
    daemon: Daemon, broker: Broker, listener: Listener, small_disk: Path
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    fill(small_disk)
    broker.stop()
    raised = daemon.said().count("alert Visitor")
    wait_for(lambda: daemon.said().count("alert Visitor") >= raised + 4, 30)
    daemon.end(signal.SIGKILL)
    broker.start()
    daemon.start()
    wait_for(lambda: len({m.json["seq"] for m in listener.heard(ALERT)}) >= raised + 4, 60)
    assert "Traceback" not in daemon.said()


def test_a_disk_that_is_full_from_the_start_is_told_and_alerts_go_out_all_the_same(
    daemon: Daemon, listener: Listener, small_disk: Path
) -> None:
    fill(small_disk)
    daemon.start()
    wait_for(lambda: "storage_failed" in problems(listener), 20)
    wait_for_alerts(listener, 2)
    (small_disk / "filler").unlink()
    wait_for(lambda: "storage_failed" not in problems(listener), 60, "the disk has room again")
    wait_for(lambda: listener.heard(ALERT)[-1].json["seq"] > 0, 20)
    assert "Traceback" not in daemon.said()
