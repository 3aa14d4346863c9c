"""The home's broker: its users, and the ACL that the documentation gives."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from broker import Broker, wait_for

USERS = {"homeassistant": "secret of the house", "edgehome": "secret of the node", "test": "test"}


def home_broker(folder: Path, acl: str) -> Broker:
    """Return a mosquitto with exactly these permissions, and a listener that may do all."""
    return Broker(folder, users=USERS, acl=f"{acl}\nuser test\ntopic readwrite #\n")


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 30) -> float:
    """Return the seconds until `condition` held; raises AssertionError when it never does."""
    start_s = time.monotonic()
    wait_for(condition, timeout_s, f"waited {timeout_s} s in vain for {what}")
    return time.monotonic() - start_s
