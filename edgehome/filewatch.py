"""Notices that a file was saved, however editors and machines save: by inotify.

Folders are watched, not the file: most editors write a new file and rename it over the old one.
Every symbolic link on the way counts too, as Kubernetes and NixOS replace those. A file that is
still being written is waited for: until its writer closes it, and then for a moment of quiet.
"""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from inotify_simple import Event, INotify, flags

QUIET_S = 0.3
"""A save is over when nothing has happened for so long."""
RETRY_S = 1.0
"""A file or a folder that is gone is looked for so often."""
MAX_LINKS = 40
"""As many as the kernel follows."""
FOLDER_GONE = flags.DELETE_SELF | flags.MOVE_SELF | flags.UNMOUNT | flags.IGNORED
SAVED = flags.CLOSE_WRITE | flags.MOVED_TO | flags.ATTRIB
WATCHED = SAVED | flags.CREATE | flags.MODIFY | flags.DELETE_SELF | flags.MOVE_SELF | flags.ONLYDIR

logger = logging.getLogger(__name__)


class FileWatch:
    """Readable for a selector when something happened; `saved` says whether that was a save.

    Without inotify (a kernel or a sandbox that refuses it) it says so in the log and never wakes.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        """Take the file and a monotonic clock in seconds."""
        self._path = path
        self._clock = clock
        self._notifier: INotify | None = None
        self._names: dict[int, set[str]] = {}
        self._quiet_s = math.inf
        self._retry_s = math.inf

    def __enter__(self) -> Self:
        try:
            self._notifier = INotify(nonblocking=True)
        except OSError as error:
            logger.warning("saves of %s are not noticed (%s)", self._path, error.strerror)
            return self
        self._watch(self._notifier)
        return self

    def __exit__(self, *_: object) -> None:
        if self._notifier:
            self._notifier.close()

    def fileno(self) -> int:
        """Return what a selector is to watch; -1 without inotify."""
        return self._notifier.fileno() if self._notifier else -1

    @property
    def deadline_s(self) -> float:
        """When to ask `saved` even if nothing happens; infinity for never."""
        return min(self._quiet_s, self._retry_s)

    def saved(self) -> bool:
        """Return whether a save is over since this was asked last; never waits."""
        if not self._notifier:
            return False
        lost = False
        for event in self._notifier.read(timeout=0):
            lost |= self._note(event)
        if (lost or self._clock() >= self._retry_s) and self._watch(self._notifier):
            self._arm()
        if self._clock() < self._quiet_s:
            return False
        self._quiet_s = math.inf
        self._watch(self._notifier)  # links may lead elsewhere now
        return True

    def _note(self, event: Event) -> bool:
        """Take an event; return whether a folder has to be looked for again."""
        if event.mask & flags.Q_OVERFLOW:
            self._arm()
        if event.wd not in self._names:
            return False
        if event.mask & FOLDER_GONE:
            del self._names[event.wd]
            return True
        if event.name in self._names[event.wd]:
            if event.mask & SAVED or (event.mask & flags.CREATE and self._made_by_a_link(event)):
                self._arm()
            elif event.mask & flags.MODIFY:
                self._quiet_s = math.inf  # whoever writes will close it
        return False

    def _made_by_a_link(self, event: Event) -> bool:
        """Return whether what was created is whole at once; others write to it and close it."""
        return any(
            name == event.name and (folder / name).is_symlink()
            for folder, name in places(self._path)
        )

    def _arm(self) -> None:
        self._quiet_s = self._clock() + QUIET_S

    def _watch(self, notifier: INotify) -> bool:
        """Watch every folder on the way to the file as it is now; return whether one is new."""
        names: dict[int, set[str]] = {}
        for folder, name in places(self._path):
            with contextlib.suppress(OSError):  # it is gone, for now
                names.setdefault(notifier.add_watch(folder, WATCHED), set()).add(name)
        for stale in self._names.keys() - names.keys():
            with contextlib.suppress(OSError):  # the kernel dropped it by itself
                notifier.rm_watch(stale)
        new = bool(names.keys() - self._names.keys())
        self._names = names
        # A file system that is mounted over a folder is not told of: it is looked for.
        self._retry_s = math.inf if self._path.exists() else self._clock() + RETRY_S
        return new


class FolderWatch:
    """Readable for a selector when files in a folder changed; the folder is made where it lacks.

    Without inotify it never wakes.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        """Take the folder and a monotonic clock in seconds."""
        self._folder = folder
        self._clock = clock
        self._notifier: INotify | None = None
        self._quiet_s = math.inf

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._notifier = INotify(nonblocking=True)
            self._notifier.add_watch(self._folder, SAVED | flags.DELETE | flags.ONLYDIR)
        except OSError as error:
            logger.warning("changes in %s are not noticed (%s)", self._folder, error.strerror)
        return self

    def __exit__(self, *_: object) -> None:
        if self._notifier:
            self._notifier.close()

    def fileno(self) -> int:
        """Return what a selector is to watch; -1 without inotify."""
        return self._notifier.fileno() if self._notifier else -1

    @property
    def deadline_s(self) -> float:
        """When to ask `changed` even if nothing happens; infinity for never."""
        return self._quiet_s

    def changed(self) -> bool:
        """Return whether changes came to rest since this was asked last; never waits."""
        if self._notifier and self._notifier.read(timeout=0):
            self._quiet_s = self._clock() + QUIET_S
        if self._clock() < self._quiet_s:
            return False
        self._quiet_s = math.inf
        return True


def places(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each folder and the name in it at which the way to a file can be changed.

    Those are the symbolic links on the way, and the file at its end.
    """
    folder = Path("/")
    waiting = _parts(path.absolute())
    links = 0
    while waiting:
        name = waiting.pop()
        if name == "..":
            folder = folder.parent
            continue
        target = _target(folder / name)
        if target is not None and links < MAX_LINKS:
            links += 1
            yield folder, name
            waiting += _parts(target)
            folder = Path("/") if target.is_absolute() else folder
        elif waiting:
            folder /= name
        else:
            yield folder, name


def _parts(path: Path) -> list[str]:
    """Return the names on a path without its root, the first of them last."""
    return [part for part in reversed(path.parts) if part != path.root]


def _target(path: Path) -> Path | None:
    try:
        return path.readlink()
    except OSError:
        return None
