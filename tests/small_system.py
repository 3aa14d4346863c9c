"""A system in a folder: install.sh and trial.sh run on it as they are, but for where things are.

Stand-ins answer for apt, pip, useradd and systemd, so that hundreds of runs take a minute; nothing
here says that the real ones agree, which is what tests/system is for. `kill_at` ends a script, with
all that it started, just before its nth command.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

HOOK = """
step() {
    local -a steps
    printf '%s:%s:%s\\n' "${0##*/}" "${FUNCNAME[1]:-}" "${BASH_LINENO[0]}" >>"$STEPS"
    mapfile -t steps <"$STEPS"
    # Not equal: two ends of a pipe may write before either counts.
    ((KILL_AT == 0 || ${#steps[@]} < KILL_AT)) || kill -KILL 0
}
set -o functrace
trap step DEBUG
"""

PYTHON = """#!/bin/sh
case "$*" in
*"-m venv"*) for folder; do :; done
    mkdir -p "$folder/bin" "$folder/site" && cp "$0" "$folder/bin/python" ;;
*"-m pip"*) mkdir -p "$(dirname "$0")/../site/wheels" ;;
*purelib*) echo "$(cd "$(dirname "$0")/.." && pwd)/site" ;;
*"models import"*) for folder; do :; done
    mkdir -p "$folder/heads" && echo "$0" >"$folder/edgehome-a0.tflite"
    echo {} >"$folder/heads/fall.json" ;;
*"-m edgehome"*) [ -e "$(dirname "$0")/../site/edgehome/__main__.py" ] ;;
esac
"""

SYSTEMCTL = """#!/bin/sh
# One service: it is what its release's file `site/fate` says.
cd "$WORLD"
read now _ <uptime
now=${now%.*}
case $1 in
start) [ "$2" = --no-block ] || [ "$2" = edgehome ] || exit 0
    readlink opt/venv >running; echo "$now" >since ;;
stop) rm -f running ;;
is-active) exit 3 ;;
show) case "$*" in *StatusText*) echo well; exit ;; esac
    fate=inactive status=0 result=success count=0
    if [ -e running ]; then
        read since <since
        fate=$(cat "opt/$(cat running)/site/fate" 2>/dev/null || echo active)
    fi
    case $fate in
    crash) fate=activating count=$(((now - since) / 10)) ;;
    hang) fate=active; [ $((now - since)) -lt 30 ] || result=watchdog ;;
    mute) fate=activating ;;
    restarted) fate=active; [ $(((now - since) / 10)) != 5 ] || fate=activating ;;
    refuse) fate=failed status=78 ;;
    esac
    printf '%s\\n' "LoadState=loaded" "ActiveState=$fate" "SubState=x" "Result=$result" \\
        "NRestarts=$count" "InvocationID=$(cat running 2>/dev/null)" "ExecMainStatus=$status" ;;
esac
"""

SLEEP = """#!/bin/sh
# Ten seconds of the small system; whoever waits for a trial lets systemd run it.
cd "$WORLD"
case $(cat /proc/$PPID/cmdline | tr '\\0' ' ') in
*install.sh*) if [ -e opt/next ] || [ -e opt/trial ]; then
    env -u BASH_ENV bash opt/trial.sh >>journal; fi ;;
esac
read now _ <uptime && echo "$((${now%.*} + 10)).0 0" >uptime
"""

QUIET = ("apt-get", "useradd", "userdel", "chgrp", "journalctl", "sync", "chown")
FIRST = "0.0.9-20200101T000000Z"


class SmallSystem:
    """One such system, with a release that runs."""

    def __init__(self, folder: Path, *, installed: bool = True) -> None:
        self.folder = folder
        self.opt, self.units = folder / "opt", folder / "units"
        self.config, self.state = folder / "etc", folder / "state"
        self._steps = folder / "steps"
        for made in (self.units, self.state, folder / "run", folder / "checkout"):
            made.mkdir(parents=True)
        (folder / "uptime").write_text("1000.0 0\n")
        self._write_tools()
        for name in ("edgehome", "systemd", "models", "config.yaml", "config.schema.json"):
            (folder / "checkout" / name).symlink_to(ROOT / name)
        (folder / "checkout" / "requirements").symlink_to(ROOT / "requirements")
        (folder / "hook").write_text(HOOK)
        for script in (ROOT / "install.sh", ROOT / "systemd" / "trial.sh"):
            (folder / "checkout" / script.name).write_text(self._moved(script.read_text()))
        if installed:
            self.add_release(FIRST)
            self.trial("take", f"releases/{FIRST}")
            (self.opt / "proven").write_text(f"releases/{FIRST}")
            self._tool("start-it", f"#!/bin/sh\ncd {folder} && readlink opt/venv >running\n")
            subprocess.run([folder / "bin" / "start-it"], check=True)
            (folder / "since").write_text("1000\n")

    def _write_tools(self) -> None:
        (self.folder / "bin").mkdir()
        for name in QUIET:
            self._tool(name, "#!/bin/sh\n")
        self._tool("fake-python3", PYTHON)
        self._tool("systemctl", SYSTEMCTL)
        self._tool("sleep", SLEEP)
        self._tool("dpkg-query", "#!/bin/sh\necho 'ii '\n")
        self._tool("apt-cache", "#!/bin/sh\n")
        self._tool("getent", "#!/bin/sh\nexit 0\n")
        self._tool("setpriv", '#!/bin/sh\nshift 3\nexec "$@"\n')

    def _tool(self, name: str, text: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def _moved(self, script: str) -> str:
        for place, here in (
            ("prefix=/opt/edgehome", f"prefix={self.opt}"),
            ("config=/etc/edgehome", f"config={self.config}"),
            ("state=/var/lib/edgehome", f"state={self.state}"),
            ("units=/etc/systemd/system", f"units={self.units}"),
            ("launcher=/usr/local/bin/edgehome", f"launcher={self.folder}/launcher"),
            ("/usr/bin/python3", f"{self.folder}/bin/fake-python3"),
            ("/run/systemd/system", f"{self.folder}/run"),
            ("/proc/uptime", f"{self.folder}/uptime"),
            ("install -m 0755 systemd/trial.sh", "install -m 0755 trial.sh"),
            ("((EUID == 0))", "true"),
        ):
            script = script.replace(place, here)
        return script

    def add_release(self, name: str, fate: str = "active") -> None:
        """Put a whole release there, which is to become `active`, or to crash, hang or the like."""
        release = self.opt / "releases" / name
        python, share = release / "bin" / "python", release / "share" / "edgehome"
        for folder in (python.parent, share / "systemd", share / "models" / "heads"):
            folder.mkdir(parents=True)
        (release / "site" / "edgehome").mkdir(parents=True)
        (release / "site" / "edgehome" / "__main__.py").touch()
        (release / "site" / "fate").write_text(fate)
        python.write_text(PYTHON)
        python.chmod(0o755)
        (share / "config.schema.json").write_text(name)
        for unit in ("edgehome.service", "edgehome-reboot.path", "edgehome-reboot.service"):
            (share / "systemd" / unit).write_text(name)
        (share / "models" / "edgehome-a0.tflite").write_text(name)
        (share / "models" / "heads" / f"{name[:5]}.json").write_text(name)

    def trial(self, *arguments: str, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
        return self._run("trial.sh", *arguments, kill_at=kill_at)

    def install(self, *arguments: str, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
        return self._run("install.sh", *arguments, kill_at=kill_at)

    def settle(self) -> None:
        """Let systemd run what is to be run, until nothing is."""
        for _ in range(10):
            if not any((self.opt / name).exists() for name in ("next", "trial")):
                return
            assert self.trial().returncode == 0
        raise AssertionError("the trial has no end")

    def steps(self) -> list[str]:
        """Return script, function and line of every command of the last run."""
        return self._steps.read_text().splitlines()

    def ask(self, what: str) -> None:
        (self.opt / "next").write_text(what)

    def current(self) -> str:
        """Return the name of the release that is in place; it is whole, or this fails."""
        release = (self.opt / "venv").resolve(strict=True)
        command = [release / "bin" / "python", "-m", "edgehome", "--version"]
        subprocess.run(command, check=True)
        return release.name

    def _run(self, script: str, *arguments: str, kill_at: int) -> subprocess.CompletedProcess[str]:
        self._steps.unlink(missing_ok=True)
        self._steps.touch()
        environment = {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "WORLD": str(self.folder),
            "STEPS": str(self._steps),
            "KILL_AT": str(kill_at),
            "BASH_ENV": str(self.folder / "hook"),
        }
        done = subprocess.run(
            ["bash", self.folder / "checkout" / script, *arguments],
            capture_output=True, text=True, check=False, env=environment,
            start_new_session=True, timeout=60, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == -signal.SIGKILL or not kill_at, "it ended before that step"
        return done


def distinct(steps: list[str]) -> list[int]:
    """Return the number of the first run of each command, from 1."""
    first: dict[str, int] = {}
    for number, step in enumerate(steps, 1):
        first.setdefault(step, number)
    return list(first.values())
