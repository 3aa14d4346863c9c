"""edgehome's systemd unit as it is written, drop-ins included; and what drop-ins loosen."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgehome.doctor.ask import settings, text_of, under
from edgehome.doctor.finding import Finding

NAME = "edgehome.service"
FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system")
"""Where units lie; the first one that has it wins, drop-ins come from all of them."""

LOOSE = {
    "User": ("root", "0"),
    "NoNewPrivileges": ("no", "false", "0"),
    "ProtectSystem": ("no", "false", "0"),
    "ProtectHome": ("no", "false", "0"),
    "DevicePolicy": ("auto",),
    "MemoryDenyWriteExecute": ("no", "false", "0"),
    "RestrictAddressFamilies": ("",),
    "SystemCallFilter": ("",),
    "IPAddressDeny": ("",),
    "IPAddressAllow": ("any",),
    "MemoryMax": ("infinity",),
    "WatchdogSec": ("0", "infinity"),
    "Restart": ("no",),
}
"""Words in a drop-in that take a wall or a safeguard away."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What the unit's file and its drop-ins say."""

    settings: dict[str, list[str]] = field(default_factory=dict)
    """By key, in order; an empty word empties what was before, as in systemd."""
    drop_ins: tuple[Path, ...] = ()

    def last(self, key: str) -> str:
        """Return what counts of a setting that has one value; empty without any."""
        return (self.settings.get(key) or [""])[-1]

    def words(self, key: str) -> list[str]:
        """Return all words of a setting that is a list."""
        return [word for line in self.settings.get(key, ()) for word in line.split()]


def read_unit(root: Path) -> Unit | None:
    """Return the unit that is installed below `root`, or None."""
    folders = [under(root, folder) for folder in FOLDERS]
    main = next((folder / NAME for folder in folders if (folder / NAME).is_file()), None)
    if main is None:
        return None
    found: dict[str, Path] = {}
    for folder in reversed(folders):  # of two with one name, the one in /etc counts
        found |= {file.name: file for file in (folder / f"{NAME}.d").glob("*.conf")}
    drop_ins = tuple(found[name] for name in sorted(found))
    said: dict[str, list[str]] = {}
    for file in (main, *drop_ins):
        for key, value in settings(text_of(file)):
            said[key] = [*said.get(key, ()), value] if value else []
    return Unit(said, drop_ins)


def loosened(unit: Unit) -> Iterator[Finding]:
    """Yield what drop-ins take away, and what in the unit hides the camera without a word."""
    weak = [
        f"{key}={value} in {file.name}"
        for file in unit.drop_ins
        for key, value in settings(text_of(file))
        if key in LOOSE and value in LOOSE[key]
    ]
    if weak:
        message = f"Drop-ins loosen the unit: {', '.join(weak)}."
        yield Finding("drop-ins", "poor", message, "Correct them: sudo systemctl edit edgehome")
    globs = [word for word in unit.words("DeviceAllow") if "*" in word and word.startswith("/")]
    if globs:
        message = f"DeviceAllow={globs[0]} allows nothing: systemd takes no pattern of paths."
        remedy = "Name the class of devices, such as: DeviceAllow=char-video4linux rw"
        yield Finding("drop-ins", "bad", message, remedy)
    if unit.last("PrivateDevices") in {"yes", "true", "1"}:
        message = "PrivateDevices=yes hides every camera from the service."
        yield Finding("drop-ins", "bad", message, "Remove it: sudo systemctl edit edgehome")


def startable(root: Path, unit: Unit, users: Sequence[str]) -> Iterator[Finding]:
    """Yield why systemd could not even start the program: 203/EXEC, 217/USER, 216/GROUP.

    `users` are the names of /etc/passwd.
    """
    command = shlex.split(unit.last("ExecStart"))[:1]
    reinstall = "Run `sudo ./install.sh`: it repairs what is missing."
    if command and not under(root, command[0].lstrip("-@:+!")).exists():
        message = f"The unit starts {command[0]}, which is not there (203/EXEC)."
        yield Finding("service", "bad", message, reinstall)
    user = unit.last("User")
    dynamic = unit.last("DynamicUser") in {"yes", "true", "1"}
    if user and users and user not in users and not dynamic:
        message = f"The unit runs as {user}, and there is no such user (217/USER)."
        yield Finding("service", "bad", message, reinstall)
