"""Shipped groups of model labels that a rule can name, with the reason for each label."""

from __future__ import annotations

from dataclasses import dataclass


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
