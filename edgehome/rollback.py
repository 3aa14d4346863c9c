"""What is left of an upgrade that was undone: a note, by the trial of a new release (systemd/)."""

from __future__ import annotations

import json
from pathlib import Path

from edgehome.types import Problem

NOTE = "rollback.json"
NOTE_BYTES = 4096
WORDS = 200


def undone(state: Path) -> tuple[Problem, ...]:
    """Return the problem that the note in the state folder tells of; none where there is none."""
    try:
        with (state / NOTE).open("rb") as file:
            said = json.loads(file.read(NOTE_BYTES))
        version, reason = str(said["version"])[:WORDS], str(said["reason"])[:WORDS]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return ()
    message = f"The upgrade to {version} was undone: {reason}. The release before it runs."
    remedy = (
        "`sudo journalctl -u edgehome -u edgehome-trial` tells more; an upgrade that holds, or "
        "removing rollback.json from the state folder, ends this."
    )
    return (Problem("upgrade_undone", message, remedy),)
