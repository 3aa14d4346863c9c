"""The nouns that pass between the parts of edgehome.

Data goes one way: camera -Frame-> recognizer -Scores-> events -Event-> rules -Alert-> outbox.
Everything here is frozen, imports nothing of ours, and can be imported without numpy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


EDGETPU_LIBRARY = "libedgetpu.so.1"
"""What Google's packages, and those that follow them, call the Edge TPU's library."""


class Severity(StrEnum):
    """How much an alert matters to the person who gets it."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Delegate(StrEnum):
    """What does the model's work."""

    AUTO = "auto"
    """An Edge TPU where the model has a form for it and one answers; otherwise the CPU."""
    EDGETPU = "edgetpu"
    """An Edge TPU; anything amiss with it is told, and the CPU does the work meanwhile."""
    CPU = "cpu"


class Mode(StrEnum):
    """What the home expects, as Home Assistant's alarm panels have it."""

    DISARMED = "disarmed"
    HOME = "home"
    AWAY = "away"
    NIGHT = "night"


class CameraState(StrEnum):
    """Something wrong with the camera's view."""

    COVERED = "covered"
    """Something hides most of the picture."""
    MOVED = "moved"
    """It shows another place than before."""
    DEFOCUSED = "defocused"
    """It lost its detail: out of focus, sprayed, wet."""
    FROZEN = "frozen"
    """The same picture comes again and again, to the last bit."""
    DARK = "dark"
    """Too little light to see anything."""


Polygon = tuple[tuple[float, float], ...]
"""Points (x, y), each 0-1 from the picture's top left; the last is joined to the first."""


Region = tuple[float, float, float, float]
"""Left, top, width and height, each 0-1 of a whole picture."""
WHOLE: Region = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class SunDay:
    """The sun over one place from one solar midnight to the next, noon in the middle."""

    sunrise: datetime | None
    """The last one before noon, with zone; None where it was up, or down, all morning."""
    sunset: datetime | None
    """The first one after noon, with zone; None where it stays up, or down, until midnight."""
    up: bool
    """Whether it is up at noon; where it neither rises nor sets, whether it is up all day."""


SunTimes = Callable[[date, tzinfo], SunDay]
"""The sun of a date, in a zone: by the calendar far north or east, a rise or a set can fall on the
date before or after."""


class View(NamedTuple):
    """Where the whole picture of a camera lies, in pixels of an image that may be its middle."""

    left: float
    """Below 0 where the image leaves some of the picture out."""
    top: float
    width: float
    height: float
    reach: int
    """Pixels of the image that scaling may spread a place of the picture over, beyond its own."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture, already cropped and scaled for the model.

    It stays in the worker; where snapshots are enabled, a JPEG of a masked one is let out.
    """

    time_s: float
    """Seconds on the source's monotonic clock; for every duration."""
    at: datetime
    """Wall clock with zone, read where the frame was born; for people and schedules."""
    image: NDArray[np.uint8]
    """RGB, uint8, (size, size, 3); of a snapshot (height, width, 3)."""
    view: View | None = None
    """What of the camera's picture it shows; None where no camera made it."""
    settled: bool = True
    """False while the camera looks for another exposure: what changes may be that alone."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What the recogniser says of one frame."""

    time_s: float
    """Seconds on the source's monotonic clock, of the frame."""
    at: datetime
    """Wall clock with zone, of the frame."""
    probabilities: Mapping[str, float]
    """Probability by label, 0-1, pooled over the recogniser's window."""
    frame: int = 0
    """Frames processed since the worker started, this one included."""
    skipped: int = 0
    """Frames that the source produced and nobody looked at, since the worker started."""
    inference_ms: float = 0.0
    """Milliseconds that this frame took in the recogniser."""
    warm: float = 1.0
    """How much of the recogniser's window the judgement rests on, 0-1; it starts near 0."""
    motion: float = 0.0
    """Part of the picture that moves, 0-1, masked parts left out."""
    still: bool = False
    """The scene stands still and the model rests: the probabilities are those of before."""
    camera: frozenset[CameraState] = frozenset()
    """What is wrong with the camera's view."""
    unusual: float = 0.0
    """Days in which such a window comes once, by what is normal here; 0 while that is being learnt,
    and while the scene is still."""
    episode: float = 0.0
    """Where something is unusual: names the part of the day, in which it is so once; 0 where
    nobody says."""
    resembles: str = ""
    """Where something is unusual: what it is most like, and what differs, in words."""

    def top(self, count: int) -> list[tuple[str, float]]:
        """Return the `count` most probable labels, the most probable first, ties by label."""
        return sorted(self.probabilities.items(), key=lambda item: (-item[1], item[0]))[:count]


class Event(NamedTuple):
    """The onset or the offset of an activity. A named tuple: a thousand may come in one frame."""

    time_s: float
    """Seconds on the source's monotonic clock, of the frame that changed it."""
    at: datetime
    """Wall clock with zone, of that frame."""
    activity: str
    """A group from the config, or a model label."""
    edge: Literal["onset", "offset"]
    score: float
    """Smoothed score at that moment, 0-1."""
    threshold: float
    """The score that was crossed: `above` for an onset, `below` for an offset."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One condition of a rule, as it stood when the rule was judged."""

    condition: str
    """The condition in the config's own words, for example `fighting above`."""
    value: str
    """What was measured, for example `0.83`."""
    threshold: str
    """What was asked for, for example `0.6`."""
    met: bool
    since: datetime | None = None
    """Wall clock with zone, from when on it has been so; None where that has no meaning."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule fired. Raised means that the outbox has committed it."""

    id: str
    """Unique for ever; the same on every copy that is ever sent."""
    at: datetime
    """Wall clock with zone, of the frame on which the rule fired."""
    rule: str
    label: str
    """The activity that the rule watches."""
    severity: Severity
    message: str
    score: float
    """Smoothed score of the activity at that moment, 0-1."""
    evidence: tuple[Evidence, ...] = ()
    """Every condition of the rule, in the file's order."""
    since: datetime | None = None
    """Wall clock with zone, of the frame on which the rule began to be pending."""
    folded: int = 0
    """Alerts that the limit held back and that this one stands for, itself not counted."""
    model: str = ""
    """SHA-256 of the model."""
    config: str = ""
    """SHA-256 of the configuration."""


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that came close, and why there was no alert."""

    at: datetime
    """Wall clock with zone, of the frame on which it was closest."""
    rule: str
    reason: str
    """Stable, lower_snake_case: `too_short`, `too_low`, `condition`, `muted`, `silenced`,
    `repeat_interval`, `folded`, `disarmed`."""
    message: str
    """Why, as a sentence for a person."""
    evidence: tuple[Evidence, ...] = ()
    """Every condition at that moment."""


@dataclass(frozen=True, slots=True)
class Message:
    """One MQTT message that is to be published."""

    topic: str
    payload: bytes
    retain: bool = False
    qos: int = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps edgehome from its work, told to the person who can act."""

    code: str
    """Stable, lower_snake_case: `camera_missing`, `model_refused`, `config_invalid`."""
    message: str
    """What is wrong, as a sentence."""
    remedy: str
    """What to do about it, as a sentence."""

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class EdgehomeError(Exception):
    """Raised for a fault of the world or of the user's input, with a remedy; never for a bug."""

    def __init__(self, code: str, message: str, remedy: str = "") -> None:
        self.problem = Problem(code, message, remedy)
        super().__init__(str(self.problem))


class CameraError(EdgehomeError):
    """Raised when a source cannot be opened or stops giving frames."""


class ModelError(EdgehomeError):
    """Raised when a model file cannot be used."""


class OutboxError(EdgehomeError):
    """Raised when the outbox cannot keep an alert."""
