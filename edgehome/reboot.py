"""The last rung: ask for a reboot when the camera's driver no longer lets go.

The supervisor has no right to reboot. It leaves a note, and a path unit of systemd that the
owner has enabled acts on it. At most three notes a day, whatever the clock says.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from edgehome.statefile import StateFile, write_atomically

PER_DAY = 3
DAY_S = 86400.0

logger = logging.getLogger(__name__)


class Reboot:
    """Notes for the path unit, counted over restarts and reboots."""

    def __init__(self, note: Path, state: StateFile, wall_s: Callable[[], float]) -> None:
        """Take the file to leave, where to count, and the wall clock in seconds since 1970."""
        self._note = note
        self._state = state
        self._wall_s = wall_s

    def request(self, *, allowed: bool) -> str:
        """Ask for a reboot if that may be; return what the owner is to do or to expect.

        Waits for the disk: not for the loop's own thread.
        """
        if not allowed:
            return "Switch the Pi off and on; `allow_reboot` lets it do so by itself."
        now_s = self._wall_s()
        # A clock that was set back leaves times in the future: they count, lest it never ends.
        recent = [s for s in self._state.get("reboots", []) if now_s - s < DAY_S]
        if len(recent) >= PER_DAY:
            return "Three reboots today did not help: check the camera and its cable."
        self._state.set("reboots", [*recent, now_s])
        self._state.flush()  # first of all: what was not counted would be tried for ever
        try:
            write_atomically(self._note, b"camera_stuck\n")
        except OSError as error:
            logger.warning("no note for a reboot (%s)", error)
            return "Switch the Pi off and on: the note for a reboot could not be written."
        return "The Pi is about to reboot."
