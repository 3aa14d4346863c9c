"""Where a node keeps what it must not lose, when nobody says where."""

from __future__ import annotations

import os
from pathlib import Path

SYSTEM_CONFIG = Path("/etc/edgehome/config.yaml")
SYSTEM_STATE = Path("/var/lib/edgehome")


def state_of(config: Path) -> Path:
    """Return where a node with this configuration keeps its state: the service, or one's own."""
    own = own_state()
    return SYSTEM_STATE if config == SYSTEM_CONFIG and SYSTEM_STATE.exists() else own


def own_state() -> Path:
    """Return systemd's state folder, else one in the user's home (XDG base directories)."""
    systemd = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(systemd) if systemd else Path(home).expanduser() / "edgehome"
