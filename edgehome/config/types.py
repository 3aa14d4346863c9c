"""The configuration as frozen values: each key once, with its unit and its default.

`config.yaml` is the commented sample of the same; `reader.py` fills these from YAML.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path

from edgehome.types import Severity


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    name: str = "Edgehome"
    """The device's name in Home Assistant."""
    id: str = ""
    """Stable identity in topics and entities; empty means: made from the machine's id."""


@dataclass(frozen=True, slots=True)
class CameraConfig:
    source: str = "pi"
    """`pi`, a video file, an RTSP address, or a V4L2 device such as /dev/video0."""


@dataclass(frozen=True, slots=True)
class RecognizerConfig:
    model: Path = Path("models/model.tflite")
    """A MoViNet-stream .tflite file; a relative path is relative to the config file."""
    threads: int = 2
    """CPU threads for inference."""
    delegate: str = ""
    """An external delegate such as libedgetpu.so.1; empty means the CPU."""
    window_s: float = 10.0
    """Seconds over which a frame's embeddings are pooled."""


@dataclass(frozen=True, slots=True)
class Activity:
    """A named group of model labels."""

    name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """A daily schedule, over midnight when `start` is later than `end`; `start` in, `end` out."""

    start: time
    end: time

    def __contains__(self, moment: object) -> bool:
        if not isinstance(moment, datetime):
            return False
        now = moment.timetz().replace(tzinfo=None)
        if self.start <= self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    when: Activity
    """The activity to watch; a plain model label is a group of one."""
    above: float = 0.6
    """Smoothed score at which the activity begins, 0-1."""
    below: float = 0.4
    """Smoothed score at which it ends, 0-1, at most `above`."""
    for_s: float = 0.0
    """Seconds that it must last before the alert."""
    repeat_interval_s: float = 300.0
    """Seconds before a rule that fires again sends another alert."""
    between: Between | None = None
    severity: Severity = Severity.WARNING
    message: str = "{label} ({score:.0%})"
    """May name the alert's own fields: {rule}, {label}, {score}, {severity}, {at}."""


@dataclass(frozen=True, slots=True)
class EventsConfig:
    smoothing_s: float = 1.0
    """Time constant, in seconds, of the smoothing of scores."""


@dataclass(frozen=True, slots=True)
class MqttConfig:
    host: str = "localhost"
    port: int = 1883
    username: str = ""
    password_file: Path | None = None
    """A file that only its owner may read; systemd's credential `mqtt-password` goes first."""
    tls: bool = False
    ca_file: Path | None = None
    """The home's own certificate authority; empty means the system's."""
    discovery_prefix: str = "homeassistant"
    birth_topic: str = "homeassistant/status"


@dataclass(frozen=True, slots=True)
class SupervisorConfig:
    allow_reboot: bool = False
    """Reboot (at most three times a day) when the camera's driver no longer lets go."""


@dataclass(frozen=True, slots=True)
class Config:
    device: DeviceConfig = field(default_factory=DeviceConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    recognizer: RecognizerConfig = field(default_factory=RecognizerConfig)
    events: EventsConfig = field(default_factory=EventsConfig)
    rules: tuple[Rule, ...] = ()
    mqtt: MqttConfig = field(default_factory=MqttConfig)
    supervisor: SupervisorConfig = field(default_factory=SupervisorConfig)
