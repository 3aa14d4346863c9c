"""The command line: `edgehome run | check | replay | test-rules | bench | doctor | ...`.

Exit statuses are those of sysexits.h: 64 wrong usage, 65 a file that is not what it should be,
66 no such file, 69 something needed is not there, 73 and 74 a disk that refuses, 78 the
configuration is wrong. Modules are imported by the command that needs them.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from edgehome import __version__
from edgehome.statefolder import SYSTEM_CONFIG, own_state, state_of
from edgehome.types import EdgehomeError

EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_IOERR, EX_CONFIG = 64, 65, 66, 69, 74, 78
STATUS = {
    "clip_missing": EX_NOINPUT,
    "import_unreadable": EX_NOINPUT,
    "clip_unreadable": EX_DATAERR,
    "model_missing": EX_NOINPUT,
    "model_refused": EX_DATAERR,
    "model_hash": EX_DATAERR,
    "model_not_stream": EX_DATAERR,
    "model_not_compiled": EX_DATAERR,
    "manifest_invalid": EX_DATAERR,
    "disk_refused": EX_IOERR,
    "clips_missing": EX_NOINPUT,
    "alert_unknown": EX_NOINPUT,
    "clips_invalid": EX_DATAERR,
    "labels_unknown": EX_DATAERR,
    "clips_few": EX_DATAERR,
    "clips_label": EX_DATAERR,
    "clips_unreadable": EX_NOINPUT,
    "lesson_invalid": EX_DATAERR,
    "lesson_name": EX_USAGE,
    "lesson_there": EX_USAGE,
    "lesson_twice": EX_DATAERR,
    "part_invalid": EX_USAGE,
    "lesson_taken": EX_USAGE,
    "lesson_unknown": EX_NOINPUT,
    "lesson_unkept": EX_IOERR,
    "time_invalid": EX_USAGE,
    "backup_invalid": EX_DATAERR,
    "clip_short": EX_DATAERR,
    "labels_invalid": EX_DATAERR,
    "model_disagrees": EX_DATAERR,
    "model_crashed": EX_DATAERR,
    "model_no_reference": EX_DATAERR,
    "trace_missing": EX_NOINPUT,
    "trace_invalid": EX_DATAERR,
    "trace_labels": EX_DATAERR,
    "sheet_missing": EX_NOINPUT,
    "sheet_invalid": EX_DATAERR,
    "config_invalid": EX_CONFIG,
}
"""Exit status by problem code; anything else is EX_UNAVAILABLE."""

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001 - it has no other name


class Parser(argparse.ArgumentParser):
    """An argument parser that ends with EX_USAGE, as sysexits.h has it."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Say what is wrong and how it is done."""
        self.print_usage(sys.stderr)
        self.exit(EX_USAGE, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    options = _parser().parse_args(arguments)
    if "state" in options and options.state is None:
        options.state = state_of(getattr(options, "config", SYSTEM_CONFIG))
    # What doctor finds it prints, each once and with its remedy.
    level = {_run: logging.INFO, _doctor: logging.ERROR}.get(options.run, logging.WARNING)
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")
    try:
        status: int = options.run(options)
    except EdgehomeError as error:
        sys.stderr.write(f"edgehome: {error}\n")
        return _status(error)
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except PermissionError as error:
        sys.stderr.write(f"edgehome: {error}. What is the service's needs root: sudo edgehome\n")
        return EX_IOERR
    except OSError as error:
        sys.stderr.write(f"edgehome: {error}\n")
        return EX_IOERR
    except KeyboardInterrupt:
        return 130
    return status


def _status(error: EdgehomeError) -> int:
    return STATUS.get(error.problem.code, EX_UNAVAILABLE)


def _parser() -> Parser:
    from edgehome.checking import add_check
    from edgehome.explain import add_explain
    from edgehome.look import add_look
    from edgehome.measuring import add_measuring
    from edgehome.models.commands import add_models
    from edgehome.replay.command import add_replay
    from edgehome.ruletests.command import add_test_rules
    from edgehome.selftest.command import add_selftest
    from edgehome.vocabulary import add_vocabulary

    parser = Parser(prog="edgehome", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--version", action="version", version=f"edgehome {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser)

    run = commands.add_parser("run", help="watch, judge and tell Home Assistant, until stopped")
    _config_option(run)
    run.add_argument(
        "--state", type=Path, default=own_state(), help="outbox and memory (%(default)s)"
    )
    run.set_defaults(run=_run)

    add_check(commands, _default_config())
    add_replay(commands, _default_config())
    add_test_rules(commands)
    add_look(commands, _default_config())
    add_measuring(commands, _default_config())
    add_models(commands, _default_config())
    add_vocabulary(commands, _default_config())
    add_explain(commands)
    add_selftest(commands, _default_config())
    _add_taught(commands)
    _add_purge(commands)
    doctor = commands.add_parser("doctor", help="say what is well, what is not, and the remedy")
    _config_option(doctor)
    doctor.add_argument("--state", type=Path, help="the state folder (the service's)")
    doctor.add_argument("--json", action="store_true", help="one JSON object a check")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_taught(commands: Commands) -> None:
    from edgehome.backup import add_backup
    from edgehome.teachcommand import add_teach

    add_teach(commands, _default_config())
    add_backup(commands, _default_config())


def _add_purge(commands: Commands) -> None:
    purge = commands.add_parser(
        "purge",
        help="remove the node from Home Assistant, and all that it has stored",
        description="With the node stopped: clears every retained message of the node on the "
        "broker, so that it leaves Home Assistant, then removes outbox, memory, history, "
        "configuration and password here. There is no way back.",
    )
    _config_option(purge)
    purge.add_argument("--state", type=Path, help="the state folder (the service's)")
    purge.add_argument("--yes", action="store_true", help="do not ask")
    purge.add_argument("--keep-config", action="store_true", help="and the password")
    purge.add_argument(
        "--local", action="store_true", help="go on here even if the broker cannot be cleared"
    )
    purge.add_argument("--json", action="store_true", help="one JSON object")
    purge.set_defaults(run=_purge)


def _config_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-c", "--config", type=Path, default=_default_config(), help="config.yaml (%(default)s)"
    )


def _default_config() -> Path:
    return SYSTEM_CONFIG if SYSTEM_CONFIG.exists() else Path("config.yaml")


def _run(options: argparse.Namespace) -> int:
    from edgehome.app import run
    from edgehome.logbook import Logbook

    with Logbook(sys.stderr):
        return run(options.config, options.state)


def _purge(options: argparse.Namespace) -> int:
    from edgehome.purge import purge

    return purge(options)


def _doctor(options: argparse.Namespace) -> int:
    from edgehome.doctor import examine, render

    healthy = True
    for finding in examine(options.config, options.state):
        healthy = healthy and finding.state != "bad"
        colours = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        text = json.dumps(finding.fields()) if options.json else render(finding, colours=colours)
        print(text, flush=True)
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
