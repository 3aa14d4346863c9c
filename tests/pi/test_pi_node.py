"""The whole node on the real picamera2: known JPEGs in by the camera, the known decision out.

Supervisor and worker run in the camera root behind the worker's walls, with the model in the box,
and tell a real mosquitto outside. The camera shows a rendered clip, five pictures a second.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from broker import PASSWORD, USER, Broker, Listener, wait_for
from camera_root import command_in, in_root, made_root, reason_to_skip, settings, show
from daemon import ALERT, IDENTITY, STATE

pytestmark = pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())

RATE = 5
"""Pictures a second: the virtual camera shows each four times, at 20 frames a second."""
TOLD_S, BACK_S = 5.0, 15.0
"""A camera that stalls is told within, and frames come again within, as long as it is back."""
START_S = 90.0
"""For a machine that does other things: seconds until the first frame."""
CONFIG: dict[str, Any] = {
    "device": {"id": IDENTITY},
    "camera": {"source": "pi"},
    "recognizer": {"model": "/opt/edgehome/models/edgehome-a0.tflite"},
    "runtime": {"threads": 1, "rate": RATE},
    "rules": [
        {"name": "Fall", "when": "fall", "for": "1s", "severity": "critical"},
        {"name": "Fight", "when": "fighting", "for": "1s", "severity": "critical"},
    ],
}


class Node:
    """`edgehome run` in the camera root."""

    def __init__(self, root: Path, folder: Path, broker: Broker) -> None:
        self.stall = folder / "stall"
        self.log = folder / "log"
        self._root = root
        self._folder = folder
        password = folder / "password"
        password.touch(mode=0o600)
        password.write_text(PASSWORD)
        mqtt = {
            "host": "127.0.0.1",
            "port": broker.port,
            "username": USER,
            "password_file": str(password),
        }
        (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"mqtt": mqtt}))
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = command_in(
            self._root, *settings({"EDGEHOME_SHIM_STALL": str(self.stall)}),
            "python3", "-m", "edgehome", "run",
            "-c", f"{self._folder}/config.yaml", "--state", f"{self._folder}/state",
            share=self._folder,
        )  # fmt: skip
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        self._process.send_signal(signal.SIGKILL)  # unshare takes all others with it
        self._process.wait(10)


@pytest.fixture(scope="module")
def root() -> Path:
    return made_root()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[tuple[Broker, Listener]]:
    with Broker(tmp_path / "broker") as broker, Listener(broker, f"edgehome/{IDENTITY}/#") as ear:
        yield broker, ear


def pictures_of(root: Path, clip: str) -> None:
    """Have the next camera show a clip that ships with edgehome."""
    made = root / "tmp" / "pictures" / clip
    if not made.is_dir():
        script = "/opt/edgehome/tests/pi/make_pictures.py"
        source = f"/opt/edgehome/models/clips/{clip}.mp4"
        done = in_root(root, "python3", script, source, f"/tmp/pictures/{clip}", str(RATE))
        assert done.returncode == 0, done.stderr
    show(root, made)


def problems(ear: Listener) -> set[str]:
    states = ear.heard(STATE)
    return {problem["code"] for problem in states[-1].json["problems"]} if states else set()


def wait_for_frames(ear: Listener) -> None:
    """Wait until the model has looked at frames, and nothing is wrong."""

    def looked() -> bool:
        states = ear.heard(STATE)
        return bool(states and states[-1].json["confidence"] and not problems(ear))

    wait_for(looked, START_S, "no frames")


def worker_status() -> dict[str, str]:
    """Return what the kernel says of the node's worker."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            root = (folder / "root").readlink()
            status = (folder / "status").read_text()
        except OSError:  # it has ended
            continue
        if b"edgehome.worker" in command and "camera-root" in root.name:
            return dict(line.split(":\t", 1) for line in status.splitlines())
    raise AssertionError("there is no worker")


def test_a_fall_in_front_of_the_camera_is_an_alert_and_a_quiet_room_is_none(
    root: Path, tmp_path: Path, listener: tuple[Broker, Listener]
) -> None:
    """The camera stalls in between, and shows the fall when it comes back."""
    broker, ear = listener
    pictures_of(root, "room-day-empty")
    with Node(root, tmp_path, broker) as node:
        wait_for_frames(ear)
        assert worker_status()["Seccomp"].strip() == "2"  # the walls are up
        time.sleep(8)  # once round the clip
        assert not ear.heard(ALERT)

        began_s = time.monotonic()
        node.stall.touch()
        wait_for(lambda: "camera_timeout" in problems(ear), 30, "a stall is not told")
        told_s = time.monotonic() - began_s
        pictures_of(root, "room-day-fall")
        time.sleep(8)  # workers come and go, and find it silent

        assert problems(ear)
        began_s = time.monotonic()
        node.stall.unlink()
        wait_for(lambda: not problems(ear), 60, "no frames again")  # the first one ends it
        back_s = time.monotonic() - began_s
        heard = wait_for(lambda: ear.heard(ALERT), 60, f"no alert: {node.log.read_text()}")
        alert = heard[0].json
        after_s = time.monotonic() - began_s
    print(f"stall told {told_s:.1f} s, frames back {back_s:.1f} s, alert {after_s:.1f} s")
    assert told_s <= TOLD_S
    assert back_s <= BACK_S
    assert (alert["rule"], alert["severity"]) == ("Fall", "critical")
    assert {one.json["rule"] for one in heard} == {"Fall"}
