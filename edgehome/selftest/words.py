"""The report in words, and as a row of docs/reference/boards.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgehome.types import Problem

NAMES = {
    "model": "the model",
    "disk": "the disk",
    "steps": "the model's steps",
    "alarm": "from act to alert",
    "camera": "the camera",
    "load": "minutes of work",
    "memory": "memory",
}
NONE = "-"
"""Stands for what was not measured."""
COLUMNS = (
    "board", "memory", "system", "step 1/2/4 threads, ms", "camera, fps (jitter p95)",
    "act to alert", "flush p95", "worker + supervisor", "heat in minutes", "slowed down", "watts",
)  # fmt: skip

Report = Mapping[str, Any]


def sentences(report: Report, problems: Mapping[str, Problem]) -> Iterator[str]:
    """Yield the report line by line, with the whole reasons for what was not measured."""
    board = report["board"]
    yield f"{board['model'] or board['machine']}, {board['cores']} cores, {board['system']}"
    for name, said in (
        ("disk", _disk), ("steps", _steps), ("alarm", _alarm), ("camera", _camera),
        ("load", _load), ("memory", _memory),
    ):  # fmt: skip
        if report[name] is not None:
            yield f"{NAMES[name]}: {said(report[name])}"
    for name, code in report["not_measured"].items():
        problem = problems.get(name)
        yield f"not measured: {NAMES[name]}. {problem or code}"


def row(report: Report) -> str:
    """Return the report as a row of the table. Raises KeyError or TypeError for what is none."""
    board, steps, load = report["board"], report["steps"] or [], report["load"] or {}
    camera, alarm = report["camera"], report["alarm"] or {}
    by_threads = {step["threads"]: step["median_ms"] for step in steps}
    memory, disk = report["memory"] or {}, report["disk"] or {}
    heat = _heat(load)
    cells = (
        board["model"] or board["machine"],
        f"{board['memory_mb']} MB",
        board["system"],
        " / ".join(_number(by_threads.get(count)) for count in (1, 2, 4)),
        f"{camera['rate']:.2f} ({camera['jitter_p95_ms']:.0f} ms)" if camera else NONE,
        _number(alarm.get("act_to_alert_s"), " s"),
        _number(disk.get("p95_ms"), " ms"),
        f"{_number(memory.get('worker_mb'))} + {_number(memory.get('supervisor_mb'))} MB",
        heat,
        {True: "yes", False: "no", None: NONE}[load.get("throttled")],
        _number(load.get("watts"), " W"),
    )
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: object) -> str:
    return str(text).replace("|", "/").replace("\n", " ")[:80] if text else NONE


def _number(value: float | None, unit: str = "") -> str:
    return NONE if value is None else f"{value:g}{unit}"


def _heat(load: Mapping[str, Any]) -> str:
    if load.get("start_c") is None:
        return NONE
    return f"{load['start_c']:.0f} to {load['most_c']:.0f} °C in {load['minutes']:g}"


def _disk(said: Report) -> str:
    return (
        f"{said['median_ms']:g} ms until 4 KiB are on it, {said['p95_ms']:g} ms for 95 of 100, "
        f"{said['most_ms']:g} ms at most"
    )


def _steps(said: list[Report]) -> str:
    return "; ".join(
        f"{step['median_ms']:g} ms with {step['threads']} thread{'s' * (step['threads'] > 1)} "
        f"(95 of 100: {step['p95_ms']:g})"
        for step in said
    )


def _alarm(said: Report) -> str:
    known = [
        f"{said[f'frame_to_{place}_ms']:g} ms to the {place}"
        for place in ("disk", "broker", "echo")
        if said[f"frame_to_{place}_ms"] is not None
    ]
    refused = f"; the broker: {said['broker_problem']}" if said["broker_problem"] else ""
    return f"{said['act_to_alert_s']:g} s; from the frame that decided: {', '.join(known)}{refused}"


def _camera(said: Report) -> str:
    layout = ""
    if said["format"]:
        layout = f", {said['format']} {said['width']}x{said['height']}, stride {said['stride']}"
    return (
        f"{said['rate']:g} frames a second of {said['asked_rate']:g} asked for, off by "
        f"{said['jitter_p95_ms']:g} ms for 95 of 100, {said['skipped']} not needed{layout}"
    )


def _load(said: Report) -> str:
    parts = [
        f"{said['minutes']:g} minutes on {said['source']}, {_number(said['rate'])} frames a second",
        f"steps of {_number(said['first_step_ms'])} and {_number(said['last_step_ms'])} ms",
    ]
    if said["start_c"] is not None:
        parts.append(f"{said['start_c']:.1f} to {said['most_c']:.1f} °C")
    if said["throttled"] is not None:
        parts.append("slowed down" if said["throttled"] else "never slowed down")
    if said["undervolted"]:
        parts.append("the supply's voltage was too low")
    if said["watts"] is not None:
        parts.append(f"{said['watts']:g} W")
    return "; ".join(parts)


def _memory(said: Report) -> str:
    return f"worker {_number(said['worker_mb'])} MB, supervisor {_number(said['supervisor_mb'])} MB"
