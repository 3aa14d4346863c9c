"""Read config.yaml: every mistake at once, each with its place and what was probably meant."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import Field, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from edgehome.config.document import DocumentError, Mapping, Mark, Node, Scalar, Sequence, parse
from edgehome.config.types import Activity, CameraConfig, Config, Option, RecognizerConfig, Rule
from edgehome.config.values import suggest, text

MAX_RULES = 100
MAX_LABELS = 200
KINDS = {Scalar: "a single value", Sequence: "a list", Mapping: "keys with values"}

Section = TypeVar("Section")


@dataclass(frozen=True, slots=True)
class ConfigError:
    """One mistake in a file."""

    file: str
    line: int
    column: int
    path: str
    """Where it is, the way the person wrote it: `rules.0.for`."""
    message: str

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{self.file}:{self.line}:{self.column}: {where}{self.message}"


LabelsOf = Callable[[Path], Collection[str] | None]
"""A model's labels, or None when they cannot be known and are not to be checked."""
ThresholdsOf = Callable[[Path], dict[str, float]]
"""From which score on labels are there, where the model's makers say."""


def read(
    data: bytes,
    *,
    file: str,
    folder: Path,
    labels_of: LabelsOf,
    thresholds_of: ThresholdsOf = lambda _model: {},
) -> tuple[Config | None, list[ConfigError]]:
    """Return the configuration, or None and every mistake that was found.

    `file` is the name for messages, `folder` what relative paths start from.
    """
    reader = _Reader(file, folder, labels_of, thresholds_of)
    try:
        config = reader.config(parse(data))
    except DocumentError as error:
        reader.error(error.mark, "", error.message)
        return None, reader.errors
    reader.errors.sort(key=lambda item: (item.line, item.column))
    return (None if reader.errors else config), reader.errors


class _Reader:
    def __init__(
        self, file: str, folder: Path, labels_of: LabelsOf, thresholds_of: ThresholdsOf
    ) -> None:
        self.file = file
        self.folder = folder
        self.labels_of = labels_of
        self.thresholds_of = thresholds_of
        self.thresholds: dict[str, float] = {}
        self.labels: Collection[str] | None = None
        self.window_s = 0.0
        self.activities: dict[str, Activity] = {}
        self.errors: list[ConfigError] = []

    def error(self, mark: Mark, path: str, message: str) -> None:
        self.errors.append(ConfigError(self.file, mark.line, mark.column, path, message))

    def config(self, root: Node) -> Config:
        sections = {f.name: f for f in fields(Config) if "section" in f.metadata}
        entries = self.entries(root, "", [*sections, "activities", "rules"])
        parts: dict[str, Any] = {
            name: self.section(field.metadata["section"], entries[name][1], name)
            for name, field in sections.items()
            if name in entries
        }
        recognizer = parts.setdefault("recognizer", self.anchored(RecognizerConfig()))
        self.labels = self.labels_of(recognizer.model)
        self.thresholds = self.thresholds_of(recognizer.model)
        if "activities" in entries:
            self.read_activities(entries["activities"][1])
        if "rules" in entries:
            self.window_s = recognizer.window_s
            parts["rules"] = self.read_rules(entries["rules"][1])
        return Config(**parts)

    def entries(
        self, node: Node, path: str, known: Collection[str] | None
    ) -> dict[str, tuple[Scalar, Node]]:
        """Return a mapping's entries by key; say which are unknown, double, or no mapping."""
        found: dict[str, tuple[Scalar, Node]] = {}
        if isinstance(node, Scalar) and not node.text:
            return found
        if not isinstance(node, Mapping):
            self.error(node.mark, path, f"must be keys with values, not {KINDS[type(node)]}")
            return found
        for key, value in node.entries:
            here = f"{path}.{key.text}".lstrip(".")
            if key.text in found:
                first = found[key.text][0].mark
                self.error(key.mark, here, f"stands twice; first in line {first.line}")
            elif known is not None and key.text not in known:
                hint = suggest(key.text, list(known)) or f"; known are {', '.join(known)}"
                self.error(key.mark, here, f"is not known here{hint}")
            else:
                found[key.text] = (key, value)
        return found

    def value(self, parser: Callable[[str], Any], node: Node, path: str) -> Any:  # noqa: ANN401
        """Return a parsed scalar, or None after an error."""
        if not isinstance(node, Scalar):
            self.error(node.mark, path, f"must be a single value, not {KINDS[type(node)]}")
            return None
        try:
            parsed = parser(node.text)
        except ValueError as error:
            self.error(node.mark, path, str(error))
            return None
        return self.folder / parsed if isinstance(parsed, Path) else parsed

    def section(self, kind: type[Section], node: Node, path: str) -> Section:
        """Return a section, with defaults where a key is missing or wrong."""
        options = _options(kind)
        values: dict[str, Any] = {}
        for key, (_, child) in self.entries(node, path, list(options)).items():
            name, option = options[key]
            parsed = self.value(option.parse, child, f"{path}.{key}")
            if parsed is not None:
                values[name] = parsed
        return self.anchored(kind(**values))

    def anchored(self, value: Section) -> Section:
        """Make what names a file relative to the config file: default model, clip as a camera."""
        if isinstance(value, RecognizerConfig):
            return replace(value, model=self.folder / value.model)
        if isinstance(value, CameraConfig) and value.source != "pi" and "://" not in value.source:
            return replace(value, source=str(self.folder / value.source))
        return value

    def read_activities(self, node: Node) -> None:
        for name, (key, child) in self.entries(node, "activities", None).items():
            path = f"activities.{name}"
            try:
                text(name)
            except ValueError as error:
                self.error(key.mark, path, str(error))
                continue
            items = child.items if isinstance(child, Sequence) else (child,)
            labels = [self.label(item, f"{path}.{n}") for n, item in enumerate(items)]
            if not items or len(items) > MAX_LABELS:
                self.error(child.mark, path, f"needs 1 to {MAX_LABELS} labels")
            self.activities[name] = Activity(name, tuple(dict.fromkeys(filter(None, labels))))

    def label(self, node: Node, path: str) -> str | None:
        label: str | None = self.value(text, node, path)
        if label is not None and self.labels is not None and label not in self.labels:
            hint = suggest(label, list(self.labels))
            self.error(node.mark, path, f"{label!r} is not a label of the model{hint}")
        return label

    def read_rules(self, node: Node) -> tuple[Rule, ...]:
        if isinstance(node, Scalar) and not node.text:
            return ()
        if not isinstance(node, Sequence):
            self.error(node.mark, "rules", f"must be a list, not {KINDS[type(node)]}")
            return ()
        if len(node.items) > MAX_RULES:
            self.error(node.mark, "rules", f"has {len(node.items)} rules; at most {MAX_RULES}")
        rules: list[Rule] = []
        for n, item in enumerate(node.items):
            rule = self.rule(item, f"rules.{n}")
            if rule and any(rule.name == other.name for other in rules):
                self.error(item.mark, f"rules.{n}.name", f"{rule.name!r} is another rule's name")
            if rule:
                rules.append(rule)
        return tuple(rules)

    def rule(self, node: Node, path: str) -> Rule | None:
        before = len(self.errors)
        options = _options(Rule)
        values: dict[str, Any] = {}
        entries = self.entries(node, path, list(options))
        for key, (_, child) in entries.items():
            name, option = options[key]
            parsed = self.value(option.parse, child, f"{path}.{key}")
            if key == "when" and parsed is not None:
                parsed = self.activity(child, f"{path}.when")
            values[name] = parsed
        for key in ("name", "when"):
            if key not in entries and isinstance(node, Mapping):
                self.error(
                    node.mark, f"{path}.{key}", "is missing; every rule has a name and a when"
                )
        if len(self.errors) > before:
            return None
        rule = Rule(**values)
        if "above" not in entries and rule.when.labels:
            known = [self.thresholds.get(label, rule.above) for label in rule.when.labels]
            rule = replace(rule, above=max(known))
        if "below" not in entries:
            rule = replace(rule, below=round(rule.above * 2 / 3, 6))
        if rule.window_s and rule.window_s > self.window_s:
            mark = entries["window"][1].mark
            message = f"{rule.window_s:g}s is longer than recognizer.window, {self.window_s:g}s"
            self.error(mark, f"{path}.window", message)
        if rule.below > rule.above:
            place = entries.get("below", entries.get("above"))
            mark = place[1].mark if place else node.mark
            self.error(
                mark, f"{path}.below", f"{rule.below:g} is higher than above, {rule.above:g}"
            )
        return rule

    def activity(self, node: Node, path: str) -> Activity:
        """Return the activity of that name, else the label as an activity of its own."""
        name = node.text.strip() if isinstance(node, Scalar) else ""
        if name in self.activities:
            return self.activities[name]
        known = [*self.activities, *(self.labels or ())]
        if self.labels is not None and name not in self.labels:
            hint = suggest(name, known)
            self.error(
                node.mark, path, f"{name!r} is neither an activity nor a label of the model{hint}"
            )
        return Activity(name, (name,))


def _options(kind: type) -> dict[str, tuple[str, Option]]:
    """Return, by the key in the file, a field's name and how it is read."""
    found: dict[str, tuple[str, Option]] = {}
    for field in fields(kind):
        option = _option(field)
        if option:
            found[option.key or field.name] = (field.name, option)
    return found


def _option(field: Field[Any]) -> Option | None:
    option: Option | None = field.metadata.get("option")
    return option
