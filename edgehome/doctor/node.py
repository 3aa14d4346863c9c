"""The node's own parts, tried the way the node uses them: model, worker, walls, broker, clock.

Camera, runtime, delegate and model are tried in a process of their own, which a broken one may take
down, and each trial ends by itself.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from edgehome import boardcommand, broker
from edgehome.app import machine_id
from edgehome.camera.address import without_password
from edgehome.config.types import Config, MqttConfig
from edgehome.confinement import is_network, tried
from edgehome.delivery.greeting import greet, mode_in
from edgehome.doctor import accelerator
from edgehome.doctor.access import Holder
from edgehome.doctor.finding import Finding, bad
from edgehome.homeassistant import Topics, device_identity
from edgehome.labels import labels_of
from edgehome.messages import Failure, Message, MessageError, Ready
from edgehome.models.selftest import self_test_apart
from edgehome.process import WorkerProcess
from edgehome.recognizer.manifest import read_manifest
from edgehome.settings import worker_settings
from edgehome.types import ModelError, Problem, Scores

WORKER_S = 60.0
"""Seconds until the worker must have given a frame or a reason; the ladder gives it as many."""
SELF_TEST_S = 20.0
"""For the model's self-test, which takes minutes on the slowest board."""
TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""

WALLS = {
    "network": "reach the network",
    "memory": "read the memory of other processes",
    "secrets": "read files that it does not need, the password too",
    "writes": "write files",
}
"""What each of `confinement.Walls` keeps a worker from."""


def model_file(config: Config) -> Finding:
    """Return whether the model's file is what its manifest says."""
    try:
        manifest = read_manifest(config.recognizer.model)
    except ModelError as error:
        return bad("model", error.problem)
    labels = len(labels_of(config.recognizer.model) or ())
    message = f"{manifest.name}, {labels} labels, sha256 {manifest.sha256[:12]}"
    if manifest.pinned:
        return Finding("model", "good", f"{message}, as it should be")
    remedy = "Put a manifest beside it, docs/reference/models.md."
    return Finding("model", "poor", f"{message}, which nothing vouches for", remedy)


def budget(config: Config, state: Path) -> Iterator[Finding]:
    """Yield what the board was found good for, and whether that is enough."""
    try:
        known = boardcommand.known(config, state)
    except (ModelError, OSError):
        return
    if known.budget.keeps_up:
        yield Finding("budget", "good", str(known))
    else:
        remedy = "Use a smaller model, more threads (runtime.threads) or a lower runtime.rate."
        yield Finding("budget", "poor", f"The board is too slow for the model: {known}", remedy)


def self_test(model: Path) -> Iterator[Finding]:
    """Hold the model against what it said in float32, where its manifest tells that."""
    try:
        found = self_test_apart(model, SELF_TEST_S)
    except ModelError as error:
        if error.problem.code == "model_crashed":
            yield bad("self-test", error.problem)
        elif error.problem.code == "self_test_slow":
            yield Finding("self-test", "unknown", error.problem.message, error.problem.remedy)
        return
    message = f"agrees with float32 to {found.correlation:.4f}, strays by {found.drift:.4f}"
    if found.good:
        yield Finding("self-test", "good", message)
        return
    remedy = "Import the model anew with --precision dyn, or use the one that ships with edgehome."
    yield Finding("self-test", "bad", message, remedy)


def vision(config: Config, holders: Sequence[Holder]) -> Iterator[Finding]:
    """Run a worker until its first frame, and tell runtime, delegate and camera apart.

    `holders` are those who have the camera open already.
    """
    heard = _first_words(config)
    ready = next((message for message in heard if isinstance(message, Ready)), None)
    failure = next((message.problem for message in heard if isinstance(message, Failure)), None)
    if not ready:
        problem = failure or Problem(
            "worker_ended",
            f"The worker ended, or loaded the model for more than {WORKER_S:.0f} s.",
            "Read what it says: sudo journalctl -u edgehome -n 50",
        )
        yield bad("runtime", problem)
        return
    yield Finding("runtime", "good", ready.runtime)
    served = any(holder.ours for holder in holders)
    found = accelerator.delegate(config, ready, served=served)
    yield found
    if ready.degraded and ready.degraded.message != found.message:  # a head
        yield Finding("model", "poor", ready.degraded.message, ready.degraded.remedy)
    if any(isinstance(message, Scores) for message in heard):
        yield Finding("camera", "good", f"{without_password(config.camera.source)} gives frames")
        return
    silent = Problem("camera_timeout", "The camera gave no frame.", "Check its cable and power.")
    yield camera_failure(failure or silent, holders)


def camera_failure(problem: Problem, holders: Sequence[Holder]) -> Finding:
    """Return why the camera gave no frame, with the name of whoever has it."""
    if problem.code != "camera_busy":
        return bad("camera", problem)
    others = sorted({f"{holder.name} ({holder.pid})" for holder in holders if not holder.ours})
    if others:
        pids = " ".join(sorted({str(holder.pid) for holder in holders if not holder.ours}))
        message = f"{problem.message} It is {', '.join(others)}."
        return Finding("camera", "bad", message, f"Stop it: sudo kill {pids}")
    if holders:
        return Finding("camera", "good", "the service has it; `service` above says how it does")
    remedy = f"As root, doctor can say by whom: sudo edgehome doctor. {problem.remedy}"
    return Finding("camera", "poor", problem.message, remedy)


def worker_walls(config: Config, credential: Path) -> Finding:
    """Try what a worker cannot do, in a process confined like one."""
    secret = credential if credential.exists() else config.mqtt.password_file
    source, recognizer = config.camera.source, config.recognizer
    try:
        walls = tried(recognizer.model, source, config.runtime.library, secret)
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired) as error:
        return Finding("walls", "poor", f"the worker's walls could not be tried: {error}")
    missing = [words for wall, words in WALLS.items() if not getattr(walls, wall)]
    if missing:
        message = f"a worker that is taken over could {', '.join(missing)}"
        return Finding("walls", "poor", message, "A kernel with Landlock and seccomp closes this.")
    network = "reaches its camera's port alone" if is_network(source) else "has no network"
    return Finding("walls", "good", f"the worker {network}, reads no secret, writes nothing")


def _first_words(config: Config) -> list[Message]:
    """Return what a worker says until its first frame, its end, or the time-out."""
    heard: list[Message] = []
    worker = WorkerProcess.spawn(worker_settings(config, config.recognizer.model), quiet=True)
    deadline_s = time.monotonic() + WORKER_S
    with selectors.DefaultSelector() as selector, contextlib.suppress(MessageError):
        selector.register(worker, selectors.EVENT_READ)
        selector.register(worker.exit_descriptor, selectors.EVENT_READ)
        while (left_s := deadline_s - time.monotonic()) > 0:
            selector.select(left_s)
            heard += worker.messages()
            if worker.gone() or any(isinstance(item, Scores) for item in heard):
                break
    worker.end()
    return heard


def home_broker(config: Config, folder: Path) -> Iterator[Finding]:
    """Yield how the broker takes the node, and who vouches for its alerts."""
    mqtt = config.mqtt
    base = Topics(device_identity(config.device, machine_id())).base
    # The file that the service gets as a credential lies beside the config, under the same name.
    environment = {"CREDENTIALS_DIRECTORY": str(folder), **os.environ}
    problem, state = greet(mqtt, base, environment)
    if problem:
        yield bad("broker", problem)
        return
    if open_to_all := broker.anonymous(mqtt):
        yield Finding("broker", "poor", open_to_all.message, open_to_all.remedy)
    else:
        yield Finding("broker", "good", _address(mqtt))
    yield delivery(mode_in(state))


def delivery(mode: str) -> Finding:
    """Say who vouches for an alert, and how the home itself can."""
    if mode == "acknowledged":
        return Finding("delivery", "good", "Home Assistant acknowledges alerts")
    if not mode:
        message = "not known: the broker has no state of this node"
        return Finding("delivery", "poor", message, "Start the node, and ask again.")
    remedy = (
        "Make an automation from the blueprint notify.yaml in Home Assistant "
        "(docs/how-to/home-assistant.md); it begins with its first answer."
    )
    message = "alerts count as delivered when the broker has them: nobody acknowledges"
    return Finding("delivery", "poor", message, remedy)


def _address(mqtt: MqttConfig) -> str:
    user = f" as {mqtt.username}" if mqtt.username else ""
    return f"{mqtt.host}:{mqtt.port}{user}{' with TLS' if mqtt.tls else ''}"


def clock() -> Finding:
    """Ask the kernel whether its clock is synchronised: a Pi has no battery behind it."""
    now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    if ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(256)) == TIME_ERROR:
        remedy = (
            "Let it ask a time server: sudo timedatectl set-ntp true (not supported? First sudo "
            "apt install systemd-timesyncd). Until then schedules may be off."
        )
        return Finding("clock", "poor", f"{now}, not synchronised", remedy)
    return Finding("clock", "good", f"{now}, synchronised")
