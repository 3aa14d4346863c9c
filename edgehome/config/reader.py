"""Read config.yaml: every mistake at once, each with its place and what was probably meant."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from edgehome.config.condition_reader import Conditions
from edgehome.config.document import DocumentError, Node, parse
from edgehome.config.findings import Finding, Places
from edgehome.config.names import Known, Names
from edgehome.config.nodes import Entries, Nodes
from edgehome.config.packs import Pack
from edgehome.config.rule_reader import Rules
from edgehome.config.types import Config, LocationConfig, RecognizerConfig

LabelsOf = Callable[[Path], Collection[str] | None]
"""A model's labels, or None when they cannot be known and are not to be checked."""
ThresholdsOf = Callable[[Path], Mapping[str, float]]
"""From which score on labels are there, where the model's makers say."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A file that was read: its configuration or its mistakes."""

    config: Config | None
    errors: list[Finding]
    """In the file's order; empty when there is a configuration."""
    known: Known
    places: Places


def read(
    data: bytes,
    *,
    file: str,
    folder: Path,
    labels_of: LabelsOf,
    thresholds_of: ThresholdsOf = lambda _model: {},
    packs: Mapping[str, Pack] | None = None,
) -> tuple[Config | None, list[Finding]]:
    """Return the configuration, or None and every mistake that was found.

    `file` is the name for messages, `folder` what relative paths start from.
    """
    reading = examine(
        data,
        file=file,
        folder=folder,
        labels_of=labels_of,
        thresholds_of=thresholds_of,
        packs=packs or {},
    )
    return reading.config, reading.errors


def examine(
    data: bytes,
    *,
    file: str,
    folder: Path,
    labels_of: LabelsOf,
    thresholds_of: ThresholdsOf,
    packs: Mapping[str, Pack],
) -> Reading:
    """Return also where everything stands, and what the model and the packs brought."""
    try:
        root = parse(data)
    except DocumentError as error:
        return unreadable(Finding(file, error.mark.line, error.mark.column, "", error.message))
    reading = examine_tree(
        root,
        file=file,
        folder=folder,
        labels_of=labels_of,
        thresholds_of=thresholds_of,
        packs=packs,
    )
    if not reading.config:
        return reading
    return replace(reading, config=replace(reading.config, sha256=sha256(data).hexdigest()))


def examine_tree(
    root: Node,
    *,
    file: str,
    folder: Path,
    labels_of: LabelsOf,
    thresholds_of: ThresholdsOf,
    packs: Mapping[str, Pack],
) -> Reading:
    """Return the same of a part of a file, such as the rules in a file of tests."""
    nodes, places = Nodes(file, folder), Places()
    kinds = {f.name: f.metadata["section"] for f in fields(Config) if "section" in f.metadata}
    entries = nodes.entries(root, "", [*kinds, "activities", "rules"])
    parts: dict[str, Any] = {
        name: nodes.section(kind, entries[name][1], name)
        for name, kind in kinds.items()
        if name in entries
    }
    recognizer = parts.setdefault("recognizer", nodes.anchored(RecognizerConfig()))
    model = recognizer.model
    known = Known(labels_of(model), thresholds_of(model), packs)
    _check_location(nodes, parts.get("location"), entries)
    names = Names(nodes, known, places)
    if "activities" in entries:
        names.read_activities(entries["activities"][1])
    if "rules" in entries:
        located = "location" in entries
        conditions = Conditions(nodes, names, places, window_s=recognizer.window_s, located=located)
        parts["rules"] = Rules(nodes, conditions, places).read(entries["rules"][1])
    nodes.errors.sort(key=lambda item: (item.line, item.column))
    return Reading(None if nodes.errors else Config(**parts), nodes.errors, known, places)


def unreadable(error: Finding) -> Reading:
    """Return the reading of a file that is nothing to read from."""
    return Reading(None, [error], Known(None, {}, {}), Places())


def _check_location(nodes: Nodes, location: LocationConfig | None, entries: Entries) -> None:
    """Say so when only half of the location is there, and nothing worse is wrong with it."""
    told = any(error.path.startswith("location") for error in nodes.errors)
    if location and (location.latitude is None or location.longitude is None) and not told:
        node: Node = entries["location"][1]
        nodes.error(node.mark, "location", "needs both, latitude and longitude")
