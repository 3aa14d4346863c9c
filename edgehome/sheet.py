"""A YAML file of ours that is no configuration: every mistake at once, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import TypeVar

from edgehome.config.document import DocumentError, Mapping, Mark, Node, Scalar, Sequence, parse
from edgehome.config.findings import Finding
from edgehome.config.nodes import KINDS, Entries, Nodes, below
from edgehome.config.values import suggest
from edgehome.types import EdgehomeError

Parsed = TypeVar("Parsed")


class SheetError(EdgehomeError):
    """Raised with all the mistakes of a file: `sheet_missing`, `sheet_invalid`."""

    def __init__(self, code: str, message: str, mistakes: Collection[Finding] = ()) -> None:
        super().__init__(code, message)
        self.mistakes = tuple(mistakes)


class Sheet(Nodes):
    """Reads the nodes of one file, and keeps what is wrong with them in `errors`."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), path.parent)
        self._path = path

    def root(self) -> Node:
        """Return the file's tree. Raises SheetError."""
        try:
            return parse(self._path.read_bytes())
        except OSError as error:
            message = f"Cannot read {self.file}: {error.strerror}. Check the name."
            raise SheetError("sheet_missing", message) from error
        except DocumentError as error:
            self.error(error.mark, "", error.message)
            self.finish()
            raise

    def finish(self) -> None:
        """Raise SheetError with all mistakes, if there are any."""
        if self.errors:
            self.errors.sort(key=lambda item: (item.line, item.column))
            listing = "\n".join(str(item) for item in self.errors)
            raise SheetError("sheet_invalid", listing, self.errors)

    def place(self, mark: Mark) -> str:
        """Return a place as it stands before a message."""
        return f"{self.file}:{mark.line}:{mark.column}"

    def keys(
        self, node: Node, path: str, known: Collection[str], required: Collection[str]
    ) -> dict[str, Node]:
        """Return a mapping's values by key; say which are unknown, double or missing."""
        before = len(self.errors)
        found: Entries = self.entries(node, path, known)
        whole = isinstance(node, Mapping) or len(self.errors) == before
        for key in required:
            if key not in found and whole:
                self.error(node.mark, below(path, key), "is missing")
        return {key: value for key, (_, value) in found.items()}

    def listed(self, node: Node | None, path: str) -> Iterator[tuple[str, Node]]:
        """Yield a list's items, each with its path; what is left out has none."""
        if isinstance(node, Sequence):
            for number, item in enumerate(node.items):
                yield f"{path}.{number}".lstrip("."), item
        elif node is not None and not _empty(node):
            self.error(node.mark, path, f"must be a list, not {KINDS[type(node)]}")

    def once(
        self, found: dict[str, Node], key: str, parser: Callable[[str], Parsed], path: str = ""
    ) -> Parsed | None:
        """Return the parsed value of a key; None where it is left out, or after a mistake."""
        if key not in found:
            return None
        parsed: Parsed | None = self.value(parser, found[key], below(path, key))
        return parsed

    def long(
        self, found: dict[str, Node], key: str, parser: Callable[[str], Parsed], path: str
    ) -> Parsed | None:
        """Return the same of a text that may be longer than other values are."""
        node = found.get(key)
        if not isinstance(node, Scalar):
            return self.once(found, key, parser, path)
        try:
            return parser(node.text)
        except ValueError as error:
            self.error(node.mark, below(path, key), str(error))
            return None


def _empty(node: Node) -> bool:
    if isinstance(node, Scalar):
        return not node.text
    return isinstance(node, Mapping) and not node.entries


def one_of(what: str, known: Collection[str]) -> Callable[[str], str]:
    """Return a parser that takes one of the known words; `what` says what they are."""

    def parser(text: str) -> str:
        if text not in known:
            names = tuple(known)
            listed = suggest(text, names) or f"; there are: {', '.join(names) or 'none'}"
            raise ValueError(f"{text!r} is no {what}{listed}")
        return text

    return parser
