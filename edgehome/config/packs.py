"""Shipped groups of model labels that a rule can name, with the reason for each label.

A pack is a YAML file with the keys of `Pack`; under `labels` each label has those of `PackLabel`.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgehome.config.document import Mapping, Node, Scalar, Sequence, parse
from edgehome.config.values import Within, number, probability, text

_weight = Within(number, 0.01, 1, "0.01 to 1")


@dataclass(frozen=True, slots=True)
class PackLabel:
    """One label of a pack."""

    name: str
    weight: float = 1.0
    """What the label's probability is multiplied by."""
    reason: str = ""
    """Why it belongs to the pack, as a sentence."""
    look_alikes: tuple[str, ...] = ()
    """Labels or scenes that the model takes for it, and the other way round."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A group of labels by name. A model may know only some of them."""

    name: str
    labels: tuple[PackLabel, ...]
    above: float | None = None
    """Score at which a rule begins that names no other; None: as for any activity."""
    about: str = ""
    """What it is for, as a sentence."""
    not_for: str = ""
    """What it does not see and must not be used for, in sentences."""
    measured: str = ""
    """What was measured of it, on which clips, and what was not; in sentences."""


def read_pack(name: str, data: bytes) -> Pack:
    """Return the pack that a file describes.

    Raises ValueError or DocumentError for any other: a pack is part of the program, so that is a
    bug.
    """
    entries = _entries(parse(data), name, {"about", "not_for", "measured", "above", "labels"})
    labels = _entries(entries.pop("labels", None), f"{name}.labels", None)
    above = entries.pop("above", None)
    return Pack(
        name,
        tuple(_label(label, node, f"{name}.labels.{label}") for label, node in labels.items()),
        above=None if above is None else probability(_text(above, f"{name}.above")),
        **{key: _text(node, f"{name}.{key}") for key, node in entries.items()},
    )


def _label(name: str, node: Node, path: str) -> PackLabel:
    entries = _entries(node, path, {"weight", "reason", "look_alikes"})
    alike = entries.get("look_alikes")
    items = alike.items if isinstance(alike, Sequence) else ()
    weight = entries.get("weight")
    return PackLabel(
        text(name),
        1.0 if weight is None else _weight(_text(weight, f"{path}.weight")),
        _text(entries.get("reason"), f"{path}.reason"),
        tuple(text(_text(item, f"{path}.look_alikes")) for item in items),
    )


def _entries(node: Node | None, path: str, known: set[str] | None) -> dict[str, Node]:
    if not isinstance(node, Mapping) or not node.entries:
        raise ValueError(f"{path}: must be keys with values")
    found = {key.text: value for key, value in node.entries}
    if len(found) != len(node.entries) or (known and not found.keys() <= known):
        raise ValueError(f"{path}: a key that is not known here, or stands twice: {list(found)}")
    return found


def _text(node: Node | None, path: str) -> str:
    if not isinstance(node, Scalar) or not node.text.strip():
        raise ValueError(f"{path}: must be a text")
    return node.text
