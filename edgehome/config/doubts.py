"""Warnings about a configuration that is right: what in it may not be meant."""

from __future__ import annotations

from collections.abc import Iterator

from edgehome.config.conditions import Condition, walk
from edgehome.config.findings import Finding, Place
from edgehome.config.never import span
from edgehome.config.reader import Reading
from edgehome.config.shadows import shadowed
from edgehome.config.types import Rule

MOST_ALIKE = 4


def doubts(reading: Reading, file: str) -> list[Finding]:
    """Return the warnings about a file that was read without a mistake, in the file's order."""
    if not reading.config:
        return []
    found = [
        *_never(reading, reading.config.rules),
        *_shadowed(reading, reading.config.rules),
        *_alike(reading),
    ]
    found.sort(key=lambda item: (item[0].mark.line, item[0].mark.column))
    return [
        Finding(file, place.mark.line, place.mark.column, place.path, message, "warning")
        for place, message in found
    ]


def _never(reading: Reading, rules: tuple[Rule, ...]) -> Iterator[tuple[Place, str]]:
    for rule in rules:
        told: list[tuple[Condition, str]] = []

        def tell(condition: Condition, why: str, told: list[tuple[Condition, str]] = told) -> None:
            told.append((condition, why))

        possible = span(rule.when, reading.known.thresholds, tell).possible
        known = {id(condition) for condition in walk(rule.when)}
        for condition, why in told:
            if id(condition) in known:
                what = "can never hold" if possible else f"the rule {rule.name!r} can never fire"
                yield reading.places.of(condition), f"{what}: {why}"


def _shadowed(reading: Reading, rules: tuple[Rule, ...]) -> Iterator[tuple[Place, str]]:
    places = {rule.name: place for rule, place in zip(rules, reading.places.rules, strict=True)}
    for rule, other in shadowed(rules):
        line = places[other.name].mark.line
        message = (
            f"{rule.name!r} fires only while {other.name!r} (line {line}) does, which asks for no "
            "more and is no less severe"
        )
        yield places[rule.name], message


def _alike(reading: Reading) -> Iterator[tuple[Place, str]]:
    """Yield the labels that the file itself names and the model is known to mistake, each once."""
    told = set()
    alike = {
        label.name: (label.look_alikes, pack.name)
        for pack in reading.known.packs.values()
        for label in pack.labels
        if label.look_alikes
    }
    for name, place in reading.places.labels:
        if name in alike and name not in told:
            told.add(name)
            others, pack = alike[name]
            message = (
                f"{name!r} is easily mistaken: {', '.join(others[:MOST_ALIKE])} look like it to a "
                f"model (pack {pack})"
            )
            yield place, message
