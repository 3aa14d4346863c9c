"""A USB camera that is pulled out and put back, at the node as it is installed."""

from __future__ import annotations

import io
import time
from pathlib import Path

import av
from guest import configure, end, heard, journal, problems, report, run, start, until, worker
from PIL import Image
from usb_camera import HEIGHT, WIDTH, UsbCamera

CLIP = "/srv/edgehome/models/clips/porch-day-walk.mp4"
DEVICE = Path("/dev/video0")
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


run("modprobe", "vhci_hcd")
run("modprobe", "uvcvideo")
camera = UsbCamera(pictures())
camera.plug()
report(plugged=until(DEVICE.exists, "a video device", 60), dmesg=run("dmesg").stdout[-1500:])
run("udevadm", "settle")
report(devices=run("sh", "-c", "ls -l /dev/video* /dev/media*").stdout)

configure(WATCH % DEVICE)
report(ready_s=start())
report(alert=until(lambda: heard("alert/last"), "an alert", 240), problems=sorted(problems()))

second = run(
    "runuser",
    "-u",
    "edgehome",
    "-g",
    "edgehome",
    "-G",
    "video",
    "--",
    "/opt/edgehome/venv/bin/python",
    "-c",
    SECOND,
)
report(second=second.stdout + second.stderr[-800:])

before = worker()
camera.pull()
pulled_s = time.monotonic()
gone, lost_s = until(
    lambda: problems() & {"camera_missing", "camera_timeout", "worker_hung"},
    "the loss of the camera",
    60,
)
report(
    lost=sorted(gone or []),
    lost_s=lost_s,
    lost_state=heard("state"),
    availability=heard("availability"),
)
time.sleep(10)
report(later=sorted(problems()))
camera.plug()
replugged_s = time.monotonic()
report(plugged_again=until(DEVICE.exists, "a video device", 60), before=before)
well, back_s = until(
    lambda: worker() and not problems() & {"camera_missing", "camera_timeout", "worker_hung"},
    "frames again",
    120,
)
report(back=bool(well), back_s=back_s, worker=worker())
last = (heard("alert/last") or {}).get("id")
report(
    alert_again=until(lambda: (heard("alert/last") or {}).get("id") != last, "another alert", 120)
)
report(journal=journal()[-6000:])
run("systemctl", "stop", "edgehome")
end()
