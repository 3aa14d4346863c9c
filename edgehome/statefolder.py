"""Where a node keeps what it must not lose, when nobody says where."""

from __future__ import annotations

import os
from pathlib import Path

INSTALLED = Path("/var/lib/edgehome")


def state_folder() -> Path:
    """Return systemd's state folder, else one in the user's home (XDG base directories)."""
    systemd = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(systemd) if systemd else Path(home).expanduser() / "edgehome"


def home_folder() -> Path:
    """Return the state folder of the node that is installed here, else that of the user's own."""
    if "STATE_DIRECTORY" not in os.environ and INSTALLED.is_dir():
        return INSTALLED
    return state_folder()
