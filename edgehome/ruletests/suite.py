"""All tests of some files: run, printed, and counted."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from edgehome.configfile import ConfigInvalidError
from edgehome.junit import Case, write_junit
from edgehome.replay.differences import Difference
from edgehome.ruletests.reading import read_tests
from edgehome.ruletests.running import run_test
from edgehome.sheet import SheetError
from edgehome.types import EdgehomeError

EX_DATAERR, EX_NOINPUT, EX_CONFIG = 65, 66, 78


def run_suite(options: Namespace) -> int:
    """Run the tests of all files; return 1 where one fails, more where one cannot be run."""
    report = _Report(sys.stdout, as_json=options.json)
    status = 0
    for file in options.files:
        status = max(status, _run_file(file, report))
    report.summary()
    if options.junit:
        write_junit(options.junit, "edgehome test-rules", report.cases)
    return status or (1 if report.failed else 0)


def _run_file(file: Path, report: _Report) -> int:
    """Run a file's tests; return the exit status of what keeps them from running."""
    try:
        config, tests = read_tests(file)
    except EdgehomeError as error:
        report.refused(file, error)
        if isinstance(error, ConfigInvalidError):
            return EX_CONFIG
        return EX_NOINPUT if error.problem.code == "sheet_missing" else EX_DATAERR
    for test in tests:
        began_s = time.perf_counter()
        differences = run_test(test, config)
        report.test(file, test.name, test.place, differences, time.perf_counter() - began_s)
    return 0


class _Report:
    """Prints a line a test, and what differs below it."""

    def __init__(self, out: TextIO, *, as_json: bool) -> None:
        self._out = out
        self._json = as_json
        self.cases: list[Case] = []

    @property
    def failed(self) -> int:
        """Return how many tests failed."""
        return sum(bool(case.failures) for case in self.cases)

    def test(
        self, file: Path, name: str, place: str, differences: list[Difference], seconds: float
    ) -> None:
        """Tell one test's result."""
        failures = tuple(str(difference) for difference in differences)
        self.cases.append(Case(f"{file}: {name}", seconds, failures))
        if self._json:
            told = [asdict(difference) for difference in differences]
            self._line(
                kind="test", file=str(file), name=name, place=place, passed=not told,
                differences=told,
            )  # fmt: skip
            return
        self._out.write(f"{'FAILED' if failures else 'passed'}  {file}: {name}\n")
        for text in failures:
            self._out.write(f"        {text}\n")

    def refused(self, file: Path, error: EdgehomeError) -> None:
        """Tell why a file's tests cannot be run."""
        self.cases.append(Case(str(file), 0.0, error=error.problem.message))
        if self._json:
            mistakes = error.mistakes if isinstance(error, SheetError) else ()
            told = [asdict(mistake) for mistake in mistakes]
            self._line(kind="refused", file=str(file), message=str(error), mistakes=told)
        else:
            sys.stderr.write(f"{error}\n")

    def summary(self) -> None:
        """Tell how many of all passed."""
        refused = sum(bool(case.error) for case in self.cases)
        count = len(self.cases) - refused
        if self._json:
            self._line(kind="summary", tests=count, failed=self.failed, refused=refused)
            return
        more = f", {refused} files not run" if refused else ""
        self._out.write(f"{count} tests, {self.failed} failed{more}\n")

    def _line(self, **fields: Any) -> None:  # noqa: ANN401
        self._out.write(json.dumps(fields, ensure_ascii=False) + "\n")
