"""The disk with the alerts: whether it can be written, has room, and keeps what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgehome.doctor.ask import settings, text_of, under
from edgehome.doctor.finding import Finding

LEAST_FREE_BYTES = 50_000_000
LEAST_FREE_FILES = 1_000
IN_MEMORY = {"tmpfs", "ramfs", "overlay", "overlayfs"}
CARD = (
    "The card is worn out or was pulled: save what you need and write a new one. Then "
    "`dmesg | grep -i mmc` tells more."
)


@dataclass(frozen=True, slots=True)
class Mount:
    """What is mounted where, from a line of /proc/self/mounts."""

    device: str
    folder: str
    kind: str
    options: tuple[str, ...]


def mount_of(mounts: str, folder: Path) -> Mount | None:
    """Return the mount that a folder lies on, the last one where several are on each other."""
    found = None
    for line in mounts.splitlines():
        device, place, kind, options = (*line.split(), "", "", "", "")[:4]
        place = place.replace("\\040", " ")
        deeper = found is None or len(place) >= len(found.folder)
        if place and folder.is_relative_to(place) and deeper:
            found = Mount(device, place, kind, tuple(options.split(",")))
    return found


def mounted(root: Path, mount: Mount | None, folder: Path) -> Iterator[Finding]:
    """Yield what is wrong with the mount of the state folder."""
    if mount is None:
        return
    if "ro" in mount.options:
        message = f"{mount.folder} is mounted read-only, so no alert can be kept in {folder}."
        remedy = f"A card with errors is made read-only: reboot, then look again. {CARD}"
        yield Finding("disk", "bad", message, remedy)
    elif mount.kind in IN_MEMORY:
        message = f"{folder} lies on {mount.kind} in memory: alerts are lost at a reboot."
        remedy = (
            "With raspi-config's overlay file system: mount a partition of its own on "
            "/var/lib/edgehome, or switch the overlay off (raspi-config, Performance)."
        )
        yield Finding("disk", "poor", message, remedy)
    errors = under(root, f"/sys/fs/ext4/{Path(mount.device).name}/errors_count")
    count = text_of(errors).strip()
    if count.isdigit() and int(count):
        message = f"The file system of {mount.folder} has had {count} errors."
        remedy = f"sudo touch /forcefsck and reboot. If they come again: {CARD}"
        yield Finding("disk", "poor", message, remedy)


def room(folder: Path, free_bytes: int, free_files: int, files: int) -> Iterator[Finding]:
    """Yield how much room the disk has; `files` is 0 where it does not count them."""
    message = f"{folder}: {free_bytes / 1e6:.0f} MB free"
    if free_bytes < LEAST_FREE_BYTES:
        remedy = "Make room: sudo journalctl --vacuum-size=50M; sudo apt clean"
        yield Finding("disk", "poor", message, remedy)
    elif files and free_files < LEAST_FREE_FILES:
        message = f"{folder}: room for {free_files} more files only (inodes)"
        remedy = "Something has made very many small files: sudo du --inodes -xd2 / | sort -n"
        yield Finding("disk", "poor", message, remedy)
    else:
        yield Finding("disk", "good", message)


def journal(root: Path) -> Iterator[Finding]:
    """Yield whether the log outlives a reboot: without it nobody learns why there was one."""
    if not under(root, "/run/systemd/system").is_dir():
        return
    said = "auto"
    for folder in ("/usr/lib/systemd", "/etc/systemd"):
        base = under(root, folder)
        for file in (base / "journald.conf", *sorted((base / "journald.conf.d").glob("*.conf"))):
            said = dict(settings(text_of(file))).get("Storage", said)
    kept = said == "persistent" or (said == "auto" and under(root, "/var/log/journal").is_dir())
    if kept:
        return
    message = "The log is kept in memory only: after a reboot nobody can see what was before it."
    remedy = (
        "That spares the card. To keep it while you look for a fault: in "
        "/etc/systemd/journald.conf.d/keep.conf write [Journal] and, below it, Storage=persistent "
        "and SystemMaxUse=50M; then: sudo systemctl restart systemd-journald"
    )
    yield Finding("journal", "good", message, remedy)
