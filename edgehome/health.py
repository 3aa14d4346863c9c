"""How the machine itself is: heat, supply, room on the disk, and a newer version.

Every reading may be missing; what is not known is None and no problem. Reading may wait for a disk
or for the firmware, so the supervisor's loop has it done elsewhere.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edgehome.homeassistant import Release
from edgehome.rollback import undone
from edgehome.types import Problem

SYSFS = Path("/sys")
CHECK_S = 30.0
LEAST_FREE_BYTES = 50_000_000
"""Of the disk with the state folder: below this it is told, long before an alert cannot be kept."""
LATEST = "latest.json"
LATEST_BYTES = 4096
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,39}")
URL = re.compile(r"https://[!-~]{1,300}")

UNDERVOLTED, CAPPED, THROTTLED, HOT = 1, 2, 4, 8
"""Bits of the firmware's get_throttled that say what is so now; 16 higher, what was since boot:
https://www.raspberrypi.com/documentation/computers/os.html#get_throttled"""


@dataclass(frozen=True, slots=True)
class Machine:
    """How the machine was when it was last looked at."""

    temperature: float | None = None
    """Degrees Celsius, of its hottest part that says; None where none does."""
    throttled: bool | None = None
    """Whether heat or a weak supply slows it down now; None where nothing says."""
    release: Release | None = None
    """The newest version, by whoever updates this node; None where nobody says."""
    problems: tuple[Problem, ...] = ()
    slowed_by_heat: bool | None = None
    """Whether the firmware clocks it down for heat, the soft limit of a 3B+ apart; None where
    nothing says."""


def examine(state: Path, sysfs: Path = SYSFS) -> Machine:
    """Return how the machine is; `state` is the node's state folder. Never raises."""
    bits = throttle_bits(sysfs)
    problems = [*_throttling(bits or 0), *_disk(state), *undone(state)]
    return Machine(
        temperature=temperature(sysfs),
        throttled=None if bits is None else bool(bits & 0xF),
        release=latest_release(state),
        problems=tuple(problems),
        slowed_by_heat=None if bits is None else _slowed_by_heat(bits),
    )


def temperature(sysfs: Path) -> float | None:
    """Return the temperature of the hottest thermal zone in degrees Celsius, or None."""
    found = []
    for zone in sysfs.glob("class/thermal/thermal_zone*/temp"):
        with suppress(OSError, ValueError):  # a zone that is asleep refuses to be read
            found.append(int(zone.read_text(encoding="ascii")) / 1000)
    return max((value for value in found if -40 <= value <= 150), default=None)


def throttle_bits(sysfs: Path) -> int | None:
    """Return the firmware's bits, from Linux's driver for it; None where there is none.

    Without that driver's file, a Raspberry Pi's supply alone is told by `rpi_volt` of hwmon.
    """
    for file in sysfs.glob("devices/platform/soc*/soc*:firmware/get_throttled"):
        with suppress(OSError, ValueError):
            return int(file.read_text(encoding="ascii"), 16)
    for name in sysfs.glob("class/hwmon/hwmon*/name"):
        with suppress(OSError, ValueError):
            if name.read_text(encoding="ascii").strip() == "rpi_volt":
                alarm = int((name.parent / "in0_lcrit_alarm").read_text(encoding="ascii"))
                return UNDERVOLTED if alarm else 0
    return None


def latest_release(state: Path) -> Release | None:
    """Return what latest.json in the state folder says: version, and perhaps title and url.

    None where there is no such file, or anything in it is not what it should be.
    """
    try:
        with (state / LATEST).open("rb") as file:
            said = json.loads(file.read(LATEST_BYTES))
        release = Release(said["version"], said.get("title", ""), said.get("url", ""))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    parts = (release.version, release.title, release.url)
    if not all(isinstance(part, str) for part in parts):
        return None
    title_good = len(release.title) <= 100 and (not release.title or release.title.isprintable())
    url_good = not release.url or URL.fullmatch(release.url)
    good = VERSION.fullmatch(release.version) and title_good and url_good
    return release if good else None


class Checkup:
    """Has the machine looked at now and then, by somebody who may wait."""

    def __init__(
        self,
        look: Callable[[], Machine],
        have_done: Callable[[Callable[[], Machine], Callable[[Machine], None]], None],
        clock: Callable[[], float],
    ) -> None:
        """Take what looks, what has a job done and tells its result, and monotonic seconds."""
        self.machine = Machine()
        """How it was at the last look."""
        self._look = look
        self._have_done = have_done
        self._clock = clock
        self._next_s = -math.inf
        self._looking = False

    def turn(self) -> None:
        """Ask for a look when it is time for one, and none is still under way."""
        now_s = self._clock()
        if now_s >= self._next_s and not self._looking:
            self._looking, self._next_s = True, now_s + CHECK_S
            self._have_done(self._look, self._take)

    def _take(self, machine: Machine) -> None:
        self.machine, self._looking = machine, False


def _slowed_by_heat(bits: int) -> bool:
    """Return whether it is heat: a weak supply has the firmware do the same, and less work is no
    remedy for that.
    """
    return bool(bits & (CAPPED | THROTTLED)) and not bits & UNDERVOLTED


def _throttling(bits: int) -> list[Problem]:
    """Return what the firmware says of supply and heat, as it is now."""
    problems = []
    if bits & UNDERVOLTED:
        message = "The supply's voltage is too low; the processor is slowed down."
        remedy = "Use the power supply made for this Raspberry Pi, and a short, thick cable."
        problems.append(Problem("undervoltage", message, remedy))
    if bits & (CAPPED | THROTTLED | HOT) and not bits & UNDERVOLTED:
        message = "The processor is too hot and is slowed down."
        problems.append(Problem("throttled", message, "Give it a heat sink, a fan or more air."))
    return problems


def _disk(state: Path) -> list[Problem]:
    try:
        found = os.statvfs(state)
    except OSError:  # whoever writes there will say so
        return []
    free = found.f_bavail * found.f_frsize
    if free >= LEAST_FREE_BYTES:
        return []
    message = f"The disk with {state} has only {free / 1e6:.0f} MB left."
    remedy = "Make room, for example with `journalctl --vacuum-size=50M`; alerts are kept there."
    return [Problem("disk_low", message, remedy)]
