"""Who may open the camera's devices, and who has them open."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgehome.doctor.ask import text_of, under
from edgehome.doctor.finding import Finding
from edgehome.doctor.unit import NAME, Unit

NEEDED = ("video",)
USEFUL = ("render", "plugdev")
"""Accelerators: a GPU's node, and a Coral stick by libedgetpu's own udev rule."""
NODES = ("/dev/video*", "/dev/media*", "/dev/dma_heap/*")


@dataclass(frozen=True, slots=True)
class Account:
    """Whose rights the camera is opened with."""

    name: str
    uid: int
    """-1 where systemd makes the user at every start."""
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a camera's device open."""

    pid: int
    name: str
    device: str
    ours: bool
    """Whether it belongs to edgehome's own service."""


def names_in(root: Path, file: str) -> dict[str, list[str]]:
    """Return the lines of /etc/passwd or /etc/group by their first word."""
    lines = (line.split(":") for line in text_of(under(root, f"/etc/{file}")).splitlines())
    return {parts[0]: parts[1:] for parts in lines if len(parts) > 2}


def account(root: Path, unit: Unit | None, uid: int, groups: frozenset[int]) -> Account | None:
    """Return the service's account; without a unit that of the asker, by uid and group ids.

    None for root, who may open everything, and for a user whom nothing names.
    """
    users, known = names_in(root, "passwd"), names_in(root, "group")
    if unit is None:
        name = next((name for name, parts in users.items() if parts[1] == str(uid)), str(uid))
        mine = {group for group, parts in known.items() if int(parts[1]) in groups}
        return Account(name, uid, frozenset(mine)) if uid else None
    name = unit.last("User")
    if unit.last("DynamicUser") in {"yes", "true", "1"}:
        return Account(name or "edgehome", -1, frozenset(unit.words("SupplementaryGroups")))
    if not name or name == "root" or name not in users:
        return None
    primary = unit.last("Group") or next(
        (group for group, parts in known.items() if parts[1] == users[name][2]), ""
    )
    listed = {group for group, parts in known.items() if name in parts[2].split(",")}
    given = {primary, *unit.words("SupplementaryGroups")}
    return Account(name, int(users[name][1]), frozenset(listed | given))


def membership(root: Path, who: Account, *, accelerator: bool) -> Iterator[Finding]:
    """Yield the groups that an account lacks: those of the camera, those of an accelerator."""
    known = names_in(root, "group")
    wanted = [*NEEDED, *(USEFUL if accelerator else ())]
    missing = [name for name in wanted if name in known and name not in who.groups]
    if not missing:
        return
    message = f"The user {who.name} is not in the group {' and '.join(missing)}."
    remedy = (
        f"sudo usermod -aG {','.join(missing)} {who.name}, then restart the service; in the unit: "
        f"SupplementaryGroups={' '.join(missing)}"
    )
    yield Finding("group", "bad" if "video" in missing else "poor", message, remedy)


def devices(root: Path, who: Account) -> Iterator[Finding]:
    """Yield the camera's devices that an account may not open, though its groups are right."""
    closed = []
    ids = {int(parts[1]) for name, parts in names_in(root, "group").items() if name in who.groups}
    for pattern in NODES:
        for node in sorted(root.glob(pattern.lstrip("/"))):
            with suppress(OSError):
                found = node.stat()
                if not _may_open(found, who.uid, ids):
                    closed.append(f"/{node.relative_to(root)}")
    if closed:
        message = f"The user {who.name} may not open {', '.join(closed[:3])}."
        remedy = (
            "udev gives them to the group video on Raspberry Pi OS. Elsewhere, in "
            '/etc/udev/rules.d/60-camera.rules: SUBSYSTEM=="dma_heap", GROUP="video", MODE="0660"'
        )
        yield Finding("devices", "bad", message, remedy)


def holders(root: Path, device: str = "") -> list[Holder]:
    """Return who has the camera open: `device`, or any of the Pi camera's; [] if nobody says.

    Other people's descriptors are shown to root alone.
    """
    patterns = (device,) if device.startswith("/dev/") else NODES[:2]
    wanted = {str(node) for pattern in patterns for node in root.glob(pattern.lstrip("/"))}
    found = []
    for process in root.glob("proc/[0-9]*"):
        with suppress(OSError):
            opened = {str(_target(root, link)) for link in (process / "fd").iterdir()}
            if held := sorted(wanted & opened):
                found.append(
                    Holder(
                        int(process.name),
                        text_of(process / "comm").strip(),
                        "/" + str(Path(held[0]).relative_to(root)),
                        NAME in text_of(process / "cgroup"),
                    )
                )
    return sorted(found, key=lambda holder: holder.pid)


def _target(root: Path, link: Path) -> Path:
    with suppress(OSError):
        return under(root, link.readlink())
    return link


def _may_open(node: os.stat_result, uid: int, groups: set[int]) -> bool:
    if node.st_uid == uid:
        return bool(node.st_mode & stat.S_IRUSR)
    if node.st_gid in groups:
        return bool(node.st_mode & stat.S_IRGRP)
    return bool(node.st_mode & stat.S_IROTH)


def by_name(found: list[Holder]) -> Mapping[str, Holder]:
    """Return one holder of each name."""
    return {holder.name: holder for holder in found}
