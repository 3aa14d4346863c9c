"""Reads configurations that are written in a test, against a model and packs that are made up."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from edgehome.config.doubts import doubts
from edgehome.config.packs import Pack, PackLabel
from edgehome.config.reader import Reading, examine
from edgehome.config.types import Config, Rule

ROOT = Path(__file__).resolve().parents[1]
LABELS = ("wrestling", "slapping", "headbutting", "arm wrestling", "punching person (boxing)")
LABELS += ("fall", "fighting", "person", "climbing ladder", "climbing tree")
THRESHOLDS = {"fall": 0.83, "fighting": 0.3, "person": 0.7}
PACKS = {
    "intrusion": Pack(
        "intrusion",
        (
            PackLabel("climbing ladder", 0.5, "Over the wall.", ("painting fence",)),
            PackLabel("parkour", 1.0, "Over the roof."),
        ),
        above=0.4,
    ),
    "violence": Pack("violence", (PackLabel("fighting"), PackLabel("wrestling"))),
    "sport": Pack("sport", (PackLabel("dodgeball"),)),
}


def examine_text(data: str | bytes, labels: Collection[str] | None = LABELS) -> Reading:
    """Return what is read from the text as the file /etc/c.yaml."""
    return examine(
        data.encode() if isinstance(data, str) else data,
        file="c.yaml",
        folder=Path("/etc"),
        labels_of=lambda _model: labels,
        thresholds_of=lambda _model: THRESHOLDS,
        packs=PACKS,
    )


def errors_of(text: str, labels: Collection[str] | None = LABELS) -> list[str]:
    """Return the mistakes in the file's order."""
    reading = examine_text(text, labels)
    assert (reading.config is None) == bool(reading.errors)
    return [str(error) for error in reading.errors]


def config_of(text: str) -> Config:
    """Return the configuration of a text that must be right."""
    reading = examine_text(text)
    assert reading.config, reading.errors
    return reading.config


def rule_of(body: str, before: str = "") -> Rule:
    """Return the one rule with a name and this body in braces' words: `when: fall, for: 1s`."""
    return config_of(f"{before}\nrules: [{{name: A, {body}}}]").rules[0]


def warnings_of(text: str) -> list[str]:
    """Return the warnings about a text that must be right."""
    reading = examine_text(text)
    assert reading.config, reading.errors
    return [str(doubt) for doubt in doubts(reading, "c.yaml")]


def sample() -> str:
    """Return the sample that ships."""
    return (ROOT / "config.yaml").read_text(encoding="utf-8")


def whole_sample() -> str:
    """Return the sample with everything that it comments out taken in, its first lines apart."""
    head, blank, body = sample().partition("\n\n")
    return head + blank + re.sub(r"(?m)^( *)# (( *)(- )?[a-z_]+:( |$))", r"\1\2", body)
