"""YAML as a tree of texts that know their line and column; the only importer of yaml.

PyYAML composes a tree by recursion, which can crash on a deep file, so the tree is made here from
the parser's events, with the size and the depth bounded. All scalars stay text: `22:00` and `no`
mean what they say.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""libyaml's events come twenty times as fast as those of plain Python."""
ODD = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]|\r(?!\n)"
)
"""What YAML refuses, or ends a line with where editors do not: places would be wrong."""
PLAIN_WORDS = {
    "a second ':' on the line, or wrong indentation; put quotes around a text with ': '": (
        "mapping values are not allowed",
    ),
    "the file ends before a quote or a bracket is closed": (
        "unexpected end of stream",
        "found '<stream end>'",
        "got '<stream end>'",
    ),
    "a comma or a closing bracket is missing before this": ("expected ',' or '",),
    "wrong indentation: in line neither with the keys above nor with a list": (
        "expected <block end>",
        "did not find expected key",
        "did not find expected '-'",
    ),
    "a key without ':' after it": ("could not find expected ':'",),
    "a value is missing here": ("expected node content", "expected the node content"),
}
"""Our words for the mistakes that people make most, by those of the two parsers."""


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
    256 KiB), too deep (over 32 levels), or uses anchors or tags.
    """
    if len(data) > MAX_BYTES:
        raise DocumentError(f"is longer than {MAX_BYTES // 1024} KiB", Mark(1, 1))
    text = _text(data)
    try:
        return _build(yaml.parse(text, Loader=LOADER))
    except yaml.MarkedYAMLError as error:
        mark = _within(text, _mark(error.problem_mark or error.context_mark))
        raise DocumentError(_words(error, text, mark), mark) from None
    except (yaml.YAMLError, ValueError, KeyError, AttributeError, IndexError) as error:
        # Lets these out for some malformed input: PyYAML has no one error of its own.
        message = str(error).partition("\n")[0]
        raise DocumentError(f"is not YAML: {message}", Mark(1, 1)) from None


def _text(data: bytes) -> str:
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        raise DocumentError("is not UTF-8 text", _place(before, len(before))) from None
    odd = ODD.search(text)
    if odd:
        raise DocumentError("has a character that cannot be printed", _place(text, odd.start()))
    return text


def _place(text: str, index: int) -> Mark:
    return Mark(text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index))


@dataclass(slots=True)
class _Open:
    """A list, or a mapping's keys and values in turn, whose end has not come yet."""

    event: Any
    children: list[Node] = field(default_factory=list)

    def close(self) -> Node:
        mark = _mark(self.event.start_mark)
        if isinstance(self.event, yaml.SequenceStartEvent):
            return Sequence(tuple(self.children), mark)
        pairs = zip(self.children[::2], self.children[1::2], strict=True)
        return Mapping(tuple((key, value) for key, value in pairs if isinstance(key, Scalar)), mark)


def _build(events: Iterator[Any]) -> Node:
    """Return the tree; the first thing that is not for a config ends it."""
    root = _Open(None)
    stack = [root]
    documents = 0
    for event in events:
        documents += isinstance(event, yaml.DocumentStartEvent)
        _check(event, depth=len(stack), documents=documents)
        if isinstance(event, yaml.CollectionStartEvent):
            _check_key(event, stack[-1])
            stack.append(_Open(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            closed = stack.pop().close()
            stack[-1].children.append(closed)
        elif isinstance(event, yaml.ScalarEvent):
            stack[-1].children.append(Scalar(event.value, _mark(event.start_mark)))
    return root.children[0] if root.children else Mapping((), Mark(1, 1))


def _check(event: Any, *, depth: int, documents: int) -> None:  # noqa: ANN401
    if isinstance(event, yaml.CollectionStartEvent) and depth > MAX_DEPTH:
        raise DocumentError(f"is more than {MAX_DEPTH} levels deep", _mark(event.start_mark))
    if documents > 1:
        raise DocumentError("holds more than one document", _mark(event.start_mark))
    if getattr(event, "anchor", None):
        raise DocumentError("anchors (& and *) are not used here", _mark(event.start_mark))
    if getattr(event, "tag", None):
        raise DocumentError("tags (!) are not used here", _mark(event.start_mark))


def _check_key(event: Any, parent: _Open) -> None:  # noqa: ANN401
    is_key = isinstance(parent.event, yaml.MappingStartEvent) and len(parent.children) % 2 == 0
    if is_key:
        raise DocumentError("a key must be a plain word", _mark(event.start_mark))


def _mark(mark: Any) -> Mark:  # noqa: ANN401 - yaml has two classes of Mark
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)


def _within(text: str, mark: Mark) -> Mark:
    """Return the mark, or the text's end where the parser places a mistake behind it."""
    return mark if mark.line <= text.count("\n") + 1 else _place(text, len(text))


def _words(error: yaml.MarkedYAMLError, text: str, mark: Mark) -> str:
    problem = str(error.problem or error.context or "is not YAML")
    if "cannot start any token" in problem:
        line = text.split("\n")[mark.line - 1]
        character = line[mark.column - 1 : mark.column]
        tab = "a tab; indent with spaces"
        return (
            tab if character == "\t" else f"put quotes around a text that begins with {character}"
        )
    for words, parts in PLAIN_WORDS.items():
        if any(part in problem for part in parts):
            return words
    return problem.replace("\n", " ")
