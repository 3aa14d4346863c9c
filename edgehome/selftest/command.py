"""`edgehome selftest`: arguments, progress, the file and the words."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

EX_DATAERR, EX_NOINPUT = 65, 66
INTERRUPTED = 130
FILE = Path("edgehome-selftest.json")


def add_selftest(commands: Any, config: Path) -> None:  # noqa: ANN401 - argparse's own has no name
    """Add the command; `config` is the configuration that is read by default."""
    selftest = commands.add_parser(
        "selftest",
        help="measure what only this board can tell, into a file that you can post",
        description="Measures the camera, the model's steps, the disk, the time from an act to "
        "its alert, memory, heat and power. Pictures that come with edgehome stand in for the "
        "act; nobody is alarmed. Stop the service first, so that the camera is free.",
    )
    selftest.add_argument("-c", "--config", type=Path, default=config, help="(%(default)s)")
    selftest.add_argument("--state", type=Path, help="the state folder (the service's)")
    selftest.add_argument(
        "--minutes", type=_minutes, help="of work for heat and power (5; with --quick 0.1)"
    )
    selftest.add_argument("--quick", action="store_true", help="half a minute in all")
    selftest.add_argument("--output", type=Path, default=FILE, help="(%(default)s)")
    selftest.add_argument("--json", action="store_true", help="print the report, not words")
    selftest.add_argument(
        "--row", type=Path, metavar="FILE", help="instead: print a report as a row for boards.md"
    )
    selftest.set_defaults(run=_run)


def _minutes(text: str) -> float:
    value = float(text)
    if not 0.05 <= value <= 240:
        raise argparse.ArgumentTypeError("must be from 0.05 to 240")
    return value


def _run(options: argparse.Namespace) -> int:
    if options.row:
        return _row(options.row)
    from edgehome.configfile import required
    from edgehome.selftest.running import QUICK, STOP, Plan, SelfTest

    config = required(options.config)
    plan = QUICK if options.quick else Plan(load_s=300)
    if options.minutes:
        plan = replace(plan, load_s=options.minutes * 60)
    credentials = options.config.resolve().parent
    test = SelfTest(config, plan, state=options.state, credentials=credentials, tell=_progress)
    if test.service:
        sys.stderr.write(
            "edgehome: the service is running: it holds the camera and takes its share of the "
            f"processor. For the whole truth stop it: {STOP}\n"
        )
    status = 0
    try:
        test.run()
    except KeyboardInterrupt:
        status = INTERRUPTED
    _tell(test, options)
    return status


def _tell(test: Any, options: argparse.Namespace) -> None:  # noqa: ANN401 - imported late
    from edgehome.selftest.words import sentences

    report = test.report()
    text = json.dumps(report, indent=2, ensure_ascii=False) + "\n"
    options.output.write_text(text, encoding="utf-8")
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    if options.json:
        print(text, end="")
        return
    print("\n".join(sentences(report, test.problems)))
    print(f"All of it is in {options.output}. It names no host, no user and no place.")


def _row(file: Path) -> int:
    from edgehome.selftest.words import row

    try:
        line = row(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        sys.stderr.write(f"edgehome: There is no file {file}.\n")
        return EX_NOINPUT
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        sys.stderr.write(f"edgehome: {file} is not a report of `edgehome selftest`: {error!r}.\n")
        return EX_DATAERR
    print(line)
    return 0


def _progress(part: str) -> None:
    """Show how far it is: on one line of a terminal, else a line for each part."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[Kmeasuring: {part}")
    elif "," not in part:
        sys.stderr.write(f"measuring: {part}\n")
    sys.stderr.flush()
