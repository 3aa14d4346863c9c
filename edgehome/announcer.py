"""The discovery message, and a note of what the one before it had, which outlives the node."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from edgehome import __version__, homeassistant
from edgehome.config.types import Config
from edgehome.statefile import FileWriter, StateFile
from edgehome.types import Message


class Announcer:
    """Tells Home Assistant what to make of the node, and takes back what it no longer is."""

    def __init__(self, note: Path, memory: StateFile, writer: FileWriter) -> None:
        """Take the file of the note, which is read now, the node's small memory, and the writer."""
        self._note = note
        self._memory = memory
        self._writer = writer
        try:
            self._announced = homeassistant.announced_components(note.read_bytes())
        except OSError:
            self._announced = {}

    def messages(
        self, config: Config, identity: str, activities: Iterable[str], taught: Collection[str] = ()
    ) -> list[Message]:
        """Return what is to be published, in this order; it then counts as announced."""
        parts = (config, identity, list(activities), __version__)
        gone = homeassistant.clear_gone(config, identity, self._announced)
        snapshots = config.snapshots
        gone += homeassistant.cleared_pictures(
            snapshots,
            identity,
            self._announced,
            retained=self._memory.get("pictures_retained", False),
        )
        self._memory.set("pictures_retained", snapshots.enabled and snapshots.retain)
        message = homeassistant.discovery(*parts, self._announced, taught=taught)
        now = homeassistant.discovery(*parts, taught=taught).payload
        self._announced = homeassistant.announced_components(now)
        self._writer.put(self._note, now)
        return [message, *gone]
