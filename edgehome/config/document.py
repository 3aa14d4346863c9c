"""YAML as a tree of texts that know their line and column; the only importer of yaml.

PyYAML's C loader can crash on deep files and its loaders raise more than YAMLError, so the size
and the depth are bounded before anything is composed, and all scalars stay text: `22:00` and
`no` mean what they say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

MAX_BYTES = 64 * 1024
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value, as text."""

    text: str
    mark: Mark


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    mark: Mark


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys with values, in the file's order; a key may stand twice, which the reader refuses."""

    entries: tuple[tuple[Scalar, Node], ...]
    mark: Mark


Node = Scalar | Sequence | Mapping


class DocumentError(Exception):
    """Raised when a text is not YAML that a config can be read from."""

    def __init__(self, message: str, mark: Mark) -> None:
        self.message = message
        self.mark = mark
        super().__init__(message)


def parse(data: bytes) -> Node:
    """Return the tree of a YAML file.

    Raises DocumentError with the place of the first thing that is not YAML, is too large (over
    64 KiB), too deep (over 32 levels), or uses anchors.
    """
    if len(data) > MAX_BYTES:
        raise DocumentError(f"is {len(data)} bytes long; at most {MAX_BYTES}", Mark(1, 1))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        raise DocumentError("is not UTF-8 text", Mark(line, column)) from None
    try:
        _check_shape(text)
        root = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        raise DocumentError(
            _words(error), _mark(error.problem_mark or error.context_mark)
        ) from None
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, IndexError) as error:
        # Lets these out for some malformed input: PyYAML has no one error of its own.
        raise DocumentError(f"is not YAML: {error}".replace("\n", " "), Mark(1, 1)) from None
    return Mapping((), Mark(1, 1)) if root is None else _convert(root)


def _check_shape(text: str) -> None:
    """Refuse what would cost too much to compose; events come without recursion."""
    depth = 0
    documents = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise DocumentError(f"is more than {MAX_DEPTH} levels deep", _mark(event.start_mark))
        if documents > 1:
            raise DocumentError("holds more than one document", _mark(event.start_mark))
        if getattr(event, "anchor", None):
            raise DocumentError("anchors (& and *) are not used here", _mark(event.start_mark))


def _convert(node: yaml.Node) -> Node:
    mark = _mark(node.start_mark)
    if isinstance(node, yaml.ScalarNode):
        return Scalar(node.value, mark)
    if isinstance(node, yaml.SequenceNode):
        return Sequence(tuple(_convert(item) for item in node.value), mark)
    entries = []
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise DocumentError("a key must be a plain word", _mark(key.start_mark))
        entries.append((Scalar(key.value, _mark(key.start_mark)), _convert(value)))
    return Mapping(tuple(entries), mark)


def _mark(mark: Any) -> Mark:  # noqa: ANN401 - yaml has two classes of Mark
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)


def _words(error: yaml.MarkedYAMLError) -> str:
    """Put the parser's words for the two mistakes that people make most into plain ones."""
    problem = str(error.problem or error.context or "is not YAML")
    if "\\t" in problem or "'\t'" in problem:
        return "a tab; indent with spaces"
    if "mapping values are not allowed here" in problem:
        return "a second ':' on the line, or wrong indentation; put quotes around a text with ': '"
    return problem.replace("\n", " ")
