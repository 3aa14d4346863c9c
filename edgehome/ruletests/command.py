"""`edgehome test-rules`: its arguments."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_test_rules(commands: Any) -> None:  # noqa: ANN401 - argparse's own has no name
    """Add the command."""
    parser = commands.add_parser(
        "test-rules",
        help="try rules on scores that are written down, without a model",
        description="Run tests of rules: what the model would say from frame to frame, and the "
        "alerts that should come of it. Ends with status 1 where they do not.",
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object a test")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the results as JUnit XML")
    parser.set_defaults(run=_test_rules)


def _test_rules(options: argparse.Namespace) -> int:
    from edgehome.ruletests.suite import run_suite

    return run_suite(options)
