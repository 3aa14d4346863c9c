"""What the unit and the worker's own walls allow and refuse, with a kernel that enforces both."""

from __future__ import annotations

import json
import re
from pathlib import Path

from guest import (
    configure,
    end,
    events,
    family,
    frames,
    heard,
    journal,
    memory,
    probe,
    problems,
    report,
    run,
    show,
    start,
    until,
    worker,
)

WATCH = """\
camera: {source: pi}
rules:
  - {name: Visitor, when: person, above: 0.3, for: 1s, repeat_interval: 10s}
"""

OPEN = """
import json, os
said = {}
for path in %r:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        said[path] = "opened"
    except OSError as error:
        said[path] = error.strerror
print(json.dumps(said))
"""
CAMERA = ("/dev/video0", "/dev/media0", "/dev/dma_heap/system", "/dev/dma_heap/vidbuf_cached")
OTHERS = (
    "/dev/vda",
    "/dev/mem",
    "/dev/kmsg",
    "/dev/input/event0",
    "/dev/ttyS0",
    "/dev/uinput",
    "/dev/hpet",
    "/dev/rtc0",
)
GLOBS = "\n".join(
    f"DeviceAllow={what}" for what in ("", "/dev/video* rw", "/dev/media* rw", "/dev/dma_heap/* rw")
)

LEAK_ALONE = """
held = []
for _ in range(400):
    held.append(bytearray(b"x" * 1_000_000))
print("400 MB")
"""
FAULTS, LEAK = Path("/opt/faults"), Path("/run/leak")
LEAKING = f"""
import os, sys, threading, time
def leak():
    held = []
    while True:
        time.sleep(0.05)
        if os.path.exists("{LEAK}"):
            held.append(bytearray(b"x" * 5_000_000))
if "edgehome.worker" in sys.orig_argv:
    threading.Thread(target=leak, daemon=True).start()
"""
THREADS = """
import threading, time
stop = threading.Event()
count = 0
try:
    for count in range(1000):
        threading.Thread(target=stop.wait, daemon=True).start()
except RuntimeError as error:
    print(count, error)
stop.set()
"""


def opened(settings: str = "") -> dict[str, str]:
    """Return what a program in the unit's sandbox hears when it opens devices."""
    told = probe(OPEN % (CAMERA + OTHERS,), settings=settings)
    try:
        return json.loads(told)
    except ValueError:
        return {"error": told}


# A camera with device nodes: the kernel's own simulated one.
run("modprobe", "vivid", "n_devs=1")
run("udevadm", "settle")
# Whoever the file permissions stop is no witness for the device policy.
for path in OTHERS:
    if Path(path).exists():
        Path(path).chmod(0o666)
report(exists=[path for path in CAMERA + OTHERS if Path(path).exists()])
report(policy=opened(), globs=opened(GLOBS), no_policy=opened("DevicePolicy=auto\nDeviceAllow="))
report(threads=probe(THREADS), tasks_max=show("TasksMax"))
report(alone=probe(LEAK_ALONE))

configure(WATCH)
report(ready_s=start(), first=worker())
report(alert=until(lambda: heard("alert/last"), "an alert", 240))
pid = worker()
if pid:
    status = Path(f"/proc/{pid}/status").read_text()
    report(
        walls={
            key: re.findall(rf"^{key}:\s+(\S+)", status, re.MULTILINE)
            for key in ("NoNewPrivs", "Seccomp")
        },
        links=sorted({str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}),
    )
run("systemctl", "stop", "edgehome")

environment = ["env", "LD_PRELOAD=/usr/local/lib/virtual-camera.so", "EDGEHOME_SHIM_FPS=10"]
service = ["runuser", "-u", "edgehome", "-g", "edgehome", "-G", "video", "--", *environment]
for who, prefix in (("root", environment), ("service", service)):
    told = run(*prefix, "edgehome", "doctor", "--json")
    findings = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]
    report(**{f"doctor_{who}": findings, f"doctor_{who}_error": told.stderr[-2000:]})

# A worker that leaks: the kernel ends it alone, and the supervisor starts another one.
FAULTS.mkdir()
(FAULTS / "sitecustomize.py").write_text(LEAKING)
configure(WATCH, drop_in=f"Environment=PYTHONPATH={FAULTS}\nMemoryMax=200M")
report(leak_ready_s=start())
until(worker, "a worker", 120)
first, supervisor = worker(), show("MainPID")
LEAK.touch()
until(lambda: events()["oom_kill"], "a killed worker", 120)
LEAK.unlink()
report(leak_events=events(), leak_memory=memory(), leaked=first, leak_problems=sorted(problems()))
again, again_s = until(lambda: frames() > 0 and worker() not in (0, first), "another worker", 120)
report(
    again=bool(again),
    again_s=again_s,
    same_supervisor=show("MainPID") == supervisor,
    leak_restarts=int(show("NRestarts")),
    after=family(),
    journal=journal()[-3000:],
    kernel=[line for line in run("dmesg").stdout.splitlines() if "oom" in line.lower()],
)
run("systemctl", "stop", "edgehome")
end()
