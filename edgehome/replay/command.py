"""`edgehome replay`: arguments, and how its parts are put together."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from edgehome.replay import MIDNIGHT
from edgehome.types import Mode

EX_USAGE = 64


def add_replay(commands: Any, config: Path) -> None:  # noqa: ANN401 - argparse's own has no name
    """Add the command; `config` is the configuration that is read by default."""
    replay = commands.add_parser(
        "replay",
        help="run clips, or recorded scores, through the rules",
        description="Run clips through model and rules as a camera's pictures would be, without "
        "a broker. Two runs give the same output but for the summary. Ends with status 1 where "
        "the alerts are not those of --expect.",
    )
    replay.add_argument("clips", nargs="*", type=Path, metavar="CLIP")
    replay.add_argument(
        "--from-scores", type=Path, metavar="FILE.jsonl",
        help="instead of clips: scores that --record wrote; no model is needed",
    )  # fmt: skip
    replay.add_argument("-c", "--config", type=Path, help="rules to judge by (without: none)")
    replay.add_argument("--model", type=Path, help="a .tflite file (without: the config's)")
    replay.add_argument(
        "--state", type=Path, dest="home", metavar="STATE",
        help="of a node: its taught activities, corrections and what is normal there count "
        "(without: the service's)",
    )  # fmt: skip
    replay.add_argument(
        "--at", type=_moment, metavar="TIME",
        help="what the clock shows at each clip's first frame, for rules that ask for it, such as "
        "2026-11-22T23:10; a time of day alone is that of 2000-01-01 (without: its midnight in "
        "UTC, or the recording's own time)",
    )  # fmt: skip
    replay.add_argument(
        "--armed", type=Mode, choices=list(Mode), default=Mode.AWAY, metavar="MODE",
        help=f"the home's mode: {', '.join(Mode)} (%(default)s)",
    )  # fmt: skip
    replay.add_argument("--expect", type=Path, metavar="FILE", help="the alerts that should come")
    replay.add_argument("--junit", type=Path, metavar="FILE", help="write a JUnit test case a clip")
    replay.add_argument("--record", type=Path, metavar="FILE.jsonl", help="write the scores")
    replay.add_argument("--report", type=Path, metavar="FILE.html", help="write a page to look at")
    replay.add_argument("--json", action="store_true", help="one JSON object a line")
    replay.set_defaults(run=_replay, default_config=config)


def _moment(text: str) -> datetime:
    """Return a moment with zone; a time of day alone is one of MIDNIGHT's day."""
    try:
        clock = len(text) <= len("23:10:00") and ":" in text
        moment = datetime.fromisoformat(f"{MIDNIGHT:%Y-%m-%d}T{text}" if clock else text)
    except ValueError:
        known = "write for example 2026-11-22T23:10 or 23:10"
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; {known}") from None
    return moment if moment.tzinfo else moment.astimezone()


def _replay(options: argparse.Namespace) -> int:
    if bool(options.clips) == bool(options.from_scores):
        return _wrong("name clips, or one recording with --from-scores")
    if options.from_scores and (options.record or options.model or options.home):
        return _wrong("--record, --model and --state go with clips, not with --from-scores")
    from edgehome.replay.replaying import run_replay

    return run_replay(options)


def _wrong(message: str) -> int:
    sys.stderr.write(f"edgehome replay: {message}\n")
    return EX_USAGE
