"""The rules that a file of tests is about: its own, or those of a configuration beside it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from edgehome.config import values
from edgehome.config.conditions import ActivityCondition, walk
from edgehome.config.document import Mapping, Node, Scalar
from edgehome.config.reader import examine_tree
from edgehome.config.types import Config
from edgehome.configfile import required
from edgehome.labels import labels_of
from edgehome.packs import shipped_packs
from edgehome.sheet import Sheet

OWN = ("config", "smoothing", "interval", "tests")
INLINE = ("activities", "rules", "location", "alerts", "events", "motion")
"""Parts of a configuration that a file of tests may hold itself."""


def read_config(sheet: Sheet, root: Node, nodes: dict[str, Node]) -> Config | None:
    """Return the rules, or None after a mistake. Raises ConfigInvalidError."""
    before = len(sheet.errors)
    config = None
    if "config" in nodes:
        for key in INLINE:
            if key in nodes:
                sheet.error(nodes[key].mark, key, "belongs in the file that `config` names")
        path: Path | None = sheet.once(nodes, "config", values.path)
        if path and len(sheet.errors) == before:
            config = _read_other(path, _labels_in(nodes.get("tests")))
    elif "rules" in nodes:
        config = _read_inline(sheet, root)
    else:
        sheet.error(root.mark, "rules", "is missing; or name a configuration with `config`")
    smoothing_s = sheet.once(nodes, "smoothing", values.duration)
    if config and smoothing_s is not None:
        config = replace(config, events=replace(config.events, smoothing_s=smoothing_s))
    return config if len(sheet.errors) == before else None


def watched_labels(config: Config) -> set[str]:
    """Return every label that a rule looks at."""
    return {
        label
        for rule in config.rules
        for condition in walk(rule.when)
        if isinstance(condition, ActivityCondition)
        for label in condition.activity.labels
    }


def _read_inline(sheet: Sheet, root: Node) -> Config | None:
    """Return the rules in the file itself. What a model knows is not asked: there is none."""
    entries = root.entries if isinstance(root, Mapping) else ()
    own = Mapping(tuple((key, value) for key, value in entries if key.text in INLINE), root.mark)
    reading = examine_tree(
        own,
        file=sheet.file,
        folder=sheet.folder,
        labels_of=lambda _model: None,
        thresholds_of=lambda _model: {},
        packs=shipped_packs(),
    )
    sheet.errors += reading.errors
    return reading.config


def _read_other(path: Path, tested: Collection[str]) -> Config:
    """Return a configuration; labels that tests name are known, whatever its model is.

    Raises ConfigInvalidError with all its mistakes.
    """

    def known(model: Path) -> Collection[str] | None:
        labels = labels_of(model)
        return None if labels is None else {*labels, *tested}

    return required(path, labels=known)


def _labels_in(tests: Node | None) -> set[str]:
    """Return the labels that tests give scores of; what is no test is told of elsewhere."""
    found: set[str] = set()
    for test in getattr(tests, "items", ()):
        for key, value in test.entries if isinstance(test, Mapping) else ():
            if key.text == "scores" and isinstance(value, Mapping):
                found |= {label.text for label, _ in value.entries if isinstance(label, Scalar)}
    return found
