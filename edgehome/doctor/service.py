"""How systemd sees the service: installed, enabled, running, how often restarted, and why."""

from __future__ import annotations

from collections.abc import Iterator

from edgehome.doctor.ask import Ask, settings
from edgehome.doctor.finding import Finding
from edgehome.doctor.unit import NAME

ASKED = (
    "LoadState,UnitFileState,ActiveState,SubState,Result,ExecMainStatus,NRestarts,StatusText,"
    "NeedDaemonReload"
)
MANY_RESTARTS = 3
LOG = "sudo journalctl -u edgehome -n 50"
STATUSES = {
    "78": "its configuration is wrong: sudo edgehome check /etc/edgehome/config.yaml",
    "203": "its program is not there",
    "216": "a group of it is not there",
    "217": "its user is not there",
    "218": "it may not get the capabilities it asks for",
    "226": "its walls cannot be built, perhaps for a missing folder",
}
"""What systemd.exec(5) and sysexits.h mean by an exit status."""


def shown(ask: Ask) -> dict[str, str]:
    """Return what systemd says of the unit; empty where no systemd runs."""
    return dict(settings(ask("systemctl", "show", NAME, f"--property={ASKED}") or ""))


def running(said: dict[str, str]) -> bool:
    """Return whether the service runs."""
    return said.get("ActiveState") in {"active", "reloading", "activating"}


def service(said: dict[str, str]) -> Iterator[Finding]:
    """Yield whether the service is installed, enabled, running, and since how many restarts."""
    if not said or not said.get("LoadState"):
        return
    if said["LoadState"] != "loaded":
        message = "The service is not installed: nothing watches when you log out."
        yield Finding("service", "poor", message, "Run: sudo ./install.sh")
        return
    status = said.get("ExecMainStatus", "")
    why = STATUSES.get(status, f"result {said.get('Result', '')}, status {status}")
    if said.get("SubState") == "auto-restart":
        remedy = f"Read {LOG}; what is missing is put right by: sudo ./install.sh"
        yield Finding(
            "service", "bad", f"The service ends as soon as it is started: {why}.", remedy
        )
    elif not running(said):
        if said.get("ActiveState") == "failed":
            remedy = f"Read {LOG}; then: sudo systemctl restart edgehome"
            yield Finding("service", "bad", f"The service has failed: {why}.", remedy)
        else:
            remedy = "Run: sudo systemctl start edgehome"
            yield Finding("service", "poor", "The service is stopped: nobody watches.", remedy)
    elif said.get("ActiveState") == "activating":
        yield Finding("service", "poor", f"The service is starting: {said.get('StatusText', '')}")
    else:
        yield from _restarts(said)
    if said.get("UnitFileState") == "disabled":
        message = "The service does not start when the machine does."
        yield Finding("service", "poor", message, "Run: sudo systemctl enable edgehome")
    if said.get("NeedDaemonReload") == "yes":
        message = "The unit's file is newer than what systemd has read."
        remedy = "Run: sudo systemctl daemon-reload && sudo systemctl restart edgehome"
        yield Finding("service", "poor", message, remedy)


def _restarts(said: dict[str, str]) -> Iterator[Finding]:
    count = int(said.get("NRestarts") or 0)
    if count >= MANY_RESTARTS:
        message = f"The service runs, and systemd had to restart it {count} times."
        yield Finding("service", "poor", message, f"Read why: {LOG}")
    else:
        yield Finding("service", "good", f"runs: {said.get('StatusText') or 'no word of it yet'}")


def last_error(ask: Ask) -> Iterator[Finding]:
    """Yield the last error that the service has logged since its own start, if any."""
    run = (ask("systemctl", "show", NAME, "--property=InvocationID", "--value") or "").strip()
    which = (f"_SYSTEMD_INVOCATION_ID={run}",) if run else ("--unit", NAME, "--boot")
    log = ask("journalctl", *which, "--lines=300", "--output=cat", "--no-pager")
    errors = [line for line in (log or "").splitlines() if line.startswith(("ERROR ", "CRITICAL "))]
    if errors:
        yield Finding("log", "poor", f"The last error: {errors[-1][:300]}", f"Read {LOG}")
