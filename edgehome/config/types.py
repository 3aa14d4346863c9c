"""The configuration as frozen values: each key described once, with its unit and its default.

`option()` ties a field to the way it is read; `reader.py` walks these to read a file. What a rule
can wait for is in `conditions.py`. The words in `about` are for the person who edits config.yaml.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from edgehome.config import lists, values
from edgehome.config.conditions import ActivityCondition, Condition, label_of
from edgehome.config.options import option, section
from edgehome.types import EDGETPU_LIBRARY, WHOLE, Delegate, Polygon, Region, Severity


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
    rotation: int = option(
        values.quarter_turns,
        0,
        "Degrees clockwise by which the picture is turned to be upright: 0, 90, 180 or 270.",
    )
    region: Region = option(
        lists.REGION,
        WHOLE,
        "The part of the upright picture that counts: [x, y, width, height], 0 to 1 from its top "
        "left. The model sees the middle square of it.",
    )
    privacy: tuple[Polygon, ...] = option(
        lists.POLYGONS,
        (),
        "Polygons that are blackened before anything looks at a picture: lists of [x, y], 0 to 1 "
        "from the top left of the camera's whole picture, turned upright.",
    )


@dataclass(frozen=True, slots=True)
class RecognizerConfig:
    """The network, and what is made of its judgements."""

    model: Path = option(
        values.path,
        Path("models/edgehome-a0.tflite"),
        "A compiled stream MoViNet: the one in the box, or what `edgehome models import` made.",
    )
    smaller_model: Path | None = option(
        values.path,
        None,
        "One that runs instead while the board is too slow or too hot for `model`; it has to know "
        "the labels in the rules.",
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
class RuntimeConfig:
    """What the network runs on, and how fast."""

    delegate: Delegate = option(
        values.Choice(tuple(Delegate)),
        Delegate.AUTO,
        "edgetpu: a Coral, and tell when it cannot be used; cpu: never; auto: a Coral where the "
        "model has a form for it and one answers.",
    )
    library: str = option(
        values.text, EDGETPU_LIBRARY, "The Edge TPU's library: its name, or its path."
    )
    threads: int | None = option(
        values.Auto(values.Within(values.integer, 1, 16, "1 to 16")),
        None,
        "CPU threads for inference.",
    )
    rate: float | None = option(
        values.Auto(values.Within(values.number, 0.5, 30, "0.5 to 30")),
        None,
        "Frames a second; auto: what the model wants, or less on a board that is too slow for it.",
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
class LocationConfig:
    """Where the home is, for sunrise and sunset."""

    latitude: float | None = option(
        values.Within(values.number, -90, 90, "-90 to 90"), None, "Degrees north, for `sun`."
    )
    longitude: float | None = option(
        values.Within(values.number, -180, 180, "-180 to 180"), None, "Degrees east, for `sun`."
    )


@dataclass(frozen=True, slots=True)
class MotionConfig:
    """What counts as motion, and whether the model rests without it."""

    gate: bool = option(
        values.boolean,
        True,
        "Let the model rest while nothing moves; rules then see a still scene.",
    )
    threshold: float = option(
        values.probability, 0.01, "Part of the picture that must move to wake the model, 0 to 1."
    )
    ignore: tuple[Polygon, ...] = option(
        lists.POLYGONS,
        (),
        "Polygons where motion does not count (trees, a road): lists of [x, y], 0 to 1 from the "
        "picture's top left.",
    )


@dataclass(frozen=True, slots=True)
class AlertsConfig:
    """What all rules' alerts have in common."""

    limit: int = option(
        values.Within(values.integer, 1, 1000, "1 to 1000"),
        10,
        "At most so many alerts within `window`; more are folded into one that counts them.",
    )
    window_s: float = option(
        values.Within(values.duration, 1, 86400, "1s to 24h"),
        600.0,
        "The time within which `limit` counts.",
        key="window",
    )


@dataclass(frozen=True, slots=True)
class Rule:
    """When to tell whom what."""

    name: str = option(values.text, "", "What the rule is called in alerts and in Home Assistant.")
    when: Condition = field(
        default_factory=ActivityCondition,
        metadata={
            "condition": "What must hold: an activity's name, a condition, or a list of which "
            "all must hold.",
        },
    )
    """With the rule's own `for` in it, where the file has one."""
    repeat_interval_s: float = option(
        values.Within(values.duration, 0, 604800, "0s to 7d"),
        300.0,
        "While it goes on or comes again, tell no sooner than this; 0s: once each time it fires.",
        key="repeat_interval",
    )
    resolve_after_s: float = option(
        values.Within(values.duration, 0, 86400, "0s to 24h"),
        0.0,
        "It must be over for so long before the rule stops firing.",
        key="resolve_after",
    )
    severity: Severity = option(
        values.Choice(tuple(Severity)), Severity.WARNING, "info, warning or critical."
    )
    message: str = option(
        values.message,
        values.MESSAGE,
        "What the alert says; may name {rule}, {label}, {score:.0%}, {severity} and {at:%H:%M}. "
        "Where none is written and no activity went on, it says what did.",
    )
    adjustable: bool = option(
        values.boolean,
        False,
        "Give Home Assistant a slider for `above` of the rule's first activity.",
    )

    @property
    def label(self) -> str:
        """Return the first activity's name; the first condition's own key where there is none."""
        return label_of(self.when)


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
    anonymous: bool = option(
        values.boolean, False, "The broker asks nobody for a password, and that is meant."
    )
    discovery_prefix: str = option(
        values.topic, "homeassistant", "Home Assistant's discovery prefix."
    )
    birth_topic: str = option(
        values.topic, "homeassistant/status", "Where Home Assistant says that it is there."
    )


@dataclass(frozen=True, slots=True)
class SnapshotsConfig:
    """The picture that goes with an alert."""

    enabled: bool = option(
        values.boolean,
        False,
        "Send a picture of at most 100 kB with an alert; without it no picture leaves the node.",
    )
    size: int = option(
        values.Within(values.integer, 160, 1280, "160 to 1280"),
        640,
        "Its longer side, in pixels, where the camera gives as much.",
    )
    retain: bool = option(
        values.boolean,
        False,
        "Let the broker keep the last picture, for whoever comes later.",
    )


@dataclass(frozen=True, slots=True)
class TeachingConfig:
    """Activities that the home teaches its node: a press takes the last seconds."""

    last_s: float = option(
        values.Within(values.duration, 1, 60, "1s to 60s"), 6.0, "What a press takes.", key="last"
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
    runtime: RuntimeConfig = section(RuntimeConfig)
    events: EventsConfig = section(EventsConfig)
    motion: MotionConfig = section(MotionConfig)
    location: LocationConfig = section(LocationConfig)
    alerts: AlertsConfig = section(AlertsConfig)
    rules: tuple[Rule, ...] = ()
    mqtt: MqttConfig = section(MqttConfig)
    snapshots: SnapshotsConfig = section(SnapshotsConfig)
    teaching: TeachingConfig = section(TeachingConfig)
    supervisor: SupervisorConfig = section(SupervisorConfig)
    sha256: str = ""
    """Of the file's bytes; empty for one that was not read from a file."""
