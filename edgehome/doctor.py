"""What is well and what is not, part by part, each with its remedy.

Camera, runtime, delegate and model are tried the way the node itself uses them: in a worker
process, which a broken one may take down.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edgehome import broker
from edgehome.app import machine_id
from edgehome.camera.address import without_password
from edgehome.config.types import Config, MqttConfig
from edgehome.configfile import check
from edgehome.confinement import is_network, tried
from edgehome.delivery.greeting import greet, mode_in
from edgehome.homeassistant import Topics, device_identity
from edgehome.labels import labels_of
from edgehome.messages import Failure, Message, MessageError, Ready
from edgehome.models.selftest import self_test_apart
from edgehome.process import WorkerProcess
from edgehome.recognizer.manifest import read_manifest
from edgehome.types import ModelError, Problem, Scores
from edgehome.vision import worker_settings

WORKER_S = 30.0
"""Seconds until the worker must have given a frame or a reason."""
FREE_BYTES = 50_000_000
TIME_ERROR = 5
"""adjtimex(2): the clock is not synchronised."""

COLOURS = {"good": 32, "poor": 33, "bad": 31}
"""Green, yellow, red: ECMA-48, select graphic rendition."""

WALLS = {
    "network": "reach the network",
    "memory": "read the memory of other processes",
    "secrets": "read files that it does not need, the password too",
    "writes": "write files",
}
"""What each of `confinement.Walls` keeps a worker from."""

State = Literal["good", "poor", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One part of the node: how it is, and what to do if it is not well."""

    part: str
    state: State
    """`good`; `poor`: it works, but not as it should; `bad`: it does not work."""
    message: str
    remedy: str = ""

    def fields(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return asdict(self)


def render(finding: Finding, *, colours: bool) -> str:
    """Return one finding as text, the remedy on a line of its own."""
    remedy = f"\n{'':15}-> {finding.remedy}" if finding.remedy else ""
    state = f"{finding.state:<5}"
    if colours:
        state = f"\x1b[{COLOURS[finding.state]}m{state}\x1b[0m"
    return f"{state}{finding.part:<10}{finding.message}{remedy}"


def examine(config_file: Path, state: Path) -> Iterator[Finding]:
    """Yield a finding for every part, as it is known; none of them stops the others."""
    yield _python()
    config, errors = check(config_file)
    if config:
        yield Finding("config", "good", f"{config_file}, rules: {len(config.rules)}")
    else:
        message = f"{len(errors)} mistakes, the first: {errors[0]}"
        yield Finding("config", "bad", message, "Run `edgehome check` and correct them.")
        config = Config()
    yield _model(config)
    yield from _self_test(config.recognizer.model)
    yield from _vision(config)
    yield _walls(config, config_file.resolve().parent / broker.CREDENTIAL)
    yield from _broker(config, config_file.resolve().parent)
    yield _clock()
    yield _disk(state)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    remedy = "" if supported else "Use the Python 3.11 to 3.13 of Debian 12 or 13."
    return Finding(
        "python", "good" if supported else "poor", f"{version}, {sys.executable}", remedy
    )


def _model(config: Config) -> Finding:
    try:
        manifest = read_manifest(config.recognizer.model)
    except ModelError as error:
        return _bad("model", error.problem)
    labels = len(labels_of(config.recognizer.model) or ())
    message = f"{manifest.name}, {labels} labels, sha256 {manifest.sha256[:12]}"
    if manifest.pinned:
        return Finding("model", "good", f"{message}, as it should be")
    remedy = "Put a manifest beside it, docs/reference/models.md."
    return Finding("model", "poor", f"{message}, which nothing vouches for", remedy)


def _self_test(model: Path) -> Iterator[Finding]:
    """Hold the model against what it said in float32, where its manifest tells that."""
    try:
        found = self_test_apart(model)
    except ModelError as error:
        if error.problem.code == "model_crashed":
            yield _bad("self-test", error.problem)
        return
    message = f"agrees with float32 to {found.correlation:.4f}, strays by {found.drift:.4f}"
    if found.good:
        yield Finding("self-test", "good", message)
        return
    remedy = "Import the model anew with --precision dyn, or use the one that ships with edgehome."
    yield Finding("self-test", "bad", message, remedy)


def _vision(config: Config) -> Iterator[Finding]:
    """Run a worker until its first frame, and tell runtime, delegate and camera apart."""
    heard = _first_words(config)
    ready = next((message for message in heard if isinstance(message, Ready)), None)
    failure = next((message.problem for message in heard if isinstance(message, Failure)), None)
    if not ready:
        problem = failure or Problem(
            "worker_ended", "The worker ended or hung while it loaded the model.", "See above."
        )
        yield _bad("runtime", problem)
        return
    yield Finding("runtime", "good", ready.runtime)
    if ready.degraded:
        yield Finding("delegate", "poor", ready.degraded.message, ready.degraded.remedy)
    else:
        yield Finding(
            "delegate", "good", config.recognizer.delegate or "none: the CPU does the work"
        )
    if any(isinstance(message, Scores) for message in heard):
        yield Finding("camera", "good", f"{without_password(config.camera.source)} gives frames")
        return
    if failure and failure.code == "camera_busy":
        remedy = (
            "By edgehome itself? Then all is well: systemctl status edgehome. " + failure.remedy
        )
        yield Finding("camera", "poor", failure.message, remedy)
        return
    silent = Problem("camera_timeout", "The camera gave no frame.", "Check its cable and power.")
    yield _bad("camera", failure or silent)


def _walls(config: Config, credential: Path) -> Finding:
    """Try what a worker cannot do, in a process confined like one."""
    secret = credential if credential.exists() else config.mqtt.password_file
    source, recognizer = config.camera.source, config.recognizer
    try:
        walls = tried(recognizer.model, source, recognizer.delegate, secret)
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
    worker = WorkerProcess.spawn(worker_settings(config, config.recognizer.model))
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


def _broker(config: Config, folder: Path) -> Iterator[Finding]:
    mqtt = config.mqtt
    base = Topics(device_identity(config.device, machine_id())).base
    # The file that the service gets as a credential lies beside the config, under the same name.
    environment = {"CREDENTIALS_DIRECTORY": str(folder), **os.environ}
    problem, state = greet(mqtt, base, environment)
    if problem:
        yield _bad("broker", problem)
        return
    if open_to_all := broker.anonymous(mqtt):
        yield Finding("broker", "poor", open_to_all.message, open_to_all.remedy)
    else:
        yield Finding("broker", "good", _address(mqtt))
    yield _delivery(mode_in(state))


def _delivery(mode: str) -> Finding:
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


def _clock() -> Finding:
    """Ask the kernel whether its clock is synchronised: a Pi has no battery behind it."""
    now = time.strftime("%Y-%m-%d %H:%M:%S %Z")
    if ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(256)) == TIME_ERROR:
        remedy = "Enable one: timedatectl set-ntp true. Schedules may be off until then."
        return Finding("clock", "poor", f"{now}, not synchronised", remedy)
    return Finding("clock", "good", f"{now}, synchronised")


def _disk(state: Path) -> Finding:
    folder = next(path for path in (state, *state.absolute().parents) if path.exists())
    free = shutil.disk_usage(folder).free
    message = f"{folder}: {free / 1e6:.0f} MB free"
    if not os.access(folder, os.W_OK):
        return Finding(
            "disk", "bad", f"{folder} cannot be written", "Run it as the service's user."
        )
    if free < FREE_BYTES:
        return Finding("disk", "poor", message, "Make room: the journal, old packages.")
    return Finding("disk", "good", message)


def _bad(part: str, problem: Problem) -> Finding:
    return Finding(part, "bad", problem.message, problem.remedy)
