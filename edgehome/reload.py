"""A configuration that is taken over while the node runs: when to, and when rather not.

Somebody who asks (a signal, the button in Home Assistant) gets any valid file. A save that was only
noticed may be the beginning of one: a file that an editor, a copy or a full disk cut short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgehome.config.types import AlertsConfig, Config, EventsConfig, LocationConfig, TeachingConfig
from edgehome.configfile import Loaded, take
from edgehome.settings import shorter_windows
from edgehome.types import Problem


class Reloader:
    """Reads the file again, and knows the one that runs."""

    def __init__(self, path: Path, state: Path, running: Loaded) -> None:
        """Take the file, the folder for the known-good copy, and what runs."""
        self._path = path
        self._state = state
        self._running = running.data

    def by_request(self) -> Config | Problem:
        """Return the file's configuration, or what is wrong with it."""
        return self._taken(lambda _data: None)

    def by_save(self) -> Config | Problem:
        """Return the file's configuration, or what is wrong with it, half a file included."""
        return self._taken(self._doubt)

    def _taken(self, doubt: Callable[[bytes], Problem | None]) -> Config | Problem:
        taken = take(self._path, self._state, doubt)
        if isinstance(taken, Problem):
            return replace(taken, remedy=f"{taken.remedy} The one before it goes on.".strip())
        self._running = taken.data
        return taken.config

    def _doubt(self, data: bytes) -> Problem | None:
        reason = half_written(data, self._running)
        if not reason:
            return None
        return Problem(
            "config_half_written",
            f"{self._path} {reason}: it looks half-written and was not taken over.",
            "Save it again, whole; if it is meant so: `systemctl reload edgehome`.",
        )


def half_written(data: bytes, running: bytes) -> str:
    """Return what makes a file that was just saved look cut short; empty if nothing does."""
    if data == running:
        return ""
    if not data.strip():
        return "is empty"
    # An editor that leaves the last line break out does so every time.
    if running.endswith(b"\n") and not data.endswith(b"\n"):
        return "does not end with a line break"
    if running.startswith(data):
        return "is only the beginning of the one that runs"
    return ""


def only_rules_differ(old: Config, new: Config) -> bool:
    """Return whether camera, model and connection may go on as they are."""
    return _rest(old) == _rest(new) and shorter_windows(old) == shorter_windows(new)


def _rest(config: Config) -> Config:
    """Return what the worker and the connection are made from."""
    return replace(
        config,
        rules=(),
        events=EventsConfig(),
        alerts=AlertsConfig(),
        location=LocationConfig(),
        teaching=TeachingConfig(),
        sha256="",
    )
