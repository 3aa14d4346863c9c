"""The configuration as frozen values: each key described once, with its unit and its default.

`option()` ties a field to the way it is read; `reader.py` walks these to read a file. The words
in `about` are for the person who edits config.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Any

from edgehome.config import values
from edgehome.types import Severity


@dataclass(frozen=True, slots=True)
class Option:
    """How one key of config.yaml is read, and what it is for."""

    parse: values.Parser
    about: str
    key: str
    """The key's name where Python does not allow it or the unit is in the field's name."""


def option(parse: values.Parser, default: object, about: str, *, key: str = "") -> Any:  # noqa: ANN401
    """Return a dataclass field that carries its `Option`."""
    return field(default=default, metadata={"option": Option(parse, about, key)})


def section(kind: type) -> Any:  # noqa: ANN401
    """Return a dataclass field for a part of the file with keys of its own."""
    return field(default_factory=kind, metadata={"section": kind})


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """Who this node is."""

    name: str = option(values.text, "Edgehome", "The device's name in Home Assistant.")
    id: str = option(
        values.identity, "", "Identity in topics; without one it is made from the machine's own."
    )


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """Where the pictures come from."""

    source: str = option(
        values.source, "pi", "pi, a video file, rtsp://... or a device such as /dev/video0."
    )


@dataclass(frozen=True, slots=True)
class RecognizerConfig:
    """The network and how it runs."""

    model: Path = option(
        values.path,
        Path("models/edgehome-a0.tflite"),
        "A compiled stream MoViNet: the one in the box, or what `edgehome models import` made.",
    )
    threads: int = option(
        values.Within(values.integer, 1, 16, "1 to 16"), 2, "CPU threads for inference."
    )
    delegate: str = option(
        values.optional_text, "", "An accelerator's library such as libedgetpu.so.1."
    )
    window_s: float = option(
        values.Within(values.duration, 0.5, 60, "500ms to 60s"),
        10.0,
        "How much of the past one judgement takes in.",
        key="window",
    )
    ensemble: int = option(
        values.Within(values.integer, 1, 4, "1 to 4"),
        1,
        "Members of the model that take turns with the frames; their judgements are averaged.",
    )


@dataclass(frozen=True, slots=True)
class EventsConfig:
    """How scores become onsets and offsets."""

    smoothing_s: float = option(
        values.Within(values.duration, 0, 60, "0s to 60s"),
        1.0,
        "Time constant of the smoothing of scores.",
        key="smoothing",
    )


@dataclass(frozen=True, slots=True)
class Activity:
    """A named group of model labels; a plain label is a group of one."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """A daily schedule, over midnight when `start` is later than `end`; `start` in, `end` out."""

    start: time
    end: time

    @classmethod
    def parse(cls, value: str) -> Between:
        """Return the schedule of `22:00-06:00`; raise ValueError for anything else."""
        start, dash, end = value.partition("-")
        if not dash:
            raise ValueError(f"{value!r} is not a span of the day; write for example 22:00-06:00")
        between = cls(values.time_of_day(start), values.time_of_day(end))
        if between.start == between.end:
            raise ValueError("begins when it ends; leave it out for the whole day")
        return between

    def __contains__(self, moment: datetime) -> bool:
        """Return whether the moment's own wall clock is within the schedule."""
        now = moment.time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Rule:
    """When to tell whom what."""

    name: str = option(values.text, "", "What the rule is called in alerts and in Home Assistant.")
    when: Activity = option(
        values.text, Activity("", ()), "An activity of this file, or a label of the model."
    )
    above: float = option(
        values.probability,
        0.6,
        "Score at which it begins, 0 to 1; when left out that of a head is its own.",
    )
    below: float = option(
        values.probability, 0.4, "Score at which it ends; two thirds of `above` when left out."
    )
    for_s: float = option(
        values.Within(values.duration, 0, 86400, "0s to 24h"),
        0.0,
        "How long it must last before the alert.",
        key="for",
    )
    window_s: float | None = option(
        values.Within(values.duration, 0.5, 60, "500ms to 60s"),
        None,
        "A shorter look back than the recogniser's, for the model's own labels.",
        key="window",
    )
    repeat_interval_s: float = option(
        values.Within(values.duration, 0, 604800, "0s to 7d"),
        300.0,
        "The least time between two alerts of this rule.",
        key="repeat_interval",
    )
    between: Between | None = option(
        Between.parse, None, "Time of day at which it holds, for example 22:00-06:00."
    )
    severity: Severity = option(values.severity, Severity.WARNING, "info, warning or critical.")
    message: str = option(
        values.message,
        "{label} ({score:.0%})",
        "What the alert says; may name {rule}, {label}, {score:.0%}, {severity} and {at:%H:%M}.",
    )


@dataclass(frozen=True, slots=True)
class MqttConfig:
    """The home's broker."""

    host: str = option(values.host, "localhost", "The broker's name or address.")
    port: int = option(
        values.Within(values.integer, 1, 65535, "1 to 65535"), 1883, "8883 is usual with tls."
    )
    username: str = option(values.optional_text, "", "The broker's user for this node.")
    password_file: Path | None = option(
        values.path, None, "Holds the password and nothing else; only its owner may read it."
    )
    tls: bool = option(values.boolean, False, "Encrypt, and check who the broker is.")
    ca_file: Path | None = option(
        values.path, None, "The home's own certificate authority; else the system's are used."
    )
    discovery_prefix: str = option(
        values.topic, "homeassistant", "Home Assistant's discovery prefix."
    )
    birth_topic: str = option(
        values.topic, "homeassistant/status", "Where Home Assistant says that it is there."
    )


@dataclass(frozen=True, slots=True)
class SupervisorConfig:
    """What the node may do to keep itself alive."""

    allow_reboot: bool = option(
        values.boolean,
        False,
        "Reboot, at most three times a day, when the camera's driver hangs for good.",
    )


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    device: DeviceConfig = section(DeviceConfig)
    camera: CameraConfig = section(CameraConfig)
    recognizer: RecognizerConfig = section(RecognizerConfig)
    events: EventsConfig = section(EventsConfig)
    rules: tuple[Rule, ...] = ()
    mqtt: MqttConfig = section(MqttConfig)
    supervisor: SupervisorConfig = section(SupervisorConfig)
