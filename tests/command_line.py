"""Calls edgehome as people do, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def edgehome(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command from `cwd`; a traceback fails the test, whatever else it looks at."""
    done = subprocess.run(
        [sys.executable, "-m", "edgehome", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        timeout=120,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done
