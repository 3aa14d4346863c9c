"""What a rule can name: the file's own activities, then the packs, then the model's labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from edgehome.config.conditions import CONDITIONS, Activity
from edgehome.config.document import Mapping as MappingNode
from edgehome.config.document import Node, Scalar, Sequence
from edgehome.config.findings import Place, Places
from edgehome.config.nodes import Nodes, below
from edgehome.config.packs import Pack
from edgehome.config.values import Within, number, text

MAX_LABELS = 200
ABOVE = 0.6
"""Where an activity begins when nobody says anything else."""
weight = Within(number, 0.01, 10, "0.01 to 10")


@dataclass(frozen=True, slots=True)
class Known:
    """What a model and the packs bring."""

    labels: Collection[str] | None
    """None: cannot be known, and is not checked."""
    thresholds: Mapping[str, float]
    """From which score on a label is there, where its makers say."""
    packs: Mapping[str, Pack]


class Names:
    """Finds what a name in a rule stands for."""

    def __init__(self, nodes: Nodes, known: Known, places: Places) -> None:
        self._nodes = nodes
        self._known = known
        self._places = places
        self._activities: dict[str, Activity] = {}

    def read_activities(self, node: Node) -> None:
        """Take in the file's own activities."""
        for name, (key, child) in self._nodes.entries(node, "activities").items():
            path = below("activities", name)
            if self._nodes.value(text, Scalar(name, key.mark), path) is None:
                continue
            weights = self._labels(child, path)
            if not 1 <= len(weights) <= MAX_LABELS:
                self._nodes.error(child.mark, path, f"needs 1 to {MAX_LABELS} labels")
            self._activities[name.strip()] = _activity(name.strip(), weights)

    def _labels(self, node: Node, path: str) -> dict[str, float]:
        """Return the weights by label, wrong ones too: what they are is told, and enough."""
        found: dict[str, float] = {}
        if isinstance(node, MappingNode):
            for name, (key, child) in self._nodes.entries(node, path).items():
                self._label(Scalar(name, key.mark), below(path, name))
                found[name.strip()] = self._nodes.value(weight, child, below(path, name)) or 1.0
            return found
        items = node.items if isinstance(node, Sequence) else (node,)
        for n, item in enumerate(items[: MAX_LABELS + 1]):
            label = self._label(item, f"{path}.{n}" if isinstance(node, Sequence) else path)
            found[label or f"{n}"] = 1.0
        return found

    def _label(self, node: Node, path: str) -> str | None:
        label: str | None = self._nodes.value(text, node, path)
        if label is None:
            return None
        known = self._known.labels
        if known is not None and label not in known:
            what = "is a pack, no label" if label in self._known.packs else "is not a label"
            hint = self._nodes.hint(label, known)
            self._nodes.error(node.mark, path, f"{label!r} {what} of the model{hint}")
        self._places.labels.append((label, Place(node.mark, path)))
        return label

    def find(self, node: Node, path: str) -> tuple[Activity, float] | None:
        """Return what the name stands for and the score at which it begins, or None."""
        if isinstance(node, Sequence):
            message = "is one name; put several under `activities`, or one by one under `any`"
            self._nodes.error(node.mark, path, message)
            return None
        name: str | None = self._nodes.value(text, node, path)
        if name is None:
            return None
        if name in self._activities:
            activity = self._activities[name]
            return activity, self._above(activity, ABOVE)
        if name in self._known.packs:
            return self._pack(self._known.packs[name], node, path)
        known = self._known.labels
        if known is not None and name not in known:
            hint = self._nodes.hint(name, (*self._activities, *self._known.packs, *known))
            teach = "" if hint else f"; or teach it first: `edgehome teach {name} --yes CLIP...`"
            if name in CONDITIONS:
                hint, teach = "", f"; as a condition write `{name}:` and what it asks for"
            message = (
                f"{name!r} is neither an activity, a pack nor a label of the model{hint}{teach}"
            )
            self._nodes.error(node.mark, path, message)
        self._places.labels.append((name, Place(node.mark, path)))
        activity = Activity(name, (name,))
        return activity, self._above(activity, ABOVE)

    def _pack(self, pack: Pack, node: Node, path: str) -> tuple[Activity, float] | None:
        known = self._known.labels
        weights = {
            label.name: label.weight
            for label in pack.labels
            if known is None or label.name in known
        }
        if not weights:
            message = (
                f"the model knows no label of the pack {pack.name!r}; use a model that does "
                "(`edgehome models list`), or name labels of this one"
            )
            self._nodes.error(node.mark, path, message)
            return None
        activity = _activity(pack.name, weights)
        return activity, self._above(activity, ABOVE) if pack.above is None else pack.above

    def _above(self, activity: Activity, otherwise: float) -> float:
        heads = [t for label in activity.labels if (t := self._known.thresholds.get(label))]
        return max(heads, default=otherwise)


def _activity(name: str, weights: dict[str, float]) -> Activity:
    plain = all(weight == 1 for weight in weights.values())
    return Activity(name, tuple(weights), () if plain else tuple(weights.values()))
