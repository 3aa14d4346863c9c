"""Read what a rule waits for."""

from __future__ import annotations

from dataclasses import replace

from edgehome.config.conditions import (
    CONDITIONS,
    ActivityCondition,
    AllCondition,
    Condition,
    MotionCondition,
    SunCondition,
    ThenCondition,
    UnusualCondition,
    is_group,
)
from edgehome.config.document import Mapping, Mark, Node, Scalar, Sequence
from edgehome.config.findings import Place, Places
from edgehome.config.names import Names
from edgehome.config.nodes import Entries, Nodes, Values, below, options_of
from edgehome.config.types import Rule

COMMON = tuple(options_of(Condition))
"""The keys that every condition may have, and a rule."""
OWNERS = {
    key: [name for name, kind in CONDITIONS.items() if key in options_of(kind)]
    for kind in CONDITIONS.values()
    for key in options_of(kind)
    if key not in COMMON and key not in CONDITIONS
}
"""The conditions that have a key of their own, by the key."""
MAX_GROUP = 200
RARITY = ("once_in", "above")
"""The keys of which `unusual` may have one instead of a word: a time, or a number of days."""


class Conditions:
    """Reads conditions of any depth; each mistake is told, and None stands for what is wrong."""

    def __init__(
        self,
        nodes: Nodes,
        names: Names,
        places: Places,
        *,
        window_s: float,
        located: bool,
    ) -> None:
        self._nodes = nodes
        self._names = names
        self._places = places
        self._window_s = window_s
        self._located = located

    def read(self, node: Node, path: str) -> Condition | None:
        """Return the condition of a mapping, or of a word: that activity."""
        if isinstance(node, Sequence):
            message = "is a list within a list; put `all:` (or any, none, then) before it"
            self._nodes.error(node.mark, path, message)
            return None
        if isinstance(node, Scalar):
            return self.activity(node, {}, path)
        entries = self._nodes.entries(node, path)
        kinds = [key for key in entries if key in CONDITIONS]
        if len(kinds) == 1:
            return self._condition(kinds[0], entries, node.mark, path)
        if kinds:
            first, second = kinds[:2]
            message = (
                f"{first} and {second} are two conditions; give each an item of its own in a "
                f"list: `- {first}: ...` and `- {second}: ...`"
            )
            self._nodes.error(entries[second][0].mark, below(path, second), message)
        elif entries or not node.entries:
            self._no_kind(node, path)
        return None

    def every(self, node: Sequence, path: str) -> Condition | None:
        """Return the condition that all of a list hold."""
        found = self._group(node, path, least=1)
        return self._placed(AllCondition(conditions=found), node.mark, path) if found else None

    def activity(self, name: Node, entries: Entries, path: str, at: str = "") -> Condition | None:
        """Return the condition of an activity's name, with keys of its own and of every one."""
        key = Scalar("activity", name.mark)
        found = {"activity": (key, name), **entries}
        return self._condition("activity", found, name.mark, path, at or path)

    def whole(self, inner: Condition, entries: Entries, path: str) -> Condition | None:
        """Return the condition with a rule's own `for`, `at_least`, `count` and `window`."""
        before = len(self._nodes.errors)
        values = self._nodes.options(options_of(Condition), entries, path)
        self._check_count(entries, path)
        if len(self._nodes.errors) > before:
            return None
        if not values:
            return inner
        has_its_own = (inner.at_least, inner.for_s, inner.count, inner.window_s) != (None, 0, 1, 0)
        outer = (
            AllCondition(conditions=(inner,), **values) if has_its_own else replace(inner, **values)
        )
        place = self._places.of(inner)
        return self._placed(outer, place.mark, place.path)

    def _placed(self, condition: Condition, mark: Mark, path: str) -> Condition:
        self._places.add(condition, Place(mark, path))
        return condition

    def _no_kind(self, node: Mapping, path: str) -> None:
        mark, here, hint = node.mark, path, ""
        if node.entries:
            key = node.entries[0][0]
            mark, here = key.mark, below(path, key.text)
            owners = OWNERS.get(key.text)
            hint = f"; did you forget `{owners[0]}: ...`?" if owners else ""
            hint = hint or self._nodes.hint(key.text, CONDITIONS)
        message = f"is no condition{hint}" if hint else f"needs one of {', '.join(CONDITIONS)}"
        self._nodes.error(mark, here, message)

    def _condition(
        self, key: str, entries: Entries, mark: Mark, path: str, at: str = ""
    ) -> Condition | None:
        """Return one condition; `at` is the path of the key that names it, if not in `path`."""
        before = len(self._nodes.errors)
        kind = CONDITIONS[key]
        options = options_of(kind)
        for other, (where, _) in entries.items():
            if other not in options and other != key:
                self.misplaced(where, below(path, other), key)
        others = {name: option for name, option in options.items() if name != key}
        values = self._own(key, entries[key][1], at or below(path, key))
        values |= self._nodes.options(others, entries, path)
        self._check_count(entries, path)
        if len(self._nodes.errors) > before:
            return None
        condition = kind(**_with_below(kind, values))
        self._check(condition, entries, path, key)
        whole = len(self._nodes.errors) == before
        return self._placed(condition, mark, at or path) if whole else None

    def _own(self, key: str, node: Node, path: str) -> Values:
        """Return what the key that names the condition says."""
        kind = CONDITIONS[key]
        if is_group(kind()):
            least = 2 if kind is ThenCondition else 1
            return {"conditions": self._group(node, path, least)}
        if kind is ActivityCondition:
            found = self._names.find(node, path)
            return {"activity": found[0], "above": found[1]} if found else {}
        name, option = options_of(kind)[key]
        if kind is UnusualCondition and isinstance(node, Mapping):
            one = self._rarity(node, path)
            value = self._nodes.value(option.parse, one, path) if one else None
        else:
            value = self._nodes.value(option.parse, node, path)
        return {} if value is None else {name: value}

    def _rarity(self, node: Mapping, path: str) -> Node | None:
        """Return the one value that `once_in: 3d` or `above: 3`, in days, stands for."""
        entries = self._nodes.entries(node, path, RARITY)
        if len(entries) != 1:
            if len(entries) == len(node.entries):
                self._nodes.error(node.mark, path, f"needs one of {', '.join(RARITY)}")
            return None
        (key, (_, value)) = next(iter(entries.items()))
        if key != "above" or not isinstance(value, Scalar):
            return value
        if value.text.strip().replace(".", "", 1).isdigit():
            return Scalar(f"{value.text}d", value.mark)
        message = f"{value.text!r} is no number of days such as 7; a time goes to `once_in`"
        self._nodes.error(value.mark, below(path, key), message)
        return None

    def _group(self, node: Node, path: str, least: int) -> tuple[Condition, ...]:
        if isinstance(node, Sequence) and not node.items:
            self._nodes.error(node.mark, path, "is an empty list; it needs conditions")
            return ()
        items = self._nodes.items(node, path, least, MAX_GROUP) or ()
        read = [self.read(item, f"{path}.{n}") for n, item in enumerate(items)]
        return tuple(condition for condition in read if condition)

    def misplaced(self, key: Scalar, path: str, here: str) -> None:
        """Say where a key belongs that is not known here."""
        owners = OWNERS.get(key.text)
        if key.text in options_of(Rule):
            self._nodes.error(key.mark, path, "belongs in the rule itself, beside its `when`")
        elif owners == ["activity"] and here == "motion":
            self._nodes.error(key.mark, path, "belongs to activity; motion has its own level")
        elif owners:
            message = f"belongs to {' and '.join(owners)}, not to {here}"
            self._nodes.error(key.mark, path, message)
        else:
            known = [*options_of(CONDITIONS[here]), *([] if here in COMMON else [here])]
            self._nodes.unknown(key, path, list(dict.fromkeys(known)))

    def _check_count(self, entries: Entries, path: str) -> None:
        if "count" in entries and "window" not in entries:
            message = "needs the time within which it counts, for example `window: 1m`"
            self._nodes.error(entries["count"][0].mark, below(path, "count"), message)
        if "window" in entries and "count" not in entries:
            message = "needs a `count` to count within it; a shorter look back is `look_back`"
            self._nodes.error(entries["window"][0].mark, below(path, "window"), message)

    def _check(self, condition: Condition, entries: Entries, path: str, key: str) -> None:
        """Hold what the keys say against each other, and against other sections."""
        if isinstance(condition, ActivityCondition):
            self._check_below(condition.below, condition.above, "above", entries, path)
            look_back_s = condition.look_back_s or 0
            if look_back_s > self._window_s:
                message = f"{look_back_s:g}s is longer than recognizer.window, {self._window_s:g}s"
                mark = entries["look_back"][1].mark
                self._nodes.error(mark, below(path, "look_back"), message)
        if isinstance(condition, MotionCondition):
            self._check_below(condition.below, condition.motion, "motion", entries, path)
        if isinstance(condition, SunCondition) and not self._located:
            message = "needs to know where: a `location` with latitude and longitude in this file"
            self._nodes.error(entries[key][0].mark, below(path, key), message)

    def _check_below(self, low: float, high: float, name: str, entries: Entries, path: str) -> None:
        if low > high:
            mark = entries["below"][1].mark
            self._nodes.error(
                mark, below(path, "below"), f"{low:g} is higher than {name}, {high:g}"
            )


def _with_below(kind: type[Condition], values: Values) -> Values:
    """Return the values with the lower threshold that follows from the upper one, if none is."""
    if kind is ActivityCondition:
        return {"below": round(values["above"] * 2 / 3, 6)} | values
    if kind is MotionCondition:
        return {"below": round(values["motion"] / 2, 6)} | values
    return values
