"""Read the parts of a file that are alike everywhere, and gather what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from edgehome.config.document import Mapping, Mark, Node, Scalar, Sequence
from edgehome.config.findings import Finding
from edgehome.config.lists import ListOf
from edgehome.config.options import Option
from edgehome.config.types import CameraConfig, RecognizerConfig
from edgehome.config.values import Parser, suggest

Entries = dict[str, tuple[Scalar, Node]]
"""A mapping's keys and values by the key's text."""
KINDS = {Scalar: "a single value", Sequence: "a list", Mapping: "keys with values"}
MOVED = {
    "recognizer.threads": "runtime.threads",
    "recognizer.delegate": "runtime.delegate (auto, edgetpu or cpu), its file runtime.library",
}
"""Where keys of earlier files are now."""
MAX_TEXT = 1000
MAX_HINTS = 100

Section = TypeVar("Section")


class Nodes:
    """Reads nodes and keeps every mistake; what is wrong is left out of what it returns."""

    def __init__(self, file: str, folder: Path) -> None:
        self.file = file
        self.folder = folder
        self.errors: list[Finding] = []

    def error(self, mark: Mark, path: str, message: str) -> None:
        """Keep a mistake."""
        self.errors.append(Finding(self.file, mark.line, mark.column, path, message))

    def hint(self, word: str, known: Iterable[str]) -> str:
        """Return what was probably meant; nothing once there are very many mistakes."""
        return suggest(word[:100], tuple(known)) if len(self.errors) < MAX_HINTS else ""

    def unknown(self, key: Scalar, path: str, known: Collection[str]) -> None:
        """Keep that a key is not known, with what was probably meant."""
        if path in MOVED:
            self.error(key.mark, path, f"is now {MOVED[path]}")
            return
        hint = self.hint(key.text, known) or f"; known are {', '.join(known)}"
        self.error(key.mark, path, f"is not known here{hint}")

    def entries(self, node: Node, path: str, known: Collection[str] | None = None) -> Entries:
        """Return a mapping's entries by key; say which are unknown, double, or no mapping."""
        found: Entries = {}
        if isinstance(node, Scalar) and not node.text:
            return found
        if not isinstance(node, Mapping):
            self.error(node.mark, path, f"must be keys with values, not {KINDS[type(node)]}")
            return found
        for key, value in node.entries:
            here = below(path, key.text)
            if key.text in found:
                first = found[key.text][0].mark
                self.error(key.mark, here, f"stands twice; first in line {first.line}")
            elif known is not None and key.text not in known:
                self.unknown(key, here, known)
            else:
                found[key.text] = (key, value)
        return found

    def items(self, node: Node, path: str, least: int, most: int) -> tuple[Node, ...] | None:
        """Return a list's items, or None when it is no list or has too few or too many."""
        if not isinstance(node, Sequence):
            self.error(node.mark, path, f"must be a list, not {KINDS[type(node)]}")
            return None
        if not least <= len(node.items) <= most:
            span = f"{least}" if least == most else f"{least} to {most}"
            self.error(node.mark, path, f"needs {span} items, not {len(node.items)}")
            return None
        return node.items

    def value(self, parser: Parser | ListOf, node: Node, path: str) -> Any:  # noqa: ANN401
        """Return what the parser makes of it, or None after a mistake."""
        if isinstance(parser, ListOf):
            return self._list(parser, node, path)
        if not isinstance(node, Scalar):
            self.error(node.mark, path, f"must be a single value, not {KINDS[type(node)]}")
            return None
        if len(node.text) > MAX_TEXT:
            self.error(node.mark, path, f"is {len(node.text)} characters long")
            return None
        return self._parsed(parser, node.text, node.mark, path)

    def _list(self, parser: ListOf, node: Node, path: str) -> Any:  # noqa: ANN401
        if parser.single and isinstance(node, Scalar):
            one = self.value(parser.item, node, path)
            return None if one is None else self._parsed(parser.join, (one,), node.mark, path)
        items = self.items(node, path, parser.least, parser.most)
        if items is None:
            return None
        found = tuple(self.value(parser.item, item, f"{path}.{n}") for n, item in enumerate(items))
        return None if None in found else self._parsed(parser.join, found, node.mark, path)

    def _parsed(self, parser: Callable[[Any], Any], raw: object, mark: Mark, path: str) -> Any:  # noqa: ANN401
        try:
            parsed = parser(raw)
        except ValueError as error:
            self.error(mark, path, str(error))
            return None
        return self.folder / parsed if isinstance(parsed, Path) else parsed

    def options(self, options: dict[str, tuple[str, Option]], found: Entries, path: str) -> Values:
        """Return the values of those entries that are options, by the name of the field."""
        values: Values = {}
        for key, (name, option) in options.items():
            if key in found:
                parsed = self.value(option.parse, found[key][1], below(path, key))
                if parsed is not None:
                    values[name] = parsed
        return values

    def section(self, kind: type[Section], node: Node, path: str) -> Section:
        """Return a section, with defaults where a key is missing or wrong."""
        options = options_of(kind)
        found = self.entries(node, path, list(options))
        return self.anchored(kind(**self.options(options, found, path)))

    def anchored(self, value: Section) -> Section:
        """Make what names a file relative to the config file: default model, clip as a camera."""
        if isinstance(value, RecognizerConfig):
            return replace(value, model=self.folder / value.model)
        if isinstance(value, CameraConfig) and value.source != "pi" and "://" not in value.source:
            return replace(value, source=str(self.folder / value.source))
        return value


Values = dict[str, Any]
"""What was read, by the name of the field that takes it."""


def below(path: str, key: str) -> str:
    """Return the path of a key; one that is no word is quoted, so that it stays on its line."""
    word = key if key.isprintable() and 0 < len(key) <= 100 else repr(key[:100])
    return f"{path}.{word}" if path else word


def options_of(kind: type) -> dict[str, tuple[str, Option]]:
    """Return, by the key in the file, a field's name and how it is read."""
    found: dict[str, tuple[str, Option]] = {}
    for field in fields(kind):
        option: Option | None = field.metadata.get("option")
        if option:
            found[option.key or field.name] = (field.name, option)
    return found
