"""Upgrades that hold, that fail and that are cut off; and the end of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from machine import CHECKOUT, Machine, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from home import Home

CRASH = "import os; os.abort()"
HANG = "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"
FAULTS = {
    "crash": ("app.py", "    guard_supervisor()\n", f"    {CRASH}\n"),
    "hang": (
        "supervisor.py",
        'systemd.notify("READY=1")\n',
        f'systemd.notify("READY=1"); {HANG}\n',
    ),
}
"""What a bad release does, by file: the text that is replaced, and what by."""


@pytest.fixture
def bad_checkout(machine: Machine, request: pytest.FixtureRequest) -> Iterator[None]:
    name, right, wrong = FAULTS[request.param]
    file = machine.root / CHECKOUT.removeprefix("/") / "edgehome" / name
    text = file.read_text()
    assert text.count(right) == 1
    file.write_text(text.replace(right, wrong))
    yield
    file.write_text(text)


def await_verdict(machine: Machine) -> str:
    verdict = machine.root / "opt/edgehome/verdict"
    wait_until(verdict.exists, "the verdict on the release on trial", 120)
    return verdict.read_text()


def await_return(home: Home, before: str, reason: str) -> None:
    """Wait for the release before, at work, and for the home to be told."""
    machine = home.machine
    assert await_verdict(machine) == f"back: {reason}"
    assert machine.release() == before
    assert "is taken back: " + reason in machine.journal("edgehome-trial")
    machine.main_process()
    wait_until(lambda: "upgrade_undone" in home.problems(), "the problem in Home Assistant")
    assert home.await_alert()["label"] == "person"


@pytest.mark.parametrize("bad_checkout", ["crash"], indirect=True)
@pytest.mark.usefixtures("bad_checkout")
def test_a_release_that_crashes_is_taken_back_and_install_says_so(home: Home) -> None:
    machine = home.machine
    before = machine.release()
    told = machine.run(f"{CHECKOUT}/install.sh --wheels /srv/wheels", check=False)
    assert told.returncode == 70
    assert "was taken back: it ended unexpectedly 3 times. The one before runs." in told.stderr
    await_return(home, before, "it ended unexpectedly 3 times")


@pytest.mark.parametrize("bad_checkout", ["hang"], indirect=True)
@pytest.mark.usefixtures("bad_checkout")
def test_a_release_that_hangs_is_taken_back_though_install_was_killed_and_the_power_cut(
    home: Home,
) -> None:
    machine = home.machine
    before = machine.release()
    machine.install_killed("await_trial")
    machine.cut_power()
    machine.boot()
    await_return(home, before, "it hung")


@pytest.mark.parametrize(
    "function", ["pip_install", "complete_release", "install_configuration", "start_release"]
)
def test_an_installation_that_is_killed_leaves_the_service_as_it_was(
    home: Home, function: str
) -> None:
    machine = home.machine
    before, process = machine.release(), machine.main_process()
    machine.install_killed(function)
    assert (machine.release(), machine.main_process()) == (before, process)


def test_run_again_after_a_kill_it_upgrades_and_keeps_config_and_state(home: Home) -> None:
    machine = home.machine
    before, config = machine.release(), home.config_file.read_text()
    outbox = home.outbox()
    machine.install("--wheels /srv/wheels --video")
    assert machine.run("ls -d /opt/edgehome/venv/lib/python3*/site-packages/av").stdout
    assert machine.release() != before
    assert home.config_file.read_text() == config
    assert home.await_alert()["label"] == "person"
    assert home.outbox() == outbox, "it was made anew"
    assert await_verdict(machine) == "proven"
    wait_until(lambda: "upgrade_undone" not in home.problems(), "the end of the problem", 60)


def test_who_asks_for_it_gets_the_release_before(home: Home) -> None:
    machine = home.machine
    before = machine.release()
    told = machine.install("--rollback")
    assert machine.release() != before
    assert f"back: {machine.release()} runs" in told
    assert home.await_alert()["label"] == "person"
    again = machine.run(f"{CHECKOUT}/install.sh --rollback", check=False)
    assert again.returncode == 66
    assert "There is no release to go back to." in again.stderr


def test_after_uninstalling_only_config_and_state_are_left(machine: Machine) -> None:
    def left() -> list[str]:
        places = "/opt /etc /usr/local /var/lib /run/systemd /home"
        found = machine.run(f"find {places} -xdev -iname '*edgehome*' -prune").stdout.split()
        return sorted(found)

    own = ["/etc/systemd/system/edgehome.service.d"] * (machine.suite == "trixie")
    machine.install("--uninstall")
    assert left() == sorted([*own, "/etc/edgehome", "/var/lib/edgehome"])
    assert machine.run("getent passwd edgehome", check=False).returncode != 0
    assert machine.run("systemctl cat edgehome edgehome-trial", check=False).returncode != 0
    machine.install("--uninstall")  # a second time is not an error
    machine.install("--uninstall --purge")
    assert left() == []
