"""Every problem that the code can tell is in docs/how-to/when-it-fails.md, or where it leads to."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "how-to" / "when-it-fails.md"
OWN_WORDS = {
    "config",
    "model",
    "self-test",
    "runtime",
    "delegate",
    "camera",
    "broker",
    "delivery",
    "processor",
    "log",
    "service",
}
"""Parts of doctor with sections of their own, under the codes of their problems."""
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def trees() -> list[ast.Module]:
    return [
        ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "edgehome").rglob("*.py"))
    ]


def errors(found: list[ast.Module]) -> set[str]:
    """Return the names of EdgehomeError and of all classes that are derived from it."""
    classes = [node for tree in found for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    names = {"EdgehomeError"}
    while more := {
        node.name
        for node in classes
        if node.name not in names and names & {ast.unparse(base) for base in node.bases}
    }:
        names |= more
    return names


def codes(found: list[ast.Module]) -> set[str]:
    """Return every code with which a Problem or an EdgehomeError is made.

    The first argument, also where that is a constant's name or what is assigned to `code`; and what
    is handed to a function of ours whose first parameter is `code`.
    """
    makers = errors(found) | {"Problem"}
    calls = [node for tree in found for node in ast.walk(tree) if isinstance(node, ast.Call)]
    makers |= {
        node.name
        for tree in found
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and [arg.arg for arg in node.args.args][:1] == ["code"]
    }
    first = [
        call.args[0]
        for call in calls
        if call.args and ast.unparse(call.func).rpartition(".")[2] in makers
    ]
    assigned = list(assignments(found))
    first += [value for name, value in assigned if name == "code"]
    said = [node for argument in first for node in words(argument)]
    names = {node.id for node in said if isinstance(node, ast.Name)}
    names |= {node.attr for node in said if isinstance(node, ast.Attribute)}
    said += [value for name, value in assigned if name.isupper() and name in names]
    return {
        node.value
        for node in said
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and CODE.fullmatch(node.value)
    }


def words(argument: ast.expr) -> Iterator[ast.AST]:
    """Yield an expression's parts, but for the keys by which it looks something up."""
    if not isinstance(argument, ast.Subscript):
        yield argument
        for part in ast.iter_child_nodes(argument):
            if isinstance(part, ast.expr):
                yield from words(part)


def assignments(found: list[ast.Module]) -> Iterator[tuple[str, ast.expr]]:
    """Yield every plain name that is given a value, and the value; pairs one by one."""
    for node in (node for tree in found for node in ast.walk(tree)):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                for part, value in zip(target.elts, node.value.elts, strict=True):
                    yield ast.unparse(part), value


def explained() -> set[str]:
    """Return the codes that the page explains, and those of the pages in its table of pages."""
    text = PAGE.read_text("utf-8")
    linked = re.findall(r"\]\(([\w./-]+\.md)(?:#[\w-]+)?\)", text)
    pages = [text, *((PAGE.parent / page).read_text("utf-8") for page in linked)]
    return {code for page in pages for code in re.findall(r"`([a-z][a-z0-9_-]+)`", page)}


def parts() -> set[str]:
    """Return the parts that doctor may find something to say of."""
    files = sorted((ROOT / "edgehome" / "doctor").glob("*.py"))
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8"))))
    calls = (node for node in nodes if isinstance(node, ast.Call))
    first = (call.args[0] for call in calls if ast.unparse(call.func) == "Finding" and call.args)
    return {str(part.value) for part in first if isinstance(part, ast.Constant)}


def test_codes_are_found_however_they_are_made() -> None:
    source = (
        "class NewError(EdgehomeError): pass\n"
        "raise NewError('new_fault', 'x')\nProblem('a_b' if c else 'd_e', 'x', 'y')\n"
        "def refused(code, why): return Problem(code, why, '')\nrefused('by_helper', 'x')\n"
        "raise ValueError('not_a_code')\nONE, TWO = 'first_name', 'second_name'\n"
        "refused(ONE, 'x')\nraise NewError(module.TWO, 'x')\ncode = 'assigned'\n"
    )
    expected = {"new_fault", "a_b", "d_e", "by_helper", "first_name", "second_name", "assigned"}
    assert codes([ast.parse(source)]) == expected


def test_every_problem_code_is_explained_in_when_it_fails_or_a_page_it_links() -> None:
    found = codes(trees())
    assert len(found) > 60, found
    assert sorted(found - explained()) == []


def test_every_part_that_doctor_complains_of_is_explained_too() -> None:
    assert len(parts()) > 20
    assert sorted(parts() - explained() - OWN_WORDS) == []


def test_no_code_is_explained_that_nothing_tells() -> None:
    rows = re.findall(r"(?m)^\| (`[^|]*) \|", PAGE.read_text("utf-8"))
    told = {code for row in rows for code in re.findall(r"`([a-z][a-z0-9_-]+)`", row)}
    assert len(told) > 60
    assert sorted(told - codes(trees()) - parts()) == []


def test_every_link_of_the_page_leads_somewhere() -> None:
    links = re.findall(r"\]\(([\w./-]+)(?:#[\w-]+)?\)", PAGE.read_text("utf-8"))
    assert [link for link in links if not (PAGE.parent / link).exists()] == []
