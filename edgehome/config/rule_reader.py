"""Read the rules."""

from __future__ import annotations

from edgehome.config.adjusting import HIGHEST, LOWEST, adjusted_activity
from edgehome.config.condition_reader import COMMON, OWNERS, Conditions
from edgehome.config.conditions import CONDITIONS, Condition, walk
from edgehome.config.document import Node, Scalar, Sequence
from edgehome.config.findings import Place, Places
from edgehome.config.nodes import KINDS, Entries, Nodes, below, options_of
from edgehome.config.types import Rule

MAX_RULES = 1000
MAX_CONDITIONS = 200


class Rules:
    """Reads the list of rules; a wrong one is left out and told."""

    def __init__(self, nodes: Nodes, conditions: Conditions, places: Places) -> None:
        self._nodes = nodes
        self._conditions = conditions
        self._places = places
        self._lines: dict[str, int] = {}
        """Each rule's line by its name, which must be its own."""

    def read(self, node: Node) -> tuple[Rule, ...]:
        """Return the rules that are right."""
        if isinstance(node, Scalar) and not node.text:
            return ()
        if not isinstance(node, Sequence):
            self._nodes.error(node.mark, "rules", f"must be a list, not {KINDS[type(node)]}")
            return ()
        if len(node.items) > MAX_RULES:
            message = f"has {len(node.items)} rules; at most {MAX_RULES}"
            self._nodes.error(node.mark, "rules", message)
            return ()
        found = []
        for n, item in enumerate(node.items):
            rule = self._rule(item, f"rules.{n}")
            if rule:
                found.append(rule)
                self._places.rules.append(Place(item.mark, f"rules.{n}"))
        return tuple(found)

    def _rule(self, node: Node, path: str) -> Rule | None:
        before = len(self._nodes.errors)
        entries = self._nodes.entries(node, path)
        if len(self._nodes.errors) == before:
            for key in ("name", "when"):
                if key not in entries:
                    message = "is missing; every rule has a name and a when"
                    self._nodes.error(node.mark, f"{path}.{key}", message)
        values = self._nodes.options(options_of(Rule), entries, path)
        self._check_name(values.get("name"), entries, path)
        when = self._when(entries, path)
        if len(self._nodes.errors) == before and when and values.get("adjustable"):
            self._check_adjustable(when, entries, path)
        if len(self._nodes.errors) > before or when is None:
            return None
        return Rule(when=when, **values)

    def _check_adjustable(self, when: Condition, entries: Entries, path: str) -> None:
        """Say so when the slider would have nothing to set, or could not show what there is."""
        activity = adjusted_activity(when)
        if not activity:
            message = (
                "needs an activity to set the `above` of, outside `none`; leave it out: nothing "
                "under `when` has one"
            )
        elif not LOWEST <= activity.above <= HIGHEST:
            message = (
                f"goes from {LOWEST:g} to {HIGHEST:g}, and {activity.activity.name} begins at "
                f"{activity.above:g}; give it an `above` of at least {LOWEST:g}, or leave this out"
            )
        else:
            return
        self._nodes.error(entries["adjustable"][0].mark, below(path, "adjustable"), message)

    def _check_name(self, name: str | None, entries: Entries, path: str) -> None:
        if name is None:
            return
        mark = entries["name"][1].mark
        if name in self._lines:
            message = f"{name!r} is another rule's name, in line {self._lines[name]}"
            self._nodes.error(mark, f"{path}.name", message)
        self._lines.setdefault(name, mark.line)

    def _when(self, entries: Entries, path: str) -> Condition | None:
        """Return what must hold, with the keys in the rule itself that are about it."""
        node = entries["when"][1] if "when" in entries else None
        own_keys = (*options_of(Rule), "when")
        about = {key: entry for key, entry in entries.items() if key not in own_keys}
        for key, (where, child) in list(about.items()):
            own = isinstance(node, Scalar) and "activity" in OWNERS.get(key, ())
            if key not in COMMON and not own:
                del about[key]
                self._misplaced(where, child, path)
        if node is None:
            return None
        here = f"{path}.when"
        if isinstance(node, Scalar):
            return self._conditions.activity(node, about, path, here)
        if isinstance(node, Sequence):
            inner = self._conditions.every(node, here)
        else:
            inner = self._conditions.read(node, here)
        if inner is None:
            self._nodes.options(options_of(Condition), about, path)
            return None
        return self._counted(self._conditions.whole(inner, about, path), node, here)

    def _counted(self, when: Condition | None, node: Node, path: str) -> Condition | None:
        count = sum(1 for _ in walk(when)) if when else 0
        if count <= MAX_CONDITIONS:
            return when
        message = f"has {count} conditions; at most {MAX_CONDITIONS} in a rule"
        self._nodes.error(node.mark, path, message)
        return None

    def _misplaced(self, key: Scalar, value: Node, path: str) -> None:
        """Say where a key belongs that is not a rule's own."""
        owners = OWNERS.get(key.text)
        here = below(path, key.text)
        if key.text in CONDITIONS:
            short = isinstance(value, Scalar) and value.text.isprintable() and len(value.text) < 40
            written = value.text if isinstance(value, Scalar) and short else "..."
            message = f"belongs in a list under when: `- {key.text}: {written}`"
        elif owners and "activity" in owners:
            message = f"belongs to the condition: `- activity: NAME` with `{key.text}` beneath it"
        elif owners:
            message = f"belongs to the condition `{owners[0]}` under when"
        else:
            known = [*options_of(Rule), "when", *COMMON, "above", "below", "look_back"]
            self._nodes.unknown(key, here, known)
            return
        self._nodes.error(key.mark, here, message)
