"""A USB camera that is pulled out and put back, at the node as it is installed."""

from __future__ import annotations

import io
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import av
from guest import (
    BASE,
    configure,
    end,
    heard,
    probe,
    problems,
    report,
    run,
    start,
    until,
    worker,
)
from PIL import Image
from usb_camera import CONTROLLER, HEIGHT, WIDTH, UsbCamera

CLIP = "/srv/edgehome/models/clips/porch-day-walk.mp4"
DEVICE = Path("/dev/video0")
LOSSES = {"camera_missing", "camera_timeout", "worker_hung"}
WATCH = """\
camera: {source: %s}
rules:
  - {name: Visitor, when: person, above: 0.3, for: 1s, repeat_interval: 5s}
"""
SECOND = """
import sys
from edgehome.camera import open_camera
from edgehome.types import CameraError
try:
    with open_camera("/dev/video0", size=172, rate=5) as camera:
        next(iter(camera.frames()))
    print("opened")
except CameraError as error:
    print(error.problem.code, "|", error.problem.message, "|", error.problem.remedy)
"""

LISTED = """
from pathlib import Path
from edgehome.confinement import confine
print("walls", confine(Path("/etc/edgehome/models/edgehome-a0.tflite"), "pi"))
import libcamera
print("cameras", [camera.id for camera in libcamera.CameraManager.singleton().cameras])
"""


def firmware_node() -> None:
    """Give the USB controller what libcamera wants to name a camera by, and software has not."""
    stand_in = Path("/run/platform")
    (stand_in / "firmware_node").mkdir(parents=True)
    (stand_in / "firmware_node" / "path").write_text("\\_SB_.VHCI")
    (stand_in / CONTROLLER.name).mkdir()
    run("mount", "--rbind", str(CONTROLLER), str(stand_in / CONTROLLER.name))
    run("mount", "--rbind", str(stand_in), str(CONTROLLER.parent))


def pictures() -> list[bytes]:
    """Return the clip as JPEGs of the camera's size."""
    found = []
    with av.open(CLIP) as clip:
        for frame in clip.decode(video=0):
            picture = Image.new("RGB", (WIDTH, HEIGHT))
            side = min(WIDTH, HEIGHT)
            picture.paste(frame.to_image().resize((side, side)), ((WIDTH - side) // 2, 0))
            data = io.BytesIO()
            picture.save(data, "JPEG", quality=85)
            found.append(data.getvalue())
    return found


def told_s(states: Path, since_s: float) -> float:
    """Return the seconds until the node told the home of a loss; 0.0 while it has not."""
    for line in states.read_text().splitlines():
        at_s, _, payload = line.partition(" ")
        if float(at_s) > since_s and any(f'"{code}"' in payload for code in LOSSES):
            return round(float(at_s) - since_s, 2)
    return 0.0


def loss(lose: Callable[[], object], give_back: Callable[[], object]) -> dict[str, object]:
    """Take the camera away for 10 s, and return when the node found, told and was over it."""
    rate = (heard("heartbeat", 35) or {}).get("frames_per_second") or 0.5
    states = Path("/run/states.txt")
    command = ["mosquitto_sub", "-t", f"{BASE}/state", "-F", "%U %p"]
    with states.open("w") as file, subprocess.Popen(command, stdout=file) as home:
        until(states.read_text, "the state that is kept", 30)
        before, began_s = worker(), time.time()
        lose()
        found_s, _ = until(lambda: told_s(states, began_s), "the loss", 60)
        home.terminate()
    lost = problems() & LOSSES
    state, availability = heard("state"), heard("availability")
    time.sleep(10)
    still = sorted(problems())
    began_s = time.monotonic()
    give_back()
    again, _ = until(
        lambda: worker() not in (0, before) and not problems() & LOSSES, "frames again", 120
    )
    back_s = round(time.monotonic() - began_s, 1)
    return {
        "frame_s": round(1 / rate, 1), "told_s": found_s,
        "lost": sorted(lost), "state": state, "availability": availability,
        "still": still, "back": bool(again), "back_s": back_s,
    }  # fmt: skip


run("modprobe", "vhci_hcd")
run("modprobe", "uvcvideo")
camera = UsbCamera(pictures())
camera.plug()
report(plugged=until(DEVICE.exists, "a video device", 60), dmesg=run("dmesg").stdout[-1500:])
run("udevadm", "settle")
report(devices=run("sh", "-c", "ls -l /dev/video* /dev/media*").stdout)
firmware_node()
report(listed=probe(LISTED, settings="Environment=LIBCAMERA_LOG_LEVELS=*:DEBUG"))

configure(WATCH % DEVICE)
report(ready_s=start())
report(alert=until(lambda: heard("alert/last"), "an alert", 240), problems=sorted(problems()))

command = ["runuser", "-u", "edgehome", "-g", "edgehome", "-G", "video", "--"]
second = run(*command, "/opt/edgehome/venv/bin/python", "-c", SECOND)
report(second=second.stdout + second.stderr[-800:])

for name, lose, give_back in (
    ("pulled", camera.pull, camera.plug),
    ("stalled", camera.sends.clear, camera.sends.set),
):
    until(lambda: not problems(), "a node that is well", 120)
    report(**{name: loss(lose, give_back)})
run("systemctl", "stop", "edgehome")
end()
