"""The page: a summary of all clips, then each with its lines, alerts and near misses."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from importlib.resources import files
from itertools import islice
from string import Template

from edgehome.config.types import Config
from edgehome.report.drawing import clock_of
from edgehome.report.elements import Markup, element, join
from edgehome.report.lines import MOST_ALERTS, lines
from edgehome.report.recording import Recording
from edgehome.types import Evidence

MOST_MISSES = 100

_KEYS = (
    ("pending", "pending: it holds, not yet for long enough"),
    ("firing", "firing"),
    ("alert", "an alert"),
    ("line", "smoothed score"),
    ("level", "the score at which it begins"),
)


def page(recordings: Sequence[Recording], config: Config, *, title: str = "Replay") -> str:
    """Return the page as HTML that needs no other file and no network."""
    script = _file("page.js")
    # Only this script may run, whatever a clip or a message is called.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    body = join(
        element("h1", title),
        _intro(recordings),
        _summary(recordings),
        *(_clip(recording, config, n) for n, recording in enumerate(recordings, start=1)),
    )
    return Template(_file("page.html")).substitute(
        title=join(title), style=_file("page.css"), script=script, hash=digest, body=body
    )


def _file(name: str) -> str:
    return (files("edgehome.report") / name).read_text(encoding="utf-8")


def _intro(recordings: Sequence[Recording]) -> Markup:
    alerts = sum(len(recording.alerts) for recording in recordings)
    misses = sum(len(recording.misses) for recording in recordings)
    said = f"{_count(len(recordings), 'clip')}, {_count(alerts, 'alert')}, "
    return element("p", f"{said}{_count(misses, 'near miss')}.", class_="soft")


def _summary(recordings: Sequence[Recording]) -> Markup:
    judged = any(recording.differences is not None for recording in recordings)
    heads = [
        element("th", "Clip", scope="col"),
        element("th", "Length", scope="col", class_="number few"),
        element("th", "Alerts", scope="col", class_="number"),
        element("th", "Near misses", scope="col", class_="number"),
        *([element("th", "As expected", scope="col")] if judged else []),
    ]
    rows = (
        element(
            "tr",
            element("td", element("a", recording.name, href=f"#clip{number}")),
            element("td", clock_of(recording.seconds)(recording.seconds), class_="number few"),
            element("td", str(len(recording.alerts)), class_="number"),
            element("td", str(len(recording.misses)), class_="number"),
            *([_verdict(recording)] if judged else []),
        )
        for number, recording in enumerate(recordings, start=1)
    )
    table = element(
        "table",
        element("thead", element("tr", *heads)),
        element("tbody", *rows),
        aria_label="All clips",
    )
    return element("section", element("div", table, class_="wide"), class_="card")


def _verdict(recording: Recording) -> Markup:
    if recording.failure:
        return element("td", "not read", class_="bad")
    if recording.differences is None:
        return element("td", "")
    if not recording.differences:
        return element("td", "yes", class_="good")
    return element("td", _count(len(recording.differences), "difference"), class_="bad")


def _clip(recording: Recording, config: Config, number: int) -> Markup:
    frames = _count(len(recording.times), "frame")
    facts = f"from {recording.start:%Y-%m-%d %H:%M:%S %Z}, {frames}, armed: {recording.mode}"
    parts: list[Markup] = [
        element("h2", recording.name, id=f"clip{number}"),
        element("p", facts, class_="soft"),
    ]
    if recording.failure:
        parts.append(element("p", recording.failure, class_="bad"))
    if recording.differences:
        listed = (element("li", text) for text in recording.differences)
        parts.append(element("ul", *listed, class_="differences"))
    if recording.times:
        parts += [lines(recording, config, number), _legend()]
    parts += [_alerts(recording, number), _misses(recording)]
    return element("section", *parts, class_="card")


def _legend() -> Markup:
    keys = (element("li", element("i", class_=kind), text) for kind, text in _KEYS)
    return element("ul", *keys, class_="legend")


def _alerts(recording: Recording, number: int) -> Markup:
    if not recording.alerts:
        return element("p", "No alert.", class_="soft below")
    say = clock_of(recording.seconds)
    found = [element("h3", _count(len(recording.alerts), "alert").capitalize())]
    for place, (time_s, alert) in enumerate(recording.alerts[:MOST_ALERTS], start=1):
        heading = element(
            "summary",
            element("span", str(alert.severity), class_=str(alert.severity)),
            " ",
            element("b", alert.rule),
            f" at {say(time_s)}",
            element("span", f"{alert.message} ({_clock(alert.at)})", class_="soft"),
        )
        found.append(
            element(
                "details",
                heading,
                _conditions(alert.evidence, recording),
                id=f"clip{number}-alert{place}",
                open=place <= 3,
            )
        )
    return join(*found, _rest(len(recording.alerts), MOST_ALERTS))


def _misses(recording: Recording) -> Markup:
    if not recording.misses:
        return Markup()
    say = clock_of(recording.seconds)
    found = [element("h3", _count(len(recording.misses), "near miss").capitalize())]
    for time_s, miss in islice(recording.misses, MOST_MISSES):
        heading = element(
            "summary",
            element("b", miss.rule),
            f" at {say(time_s)}",
            element("span", miss.message, class_="soft"),
        )
        found.append(element("details", heading, _conditions(miss.evidence, recording)))
    return join(*found, _rest(len(recording.misses), MOST_MISSES))


def _rest(count: int, most: int) -> Markup:
    if count <= most:
        return Markup()
    return element(
        "p", f"{count - most} more are in the output of edgehome replay --json.", class_="soft"
    )


def _conditions(evidence: Iterable[Evidence], recording: Recording) -> Markup:
    say = clock_of(recording.seconds)
    heads = (
        element("th", "Condition", scope="col"),
        element("th", "Was", scope="col"),
        element("th", "Asked for", scope="col"),
        element("th", "Held", scope="col"),
        element("th", "Since", scope="col"),
    )
    rows = (
        element(
            "tr",
            element("td", one.condition),
            element("td", one.value),
            element("td", one.threshold),
            element("td", "yes" if one.met else "no", class_="good" if one.met else "bad"),
            element("td", say(recording.time_of(one.since)) if one.since else ""),
        )
        for one in evidence
    )
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    return element("div", table, class_="wide")


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S}"


def _count(number: int, word: str) -> str:
    if number == 1:
        return f"1 {word}"
    return f"{number} {word}{'es' if word.endswith('s') else 's'}"
