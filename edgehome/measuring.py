"""`edgehome bench | evaluate | budget`: arguments, and what is printed.

Modules are imported by the command that needs them.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgehome.configfile import required

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgehome.clips import LabelledClip

EX_USAGE, EX_DATAERR = 64, 65
_OF_HEADS = {"rate": "use the model's own", "alarms": "rank, and have no threshold"}
"""Options that the curves of teaching and novelty do not have, and why."""


def add_measuring(
    commands: Any,  # noqa: ANN401 - argparse's own has no name
    config: Path,
) -> None:
    """Add the commands; `config` is what is read by default."""
    _add_bench(commands, config)
    _add_evaluate(commands, config)
    _add_budget(commands, config)


def _add_bench(commands: Any, config: Path) -> None:  # noqa: ANN401
    bench = commands.add_parser("bench", help="measure a model's speed and memory, side by side")
    bench.add_argument("--model", type=Path, help="a .tflite file (without: the config's)")
    bench.add_argument("-c", "--config", type=Path, default=config)
    bench.add_argument("--against", type=Path, help="another file to compare with, or the same")
    bench.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    bench.add_argument(
        "--ensemble", type=int, default=1, metavar="N", help="compare N members with one"
    )
    bench.add_argument(
        "--selftest", action="store_true", help="instead: hold the model against its float32"
    )
    bench.add_argument("--json", action="store_true", help="one JSON object")
    bench.set_defaults(run=_bench)


def _add_evaluate(commands: Any, config: Path) -> None:  # noqa: ANN401
    evaluate = commands.add_parser(
        "evaluate",
        help="measure how well a model and its heads tell labelled clips apart",
        description="CLIPS.csv has the columns path (relative to it) and labels (several with "
        "semicolons between), and may have group (clips of the same footage) and split.",
    )
    evaluate.add_argument("clips", type=Path, metavar="CLIPS.csv")
    evaluate.add_argument("--folder", type=Path, help="where the clips lie (without: the list's)")
    evaluate.add_argument("--split", default="", help="only clips of this split, such as val")
    evaluate.add_argument("--model", type=Path, help="a .tflite file (without: the config's)")
    evaluate.add_argument("-c", "--config", type=Path, default=config)
    evaluate.add_argument(
        "--alarms", type=_alarms, metavar="N",
        help="false alarms an hour at which recall is told (1)",
    )  # fmt: skip
    evaluate.add_argument(
        "--rate", type=_rate, default=0.0, metavar="FPS",
        help="frames a second (without: the model's own)",
    )  # fmt: skip
    evaluate.add_argument("--json", action="store_true", help="one JSON object, with every clip")
    _add_teaching(evaluate)
    evaluate.set_defaults(run=_evaluate)


def _add_teaching(evaluate: argparse.ArgumentParser) -> None:
    teach = evaluate.add_argument_group(
        "teaching",
        "instead: what a handful of examples teaches, drawn from the clips of a place and judged "
        "by the rest of them",
    )
    teach.add_argument(
        "--teach", type=_counts, metavar="1,3,5,10", help="numbers of examples to draw"
    )
    teach.add_argument(
        "--draws", type=_count, default=12, metavar="N", help="of each number (%(default)s)"
    )
    teach.add_argument("--label", help="the activity (without: each that enough clips show)")
    teach.add_argument(
        "--place",
        choices=("source", "group", "list"),
        default="source",
        help="column that says which clips are of one home; list: all are, and groups are kept "
        "apart (%(default)s)",
    )
    teach.add_argument(
        "--normal", type=_labels, default=("normal",), metavar="LABEL,...",
        help="labels of what is normal (normal)",
    )  # fmt: skip
    teach.add_argument(
        "--novelty",
        action="store_true",
        help="instead of examples: how unusual the activity is to who knows only what is normal",
    )
    teach.add_argument("--picture", type=Path, metavar="FILE.svg", help="draw the curves too")


def _count(text: str) -> int:
    if not text.strip().isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000")
    return int(text)


def _counts(text: str) -> tuple[int, ...]:
    return tuple(sorted({_count(part) for part in text.split(",")}))


def _labels(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _add_budget(commands: Any, config: Path) -> None:  # noqa: ANN401
    budget = commands.add_parser(
        "budget",
        help="say how many threads and frames a second this board is good for",
        description="The node measures the board at its first start with a model, for ten seconds "
        "at most, and keeps what it finds in its state folder.",
    )
    budget.add_argument("-c", "--config", type=Path, default=config, help="(%(default)s)")
    budget.add_argument("--state", type=Path, help="the state folder (the service's)")
    budget.add_argument(
        "--measure", action="store_true", help="measure anew, best while the node is stopped"
    )
    budget.add_argument("--json", action="store_true", help="one JSON object")
    budget.set_defaults(run=_budget)


def _number(text: str, least: float, most: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not least <= number <= most:  # nor is what is no number
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
    return number


def _rate(text: str) -> float:
    """Return frames a second."""
    return _number(text, 0.1, 100)


def _alarms(text: str) -> float:
    """Return false alarms an hour."""
    return _number(text, 0.01, 3600)


def _bench(options: argparse.Namespace) -> int:
    from edgehome.bench import render, run_bench

    model = options.model or required(options.config).recognizer.model
    if options.selftest:
        return _selftest(model, as_json=options.json)
    result = run_bench(model, options.against, ensemble=options.ensemble, threads=options.threads)
    print(json.dumps(result) if options.json else render(result))
    return 0


def _selftest(model: Path, *, as_json: bool) -> int:
    from edgehome.models.selftest import DRIFT_FRAMES, self_test_apart

    found = self_test_apart(model)
    if as_json:
        print(json.dumps({**asdict(found), "good": found.good}))
    else:
        print(
            f"{model.name}: agrees with float32 to {found.correlation:.4f} on {found.scenes} "
            f"scenes, strays by {found.drift:.4f} in {DRIFT_FRAMES} frames: "
            f"{'good' if found.good else 'NOT TO BE TRUSTED'}"
        )
    return 0 if found.good else EX_DATAERR


def _budget(options: argparse.Namespace) -> int:
    from edgehome.boardcommand import budget

    config = required(options.config)
    print(budget(config, options.state, anew=options.measure, as_json=options.json))
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from edgehome.clips import read_clips
    from edgehome.evaluate import evaluate, render
    from edgehome.replay.output import terminal_progress

    if wrong := _wrong_options(options):
        sys.stderr.write(f"edgehome evaluate: {wrong}\n")
        return EX_USAGE
    clips = read_clips(options.clips, folder=options.folder, split=options.split)
    model = options.model or required(options.config).recognizer.model
    if options.teach or options.novelty:
        return _evaluate_teaching(clips, model, options)
    result, failures = evaluate(
        clips,
        model,
        alarms_an_hour=options.alarms or 1.0,
        rate=options.rate,
        progress=terminal_progress,
    )
    print(json.dumps(result) if options.json else render(result))
    for failure in failures:
        sys.stderr.write(f"edgehome: {failure}\n")
    return EX_DATAERR if failures else 0


def _evaluate_teaching(clips: Sequence[LabelledClip], model: Path, options: Any) -> int:  # noqa: ANN401
    from edgehome.drawnclips import Plan
    from edgehome.replay.output import terminal_progress
    from edgehome.report.curves import drawn

    if options.novelty:
        from edgehome.noveltycurves import curves, render
    else:
        from edgehome.teachcurves import curves, render

    label = options.label or ""
    plan = Plan(options.teach or (), options.draws, label, options.place, options.normal)
    result, failures = curves(clips, model, plan, progress=terminal_progress)
    if options.picture:
        options.picture.write_text(drawn(result), encoding="utf-8")
    print(json.dumps(result) if options.json else render(result))
    for failure in failures:
        sys.stderr.write(f"edgehome: {failure}\n")
    return EX_DATAERR if failures else 0


def _wrong_options(options: argparse.Namespace) -> str:
    """Return what is wrong with the options, before minutes are spent; nothing else."""
    if not options.teach and not options.novelty:
        asked = "--picture" if options.picture else "--label" if options.label else ""
        return f"{asked} is of curves: add --teach 1,3,5,10 or --novelty" if asked else ""
    if options.teach and options.novelty:
        return "--teach and --novelty are two questions: ask one after the other"
    for name, why in _OF_HEADS.items():
        if getattr(options, name):
            return f"--{name} does not go with --teach and --novelty: they {why}"
    if options.picture and not options.picture.absolute().parent.is_dir():
        return f"there is no folder {options.picture.absolute().parent} for --picture"
    if options.picture and options.picture.is_dir():
        return f"{options.picture} is a folder: --picture wants a file"
    return ""
