"""Makes the model in the box: `python -m models.build distil ...`, see `--help`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from edgehome.movinet.original import read_original
from models.build.distil import Distillation, Plan, Sampler, distil
from models.build.footage import Clip, read_clips

SHARES = {"fighting": 0.4, "fall": 0.15, "normal": 0.45}
"""How often a view is drawn from the clips of a label."""


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.build", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    learn = commands.add_parser("distil", help="teach the network; goes on where it was stopped")
    learn.add_argument("--teacher", type=Path, required=True, help="the Kinetics .tflite file")
    learn.add_argument("--clips", type=Path, required=True, help="clips.csv; its split `train`")
    learn.add_argument("--cache", type=Path, required=True, help="folder for frames, checkpoint")
    learn.add_argument("--steps", type=int, default=12000, help="(%(default)s)")
    learn.add_argument("--size", type=int, default=172, help="pixels a side (%(default)s)")
    learn.set_defaults(run=_distil)
    return parser


def _distil(options: argparse.Namespace) -> None:
    teacher = read_original(options.teacher.read_bytes())
    plan = Plan(steps=options.steps, size=options.size)
    clips = list(read_clips(options.clips, "train", options.cache / "frames"))
    sampler = Sampler([(share, _with(label, clips)) for label, share in SHARES.items()], plan)
    architecture, weights = teacher.architecture, teacher.weights
    work = Distillation(architecture, weights, sampler, plan)
    distil(work, plan, options.cache / "checkpoint.pt")


def _with(label: str, clips: list[Clip]) -> list[Clip]:
    return [clip for clip in clips if label in clip.labels]


def main() -> None:
    """Run one command."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    options = _arguments().parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
