"""The node's states and counters, as MQTT messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgehome.homeassistant.alerts import alert_payload, near_miss_payload
from edgehome.homeassistant.names import rule_slugs
from edgehome.homeassistant.taught import Taught, taught_message
from edgehome.homeassistant.topics import Topics
from edgehome.types import Message, Mode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from edgehome.types import Alert, CameraState, NearMiss, Problem

NO_ACTIVITY = "none"
"""What the Activity sensor says when nothing is going on."""
MOTION_STEPS = (0, 1, 2, 5, 10, 20, 50, 100)
"""Percent: what the Motion sensor says, always the nearest one below."""
RARITY_STEPS = (0, 1, 3, 7, 14, 30, 90, 365)
"""Days: what the Unusual sensor says, always the nearest one below."""
STATE_CHARACTERS = 255
"""A longer state is unknown to Home Assistant."""
ROUNDING = 1e-6
"""A hundredth is a hair less than 1 % once it has been a float32."""


@dataclass(frozen=True, slots=True)
class RuleStatus:
    """One rule of the config, as it stands."""

    name: str
    state: str = "inactive"
    """inactive, pending or firing."""
    muted: bool = False
    last_alert: Alert | None = None
    """Its newest alert, if any is remembered."""
    last_near_miss: NearMiss | None = None
    """The last time that it came close, if any is remembered."""
    threshold: float | None = None
    """`above` of an adjustable rule, 0-1; None for any other."""

    @property
    def firing(self) -> bool:
        """Whether its sensor is on."""
        return self.state == "firing"


@dataclass(frozen=True, slots=True)
class Release:
    """The newest version that is known to whoever updates this node."""

    version: str
    title: str = ""
    """What it is called, for people; may be empty."""
    url: str = ""
    """Where its notes are: https, or empty."""


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What the supervisor knows of the node."""

    identity: str
    """`<id>`: see `device_identity`."""
    version: str
    started_at: datetime
    """Wall clock with zone."""
    rules: tuple[RuleStatus, ...] = ()
    """Every rule of the config, in the config's order: slugs depend on it."""
    mode: Mode = Mode.AWAY
    silenced_until: datetime | None = None
    """Wall clock with zone, until when no rule raises alerts; None while they do."""
    release: Release | None = None
    """The newest version that is known; None where nobody says."""
    motion: float | None = None
    """Part of the picture that moves, 0-1; None while nothing is seen."""
    camera: frozenset[CameraState] = frozenset()
    """What is wrong with the camera's view."""
    activity: str = ""
    """The activity that is going on, one of those announced; empty when there is none."""
    confidence: float = 0.0
    """Smoothed score of that activity, or of the strongest one when none is going on, 0-1."""
    problems: tuple[Problem, ...] = ()
    frames: int = 0
    """Frames processed since the node started, over all workers."""
    frames_per_second: float | None = None
    """None until it is known."""
    inference_ms: float | None = None
    """Milliseconds a frame; None until it is known."""
    rate: float | None = None
    """Frames a second that the model is to look at; None until it is known."""
    threads: int | None = None
    """CPU threads of the model; None until it is known."""
    skipped: int = 0
    """Frames that the camera gave and nobody looked at, since the node started."""
    worker_restarts: int = 0
    """Since the node started."""
    pending: int = 0
    """Alerts in the outbox that the home does not have yet."""
    dropped: int = 0
    """Alerts that the outbox had to give up, since the node started."""
    ignored: int = 0
    """Commands that were not obeyed, since the node started."""
    delivery: str = "broker"
    """Who says that an alert is delivered: `broker`, or the home, which has `acknowledged`."""
    frame_age_s: float | None = None
    """Seconds since the last frame; None before the first."""
    temperature: float | None = None
    """Of the processor, in degrees Celsius; None where the machine does not say."""
    longest_turn_ms: float = 0.0
    """Milliseconds of the longest turn of the supervisor's loop: it is to wait for nothing."""
    teaching: str = ""
    """The activity that examples are for; empty for none."""
    taught: tuple[Taught, ...] = ()
    """What the home teaches."""
    normal: float | None = None
    """How much of the learning of what is normal here is done, 0-1; None where nobody learns."""
    unusual: float = 0.0
    """Days in which what goes on comes once; 0 while that is not known."""
    throttled: bool | None = None
    """Whether heat or a weak supply slows the processor down; None where nothing says."""


def state_messages(
    status: NodeStatus, explain: Callable[[Alert], str] = lambda _alert: ""
) -> list[Message]:
    """Return every retained state of the node, each rule's attributes before its state.

    An automation runs on the state; it would otherwise see the attributes of the time before.
    `explain` says in one line why an alert was raised.
    """
    topics = Topics(status.identity)
    slugs = rule_slugs(rule.name for rule in status.rules)
    messages = []
    for rule in status.rules:
        slug = slugs[rule.name]
        attributes = _rule_attributes(rule, slug, explain)
        messages.append(_retained(topics.rule_attributes(slug), attributes))
        messages.append(_retained(topics.rule(slug), _on_off(on=rule.firing)))
        messages.append(_retained(topics.mute(slug), _on_off(on=rule.muted)))
        if rule.threshold is not None:
            messages.append(_retained(topics.threshold(slug), f"{rule.threshold:.4g}"))
    messages.append(_retained(topics.state, _state(status)))
    messages.append(_retained(topics.motion, _motion(status.motion)))
    messages.append(_retained(topics.mode, str(status.mode)))
    messages.append(taught_message(topics, status.teaching, status.taught))
    messages.append(_retained(topics.update, _update(status)))
    return messages


def heartbeat(status: NodeStatus) -> Message:
    """Return the counters, for the non-retained topic whose silence makes entities expire.

    A hung process keeps its MQTT session, so the availability topic alone would not tell.
    """
    counters = {
        "frames": status.frames,
        "frames_per_second": _rounded(status.frames_per_second),
        "inference_ms": _rounded(status.inference_ms),
        "rate": _rounded(status.rate),
        "threads": status.threads,
        "skipped": status.skipped,
        "worker_restarts": status.worker_restarts,
        "pending": status.pending,
        "dropped": status.dropped,
        "ignored": status.ignored,
        "frame_age_s": None if status.frame_age_s is None else round(status.frame_age_s),
        "temperature": _rounded(status.temperature),
        "throttled": None if status.throttled is None else _on_off(on=status.throttled),
        "longest_turn_ms": _rounded(status.longest_turn_ms),
    }
    return Message(Topics(status.identity).heartbeat, _json(counters), retain=False, qos=0)


def _rule_attributes(
    rule: RuleStatus, slug: str, explain: Callable[[Alert], str]
) -> dict[str, object]:
    alert, near_miss = rule.last_alert, rule.last_near_miss
    return {
        **(alert_payload(alert, slug, explain(alert)) if alert else {}),
        "rule_state": rule.state,  # Home Assistant drops an attribute called `state`
        "muted": rule.muted,
        "last_near_miss": near_miss_payload(near_miss) if near_miss else None,
    }


def _motion(motion: float | None) -> str:
    """Return percent in steps of about twice the last, so that a breeze is no news."""
    if motion is None:
        return "None"
    percent = motion * 100 + ROUNDING
    return str(max(step for step in MOTION_STEPS if step <= percent))


def _state(status: NodeStatus) -> dict[str, object]:
    return {
        "activity": status.activity or NO_ACTIVITY,
        "confidence": round(status.confidence * 100),
        "normal": _normal(status.normal),
        "unusual": max(step for step in RARITY_STEPS if step <= status.unusual),
        "camera": _on_off(on=bool(status.camera)),
        "camera_states": sorted(status.camera),
        "problem": _on_off(on=bool(status.problems)),
        "problems": [
            {"code": problem.code, "message": problem.message, "remedy": problem.remedy}
            for problem in status.problems
        ],
        "problem_text": _problem_text(status.problems),
        "silenced": _on_off(on=status.silenced_until is not None),
        "silenced_until": (
            status.silenced_until.isoformat(timespec="seconds") if status.silenced_until else None
        ),
        "delivery": status.delivery,
        "started": status.started_at.isoformat(timespec="seconds"),
        "version": status.version,
    }


def _normal(learnt: float | None) -> str:
    if learnt is None:
        return "not learnt"
    return "known" if learnt >= 1 else f"learning, {learnt * 100:.0f} %"


def _problem_text(problems: Sequence[Problem]) -> str | None:
    """Return the first problem with its remedy, and how many there are; None when all is well."""
    if not problems:
        return None
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    text, room = str(problems[0]), STATE_CHARACTERS - len(more)
    return (text if len(text) <= room else text[: room - 3] + "...") + more


def _update(status: NodeStatus) -> dict[str, object]:
    """Return what Home Assistant's update entity reads; with nothing newer known, no update."""
    release = status.release or Release(status.version)
    return {
        "installed_version": status.version,
        "latest_version": release.version,
        "title": release.title or "edgehome",
        **({"release_url": release.url} if release.url else {}),
    }


def _retained(topic: str, payload: str | Mapping[str, object]) -> Message:
    data = payload.encode() if isinstance(payload, str) else _json(payload)
    return Message(topic, data, retain=True)


def _on_off(*, on: bool) -> str:
    return "ON" if on else "OFF"


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _json(data: Mapping[str, object]) -> bytes:
    return json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
