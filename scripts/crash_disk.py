"""A disk as a power cut may leave it, put together from what a process did to its files.

What was synced is there. Of what was not, any sectors of 512 bytes reached the disk, and of the
changes to the folder any beginning: ext4 journals those in order, and commits them with the sync
of a file that is new, or of the folder.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
KEPT = (0.0, 0.1, 0.5, 0.9, 1.0)
"""Shares of the unsynced sectors that reach the disk; each cut takes one."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change: C(reated), W(ritten), T(runcated), S(ynced), U(nlinked), R(enamed), L(inked)."""

    kind: str
    path: str
    offset: int
    data: bytes


@dataclass(slots=True)
class Inode:
    """A file's content on the disk, and what has not been synced."""

    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[Event] = field(default_factory=list)

    def sync(self) -> None:
        """Bring everything to the disk."""
        for event in self.unsynced:
            change(self.durable, event)
        self.unsynced.clear()

    def cut(self, chance: random.Random) -> bytes:
        """Return what a power cut may leave."""
        content, share = bytearray(self.durable), chance.choice(KEPT)
        for event in self.unsynced:
            for part in sectors(event):
                if chance.random() < share:
                    change(content, part)
        return bytes(content)


class Disk:
    """A folder: names as they are, names on the disk, and the changes in between."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self._names = {name: Inode(bytearray(data)) for name, data in files.items()}
        self._durable = dict(self._names)
        self._changes: list[tuple[str, Inode | None]] = []

    def take(self, event: Event) -> None:
        """Apply a change."""
        name = Path(event.path).name
        match event.kind:
            case "C":
                self._name(name, Inode())
            case "U":
                self._name(name, None)
            case "L" | "R":
                self._name(Path(event.data.decode()).name, self._names[name])
                if event.kind == "R":
                    self._name(name, None)
            case "S":
                self._sync(name)
            case _:
                self._names[name].unsynced.append(event)

    def cut(self, chance: random.Random) -> dict[str, bytes]:
        """Return the files as a power cut may leave them."""
        names = dict(self._durable)
        for name, inode in self._changes[: chance.randint(0, len(self._changes))]:
            put(names, name, inode)
        contents = {id(inode): inode.cut(chance) for inode in names.values()}
        return {name: contents[id(inode)] for name, inode in names.items()}

    def _name(self, name: str, inode: Inode | None) -> None:
        put(self._names, name, inode)
        self._changes.append((name, inode))

    def _sync(self, name: str) -> None:
        """Sync a file, and the folder with it where the file is new, or the folder itself."""
        inode = self._names.get(name)
        if inode:
            inode.sync()
        if not inode or any(inode is changed for _, changed in self._changes):
            self._durable = dict(self._names)
            self._changes.clear()


def put(names: dict[str, Inode], name: str, inode: Inode | None) -> None:
    """Give a file a name, or take the name away."""
    if inode:
        names[name] = inode
    else:
        names.pop(name, None)


def change(content: bytearray, event: Event) -> None:
    """Write or truncate."""
    if event.kind == "W":
        content.extend(bytes(max(0, event.offset - len(content))))
        content[event.offset : event.offset + len(event.data)] = event.data
    else:
        del content[event.offset :]
        content.extend(bytes(event.offset - len(content)))


def sectors(event: Event) -> Iterator[Event]:
    """Yield the parts of a change that reach the disk or not, each by itself."""
    at, end = event.offset, event.offset + len(event.data)
    if event.kind != "W":
        yield event
    while at < end and event.kind == "W":
        until = min(end, at // SECTOR * SECTOR + SECTOR)
        data = event.data[at - event.offset : until - event.offset]
        yield Event("W", event.path, at, data)
        at = until


def read(log: bytes) -> Iterator[Event]:
    """Yield what the shim wrote."""
    at = 0
    while at < len(log):
        kind = chr(log[at])
        (length,) = struct.unpack_from("=H", log, at + 1)
        path = log[at + 3 : at + 3 + length].decode()
        offset, size = struct.unpack_from("=qI", log, at + 3 + length)
        at += 15 + length
        yield Event(kind, path, offset, log[at : at + size])
        at += size
