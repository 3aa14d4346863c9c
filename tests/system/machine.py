"""A bare Debian that boots its own systemd: what a home's Raspberry Pi is to install.sh."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "system"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
CHECKOUT = "/srv/edgehome"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BOOT_S = 60.0
INIT = 1

KILLER = """
step() { [[ ${FUNCNAME[1]:-} != "$KILL_IN" ]] || kill -KILL 0; }
set -o functrace
trap step DEBUG
"""


def mirror() -> str:
    """Return where this machine's apt gets its packages."""
    sources = Path("/etc/apt/sources.list.d/debian.sources").read_text(encoding="utf-8")
    return next(line.split()[1] for line in sources.splitlines() if line.startswith("URIs:"))


def make_base(suite: str) -> Path:
    """Return a minimal Debian of the suite, made once: systemd, no Python, no sudo."""
    base = CACHE / suite
    if not base.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = base.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        command = ["mmdebstrap", "--quiet", "--variant=minbase"]
        command += ["--include=systemd,systemd-sysv,dbus,ca-certificates"]
        subprocess.run([*command, suite, partial, f"deb {mirror()} {suite} main"], check=True)
        partial.rename(base)
    return base


def copy_checkout(target: Path) -> None:
    """Copy what git would clone, with what is not committed yet."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 30.0) -> None:
    """Return when the condition holds; raises AssertionError when it does not in time."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, f"waited {timeout_s:.0f} s for: {what}"
        time.sleep(0.1)


def _of_process(process: int, name: str) -> str:
    """Return a file of a process in /proc; empty for one that has ended since it was listed."""
    try:
        return Path(f"/proc/{process}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Machine:
    """One booted copy of a base; `with` boots it and powers it off."""

    def __init__(self, base: Path, folder: Path, wheels: Path) -> None:
        """Take the base, where to put the copy, and the folder of wheels to show in /srv."""
        self.suite = base.name
        self.root = folder / "root"
        self._base, self._wheels = base, wheels
        self._name = f"edgehome-{base.name}-{os.getpid()}"
        self._console = folder / "console.log"
        self._boot: subprocess.Popen[bytes] | None = None
        self._init = 0

    def __enter__(self) -> Self:
        subprocess.run(["cp", "-a", "--reflink=auto", self._base, self.root], check=True)
        if CERTIFICATES.exists():  # the host's own idea of whom to trust
            shutil.copy(CERTIFICATES, self.root / CERTIFICATES.relative_to("/"))
        copy_checkout(self.root / CHECKOUT.removeprefix("/"))
        (self.root / "srv" / "killer").write_text(KILLER)
        self.boot()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._boot is not None
        self.run("systemctl poweroff --no-wall", check=False)
        try:
            self._boot.wait(60)
        except subprocess.TimeoutExpired:
            self.cut_power()

    def boot(self) -> None:
        """Boot, and wait until that is done."""
        self._init = 0
        with self._console.open("ab") as console:
            self._boot = subprocess.Popen(
                [HERE / "boot.sh", self.root, self._name, self._wheels],
                stdout=console,
                stderr=console,
            )
        wait_until(self._find_init, f"an init process ({self._console})", BOOT_S)
        wait_until(self._is_up, f"the end of booting ({self._console})", BOOT_S)

    def cut_power(self) -> None:
        """End all processes at once; what they have written stays."""
        assert self._boot is not None
        os.kill(self._init, signal.SIGKILL)
        self._boot.wait()

    def run(self, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root in the machine; its output is shown when it fails."""
        enter = ["nsenter", "-t", str(self._init), "-m", "-u", "-i", "-n", "-p", "-C"]
        clean = ["env", "-i", f"PATH={PATH}", "HOME=/root", f"PIP_CERT={CERTIFICATES}"]
        done = subprocess.run(
            [*enter, *clean, "bash", "-c", command], capture_output=True, text=True, check=False
        )
        assert not check or done.returncode == 0, (
            f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def install(self, arguments: str = "--wheels /srv/wheels", *, check: bool = True) -> str:
        """Run install.sh and return what it told."""
        done = self.run(f"{CHECKOUT}/install.sh {arguments}", check=check)
        return done.stdout + done.stderr

    def install_killed(self, function: str) -> None:
        """Run install.sh, killed with all that it started at the first step of a function."""
        self.run(
            f"setsid --wait env BASH_ENV=/srv/killer KILL_IN={function} "
            f"{CHECKOUT}/install.sh --wheels /srv/wheels",
            check=False,
        )

    def show(self, key: str, unit: str = "edgehome") -> str:
        """Return a property of the unit."""
        return self.run(f"systemctl show --property {key} --value {unit}").stdout.strip()

    def main_process(self) -> str:
        """Return the number of the service's main process as soon as the service is ready."""
        wait_until(lambda: self.show("ActiveState") == "active", "a service that is ready", 60)
        return self.show("MainPID")

    def release(self) -> str:
        """Return the name of the release that is in place."""
        return self.run("basename $(readlink /opt/edgehome/venv)").stdout.strip()

    def journal(self, unit: str = "edgehome") -> str:
        """Return what the service has said."""
        return self.run(f"journalctl --unit {unit} --no-pager --output cat").stdout

    def _find_init(self) -> bool:
        """Find the process that is 1 in a namespace below ours, among our descendants."""
        assert self._boot is not None
        assert self._boot.poll() is None, self._console.read_text(errors="replace")
        family = [self._boot.pid]
        for parent in family:
            children = _of_process(parent, f"task/{parent}/children")
            family += [int(child) for child in children.split()]
        for process in family:
            status = _of_process(process, "status")
            numbers = status.partition("NSpid:")[2].partition("\n")[0].split()
            if len(numbers) > 1 and int(numbers[-1]) == INIT and "Name:\tsystemd\n" in status:
                self._init = process
        return self._init > 0

    def _is_up(self) -> bool:
        state = self.run("systemctl is-system-running", check=False).stdout.strip()
        return state in {"running", "degraded"}
