"""A machine of 512 MB: the unit as it is, the camera stack, a model, a broker."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from guest import (
    BASE,
    configure,
    end,
    events,
    heard,
    memory,
    problems,
    report,
    run,
    show,
    start,
    until,
)

WATCHED_S = 45
BOX = """\
camera: {source: pi}
rules:
  - {name: Visitor, when: person, above: 0.3, for: 1s, repeat_interval: 10s}
"""
PICTURES = BOX + "snapshots: {enabled: true, size: 640}\n"
IMPORTED = """\
camera: {source: pi}
recognizer: {model: models/google-edgehome.tflite}
motion: {gate: false}
rules:
  - {name: Movement, when: [motion: 0.001], for: 1s, repeat_interval: 10s}
"""


def fresh(told: Path, rule: str) -> list[dict[str, object]]:
    """Return the alerts of a rule that were raised since the listener came."""
    alerts = [json.loads(line) for line in told.read_text().splitlines() if line.endswith("}")]
    return [alert for alert in alerts if alert["rule"] == rule and not alert["replay"]]


def sees() -> bool:
    """Say whether frames come."""
    age_s = (heard("heartbeat", 35) or {}).get("frame_age_s")
    return age_s is not None and age_s <= 5


def watch(config: str, rule: str) -> dict[str, object]:
    """Let the node watch with a configuration, and return what came of it and what it took."""
    configure(config)
    checked = run("edgehome", "check")
    told = Path("/run/alerts.txt")
    # As Home Assistant does: without a listener the node keeps its alerts.
    command = ["mosquitto_sub", "-t", f"{BASE}/alert", "-q", "1"]
    with told.open("w") as file, subprocess.Popen(command, stdout=file) as home:
        ready_s = start()
        _, alert_s = until(lambda: fresh(told, rule), f"an alert of {rule}", 240)
        time.sleep(WATCHED_S)
        _, slow_s = until(sees, "frames", 120)
        home.terminate()
    found = {
        "check": checked.stdout + checked.stderr,
        "ready_s": ready_s,
        "alert": next(iter(fresh(told, rule)), None),
        "alert_s": alert_s,
        "slow_s": slow_s,
        "memory": memory(),
        "events": events(),
        "heartbeat": heard("heartbeat", 40),
        "problems": sorted(problems()),
        "restarts": int(show("NRestarts")),
        "status": show("StatusText"),
    }
    run("systemctl", "stop", "edgehome")
    return found


report(limit=int(show("MemoryMax")), free=run("free", "-m").stdout)
report(box=watch(BOX, "Visitor"))
report(pictures=watch(PICTURES, "Visitor"))
report(imported=watch(IMPORTED, "Movement"))
told = run("journalctl", "--no-pager", "--dmesg").stdout.splitlines()
report(killed=[line for line in told if "oom-kill" in line or "Out of memory" in line])
end()
