"""A system call filter for this process: classic BPF, handed to the kernel through ctypes.

Numbers and constants are those of the Linux headers (asm/unistd.h, linux/seccomp.h, linux/filter.h,
linux/audit.h). What is not named here is allowed: the systemd unit holds the list of what a service
may call at all.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from dataclasses import dataclass

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 22, 38
SECCOMP_MODE_FILTER, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC = 2, 1, 1
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
"""SECCOMP_RET_ALLOW; SECCOMP_RET_ERRNO, the error's number in the lower half."""
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_JMP|JSET|K, BPF_RET|K."""
NUMBER, ARCHITECTURE = 0, 4
"""Offsets in struct seccomp_data; argument n, its lower half, is at 16 + 8 n."""

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
NETLINK_KOBJECT_UEVENT = 15
"""What udev says of devices that come and go: libcamera listens to it."""
NEW_NAMESPACES = 0x7E020000
"""The flags CLONE_NEW* of clone(2)."""
X32_BIT = 0x40000000
"""Calls of the x32 ABI come with the same architecture and this bit."""

Step = tuple[int, int, int, int]
"""Code, jump when true, jump when not, constant."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What of the kernel's interface differs between processors."""

    architecture: int
    """AUDIT_ARCH_*."""
    column: int
    """Of the table below."""
    seccomp: int
    """The number of seccomp(2)."""


MACHINES = {
    "x86_64": Machine(0xC000003E, 0, 317),
    "aarch64": Machine(0xC00000B7, 1, 277),
}

CALLS = {
    "socket": (41, 198),
    "connect": (42, 203),
    "clone": (56, 220),
    "clone3": (435, 435),
    # Nobody is let in.
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    # Other processes' memory and descriptors: the supervisor has the password.
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "perf_event_open": (298, 241),
    # It would make sockets past this filter.
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    # Rich sources of kernel holes that no camera and no model needs.
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "mount_setattr": (442, 442),
    "open_by_handle_at": (304, 265),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
}
"""Numbers on x86_64 and aarch64."""
JUDGED = {"socket", "connect", "clone", "clone3"}
"""By their arguments; all the others are refused."""


def program(machine: Machine, *, network: bool) -> list[Step]:
    """Return the filter; with `network` sockets of the Internet may be made and connected."""
    number = {name: numbers[machine.column] for name, numbers in CALLS.items()}
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, machine.architecture),
        _refuse(errno.EPERM),  # 32-bit calls have other numbers
        (LOAD, 0, 0, NUMBER),
    ]
    if machine.architecture == MACHINES["x86_64"].architecture:
        steps += [(AT_LEAST, 0, 1, X32_BIT), _refuse(errno.EPERM)]
    steps += _when(number["socket"], _families(network=network))
    if not network:
        steps += _when(number["connect"], [_refuse(errno.EPERM)])
    namespaces = [_argument(0), (ANY_BIT, 0, 1, NEW_NAMESPACES), _refuse(errno.EPERM), _allow()]
    steps += _when(number["clone"], namespaces)
    # Its flags lie in memory, out of a filter's sight: the C library falls back to clone.
    steps += _when(number["clone3"], [_refuse(errno.ENOSYS)])
    for name in CALLS.keys() - JUDGED:
        steps += _when(number[name], [_refuse(errno.EPERM)])
    return [*steps, _allow()]


def _families(*, network: bool) -> list[Step]:
    """Judge a socket by its family, and netlink by its protocol."""
    allowed = [AF_UNIX, AF_INET, AF_INET6] if network else [AF_UNIX]
    steps = [_argument(0)]
    for family in allowed:
        steps += _when(family, [_allow()])
    uevent = [_argument(2), *_when(NETLINK_KOBJECT_UEVENT, [_allow()])]
    steps += _when(AF_NETLINK, [*uevent, _refuse(errno.EAFNOSUPPORT)])
    return [*steps, _refuse(errno.EAFNOSUPPORT)]


def _when(value: int, steps: list[Step]) -> list[Step]:
    """Do the steps, which end in a verdict, if what was loaded is the value; else go on."""
    return [(EQUAL, 0, len(steps), value), *steps]


def _argument(place: int) -> Step:
    return (LOAD, 0, 0, 16 + 8 * place)


def _refuse(error: int) -> Step:
    return (RETURN, 0, 0, REFUSE | error)


def _allow() -> Step:
    return (RETURN, 0, 0, ALLOW)


def no_new_privileges() -> bool:
    """Let no program that is started from here have more rights than we; say whether it holds."""
    return int(ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) == 0


def apply_filter(*, network: bool) -> bool:
    """Filter the calls of this process from now on, of all its threads; say whether it holds.

    Needs `no_new_privileges`. False on other processors, or where the kernel has no filters.
    """
    machine = MACHINES.get(platform.machine())
    if not machine or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    steps = program(machine, network=network)
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    address = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(buffer)))
    library = ctypes.CDLL(None)
    call = (machine.seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, address)
    if int(library.syscall(*call)) == 0:
        return True
    # An outer filter may know prctl only; then threads that run already are left out.
    return int(library.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address, 0, 0)) == 0
