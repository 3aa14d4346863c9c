"""Finds or makes the virtual environment in which the real Home Assistant runs.

The folder is EDGEHOME_HA_CACHE (~/.cache/edgehome-ha otherwise). Making it takes about a minute,
0.7 GB and a Python 3.13 (EDGEHOME_HA_PYTHON names one); it is made once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

VERSION = "2025.4.4"
"""The newest Home Assistant that installs on any Python 3.13, later ones need 3.13.2."""

_LEFT_OUT = ("pymicro-vad", "pyspeex-noise")
"""For voice only, and without wheels for some Pythons."""


def cache_folder() -> Path:
    return Path(os.environ.get("EDGEHOME_HA_CACHE", "~/.cache/edgehome-ha")).expanduser()


def home_assistant_python() -> Path:
    """Return the Python that can `-m homeassistant`, installing it when there is none yet.

    Raises FileNotFoundError without a Python 3.13 to make it from.
    """
    for venv in (cache_folder() / "venv", cache_folder() / "ha" / "venv"):
        if list(venv.glob("lib/python3.*/site-packages/homeassistant/components/mqtt")):
            return venv / "bin" / "python"
    return _install(cache_folder() / "venv")


def _install(venv: Path) -> Path:
    venv.parent.mkdir(parents=True, exist_ok=True)
    making = venv.with_name("venv.new")
    shutil.rmtree(making, ignore_errors=True)
    # A virtual environment cannot be moved, so it is the link that appears when all is done.
    _run(_find_python(), "-m", "venv", str(making))
    python = making / "bin" / "python"
    _run(str(python), "-m", "pip", "install", "-q", "uv")  # several times as fast as pip
    install = [str(python), "-m", "uv", "pip", "install", "-q", "--python", str(python)]
    _run(*install, f"homeassistant=={VERSION}")
    package = next(making.glob("lib/python3.*/site-packages/homeassistant"))
    constraints = str(package / "package_constraints.txt")
    _run(*install, "-c", constraints, *sorted(_requirements(package)))
    venv.symlink_to(making.name)
    return venv / "bin" / "python"


def _find_python() -> str:
    if named := os.environ.get("EDGEHOME_HA_PYTHON"):
        return named
    # Before PATH: pyenv's python3.13 there is a script that refuses unless the version is active.
    for python in sorted(Path("~/.pyenv/versions").expanduser().glob("3.13.*/bin/python")):
        return str(python)
    if found := shutil.which("python3.13"):
        return found
    msg = "no Python 3.13 for Home Assistant; name one in EDGEHOME_HA_PYTHON"
    raise FileNotFoundError(msg)


def _requirements(package: Path) -> set[str]:
    """Return what mqtt and the integrations that always start import, from their manifests."""
    bootstrap = (package / "bootstrap.py").read_text()
    always = re.search(r"DEFAULT_INTEGRATIONS = \{(.*?)\n\}", bootstrap, re.DOTALL)
    waiting = set(re.findall(r'"([a-z0-9_]+)"', always[1] if always else ""))
    waiting |= {"mqtt", "http", "api", "config", "event", "onboarding", "auth", "isal", "hassio"}
    waiting |= {"camera", "image", "update", "recorder", "websocket_api", "mobile_app"}
    seen: set[str] = set()
    found: set[str] = set()
    while waiting:
        domain = waiting.pop()
        manifest = package / "components" / domain / "manifest.json"
        if domain in seen or not manifest.exists():
            continue
        seen.add(domain)
        described = json.loads(manifest.read_text())
        found.update(described.get("requirements", []))
        waiting.update(described.get("dependencies", []))
    return {needed for needed in found if needed.split("==")[0] not in _LEFT_OUT}


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
