"""Other programs and small files, asked without ever waiting long or failing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

ANSWER_S = 4.0
"""For one program; a system bus or a firmware that hangs is not waited for."""

Ask: TypeAlias = "Callable[..., str | None]"
"""Runs a program with its arguments and returns what it says; None when it has nothing to say."""


def ask(*command: str) -> str | None:
    """Return what a program prints; None without the program, after a fault, or after ANSWER_S."""
    environment = {**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0"}
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWER_S,
            env=environment,
            check=True,
        )
        return done.stdout.decode(errors="replace")
    return None


def text_of(file: Path) -> str:
    """Return a small file's text; empty where it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


def under(root: Path, path: str | Path) -> Path:
    """Return where an absolute path lies below `root`, which is / except in tests."""
    return root / str(path).lstrip("/")


def settings(text: str) -> Iterator[tuple[str, str]]:
    """Yield every `key=value` of a file in the manner of systemd or config.txt, in order."""
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.lstrip().startswith(("#", ";")):
            yield key.strip(), value.strip()
