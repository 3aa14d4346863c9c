"""Results in the XML that JUnit made common and continuous integration systems read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What may not stand in XML 1.0, however it is escaped."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test's result."""

    name: str
    seconds: float
    """How long it took."""
    failures: tuple[str, ...] = ()
    """A sentence for each thing that was not as expected."""
    error: str = ""
    """Why it could not be run at all."""


def write_junit(path: Path, suite: str, cases: Sequence[Case]) -> None:
    """Write the results, one test case each. Raises OSError."""
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(bool(case.failures) for case in cases)),
        "errors": str(sum(bool(case.error) for case in cases)),
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }
    root = ET.Element("testsuites", counts)
    element = ET.SubElement(root, "testsuite", {"name": _clean(suite), **counts})
    for case in cases:
        _add(element, suite, case)
    ET.indent(root)
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _add(suite_element: ET.Element, suite: str, case: Case) -> None:
    names = {"classname": _clean(suite), "name": _clean(case.name), "time": f"{case.seconds:.3f}"}
    element = ET.SubElement(suite_element, "testcase", names)
    if case.error:
        ET.SubElement(element, "error", {"message": _clean(case.error)}).text = _clean(case.error)
    elif case.failures:
        first = _clean(case.failures[0])
        more = f" (and {len(case.failures) - 1} more)" if len(case.failures) > 1 else ""
        failure = ET.SubElement(element, "failure", {"message": first + more})
        failure.text = _clean("\n".join(case.failures))


def _clean(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
