"""A whole node, told that an alert of what came with its model was not suspicious."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from broker import Listener, wait_for
from daemon import ALERT, BASE, Daemon, problems, wait_for_alerts

ROOT = Path(__file__).resolve().parents[1]
SLOW_S = 60.0
"""Generous: the machine may be busy."""
CLIP_S = 8.0


def teach(daemon: Daemon, *arguments: str) -> str:
    return edgehome(daemon, "teach", *arguments)


def edgehome(daemon: Daemon, *arguments: str) -> str:
    command = [sys.executable, "-m", "edgehome", *arguments, "-c", str(daemon.file),
               "--state", str(daemon.state)]  # fmt: skip
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def alerts_in(listener: Listener, seconds: float) -> int:
    before = len(listener.heard(ALERT))
    time.sleep(seconds)
    return len(listener.heard(ALERT)) - before


def test_the_same_scene_raises_no_alert_again_another_does_and_undo_brings_it_back(
    daemon: Daemon, listener: Listener, rendered: Path
) -> None:
    """And over a restart and from a backup; the clip comes again every eight seconds."""
    daemon.config["camera"]["source"] = str(rendered / "room-night-fall.mp4")
    daemon.config["rules"] = [
        {"name": "Fall", "when": "fall", "above": 0.4, "repeat_interval": "1s"}
    ]
    daemon.write()
    daemon.start()
    wait_for_alerts(listener, 1, SLOW_S)
    time.sleep(6)  # a person needs as long to look
    listener.say(f"{BASE}/not_suspicious/set", b"PRESS")
    wait_for((daemon.state / "taught" / "fall.json").exists, SLOW_S, "it was corrected")
    time.sleep(CLIP_S)  # what was seen before counts on in the window
    assert alerts_in(listener, 2 * CLIP_S) == 0, daemon.said()
    assert not {"lesson_unknown", "unknown_label"} & set(problems(listener))
    told = json.loads(teach(daemon, "fall", "--list", "--json"))
    assert told[0]["says"].startswith("1 alert judged as not suspicious")

    daemon.end()
    backup = str(daemon.folder / "backup.tar")
    edgehome(daemon, "backup", backup)
    (daemon.state / "taught" / "fall.json").unlink()
    assert "taught/fall.json" in edgehome(daemon, "backup", backup, "--restore")
    daemon.start()
    assert alerts_in(listener, 3 * CLIP_S) == 0, "it outlives a restart, and a lost disk"

    daemon.end()
    daemon.config["camera"]["source"] = str(rendered / "room-day-fall.mp4")
    daemon.write()
    daemon.start()
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 1, SLOW_S)

    daemon.end()
    daemon.config["camera"]["source"] = str(rendered / "room-night-fall.mp4")
    daemon.write()
    daemon.start()
    assert alerts_in(listener, 2 * CLIP_S) == 0
    assert teach(daemon, "fall", "--undo") == "fall: forgotten\n"
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 1, SLOW_S)
