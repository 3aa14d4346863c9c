"""Curves with their intervals as one picture, an SVG file: a panel for each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgehome.report.elements import Markup, element, join

WIDTH, PANEL = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 16, 34, 40
_COLOURS = ("#0b6e4f", "#1f4e9c", "#b4540a", "#6b2d8b")
_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_STYLE = (
    "text{font:12px sans-serif;fill:#222}.name{font-weight:bold;font-size:14px}"
    "line{stroke:#ddd}.mean{fill:none;stroke-width:2.5}.sure{stroke-width:1;opacity:.8}"
)


def drawn(result: Mapping[str, Any]) -> str:
    """Return the result of `evaluate --teach` or `--novelty` as an SVG file's text.

    Means over draws as lines, their 95 % intervals as bars; AUC from 0.5, which is chance.
    """
    labels = result["labels"]
    names = list(result["general"])
    legend = PANEL * len(labels)
    height = legend + 20 * len(names) + 30
    content = [element("style", Markup(_STYLE))]
    content += [element("rect", width=WIDTH, height=height, fill="#fff")]
    for number, (label, found) in enumerate(labels.items()):
        name = f"{label}: AUC by {result.get('by', 'examples shown')}"
        content.append(_panel(name, found, names, PANEL * number))
    for number, name in enumerate(names):
        y = legend + 20 * number + 14
        colour = _COLOURS[number % len(_COLOURS)]
        content.append(element("rect", x=_LEFT, y=y - 8, width=18, height=4, fill=colour))
        content.append(element("text", result["general"][name], x=_LEFT + 26, y=y))
    said = f"{result['model']}; a home is one {result['place']}; bars: 95 %, groups drawn anew"
    content.append(element("text", said, x=_LEFT, y=height - 10))
    return element(
        "svg",
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {height}",
        width=WIDTH,
        height=height,
        role="img",
    )


def _panel(
    title: str, found: Mapping[str, Sequence[Mapping[str, Any]]], names: Sequence[str], top: int
) -> Markup:
    counts = sorted({one["examples"] for points in found.values() for one in points})
    wide = (WIDTH - _LEFT - _RIGHT) / max(len(counts), 1)
    middle = {count: _LEFT + wide * (i + 0.5) for i, count in enumerate(counts)}
    parts = [element("text", title, x=_LEFT, y=top + 20, class_="name")]
    for level in _LEVELS:
        y = _y(level, top)
        parts.append(element("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y, y2=y))
        parts.append(element("text", f"{level:.1f}", x=_LEFT - 8, y=y + 4, text_anchor="end"))
    bottom = top + PANEL - _BOTTOM + 18
    for count, x in middle.items():
        parts.append(element("text", str(count), x=round(x, 1), y=bottom, text_anchor="middle"))
    for number, name in enumerate(names):
        if name in found:
            aside = 9 * (number - (len(names) - 1) / 2)
            colour = _COLOURS[number % len(_COLOURS)]
            parts.append(_curve(found[name], middle, top, colour, aside))
    return join(*parts)


def _curve(
    points: Sequence[Mapping[str, Any]],
    middle: Mapping[int, float],
    top: int,
    colour: str,
    aside: float,
) -> Markup:
    places, parts = [], []
    for one in points:
        if one["auc"] is None:
            continue
        x, y = round(middle[one["examples"]] + aside, 1), _y(one["auc"], top)
        places.append(f"{x} {y}")
        parts.append(element("rect", x=x - 3, y=y - 3, width=6, height=6, fill=colour))
        if one["auc_interval"]:
            low, high = (_y(end, top) for end in one["auc_interval"])
            bar = f"M{x} {low}L{x} {high}M{x - 4} {low}L{x + 4} {low}M{x - 4} {high}L{x + 4} {high}"
            parts.append(element("path", d=bar, class_="sure", stroke=colour, fill="none"))
    path = element("path", d="M" + "L".join(places), class_="mean", stroke=colour) if places else ""
    return join(path, *parts)


def _y(value: float, top: int) -> float:
    """Return where a value is, 0.5 and below at the bottom."""
    share = (min(max(value, 0.5), 1.0) - 0.5) / 0.5
    return round(top + PANEL - _BOTTOM - share * (PANEL - _TOP - _BOTTOM), 1)
