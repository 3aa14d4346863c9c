"""Safe mode: a service that ends again and again still tells the home why nothing is watched."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from broker import Listener, wait_for
from daemon import BASE, STATE, Daemon, problems, wait_for_alerts
from keeper import with_faults

from edgehome.safemode import BAD_STARTS, HEALTHY_S, REST_S, WITHIN_S, StartCount
from edgehome.types import EdgehomeError

LONG = bool(os.environ.get("EDGEHOME_TEST_LONG"))


class Service:
    """Starts of a service whose clock the test owns."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "starts.json"
        self.boot = "boot one"
        self.now_s = 1000.0

    def start(self) -> StartCount:
        return StartCount(self.file, boot=self.boot, clock=lambda: self.now_s).__enter__()

    def crash_after(self, *pauses_s: float) -> None:
        """Start once for each of the times, in seconds, and end badly after it."""
        for pause_s in pauses_s:
            self.start()
            self.now_s += pause_s

    def reboot(self, up_s: float) -> None:
        self.boot += "+"
        self.now_s = up_s


@pytest.fixture
def service(tmp_path: Path) -> Service:
    return Service(tmp_path)


def test_three_starts_that_end_badly_within_five_minutes_lead_to_safe_mode(
    service: Service,
) -> None:
    service.crash_after(1)
    assert not service.start().too_many
    service.now_s += 1
    assert not service.start().too_many, "two before it"
    service.now_s += 1
    assert service.start().too_many


def test_three_bad_starts_over_more_than_five_minutes_do_not(service: Service) -> None:
    service.crash_after(150, 75, 75)
    assert service.start().too_many, "300 s"
    service.file.unlink()
    service.crash_after(151, 75, 75)
    assert not service.start().too_many
    for _ in range(20):
        service.now_s += 151
        assert not service.start().too_many


def test_a_crash_in_safe_mode_leads_to_safe_mode_again(service: Service) -> None:
    service.crash_after(2, 2, 2)
    for _ in range(10):
        assert service.start().too_many
        service.now_s += 2


def test_a_clean_end_strikes_the_bad_starts_off(service: Service) -> None:
    service.crash_after(1, 1)
    with StartCount(service.file, boot=service.boot, clock=lambda: service.now_s) as count:
        assert not count.too_many
    assert not service.file.exists()
    service.crash_after(1, 1)
    assert not service.start().too_many


def test_an_end_with_a_reason_that_was_told_is_a_clean_one_and_any_other_is_not(
    service: Service,
) -> None:
    def end_with(error: Exception) -> bool:
        with (
            pytest.raises(type(error)),
            StartCount(service.file, boot=service.boot, clock=lambda: service.now_s),
        ):
            raise error
        return service.file.exists()

    assert not end_with(EdgehomeError("config_invalid", "It is wrong.", "Mend it."))
    assert end_with(ZeroDivisionError())
    assert end_with(OSError())


def test_health_strikes_the_bad_starts_off_while_it_runs(service: Service) -> None:
    service.crash_after(1, 1)
    service.start().forgive()
    service.now_s += 1
    assert not service.start().too_many


def test_starts_before_a_boot_count_while_the_boot_is_young(service: Service) -> None:
    """Whatever the wall clock says: a kernel that a camera takes down is three boots."""
    service.crash_after(1)
    service.reboot(20)
    service.crash_after(1)
    service.reboot(20)
    service.crash_after(1)
    service.reboot(20)
    assert service.start().too_many
    service.reboot(WITHIN_S + 1)
    assert not service.start().too_many, "it was no quick row"


def test_a_monotonic_clock_that_is_another_one_is_taken_for_another_boot(
    service: Service,
) -> None:
    service.crash_after(1, 1, 1)
    service.now_s = 5
    assert service.start().too_many, "a clock that went back is another boot's"
    service.now_s = 1e9
    assert not service.start().too_many
    service.boot = ""
    service.file.unlink()
    service.crash_after(1, 1, 1)
    assert service.start().too_many, "where the kernel does not name its boots, time must do"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"{}", b"null", b"7", b"\xff\0", b"[" * 5000, b'[["a"]]', b'[["a", "b"]]',
        b'[["a", null]]', b'[["boot one", NaN], ["boot one", Infinity], ["boot one", -Infinity]]',
        b'[["boot one", 1e999]]', b'"abc"', b"[[[], {}]]",
    ],
)  # fmt: skip
def test_a_broken_file_counts_from_nought_and_is_mended(service: Service, content: bytes) -> None:
    service.file.write_bytes(content)
    assert not service.start().too_many
    assert len(json.loads(service.file.read_bytes())) == 1
    service.now_s += 1
    service.crash_after(1, 1)
    assert service.start().too_many


def test_a_disk_that_refuses_costs_the_count_and_not_the_start(tmp_path: Path) -> None:
    service = Service(tmp_path / "not" / "there")
    assert not service.start().too_many
    service.start().forgive()


def test_a_start_costs_one_small_write(service: Service) -> None:
    service.boot = "0123abcd-0123-4567-89ab-0123456789ab"
    service.now_s = 123456789.123
    service.crash_after(*[1.0] * 100)
    assert service.file.stat().st_size < 250
    assert [path.name for path in service.file.parent.iterdir()] == ["starts.json"]
    assert (BAD_STARTS, WITHIN_S, REST_S, HEALTHY_S) == (3, 300, 300, 120)


def crash_thrice(daemon: Daemon) -> None:
    for how in (signal.SIGKILL, signal.SIGABRT, signal.SIGKILL):
        before = daemon.notified().count("READY=1")
        daemon.start()
        wait_for(lambda before=before: daemon.notified().count("READY=1") > before, 20)
        daemon.end(how)


def test_a_service_that_is_killed_thrice_rests_and_tells_why_until_somebody_asks(
    daemon: Daemon, listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    crash_thrice(daemon)
    began_s = time.monotonic()
    daemon.start(watchdog_s=2)
    wait_for(lambda: "safe_mode" in problems(listener), 20)
    told_s = time.monotonic() - began_s
    assert "Retry" in problems(listener)["safe_mode"]["remedy"]
    assert listener.heard(f"{BASE}/availability")[-1].payload == b"online"
    wait_for(lambda: daemon.notified()[-20:].count("WATCHDOG=1") >= 2, 5, "systemd is reassured")
    assert daemon.notified().count("READY=1") == 4, "and waits for no frame"
    assert daemon.worker() is None
    assert listener.heard(STATE)[-1].json["problem"] == "ON"
    listener.say(f"{BASE}/mode/set", b"home")
    wait_for(lambda: listener.heard(f"{BASE}/mode")[-1].payload == b"home", 5, "it obeys")
    count = len(listener.heard(f"{BASE}/alert"))
    listener.say(f"{BASE}/retry/set", b"PRESS")
    wait_for_alerts(listener, count + 1)
    wait_for(lambda: problems(listener) == {}, 10)
    wait_for(lambda: not (daemon.state / "starts.json").exists(), 5, "the count begins anew")
    with capsys.disabled():
        print(f"\nsafe mode is told {told_s:.1f} s after the fourth start")
    assert daemon.end() == 0


def test_safe_mode_ends_by_itself_and_the_third_start_is_none(
    daemon: Daemon, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After five minutes with EDGEHOME_TEST_LONG=1, else after three seconds."""
    with_faults(monkeypatch)
    monkeypatch.setenv("EDGEHOME_TEST_REST_S", "300" if LONG else "3")
    rest_s = 300 if LONG else 3
    crash_thrice(daemon)
    assert "safe_mode" not in problems(listener), "three starts are needed"
    daemon.start()
    wait_for(lambda: "safe_mode" in problems(listener), 20)
    began_s = time.monotonic()
    count = len(listener.heard(f"{BASE}/alert"))
    wait_for(lambda: "safe_mode" not in problems(listener), rest_s + 5)
    assert time.monotonic() - began_s > rest_s - 2
    wait_for_alerts(listener, count + 1)
    assert daemon.end() == 0
    assert not (daemon.state / "starts.json").exists()
