"""A clip's time lines: pictures, rules as bands, scores, motion and the camera, on one axis."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edgehome.config.conditions import ActivityCondition, MotionCondition, walk
from edgehome.config.types import Config
from edgehome.report.drawing import Axis, bands, clock_of, line, merged, ticks
from edgehome.report.elements import Markup, data_block, element, join
from edgehome.report.recording import Recording, Span

PICTURES = 12
MOST_ALERTS = 200
"""Of one clip whose conditions are shown; a day that rings on and on has thousands."""
MARKS = 28
"""Along one rule's band at most; alerts closer together share one that counts them."""
DENSE = 10
"""From so many marks on they are made narrow on a phone."""


@dataclass(frozen=True, slots=True)
class Track:
    """One line: how it is drawn, and its numbers for the cursor."""

    name: str
    rest: str
    """Beside its name while nobody points at it."""
    drawn: Markup
    style: str
    data: dict[str, Any]


def lines(recording: Recording, config: Config, number: int) -> Markup:
    """Return the lines of one clip, the `number`-th of the page."""
    axis = Axis.of(recording.times, recording.seconds)
    tracks = [
        *(_rule(axis, recording, rule, number) for rule in recording.rules),
        *_scores(axis, recording, config),
        _motion(axis, recording, config),
        *_camera(axis, recording),
    ]
    data = {
        "seconds": round(recording.seconds, 3),
        "times": [round(axis.times[a], 3) for a, _ in axis.ranges],
        "tracks": [{"name": track.name, **track.data} for track in tracks],
    }
    return element(
        "div",
        _pictures(recording),
        *(_drawn(track) for track in tracks),
        _axis(recording),
        element(
            "div", element("b"), element("b", class_="low"), class_="cursor", aria_hidden="true"
        ),
        data_block(json.dumps(data, ensure_ascii=False, separators=(",", ":"))),
        class_="lines",
    )


def _drawn(track: Track) -> Markup:
    head = element(
        "div",
        element("span", track.name, title=track.name),
        element("span", track.rest, class_="value"),
        class_="head",
    )
    return join(head, element("div", track.drawn, class_=f"track {track.style}"))


def _scores(axis: Axis, recording: Recording, config: Config) -> Iterable[Track]:
    levels: dict[str, set[float]] = {}
    for rule in config.rules:
        for condition in walk(rule.when):
            if isinstance(condition, ActivityCondition):
                levels.setdefault(condition.activity.name, set()).add(condition.above)
    for name, values in zip(recording.activities, recording.scores, strict=True):
        above = sorted(levels.get(name.partition(" over ")[0], ()))
        yield _values(axis, name, values, top=1.0, levels=above, style="scores")


def _motion(axis: Axis, recording: Recording, config: Config) -> Track:
    asked = {
        condition.motion
        for rule in config.rules
        for condition in walk(rule.when)
        if isinstance(condition, MotionCondition)
    }
    # A person moves a tenth of the picture: on a scale to 1 nothing would be seen.
    top = max([0.1, *asked, *recording.motion])
    return _values(
        axis, "motion", recording.motion, top=top, levels=sorted(asked), style="scores motion"
    )


def _values(
    axis: Axis,
    name: str,
    values: Sequence[float],
    *,
    top: float,
    levels: Sequence[float],
    style: str,
) -> Track:
    digits = 2 if top == 1.0 else 3
    extremes = axis.extremes(values)
    data: dict[str, Any] = {"high": [round(high * 1000) for _, high in extremes], "digits": digits}
    single = len(axis.ranges) == len(axis.times)
    if not single:
        data["low"] = [round(low * 1000) for low, _ in extremes]
    asked = f", asked for {' and '.join(f'{level:.3g}' for level in levels)}" if levels else ""
    rest = f"highest {max(values, default=0.0):.{digits}f}{asked}"
    drawn = line(axis, values, top, levels)
    return Track(name, rest, drawn, f"{style}{' single' if single else ''}", data)


def _rule(axis: Axis, recording: Recording, rule: str, number: int) -> Track:
    spans = recording.states[rule].until(recording.seconds)
    times = [
        (place, time_s)
        for place, (time_s, alert) in enumerate(recording.alerts, start=1)
        if alert.rule == rule
    ]
    rest = f"{len(times)} alert{'' if len(times) == 1 else 's'}" if times else "no alert"
    drawn = join(bands(axis, spans), *_marks(axis, recording, times, number))
    return Track(rule, rest, drawn, "band", _told(axis, spans, "inactive"))


def _marks(
    axis: Axis, recording: Recording, alerts: Sequence[tuple[int, float]], number: int
) -> Iterable[Markup]:
    """Yield a link for each alert, or for all that are at about the same place."""
    say = clock_of(recording.seconds)
    groups: dict[int, list[tuple[int, float]]] = {}
    for place, time_s in alerts:
        groups.setdefault(int(time_s / axis.seconds * MARKS), []).append((place, time_s))
    style = "mark dense" if len(groups) >= DENSE else "mark"
    for group in groups.values():
        place, time_s = group[0]
        count = len(group)
        words = f"{count} alerts from {say(time_s)}" if count > 1 else f"alert at {say(time_s)}"
        known = place <= MOST_ALERTS
        yield element(
            "a" if known else "span",
            str(count) if count > 1 else "!",
            class_=style,
            href=f"#clip{number}-alert{place}" if known else None,
            style=f"left:clamp(12px,{axis.percent(time_s)},calc(100% - 12px))",
            title=words,
            aria_label=words if known else None,
        )


def _camera(axis: Axis, recording: Recording) -> Iterable[Track]:
    """Yield what is wrong with the camera and when the scene stood still, if it ever was so."""
    still = recording.still.until(recording.seconds)
    troubles = [(str(s), spans.until(recording.seconds)) for s, spans in recording.camera.items()]
    for name, spans, style in (
        ("the scene stands still: the model rests", still, "still"),
        *((f"camera {name}", spans, "camera") for name, spans in troubles),
    ):
        if spans:
            boxes = [Span(span.start_s, span.end_s, style) for span in spans]
            seconds = sum(span.end_s - span.start_s for span in spans)
            told = _told(axis, [Span(s.start_s, s.end_s, "yes") for s in spans], "no")
            yield Track(name, f"{seconds:.1f} s", bands(axis, boxes), "thin", told)


def _told(axis: Axis, spans: Sequence[Span], rest: str) -> dict[str, Any]:
    shown = merged(axis, spans)
    return {
        "spans": [[round(s.start_s, 3), round(s.end_s, 3), s.what] for s in shown],
        "rest": rest,
    }


def _pictures(recording: Recording) -> Markup:
    """Return the pictures that are nearest to the middles of equal parts of the clip."""
    if not recording.pictures:
        return Markup()
    say = clock_of(recording.seconds)
    count = min(PICTURES, len(recording.pictures))
    images = []
    for cell in range(count):
        middle_s = (cell + 0.5) * recording.seconds / count
        time_s, jpeg = min(recording.pictures, key=lambda item: abs(item[0] - middle_s))
        words = f"The picture at {say(time_s)}"
        source = "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
        images.append(element("img", src=source, alt=words, title=words, width=172, height=172))
    style = "pictures many" if count == PICTURES else "pictures"
    return element("div", *images, class_=style)


def _axis(recording: Recording) -> Markup:
    """Return the axis, which is also what the keyboard moves the cursor on."""
    seconds = recording.seconds
    say: Callable[[float], str] = clock_of(seconds)
    if seconds >= 600:
        label: Callable[[float], str] = lambda time_s: f"{recording.at(time_s):%H:%M}"  # noqa: E731
    else:
        label = lambda time_s: f"{time_s:g} s"  # noqa: E731
    labels = []
    for index, time_s in enumerate(ticks(seconds)):
        part = time_s / seconds if seconds else 0.0
        style = " ".join(
            word for word, so in (("odd", index % 2 == 1), ("last", part > 0.96)) if so
        )
        text = label(time_s)
        labels.append(element("span", text, class_=style or None, style=f"left:{part * 100:.2f}%"))
    return element(
        "div",
        *labels,
        class_="axis",
        tabindex=0,
        role="slider",
        aria_label=f"Moment of {recording.name}",
        aria_valuemin=0,
        aria_valuemax=f"{seconds:.2f}",
        aria_valuenow=0,
        aria_valuetext=say(0.0),
    )
