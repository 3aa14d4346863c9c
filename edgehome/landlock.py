"""Landlock, the kernel's file rules that a process sets for itself, through ctypes.

https://docs.kernel.org/userspace-api/landlock.html and linux/landlock.h. What no rule allows is
refused: reading, listing, executing, and every way to write. Device calls on what may be opened are
left as they are.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""The numbers of the calls, on every processor."""
VERSION = 1
PATH_BENEATH, NET_PORT = 1, 2
ALL_THREADS, ALL_THREADS_ABI = 1 << 3, 8

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE = 1 << 13, 1 << 14
READ = EXECUTE | READ_FILE | READ_DIR
FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
"""What a rule on a single file may name."""
BIND_TCP, CONNECT_TCP = 1, 2
ABSTRACT_SOCKETS, SIGNALS = 1, 2

HANDLED = {1: (1 << 13) - 1, 2: REFER, 3: TRUNCATE}
"""Rights over files by the version of the interface that brought them."""
NET_ABI, SCOPE_ABI = 4, 6


def version() -> int:
    """Return the version of the kernel's interface, 0 where there is none or it is forbidden."""
    return max(0, int(ctypes.CDLL(None).syscall(CREATE_RULESET, None, 0, VERSION)))


def restrict(
    *, read: Iterable[Path], write: Iterable[Path], listed: Iterable[Path], ports: Iterable[int]
) -> bool:
    """Allow this process what is named and no other file, from now on; say whether it holds.

    Folders stand for all that is in them; `listed` are folders of which only the names may be
    read; `ports` the only ones that TCP may connect to (Linux 6.7). What does not exist is left
    out. Also for the threads that run already from Linux 7.0 on; before, only for the caller's.
    """
    abi = version()
    if not abi:
        return False
    library = ctypes.CDLL(None)
    ruleset = library.syscall(CREATE_RULESET, *_attributes(abi), 0)
    if ruleset < 0:
        return False
    try:
        for paths, rights in ((read, READ), (write, READ | WRITE_FILE), (listed, READ_DIR)):
            for path in paths:
                _allow(library, ruleset, path, rights)
        if abi >= NET_ABI:
            for port in ports:
                rule = struct.pack("QQ", CONNECT_TCP, port)
                library.syscall(ADD_RULE, ruleset, NET_PORT, rule, 0)
        flags = ALL_THREADS if abi >= ALL_THREADS_ABI else 0
        return int(library.syscall(RESTRICT_SELF, ruleset, flags)) == 0
    finally:
        os.close(ruleset)


def _attributes(abi: int) -> tuple[bytes, int]:
    """Return struct landlock_ruleset_attr, as long as this version knows it."""
    files = sum(rights for since, rights in HANDLED.items() if abi >= since)
    fields = [files]
    if abi >= NET_ABI:
        fields.append(BIND_TCP | CONNECT_TCP)
    if abi >= SCOPE_ABI:
        fields.append(ABSTRACT_SOCKETS | SIGNALS)
    data = struct.pack(f"{len(fields)}Q", *fields)
    return data, len(data)


def _allow(library: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            allowed = rights if path.is_dir() else rights & FILE
            rule = struct.pack("=Qi", allowed, descriptor)
            library.syscall(ADD_RULE, ruleset, PATH_BENEATH, rule, 0)
        finally:
            os.close(descriptor)
