"""Makes the model in the box: `all` does it from nothing, and goes on where it was stopped.

In turn: scenes renders clips; distil teaches the network on them and on filmed ones; export writes
the .tflite file; heads (python -m models.build heads --help) teaches `fall`, `fighting` and
`person` on its embeddings, and on the teacher's. general (likewise with --help) makes the negatives
for teaching at home.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgehome.models.importer import Wish, import_model
from edgehome.models.labels import describe_published
from edgehome.movinet.original import read_original
from models.build import general, heads
from models.build.distil import Distillation, Plan, Sampler, distil
from models.build.export import EMBEDDING, export, pictures_of, settle
from models.build.footage import Clip, read_clips
from models.build.rendered import LISTING, render_scenes

if TYPE_CHECKING:
    from collections.abc import Sequence

SHARES = {"fighting": 0.4, "fall": 0.15, "normal": 0.45}
"""How often a view is drawn from the filmed clips of a label."""
RENDERED_SHARE = 0.2
"""How often from the rendered ones, whatever they show, on top of that."""
_SEED = 1
_SCENES = 160
_STEPS = 9000
"""About an hour and a half on two cores that have nothing else to do."""

_log = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m models.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    scenes = commands.add_parser("scenes", help="render scenes to learn from")
    scenes.add_argument("--count", type=int, default=_SCENES, help="(%(default)s)")
    scenes.set_defaults(run=_scenes)
    learn = commands.add_parser("distil", help="teach the network; stop and go on as you like")
    learn.add_argument("--steps", type=int, default=_STEPS, help="(%(default)s)")
    learn.set_defaults(run=_distil)
    export_ = commands.add_parser("export", help="write the network as it is in the checkpoint")
    export_.add_argument("--out", type=Path, required=True, help="the .tflite file")
    export_.set_defaults(run=_export)
    everything = commands.add_parser("all", help="scenes, distil, export and heads")
    everything.add_argument("--count", type=int, default=_SCENES, help="scenes (%(default)s)")
    everything.add_argument("--steps", type=int, default=_STEPS, help="(%(default)s)")
    everything.add_argument(
        "--out", type=Path, default=Path("models/edgehome-a0.tflite"), help="(%(default)s)"
    )
    everything.set_defaults(run=_all)
    for command in (learn, export_, everything):
        command.add_argument("--teacher", type=Path, required=True, help="Kinetics .tflite file")
        command.add_argument("--clips", type=Path, required=True, help="a list of labelled clips")
    for command in (scenes, learn, export_, everything):
        command.add_argument(
            "--work", type=Path, required=True, help="folder for scenes, frames and checkpoint"
        )
    return parser


def _all(options: argparse.Namespace) -> None:
    """Make the model; what is done already is not done again, but for the heads."""
    _scenes(options)
    _distil(options)
    _export(options)
    about = describe_published(options.teacher, None)
    wish = Wish(options.work, name="teacher")
    teacher = import_model(options.teacher, about, wish, step=_log.info).path
    wanted = ["--clips", options.clips, "--clips", options.work / "scenes" / LISTING]
    wanted += ["--model", options.out, "--model", teacher, "--embedding", EMBEDDING]
    wanted += ["--out", options.out.parent / "heads"]
    heads.main([str(argument) for argument in wanted])


def _scenes(options: argparse.Namespace) -> None:
    render_scenes(options.work / "scenes", options.count)


def _distil(options: argparse.Namespace) -> None:
    plan = Plan(steps=options.steps, seed=_SEED)
    work, _ = _prepared(options, plan)
    distil(work, plan, options.work / "checkpoint.pt")


def _export(options: argparse.Namespace) -> None:
    plan = Plan(steps=0, seed=_SEED)
    work, clips = _prepared(options, plan)
    work.load(options.work / "checkpoint.pt")
    student = work.average
    settle(student, work.sampler, work.step)
    streams = pictures_of(clips, plan.size, _SEED)
    correlation = export(student.architecture, student.folded(), streams, options.out)
    _log.info("%s: step %d, int8 agrees to %.4f", options.out, work.step, correlation)


def _prepared(options: argparse.Namespace, plan: Plan) -> tuple[Distillation, list[Clip]]:
    """Return the student and its teacher, and the clips of the split `train`."""
    teacher = read_original(options.teacher.read_bytes())
    frames = options.work / "frames"
    clips = list(read_clips(options.clips, "train", frames))
    kinds: list[tuple[float, Sequence[Clip]]] = [
        (share, [clip for clip in clips if label in clip.labels]) for label, share in SHARES.items()
    ]
    listing = options.work / "scenes" / LISTING
    if listing.exists():
        kinds.append((RENDERED_SHARE, list(read_clips(listing, "train", frames / "scenes"))))
    sampler = Sampler(kinds, plan)
    work = Distillation(teacher.architecture, teacher.weights, sampler, plan)
    return work, [clip for _, some in kinds for clip in some]


def main() -> int:
    """Run one command."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    if sys.argv[1:2] == ["heads"]:
        return heads.main(sys.argv[2:])
    if sys.argv[1:2] == ["general"]:
        return general.main(sys.argv[2:])
    options = _parser().parse_args()
    options.run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
