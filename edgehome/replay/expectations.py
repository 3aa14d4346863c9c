"""Alerts that should come, from a file: a list of `{rule, at, within, clip, message}`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from edgehome.config import values
from edgehome.config.document import Node
from edgehome.replay.differences import Expected
from edgehome.sheet import Sheet, one_of

WITHIN_S = 1.0
"""How much earlier or later an alert may be where nothing is said."""


def read_expectations(
    path: Path, *, rules: Collection[str], clips: Sequence[str]
) -> list[Expected]:
    """Return what a file expects of the clips; raises SheetError with all that is wrong with it.

    A clip is named as it was given, or by its file's name; where there is one only, it needs no
    name.
    """
    sheet = Sheet(path)
    found = []
    for place, item in sheet.listed(sheet.root(), ""):
        nodes = sheet.keys(item, place, ("rule", "at", "within", "clip", "message"), ("rule", "at"))
        expected = expected_alert(sheet, nodes, place, one_of("rule", rules), WITHIN_S)
        clip = _clip(sheet, item, nodes, place, clips)
        if expected and clip is not None:
            found.append(replace(expected, clip=clip, place=sheet.place(item.mark)))
    sheet.finish()
    return found


def expected_alert(
    sheet: Sheet,
    nodes: dict[str, Node],
    path: str,
    rule_of: Callable[[str], str],
    within_s: float,
) -> Expected | None:
    """Return one alert that is expected, or None after a mistake.

    `rule_of` returns a rule's name, or raises ValueError for one that is none.
    """
    rule = sheet.once(nodes, "rule", rule_of, path)
    at_s = sheet.once(nodes, "at", values.duration, path)
    within = sheet.once(nodes, "within", values.duration, path)
    message = sheet.once(nodes, "message", str, path)
    if rule is None or at_s is None:
        return None
    return Expected(rule, at_s, within_s if within is None else within, message)


def _clip(
    sheet: Sheet, item: Node, nodes: dict[str, Node], path: str, clips: Sequence[str]
) -> str | None:
    if "clip" not in nodes:
        if len(clips) == 1:
            return clips[0]
        sheet.error(item.mark, f"{path}.clip", "is missing; there are several clips")
        return None
    known = {PurePath(clip).name: clip for clip in clips} | {clip: clip for clip in clips}
    name = sheet.once(nodes, "clip", one_of("clip that is replayed", list(known)), path)
    return None if name is None else known[name]
