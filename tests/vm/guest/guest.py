"""What the scenarios in the machine share: the node, its broker, and the report to the host."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

FACTS = Path("/share/facts.json")
CONFIG = Path("/etc/edgehome/config.yaml")
DROP_INS = Path("/etc/systemd/system/edgehome.service.d")
CGROUP = Path("/sys/fs/cgroup/system.slice/edgehome.service")
BASE = "edgehome/box"

COMMON = """\
device: {name: Box, id: box}
mqtt: {host: 127.0.0.1, anonymous: true}
"""

facts: dict[str, Any] = {}


def report(**found: object) -> None:
    """Tell the host, at once: what comes later may hang."""
    facts.update(found)
    FACTS.write_text(json.dumps(facts, indent=1))
    print(time.strftime("%H:%M:%S"), found, flush=True)


def run(*command: str, timeout_s: float = 300.0) -> subprocess.CompletedProcess[str]:
    """Run a command and return what came of it; 124 when it took too long."""
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=timeout_s
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", "timed out")


def configure(text: str, *, drop_in: str = "") -> None:
    """Write the node's configuration, and settings of its unit beside its own."""
    CONFIG.write_text(COMMON + text)
    mine = DROP_INS / "90-scenario.conf"
    mine.unlink(missing_ok=True)
    if drop_in:
        mine.write_text(f"[Service]\n{drop_in}\n")
    run("systemctl", "daemon-reload")


def start() -> float:
    """Start the node and return the seconds until it was ready."""
    began_s = time.monotonic()
    started = run("systemctl", "restart", "edgehome")
    if started.returncode:
        print(started.stderr, journal(), flush=True)
    return time.monotonic() - began_s


def show(key: str, unit: str = "edgehome") -> str:
    """Return a property of the unit."""
    return run("systemctl", "show", "--property", key, "--value", unit).stdout.strip()


def journal(unit: str = "edgehome") -> str:
    """Return what the service has said."""
    return run("journalctl", "--unit", unit, "--no-pager", "--output", "short-monotonic").stdout


def until(condition: Callable[[], Any], what: str, timeout_s: float) -> tuple[Any, float]:
    """Return what the condition gives as soon as it is true, and after how many seconds.

    None when it never is: the host judges that.
    """
    began_s = time.monotonic()
    while time.monotonic() - began_s < timeout_s:
        value = condition()
        if value:
            return value, round(time.monotonic() - began_s, 1)
        time.sleep(0.25)
    print(f"waited {timeout_s:.0f} s for {what}", flush=True)
    return None, timeout_s


def heard(topic: str, wait_s: float = 2.0) -> Any:
    """Return the next message on a topic of the node, from JSON where it is; else None."""
    command = ["mosquitto_sub", "-t", f"{BASE}/{topic}", "-C", "1", "-W", f"{wait_s:.0f}"]
    text = run(*command).stdout.strip()
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text


def problems() -> set[str]:
    """Return the codes of what the node says is wrong with it."""
    state = heard("state") or {}
    return {problem["code"] for problem in state.get("problems", [])}


def frames() -> int:
    """Return the frames that the node has counted so far, by its next heartbeat."""
    beat = heard("heartbeat", 35) or {}
    return int(beat.get("frames", 0))


def family() -> dict[int, str]:
    """Return the processes of the service and what each of them is."""
    found = {}
    for line in (CGROUP / "cgroup.procs").read_text().split():
        words = Path(f"/proc/{line}/cmdline").read_bytes().split(b"\0")
        found[int(line)] = "worker" if b"edgehome.worker" in words else "supervisor"
    return found


def worker() -> int:
    """Return the worker's process, 0 where there is none."""
    return next((pid for pid, kind in family().items() if kind == "worker"), 0)


def memory() -> dict[str, float]:
    """Return how much memory the service and the machine use, in MB of a million bytes."""
    found: dict[str, float] = {}
    for pid, kind in family().items():
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            key, _, value = line.partition(":")
            if key in ("VmRSS", "VmHWM", "RssAnon", "RssFile", "Threads"):
                number = int(value.split()[0])
                found[f"{kind}_{key}"] = number if key == "Threads" else number * 1.024e-3
    for name in ("memory.current", "memory.peak", "pids.current", "pids.peak"):
        file = CGROUP / name
        if file.exists():
            number = int(file.read_text())
            found[name] = number / 1e6 if name.startswith("memory") else number
    for line in (CGROUP / "memory.stat").read_text().splitlines():
        key, value = line.split()
        if key in ("anon", "file", "shmem", "kernel", "slab", "file_mapped"):
            found[f"stat_{key}"] = int(value) / 1e6
    for line in Path("/proc/meminfo").read_text().splitlines():
        key, value = line.split(":")
        if key in ("MemTotal", "MemAvailable"):
            found[key] = int(value.split()[0]) * 1.024e-3
    return {key: round(value, 1) for key, value in found.items()}


def events() -> dict[str, int]:
    """Return what the kernel counted of the service's memory limit."""
    lines = (CGROUP / "memory.events").read_text().splitlines()
    return {line.split()[0]: int(line.split()[1]) for line in lines}


def probe(code: str, *, settings: str = "") -> str:
    """Run a program in the service's own sandbox instead of it, and return what it printed."""
    script = Path("/opt/probe.py")
    script.write_text(code)
    script.chmod(0o644)
    unit = Path("/run/systemd/system/probe.service")
    unit.parent.mkdir(parents=True, exist_ok=True)
    text = run("systemctl", "cat", "edgehome").stdout
    ours = ("ExecStart=", "Type=", "WatchdogSec=", "Restart=")
    lines = [line for line in text.splitlines() if not line.startswith(ours)]
    lines += ["[Service]", "Type=oneshot", "StandardOutput=truncate:/run/probe.txt"]
    lines += ["StandardError=inherit", *settings.splitlines()]
    lines += ["ExecStart=/opt/edgehome/venv/bin/python /opt/probe.py"]
    unit.write_text("\n".join(lines) + "\n")
    run("systemctl", "daemon-reload")
    Path("/run/probe.txt").unlink(missing_ok=True)
    started = run("systemctl", "start", "probe")
    run("systemctl", "reset-failed", "probe")
    told = Path("/run/probe.txt")
    return (told.read_text() if told.exists() else "") + started.stderr


def end() -> None:
    """Say that all was tried."""
    (Path("/share") / "journal.log").write_text(journal())
    report(ended=True)
    os.sync()
