"""`edgehome teach`: an activity from clips, or from what the running node remembers.

Modules are imported by what needs them: most of this needs no numpy.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgehome.shownparts import Part, part_of, span_of
from edgehome.types import EdgehomeError, Problem

if TYPE_CHECKING:
    from edgehome.lessonrequests import Request
    from edgehome.lessonstore import LessonStatus, LessonStore
    from edgehome.lessontraining import Learnt, Model

ANSWER_S = 60.0
"""A running node is waited for so long."""
LOOK_S = 0.2
UNREAD_S = 10.0
"""A request that nobody has read after so long is taken back: no node runs."""
_HELP = (
    "Teaches an activity from examples of it (--yes) and of what is normal beside it (--no): "
    "clips, CLIP@START-END in seconds for a part of one; or times of today such as "
    "22:14:03..22:14:09, which the running node remembers for about an hour of motion. It says "
    "how good it is, or what is missing. Kept are embeddings, never pictures."
)


def add_teach(commands: Any, config: Path) -> None:  # noqa: ANN401 - argparse's own has no name
    """Add the command; `config` is the default."""
    teach = commands.add_parser(
        "teach", help="teach an activity of this home from a few examples", description=_HELP
    )
    teach.add_argument("name", metavar="NAME", nargs="?", help="the activity, a label for rules")
    for option, what in (("--yes", "shows it"), ("--no", "does not show it")):
        teach.add_argument(
            option, metavar="WHAT", nargs="+", action="extend", default=[], help=what
        )
    act = teach.add_mutually_exclusive_group()
    act.add_argument("--list", action="store_true", help="every taught activity")
    act.add_argument("--undo", action="store_true", help="take the last change back")
    act.add_argument("--remove", action="store_true", help="forget it; --undo brings it back")
    act.add_argument("--export", type=Path, metavar="FILE", help="write it as one small file")
    act.add_argument("--import", type=Path, metavar="FILE", dest="take", help="read such a file")
    teach.add_argument("--json", action="store_true", help="JSON instead of text")
    teach.add_argument("-c", "--config", type=Path, default=config, help="(%(default)s)")
    teach.add_argument("--state", type=Path, help="the state folder (the service's)")
    teach.set_defaults(run=lambda options: _teach(options, teach))


def _teach(options: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    from edgehome.lessonstore import LessonStore, lesson_name

    store = LessonStore(options.state)
    if options.list:
        return _list(store, options)
    if not options.name:
        parser.error("which activity? NAME is missing")
    name = lesson_name(options.name)
    if options.export:
        return _export(store, name, options.export)
    acts = options.undo or options.remove or options.take
    if bool(acts) == bool(options.yes or options.no):
        parser.error("give either examples (--yes, --no) or one of --undo, --remove, --import")
    options.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        status = _change(store, name, options)
    except PermissionError as error:
        raise EdgehomeError(
            "state_not_writable",
            f"{error.filename or store.folder} may not be written.",
            "It is the service's: run the command with sudo.",
        ) from error
    _tell(status, name, options)
    return 0


def _change(store: LessonStore, name: str, options: argparse.Namespace) -> LessonStatus | None:
    """Do what is asked for, and return how far the lesson is; None where it is gone."""
    from edgehome import lessontraining
    from edgehome.lessonnames import wrong_name

    if options.undo:
        return _settled(lessontraining.undo(store, name, lessontraining.Model("", 1.0)))
    if options.remove:
        return _settled(lessontraining.remove(store, name))
    if problem := wrong_name(name, ()):
        raise _error(problem)
    if options.take:
        data = base64.b64encode(_imported(options.take)).decode()
        change = {"did": "import", "file": data}
        return _settled(lessontraining.change(store, name, [change], _model(options.config)))
    listed = [(True, text) for text in options.yes] + [(False, text) for text in options.no]
    times = [(shows, span) for shows, text in listed if (span := span_of(text))]
    parts = [(shows, part_of(text)) for shows, text in listed if not span_of(text)]
    if times and parts:
        raise EdgehomeError(
            "time_invalid",
            "Clips and times cannot be named in one command.",
            "Use one for the clips, and one for the times: nothing was learnt yet.",
        )
    status = None
    if parts:
        status = _settled(_from_clips(store, name, parts, options.config))
    if times:
        status = _from_node(store, name, times)
    return status


def _imported(path: Path) -> bytes:
    from edgehome.lessonstore import LARGEST_BYTES

    try:
        with path.open("rb") as file:
            return file.read(LARGEST_BYTES + 1)  # more is refused by who decodes it
    except OSError as error:
        raise EdgehomeError(
            "import_unreadable",
            f"Cannot read {path}: {error.strerror}.",
            "Name a file that `edgehome teach NAME --export FILE` wrote.",
        ) from error


def _settled(learnt: Learnt) -> LessonStatus | None:
    if learnt.problem:
        raise _error(learnt.problem)
    return learnt.kept.status if learnt.kept else None


def _error(problem: Problem) -> EdgehomeError:
    return EdgehomeError(problem.code, problem.message, problem.remedy)


def _model(config: Path) -> Model:
    """Return what the configured model is. Raises ModelError and ConfigInvalidError."""
    from edgehome.labels import labels_of
    from edgehome.lessontraining import Model
    from edgehome.recognizer.manifest import read_manifest

    path = _path(config)
    manifest = read_manifest(path)
    return Model(manifest.embedding, manifest.rate, own=frozenset(labels_of(path) or ()))


def _path(config: Path) -> Path:
    """Return the configured model, or the default's where there is no configuration yet.

    A rule may be there before what it watches was taught. Raises ConfigInvalidError.
    """
    from edgehome.config.types import Config
    from edgehome.configfile import required

    if not config.exists():
        return Config().recognizer.model
    return required(config, labels=lambda _model: None).recognizer.model


def _embedding(config: Path) -> str | None:
    """Return the configured model's space of embeddings; None where it cannot be told."""
    from edgehome.labels import embedding_of

    try:
        return embedding_of(_path(config))
    except EdgehomeError:
        return None


def _from_clips(
    store: LessonStore, name: str, parts: Sequence[tuple[bool, Part]], config: Path
) -> Learnt:
    """Watch clips, and learn of them as one change."""
    from edgehome import lessontraining
    from edgehome.cliplessons import examples_of
    from edgehome.lessonproblems import taken_name

    model = _model(config)
    if name in model.own:
        raise _error(taken_name(name))
    examples = examples_of(_path(config), parts, progress=_progress)
    at = datetime.now().astimezone().isoformat(timespec="seconds")
    change = {"did": "add", "at": at, "examples": examples}
    return lessontraining.change(store, name, [change], model)


def _from_node(
    store: LessonStore, name: str, spans: Sequence[tuple[bool, tuple[float, float]]]
) -> LessonStatus | None:
    """Have the running node learn of what it remembers. Raises EdgehomeError."""
    from edgehome import lessonrequests
    from edgehome.lessonstore import LessonStatus

    request = lessonrequests.Request(uuid.uuid4().hex, name, tuple(spans))
    lessonrequests.ask(store, request)
    answer = _answered(store, request)
    if answer is None:
        raise EdgehomeError(
            "node_silent",
            "No running node answers: it alone remembers what it saw.",
            "Start the service, or teach from clips.",
        )
    if answer["problem"]:
        raise _error(Problem(**answer["problem"]))
    return LessonStatus(**answer["status"]) if answer["status"] else None


def _answered(store: LessonStore, request: Request) -> dict[str, Any] | None:
    from edgehome import lessonrequests

    began_s = time.monotonic()
    while (waited_s := time.monotonic() - began_s) < ANSWER_S:
        if answer := lessonrequests.told(store, request):
            return answer
        if waited_s > UNREAD_S and lessonrequests.withdraw(store, request):
            return None
        time.sleep(LOOK_S)
    return None


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def _export(store: LessonStore, name: str, path: Path) -> int:
    from edgehome.lessonproblems import unknown

    data = store.read(name)
    if data is None:
        raise _error(unknown(name))
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # as backups
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    return 0


def _list(store: LessonStore, options: argparse.Namespace) -> int:
    kept, problems = store.load(tidy=False)
    listed = [one.status for one in kept.values() if options.name in {None, one.status.name}]
    if options.json:
        print(json.dumps([asdict(status) for status in listed]))
    else:
        model = _embedding(options.config)
        for status in listed:
            rests = model is not None and kept[status.name].embedding != model
            print(_said(status) + "; it rests, for it was taught to another model" * rests)
        if not listed and not problems:
            print(f"Nobody has taught {options.name or 'anything'} yet.")
    for problem in problems.values():
        sys.stderr.write(f"edgehome: {problem}\n")
    return 65 if problems else 0


def _tell(status: LessonStatus | None, name: str, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(asdict(status) if status else {"name": name, "version": None}))
    else:
        print(_said(status) if status else f"{name}: forgotten")


def _said(status: LessonStatus) -> str:
    said = status.says or status.missing
    count = f"{status.shown} example{'' if status.shown == 1 else 's'}"
    return f"{status.name} (version {status.version}, {count}): {said}"
