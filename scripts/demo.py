"""Show an alert on its way: a video in, and out what Home Assistant receives.

Starts a private broker on a free port of the loopback interface and the real daemon with a clip as
its camera, listens as Home Assistant would, prints what arrives, and stops everything. Without
--clip the camera sees a room in which nothing happens, and then one in which somebody falls; both
are rendered.

Exit status: 0 when the alert came, and none before it; 1 when not (with the daemon's log); 66 when
there is no model or no clip; 69 when there is no mosquitto.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from demo_broker import USER, Broker, BrokerError, Messages, running

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "models" / "edgehome-a0.tflite"
CLIPS = ROOT / "models" / "clips"
IDENTITY = "edgehome_demo"
TOPICS = (f"homeassistant/device/{IDENTITY}/config", f"edgehome/{IDENTITY}/#")
TIMEOUT_S = 60.0
"""For the first frame, and for the alert; also covers the slowest Raspberry Pi."""
INDENT = " " * 22
NO_ALERT, NO_INPUT, NO_BROKER = 1, 66, 69


class InputError(Exception):
    """Raised with a sentence when a model or a clip is not there."""


@dataclass(frozen=True)
class Scene:
    """What the camera is shown."""

    clip: Path
    about: str
    quiet_s: float = 0.0
    """Seconds in which no alert may come; 0: one must."""


EMPTY = Scene(CLIPS / "room-day-empty.mp4", "rendered: a room, nothing happens", quiet_s=8.0)
FALL = Scene(CLIPS / "room-day-fall.mp4", "rendered: somebody falls")


class Transcript:
    """Prints what happens, each line with the seconds since the daemon was started."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._last: dict[str, str] = {}

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began_s

    def show(self, what: str, text: str) -> None:
        """Print one line, if there is a text and it is news."""
        if text and self._last.get(what) != text:
            self._last[what] = text
            print(f"{self.elapsed_s:5.1f} s  {what:<12} {text}", flush=True)


class Node:
    """The real daemon, as systemd runs it, and the scene that its camera shows."""

    def __init__(self, folder: Path, broker: Broker, options: argparse.Namespace) -> None:
        self.log = folder / "edgehome.log"
        self._folder = folder
        self._broker = broker
        self._options = options
        self._stack = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def status(self) -> int | None:
        """The exit status, None while it runs."""
        return self._process.poll() if self._process else None

    def watch(self, scene: Scene) -> None:
        """Show the camera a scene; the first time start, and return when a frame was seen."""
        self._write_config(scene)
        if self._process:
            self._process.send_signal(signal.SIGHUP)
        else:
            self._start()

    def _start(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(str(self._folder / "notify"))
            notified.settimeout(0.5)
            command = [sys.executable, "-m", "edgehome", "run", "-c", "config.yaml"]
            running_ = running(
                [*command, "--state", "state"],
                self.log,
                NOTIFY_SOCKET=str(self._folder / "notify"),
            )
            self._process = self._stack.enter_context(running_)
            until_s = time.monotonic() + TIMEOUT_S
            while self.status is None and time.monotonic() < until_s:
                with contextlib.suppress(TimeoutError):
                    if b"READY=1" in notified.recv(4096):
                        return

    def _write_config(self, scene: Scene) -> None:
        """Write the configuration, which is a subset of YAML and so JSON too."""
        password = self._folder / "mqtt-password"
        password.write_text(self._broker.password, encoding="ascii")
        password.chmod(0o600)
        label = self._options.label
        config = {
            "device": {"name": "Edgehome demo", "id": IDENTITY},
            "camera": {"source": str(scene.clip)},
            "recognizer": {"model": str(self._options.model)},
            "rules": [{"name": label, "when": label}],
            "mqtt": {
                "host": "127.0.0.1",
                "port": self._broker.port,
                "username": USER,
                "password_file": str(password),
            },
        }
        text = json.dumps(config, indent=2)
        (self._folder / "config.yaml").write_text(text, encoding="utf-8")


def describe(kind: str, payload: bytes) -> str:
    """Return what a message of this kind says, in a few words; empty when it is not shown."""
    if kind == "availability":
        return payload.decode()
    if kind not in {"discovery", "state", "alert"}:
        return ""
    fields: dict[str, Any] = json.loads(payload)
    if kind == "discovery":
        entities = [
            f"{component['name']} ({component['p']})"
            for component in fields["cmps"].values()
            if "name" in component
        ]
        listed = textwrap.fill(
            ", ".join(entities), 90, initial_indent=INDENT, subsequent_indent=INDENT
        )
        return f'the device "{fields["dev"]["name"]}" with {len(entities)} entities:\n{listed}'
    if kind == "state":
        problems = "; ".join(problem["message"] for problem in fields["problems"])
        return problems or f"activity: {fields['activity']}"
    alert = json.dumps(fields, indent=2, ensure_ascii=False)
    return f"what an automation in Home Assistant receives:\n{textwrap.indent(alert, INDENT)}"


def alert_comes(transcript: Transcript, messages: Messages, node: Node, within_s: float) -> bool:
    """Print what arrives until an alert does; return whether it did in time."""
    until_s = transcript.elapsed_s + within_s
    while (left_s := until_s - transcript.elapsed_s) > 0 and node.status is None:
        with contextlib.suppress(queue.Empty):
            topic, payload = messages.get(timeout=min(left_s, 0.5))
            kind = "discovery" if topic.startswith("homeassistant/") else topic.partition("/")[2]
            kind = kind.removeprefix(f"{IDENTITY}/")
            transcript.show(kind, describe(kind, payload))
            if kind == "alert":
                return True
    return False


def fault_of(scene: Scene, transcript: Transcript, messages: Messages, node: Node) -> str:
    """Let the node watch a scene; return what went wrong, empty when nothing did."""
    transcript.show("camera", f"{scene.clip.name} ({scene.about})")
    node.watch(scene)
    came = alert_comes(transcript, messages, node, scene.quiet_s or TIMEOUT_S)
    if node.status is not None:
        return f"The daemon ended with status {node.status}."
    if not scene.quiet_s:
        return "" if came else "No alert came."
    if came:
        return "An alert came though nothing happens."
    transcript.show("no alert", f"in {scene.quiet_s:.0f} s in which nothing happens")
    return ""


def show(options: argparse.Namespace, scenes: list[Scene], folder: Path) -> int:
    """Run the whole demo in a folder of its own; return the exit status."""
    print(f"edgehome watches with {options.model.name} and tells when it sees '{options.label}'.\n")
    with Broker(folder) as broker, broker.listening(*TOPICS) as messages:
        transcript = Transcript()
        transcript.show("broker", f"a private mosquitto on 127.0.0.1:{broker.port}")
        with Node(folder, broker, options) as node:
            faults = (fault_of(scene, transcript, messages, node) for scene in scenes)
            fault = next(filter(None, faults), "")
            took_s = transcript.elapsed_s
    if not fault:
        print(f"\nFrom start to alert: {took_s:.1f} s. Everything has been stopped.")
        return 0
    log = node.log.read_text(errors="replace")
    print(f"\n{fault} The daemon's log:\n{log}", file=sys.stderr)
    return NO_ALERT


def existing(path: Path, option: str) -> Path:
    """Return the file with its whole path. Raises InputError when there is none."""
    if not path.is_file():
        raise InputError(
            f"There is no file {path}. Point the demo at one: ./install.sh --demo {option}"
        )
    return path.resolve()


def main() -> int:
    """Parse arguments and run; return the exit status."""
    parser = argparse.ArgumentParser(prog="./install.sh --demo", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", type=Path, default=MODEL, help="a compiled .tflite file")
    parser.add_argument("--clip", type=Path, help="a video that shows the label")
    parser.add_argument("--label", default="fall", help="a label of the model (%(default)s)")
    options = parser.parse_args()
    try:
        options.model = existing(options.model, "--model FILE")
        scenes = [EMPTY, FALL]
        if options.clip:
            clip = existing(options.clip, "--clip FILE --label NAME")
            scenes = [Scene(clip, "as you asked")]
        with tempfile.TemporaryDirectory(prefix="edgehome-demo-") as folder:
            return show(options, scenes, Path(folder))
    except InputError as error:
        print(f"demo: {error}", file=sys.stderr)
        return NO_INPUT
    except BrokerError as error:
        print(f"demo: {error}", file=sys.stderr)
        return NO_BROKER


if __name__ == "__main__":
    sys.exit(main())
