"""`edgehome models list | show | verify | fetch | import | export`: arguments, and what is printed.

Modules are imported by the action that needs them: every command reads these arguments.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgehome.models.catalogue import CATALOGUE
from edgehome.types import ModelError

if TYPE_CHECKING:
    from edgehome.models.download import Progress

INSTALLED = Path("/etc/edgehome/models")
EX_DATAERR = 65

Command = Callable[[argparse.Namespace], int]


def add_models(commands: Any, config: Path) -> None:  # noqa: ANN401 - argparse's own has no name
    """Add `models` and its own commands; `config` is the configuration read by default."""
    models = commands.add_parser("models", help="list, show, verify, fetch and import models")
    actions = models.add_subparsers(required=True, metavar="ACTION", parser_class=type(models))

    def add(name: str, run: Command, about: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = actions.add_parser(name, help=about, description=about)
        parser.add_argument("--json", action="store_true", help="JSON instead of text")
        parser.set_defaults(run=run, config=config)
        return parser

    listed = add("list", _list, "Say which models are here, and which can be fetched.")
    fetched = add("fetch", _fetch, "Download a public model, or go on with a download.")
    imported = add("import", _import, "Make a stream MoViNet one that edgehome runs here.")
    _import_arguments(imported)
    for parser in (listed, fetched, imported):
        parser.add_argument("-c", "--config", type=Path, help="config.yaml (%(default)s)")
    fetched.add_argument("name", metavar="NAME", choices=CATALOGUE, help=", ".join(CATALOGUE))
    fetched.add_argument("--to", type=Path, metavar="FOLDER", help="(the folder of the config's)")
    exported = add("export", _export, "Write a model for another machine's compiler.")
    exported.add_argument("file", type=Path, metavar="MODEL", help="a compiled int8 model")
    exported.add_argument("--for", dest="target", choices=("edgetpu",), required=True)
    exported.add_argument("--to", type=Path, metavar="FOLDER", default=Path(), help="(this one)")
    show = add("show", _show, "Say all that is known of a model file.")
    tried = add("verify", _verify, "Hold a model file to its hash, run one frame, try its heads.")
    for parser in (show, tried):
        parser.add_argument("file", type=Path, metavar="FILE", help="a .tflite file")


def _import_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        type=Path,
        metavar="FILE",
        help="a published MoViNet-stream .tflite file, or a compiled one with its manifest, "
        "which is copied with the heads beside it",
    )
    parser.add_argument("--to", type=Path, metavar="FOLDER", help="(the folder of the config's)")
    parser.add_argument("--name", help="of the new file (movinet-a0, or the file's with -edgehome)")
    parser.add_argument("--labels", type=Path, metavar="FILE", help="one label a line")
    parser.add_argument(
        "--for",
        dest="model",
        type=Path,
        metavar="MODEL",
        help="FILE is what Google's compiler made of this model for an Edge TPU",
    )
    parser.add_argument(
        "--form",
        choices=("cpu", "tpu"),
        help="tpu: for the Edge TPU's compiler (cpu)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "int8", "dyn", "float32"),
        help="auto: int8 where it agrees with float32, else float activations (auto)",
    )


def _configured(config: Path) -> Path:
    """Return the configured model; the default one where there is no usable configuration."""
    from edgehome.config.types import Config
    from edgehome.configfile import check

    read, _ = check(config)
    return (read or Config()).recognizer.model


def _list(options: argparse.Namespace) -> int:
    from edgehome.models.describe import describe, models_in
    from edgehome.models.text import listing

    logging.disable(logging.WARNING)  # what is missing is in the list
    configured = _configured(options.config)
    rows = []
    for path in models_in((configured.parent, Path("models"), INSTALLED)):
        same = path.resolve() == configured.resolve()
        row: dict[str, Any] = {"file": str(path), "configured": same}
        try:
            row |= describe(path)
        except ModelError as error:
            row["problem"] = str(error)
        rows.append(row)
    files = {Path(row["file"]).name for row in rows}
    known = [
        {"name": m.name, "title": m.title, "file": m.model.file, "here": m.model.file in files}
        for m in CATALOGUE.values()
    ]
    print(json.dumps({"here": rows, "public": known}) if options.json else listing(rows, known))
    return 0


def _show(options: argparse.Namespace) -> int:
    from edgehome.models.describe import describe
    from edgehome.models.text import shown

    about = describe(options.file)
    print(json.dumps(about) if options.json else shown(about))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from edgehome.models.verify import verify

    good = True
    for finding in verify(options.file):
        good = good and finding.good
        if options.json:
            print(json.dumps(finding.fields()), flush=True)
            continue
        remedy = f"\n{'':7}-> {finding.remedy}" if finding.remedy else ""
        print(f"{'good' if finding.good else 'bad':<7}{finding.message}{remedy}", flush=True)
    return 0 if good else EX_DATAERR


def _fetch(options: argparse.Namespace) -> int:
    from edgehome.models.fetch import fetch

    folder = options.to or _configured(options.config).parent
    shows = sys.stderr.isatty() and not options.json
    done = fetch(CATALOGUE[options.name], folder, progress=_progress() if shows else _silent)
    if options.json:
        fields = {
            "name": options.name,
            "file": str(done.path),
            "sha256": done.sha256,
            "trust": done.trust,
            "address": done.address,
        }
        print(json.dumps(fields))
        return 0
    trust = {
        "known": "as known beforehand",
        "first use": "trusted as the first copy, and written to its manifest",
        "as before": "as at the first fetch",
    }[done.trust]
    came = "here already" if not done.address else f"from {done.address}"
    print(f"{done.path}: {came}\nSHA-256 {done.sha256}, {trust}")
    print(f"To make it a model that edgehome runs: edgehome models import {done.path}")
    return 0


def _import(options: argparse.Namespace) -> int:
    from edgehome.models.copying import is_compiled

    if options.model:
        return _import_edgetpu(options)
    return _import_compiled(options) if is_compiled(options.file) else _import_published(options)


def _import_compiled(options: argparse.Namespace) -> int:
    from edgehome.models.copying import copy_model
    from edgehome.models.text import copied

    for option in ("labels", "form", "precision"):
        if getattr(options, option):
            raise ModelError(
                "model_refused",
                f"{options.file} is compiled already, so --{option} changes nothing.",
                "Leave it out, or import the published file.",
            )
    folder = options.to or _configured(options.config).parent
    step = _step(shows=sys.stderr.isatty() and not options.json)
    done = copy_model(options.file, folder, options.name or options.file.stem, step=step)
    step("")
    print(json.dumps(done.fields()) if options.json else copied(done))
    return 0


def _import_edgetpu(options: argparse.Namespace) -> int:
    from edgehome.models.edgetpu import adopt
    from edgehome.models.text import adopted

    for option in ("labels", "form", "precision", "to", "name"):
        if getattr(options, option):
            raise ModelError(
                "model_refused",
                f"With --for the file goes beside the model, so --{option} changes nothing.",
                "Leave it out.",
            )
    done = adopt(options.file, options.model)
    print(json.dumps(done.fields()) if options.json else adopted(done))
    return 0


def _export(options: argparse.Namespace) -> int:
    from edgehome.models.edgetpu import export_model
    from edgehome.models.text import exported

    step = _step(shows=sys.stderr.isatty() and not options.json)
    done = export_model(options.file, options.to, step=step)
    step("")
    print(json.dumps(done.fields()) if options.json else exported(done))
    return 0


def _import_published(options: argparse.Namespace) -> int:
    from edgehome.models.importer import Wish, import_model, name_for
    from edgehome.models.labels import describe_published
    from edgehome.models.speed import ratio_to
    from edgehome.models.text import imported

    step = _step(shows=sys.stderr.isatty() and not options.json)
    about = describe_published(options.file, options.labels)
    folder = options.to or _configured(options.config).parent
    name = options.name or name_for(options.file, about)
    wish = Wish(folder, name, options.form or "cpu", options.precision or "auto")
    done = import_model(options.file, about, wish, step=step)
    step("measuring the speed")
    ratio = ratio_to(done.path, options.file)
    step("")
    print(json.dumps(done.fields(ratio)) if options.json else imported(done, ratio))
    return 0


def _step(*, shows: bool) -> Callable[[str], None]:
    """Return what says in one line on the terminal what is being done."""

    def show(doing: str) -> None:
        if shows:
            sys.stderr.write(f"\r\x1b[K  {doing}" if doing else "\r\x1b[K")
            sys.stderr.flush()

    return show


def _progress() -> Progress:
    """Return what rewrites one line on the terminal, and ends it with the last byte."""

    def show(here: int, total: int) -> None:
        of = f" of {total / 1e6:.1f}" if total else ""
        end = "\n" if here == total else ""
        sys.stderr.write(f"\r  {here / 1e6:.1f}{of} MB {end}")
        sys.stderr.flush()

    return show


def _silent(_here: int, _total: int) -> None:
    """Say nothing."""
