"""Supply, heat, memory, clock speed and watchdog of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from edgehome.doctor.ask import Ask, settings, text_of, under
from edgehome.doctor.camera import memory_kb
from edgehome.doctor.finding import Finding
from edgehome.health import CAPPED, HOT, THROTTLED, UNDERVOLTED, temperature, throttle_bits

SINCE_BOOT = 16
"""How much higher the bits are that say what was since the start."""
HOT_C = 80.0
"""From here on a Raspberry Pi slows itself down."""
LITTLE_KB = 1_000_000
"""Boards with less than this, a Zero 2 W or a Pi 3 A+, need swap at an update or a reload."""
LEAST_AVAILABLE_KB = 60_000
SUPPLY = "Use the power supply made for this Raspberry Pi, and a short, thick cable."
COOLING = "Give it a heat sink, a fan or more air."


def firmware_bits(root: Path, ask: Ask) -> int | None:
    """Return the firmware's bits on supply and heat, now and since the start; or None."""
    said = re.search(r"throttled=0x([0-9a-fA-F]+)", ask("vcgencmd", "get_throttled") or "")
    return int(said[1], 16) if said else throttle_bits(under(root, "/sys"))


def supply(bits: int | None) -> Iterator[Finding]:
    """Yield what the firmware says of supply and heat, now or else since the start."""
    if bits is None:
        return
    now, before = bits & 0xF, bits >> SINCE_BOOT & 0xF
    if now & UNDERVOLTED:
        yield Finding("supply", "bad", "The supply's voltage is too low at this moment.", SUPPLY)
    elif before & UNDERVOLTED:
        message = "The supply's voltage was too low at some time since the start."
        yield Finding("supply", "poor", message, SUPPLY)
    heat = CAPPED | THROTTLED | HOT
    if now & heat and not now & UNDERVOLTED:
        message = "The processor is too hot and is slowed down at this moment."
        yield Finding("heat", "poor", message, COOLING)
    elif before & heat and not before & UNDERVOLTED:
        message = "The processor was too hot at some time since the start, and was slowed down."
        yield Finding("heat", "poor", message, COOLING)
    if not (now | before):
        yield Finding("supply", "good", "voltage and heat have been right since the start")


def heat(root: Path) -> Iterator[Finding]:
    """Yield a complaint about a temperature at which a Pi slows down."""
    found = temperature(under(root, "/sys"))
    if found is not None and found >= HOT_C:
        yield Finding("heat", "poor", f"The processor has {found:.0f} °C.", COOLING)


def memory(meminfo: str) -> Iterator[Finding]:
    """Yield complaints about memory: hardly any left, or little of it and no swap."""
    total, swap = memory_kb(meminfo, "MemTotal"), memory_kb(meminfo, "SwapTotal")
    available = memory_kb(meminfo, "MemAvailable")
    if available is not None and available < LEAST_AVAILABLE_KB:
        message = f"Only {available // 1024} MB of memory are left."
        remedy = "Stop what else runs here (a desktop, a browser): systemctl set-default multi-user"
        yield Finding("memory", "poor", message, remedy)
    if total and total < LITTLE_KB and swap == 0:
        message = f"{total // 1024} MB of memory and no swap: an update may not fit."
        remedy = (
            "Bookworm: sudo apt install dphys-swapfile; Trixie: sudo apt install rpi-swap; or any "
            "Debian: sudo apt install zram-tools"
        )
        yield Finding("memory", "poor", message, remedy)


def governor(root: Path) -> Iterator[Finding]:
    """Yield a complaint about a processor that is told to stay slow."""
    file = under(root, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if text_of(file).strip() == "powersave":
        message = "The governor `powersave` keeps the processor at its lowest speed."
        remedy = "echo ondemand | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        yield Finding("governor", "poor", message, remedy)


def watchdog(root: Path) -> Iterator[Finding]:
    """Yield a complaint when nothing restarts a kernel that hangs, though the board could."""
    state = text_of(under(root, "/sys/class/watchdog/watchdog0/state")).strip()
    if state == "active" or not (state or under(root, "/dev/watchdog").exists()):
        return
    said = ""
    folders = ("/usr/lib/systemd", "/etc/systemd")
    files = [
        *(under(root, f"{folder}/system.conf") for folder in folders),
        *(
            file
            for folder in folders
            for file in sorted(under(root, f"{folder}/system.conf.d").glob("*.conf"))
        ),
    ]
    for file in files:
        said = dict(settings(text_of(file))).get("RuntimeWatchdogSec", said)
    if said not in {"", "0", "off", "infinity"}:
        return
    message = "Nothing restarts this machine when its kernel hangs: the watchdog is off."
    remedy = (
        "In /etc/systemd/system.conf.d/watchdog.conf write [Manager] and, below it, "
        "RuntimeWatchdogSec=10s; then: sudo systemctl daemon-reexec"
    )
    yield Finding("watchdog", "poor", message, remedy)
