"""`edgehome check`: every mistake of every file, with its place, and what may not be meant.

Modules are imported by the command that needs them.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from edgehome.config.findings import Finding
    from edgehome.config.reader import Reading
    from edgehome.config.types import Config, Rule

EX_CONFIG = 78


def add_check(commands: Any, config: Path) -> None:  # noqa: ANN401 - argparse's own has no name
    """Add the command; `config` is checked by default."""
    check = commands.add_parser(
        "check",
        help="find every mistake in config files",
        description="Tells every mistake of every file as FILE:LINE:COLUMN: PATH: what is wrong, "
        "and ends with status 78; warnings alone end with 0.",
    )
    check.add_argument("files", nargs="*", type=Path, metavar="FILE", help=f"({config})")
    check.add_argument(
        "-c", "--config", type=Path, metavar="FILE", default=config, help="the same, as elsewhere"
    )
    check.add_argument(
        "--state", type=Path, help="whose taught activities are labels (the service's)"
    )
    check.add_argument("--json", action="store_true", help="one JSON object a mistake or warning")
    check.set_defaults(run=_check)


def _check(options: argparse.Namespace) -> int:
    from edgehome.config.doubts import doubts
    from edgehome.configfile import examined

    status = 0
    for file in options.files or [options.config]:
        reading = examined(file, options.state)
        findings = [
            *reading.errors,
            *doubts(reading, str(file)),
            *_large(reading, str(file)),
            *_waiting(reading, str(file), options.state),
        ]
        for finding in findings:
            _show(finding, as_json=options.json)
        if reading.config is None:
            status = EX_CONFIG
            continue
        checked = _labels_were_checked(reading.config, options.state)
        if not options.json:
            warnings = f", warnings: {len(findings)}" if findings else ""
            good = "good" if checked else "good as far as it goes (labels not checked)"
            print(f"{file}: {good}, rules: {len(reading.config.rules)}{warnings}")
    return status


def _large(reading: Reading, file: str) -> list[Finding]:
    """Return a warning where Home Assistant is told of more than one message is good for."""
    from edgehome.config.findings import Finding
    from edgehome.homeassistant import LARGE_BYTES, announcement_bytes
    from edgehome.settings import watched

    config = reading.config
    if config is None:
        return []
    size = announcement_bytes(config, {item.activity.name for item in watched(config)})
    if size <= LARGE_BYTES:
        return []
    place = reading.places.rules[0] if reading.places.rules else None
    line, column = (place.mark.line, place.mark.column) if place else (1, 1)
    message = (
        f"{len(config.rules)} rules make an announcement of {size / 1000:.0f} kB to Home "
        f"Assistant; over {LARGE_BYTES // 1000} kB in one message may be too much for a broker "
        "with limits: fewer rules, shorter names, or fewer of them adjustable"
    )
    return [Finding(file, line, column, "rules", message, "warning")]


def _waiting(reading: Reading, file: str, state: Path) -> Iterator[Finding]:
    """Yield a warning for each rule that cannot be true yet, or not with this model."""
    from edgehome.config.findings import Finding
    from edgehome.labels import embedding_of, taught_in

    if reading.config is None:
        return
    embedding, taught = embedding_of(reading.config.recognizer.model), taught_in(state) or {}
    resting = _resting(state, embedding)
    for rule, place in zip(reading.config.rules, reading.places.rules, strict=True):
        line, column = (place.mark.line, place.mark.column) if place else (1, 1)
        for message in _waits_for(rule, embedding, taught, resting):
            told = f"the rule '{rule.name}' {message}"
            yield Finding(file, line, column, "rules", told, "warning")


def _resting(state: Path, embedding: str | None) -> Collection[str]:
    """Return what was taught to another model than the one of this space of embeddings."""
    from edgehome.lessonstore import LessonStore

    try:
        kept, _ = LessonStore(state).load(tidy=False)
    except OSError:
        return ()
    return [n for n, one in kept.items() if embedding is not None and one.embedding != embedding]


def _waits_for(
    rule: Rule,
    embedding: str | None,
    taught: Mapping[str, float | None],
    resting: Collection[str],
) -> Iterator[str]:
    """Yield what a rule waits for, in words."""
    from edgehome.config.conditions import ActivityCondition, UnusualCondition, walk

    conditions = list(walk(rule.when))
    if any(isinstance(one, UnusualCondition) for one in conditions) and embedding == "":
        yield "is never true: the model has no embedding, so nothing is learnt to be unusual"
    labels = {
        label
        for one in conditions
        if isinstance(one, ActivityCondition)
        for label in one.activity.labels
    }
    for label in sorted(labels & taught.keys()):
        if label in resting:
            yield (
                f"is never true while this model is at work: {label} was taught to another one; "
                "teach it anew"
            )
        elif taught[label] is None:
            yield f"waits for {label}, which is still being taught: edgehome teach {label} --list"


def _show(finding: Finding, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({name: getattr(finding, name) for name in type(finding).__slots__}))
    else:
        print(finding, file=sys.stderr)


def _labels_were_checked(config: Config, state: Path) -> bool:
    """Return whether the labels in the rules could be held against the model's; say why not."""
    from edgehome.labels import TAUGHT, taught_in
    from edgehome.recognizer.manifest import read_manifest
    from edgehome.types import ModelError

    if taught_in(state) is None:
        print(
            f"note: labels were not checked. What was taught, in {state / TAUGHT}, may not be "
            "read: use sudo.",
            file=sys.stderr,
        )
        return False

    try:
        read_manifest(config.recognizer.model)
    except ModelError as error:
        print(f"note: labels were not checked. {error}", file=sys.stderr)
        return False
    return True
