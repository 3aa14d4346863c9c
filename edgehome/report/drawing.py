"""Time lines as SVG that stretches to any width; its texts are HTML beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgehome.report.elements import Markup, element, join
from edgehome.report.recording import GAP_S, Span, columns

COLUMNS = 600
"""Of a line at most: a longer clip's frames share them, each with its lowest and highest value."""
WIDTH = 1000
HEIGHT = 100
LOW = {"pending": 55}
"""Where boxes begin that are not of full height: they are told apart without their colours."""
LEAST = 2.5
"""A span is at least so wide, of WIDTH: a phone shows it still."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A clip's time, and the columns of its lines."""

    seconds: float
    times: Sequence[float]
    """Of the frames."""
    ranges: Sequence[tuple[int, int]]
    """Of frames, a column each."""

    @classmethod
    def of(cls, times: Sequence[float], seconds: float) -> Axis:
        """Return the axis of a clip."""
        return cls(max(seconds, 1e-9), times, columns(times, COLUMNS))

    def x(self, time_s: float) -> float:
        """Return where a moment is, 0 to WIDTH."""
        return round(min(max(time_s / self.seconds, 0.0), 1.0) * WIDTH, 1)

    def percent(self, time_s: float) -> str:
        """Return where a moment is, as a length in CSS."""
        return f"{self.x(time_s) * 100 / WIDTH:.2f}%"

    def extremes(self, values: Sequence[float]) -> list[tuple[float, float]]:
        """Return each column's lowest and highest value."""
        if len(self.ranges) == len(self.times):
            return [(value, value) for value in values]
        return [(min(part := values[a:b]), max(part)) for a, b in self.ranges]


def line(axis: Axis, values: Sequence[float], top: float, levels: Sequence[float]) -> Markup:
    """Return a line of values from 0 to `top`, broken where frames are missing.

    `levels` are drawn across. Where frames share a column it is a band from lowest to highest.
    """
    across = [
        element("line", x1=0, x2=WIDTH, y1=_y(level, top), y2=_y(level, top), class_="level")
        for level in levels
        if level <= top
    ]
    path = element("path", d=_path(axis, axis.extremes(values), top), class_="line")
    return _svg(join(*across, path))


def bands(axis: Axis, spans: Sequence[Span]) -> Markup:
    """Return spans as boxes, each of the class that it is called; many are drawn as fewer."""
    boxes = [
        element(
            "rect",
            x=axis.x(span.start_s),
            width=max(LEAST, round(axis.x(span.end_s) - axis.x(span.start_s), 1)),
            y=LOW.get(span.what, 0),
            height=HEIGHT - LOW.get(span.what, 0),
            class_=span.what,
        )
        for span in merged(axis, spans)
    ]
    return _svg(join(*boxes))


def merged(axis: Axis, spans: Sequence[Span]) -> list[Span]:
    """Return the spans, or where they are more than COLUMNS each column's longest."""
    if len(spans) <= COLUMNS:
        return list(spans)
    width_s = axis.seconds / COLUMNS
    longest: dict[int, Span] = {}
    for span in spans:
        for column in range(int(span.start_s / width_s), int(span.end_s / width_s) + 1):
            other = longest.get(column)
            if other is None or span.end_s - span.start_s > other.end_s - other.start_s:
                longest[column] = span
    found: list[Span] = []
    for column, span in sorted(longest.items()):
        start_s, end_s = column * width_s, (column + 1) * width_s
        if found and found[-1].what == span.what and found[-1].end_s >= start_s - 1e-9:
            start_s = found.pop().start_s
        found.append(Span(start_s, end_s, span.what))
    return found


def ticks(seconds: float, most: int = 8) -> list[float]:
    """Return moments for the axis' labels, in seconds, at round distances."""
    steps = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600)
    step = next((step for step in steps if seconds / step <= most), 86400.0)
    return [number * step for number in range(int(seconds / step) + 1)]


def _path(axis: Axis, extremes: Sequence[tuple[float, float]], top: float) -> str:
    """Return the path: a line through each run of columns, or a band where they differ."""
    parts: list[str] = []
    begin = 0
    starts = [axis.times[a] for a, _ in axis.ranges]
    lasts = [axis.times[b - 1] for _, b in axis.ranges]
    for index in range(1, len(extremes) + 1):
        if index < len(extremes) and starts[index] - lasts[index - 1] <= GAP_S:
            continue
        run = range(begin, index)
        high = [f"{axis.x(starts[i])} {_y(extremes[i][1], top)}" for i in run]
        low = [f"{axis.x(starts[i])} {_y(extremes[i][0], top)}" for i in run]
        # One moment alone has no length: a line to itself shows as a dot with round caps.
        parts.append("M" + "L".join(high if len(high) > 1 else high * 2))
        if high != low:
            parts.append("L" + "L".join(reversed(low)) + "Z")
        begin = index
    return "".join(parts)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - min(value / top, 1.0) * HEIGHT, 1)


def _svg(content: str) -> Markup:
    return element(
        "svg",
        content,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
        aria_hidden="true",
        focusable="false",
    )


def clock_of(seconds: float) -> Callable[[float], str]:
    """Return how moments of a clip that long are written: `12.4 s` or `1:02:03`."""
    if seconds < 600:
        return lambda time_s: f"{time_s:.1f} s"
    return lambda time_s: f"{int(time_s) // 3600}:{int(time_s) // 60 % 60:02}:{int(time_s) % 60:02}"
