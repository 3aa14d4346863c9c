"""Show an alert on its way: a video in, and out what Home Assistant receives.

Starts a private broker on a free port of the loopback interface and the real daemon with the clip
as its camera, listens as Home Assistant would, prints what arrives, and stops everything.

Exit status: 0 when the alert came; 1 when it did not (with the daemon's log); 66 when there is no
model or no clip; 69 when there is no mosquitto.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import queue
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("EDGEHOME_SHARED", ROOT.parent / "shared"))
MODELS = (
    ROOT / "models" / "model.tflite",
    SHARED / "models" / "movinet_a0_stream_int8_k600.tflite",
)
CLIPS = (ROOT / "docs" / "demo.mp4", SHARED / "clips" / "kinetics" / "mmaction2_demo.mp4")
IDENTITY = "edgehome_demo"
TIMEOUT_S = 60.0
"""From the start of the daemon to the alert; also covers the slowest Raspberry Pi."""
STOP_S = 15.0
INDENT = " " * 22
NO_ALERT, NO_INPUT, NO_BROKER = 1, 66, 69


class DemoError(Exception):
    """Raised with an exit status when the demo cannot go on."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Transcript:
    """Prints what happens, each line with the seconds since the daemon was started."""

    def __init__(self) -> None:
        self._began_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began_s

    def show(self, what: str, text: str) -> None:
        """Print one line."""
        print(f"{self.elapsed_s:5.1f} s  {what:<12} {text}", flush=True)


def existing(asked: Path | None, places: tuple[Path, ...], option: str) -> Path:
    """Return the file that was asked for, or else the first of the places that exists.

    Raises DemoError when there is none.
    """
    path = asked or next((place for place in places if place.is_file()), places[0])
    if not path.is_file():
        raise DemoError(
            NO_INPUT,
            f"There is no file {path}. Point the demo at one: ./install.sh --demo {option}",
        )
    return path.resolve()


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with its output in the file; end it on leaving, by force if need be."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # the output of both streams, in order
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=log.parent
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def broker_command(folder: Path, port: int, password: str) -> list[str]:
    """Write the private broker's files, and return how it is started."""
    search = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"
    mosquitto = shutil.which("mosquitto", path=search)
    hasher = shutil.which("mosquitto_passwd", path=search)
    if mosquitto is None or hasher is None:
        raise DemoError(NO_BROKER, "There is no mosquitto. Install it: sudo apt install mosquitto")
    passwords = folder / "passwords"
    passwords.write_text(f"edgehome:{password}\n", encoding="ascii")
    passwords.chmod(0o600)
    subprocess.run([hasher, "-U", str(passwords)], check=True)  # hashes in place, not in argv
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\n"
        f"user {getpass.getuser()}\npersistence false\n",
        encoding="utf-8",
    )
    return [mosquitto, "-c", str(config)]


def wait_for_port(port: int, log: Path) -> None:
    """Return when somebody listens on the port; raises DemoError after ten seconds."""
    deadline_s = time.monotonic() + 10
    while time.monotonic() < deadline_s:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise DemoError(NO_BROKER, f"mosquitto did not start:\n{log.read_text(errors='replace')}")


@contextlib.contextmanager
def listening(port: int, password: str) -> Iterator[queue.Queue[tuple[str, bytes]]]:
    """Subscribe to what Home Assistant subscribes to; yield a queue of (topic, payload)."""
    messages: queue.Queue[tuple[str, bytes]] = queue.Queue()
    topics = (f"homeassistant/device/{IDENTITY}/config", f"edgehome/{IDENTITY}/#")
    client = paho.Client(CallbackAPIVersion.VERSION2, "demo", protocol=paho.MQTTv5)
    client.username_pw_set("edgehome", password)

    def subscribe(*_connection: object) -> None:
        client.subscribe([(topic, 1) for topic in topics])

    def keep(_client: object, _data: object, message: paho.MQTTMessage) -> None:
        messages.put((message.topic, bytes(message.payload)))

    client.on_connect = subscribe
    client.on_message = keep
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        yield messages
    finally:
        client.disconnect()
        client.loop_stop()


def write_config(folder: Path, options: argparse.Namespace, port: int, password: str) -> Path:
    """Write the demo's configuration, which is a subset of YAML and so JSON too."""
    (folder / "mqtt-password").write_text(password, encoding="ascii")
    (folder / "mqtt-password").chmod(0o600)
    config = folder / "config.yaml"
    config.write_text(
        json.dumps(
            {
                "device": {"name": "Edgehome demo", "id": IDENTITY},
                "camera": {"source": str(options.clip)},
                "recognizer": {"model": str(options.model)},
                "rules": [{"name": options.label, "when": options.label, "for": "1s"}],
                "mqtt": {
                    "host": "127.0.0.1",
                    "port": port,
                    "username": "edgehome",
                    "password_file": str(folder / "mqtt-password"),
                },
            },
            indent=2,
        ),
        encoding="utf-8",
    )
    return config


def narrate(transcript: Transcript, topic: str, payload: bytes, seen: dict[str, str]) -> bool:
    """Print a message if it is news; return whether it is the alert."""
    kind = "discovery" if topic.startswith("homeassistant/") else topic.partition("/")[2]
    kind = kind.removeprefix(f"{IDENTITY}/")
    text = describe(kind, payload)
    if text and seen.get(kind) != text:
        seen[kind] = text
        transcript.show(kind, text)
    return kind == "alert"


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


def follow(
    transcript: Transcript,
    messages: queue.Queue[tuple[str, bytes]],
    daemon: subprocess.Popen[bytes],
) -> bool:
    """Print what arrives until the alert does; return whether it did in time."""
    seen: dict[str, str] = {}
    while transcript.elapsed_s < TIMEOUT_S:
        with contextlib.suppress(queue.Empty):
            topic, payload = messages.get(timeout=0.5)
            if narrate(transcript, topic, payload, seen):
                return True
        if daemon.poll() is not None:
            transcript.show("daemon", f"ended with status {daemon.returncode}")
            return False
    return False


def show(options: argparse.Namespace, folder: Path) -> int:
    """Run the whole demo in a folder of its own; return the exit status."""
    port, password = free_port(), secrets.token_urlsafe(16)
    log = folder / "edgehome.log"
    print(f"edgehome watches {options.clip.name} with {options.model.name}")
    print(f"and waits for '{options.label}' to last one second.\n")
    config = write_config(folder, options, port, password)
    daemon = [sys.executable, "-m", "edgehome", "run", "-c", str(config), "--state"]
    with contextlib.ExitStack() as stack:
        broker_log = folder / "mosquitto.log"
        stack.enter_context(running(broker_command(folder, port, password), broker_log))
        wait_for_port(port, broker_log)
        messages = stack.enter_context(listening(port, password))
        transcript = Transcript()
        transcript.show("broker", f"a private mosquitto on 127.0.0.1:{port}")
        process = stack.enter_context(running([*daemon, str(folder / "state")], log))
        alerted = follow(transcript, messages, process)
        took_s = transcript.elapsed_s
    if alerted:
        print(f"\nFrom start to alert: {took_s:.1f} s. Everything has been stopped.")
        return 0
    print(f"\nNo alert came. The daemon's log:\n{log.read_text(errors='replace')}", file=sys.stderr)
    return NO_ALERT


def main() -> int:
    """Parse arguments and run; return the exit status."""
    parser = argparse.ArgumentParser(prog="./install.sh --demo", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", type=Path, help="a MoViNet-stream .tflite file")
    parser.add_argument("--clip", type=Path, help="a video that shows the label")
    parser.add_argument("--label", default="arm wrestling", help="a label of the model")
    options = parser.parse_args()
    try:
        options.model = existing(options.model, MODELS, "--model FILE")
        options.clip = existing(options.clip, CLIPS, "--clip FILE --label NAME")
        with tempfile.TemporaryDirectory(prefix="edgehome-demo-") as folder:
            return show(options, Path(folder))
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return error.status


if __name__ == "__main__":
    sys.exit(main())
