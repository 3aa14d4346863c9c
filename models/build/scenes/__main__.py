"""Look at rendered scenes, measure how fast they are made, write those in the box."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from edgehome.models import frames
from models.build.scenes import KINDS, LIGHTS, PLACES, render, scene
from models.build.scenes.sheet import sheet, write_png


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m models.build.scenes", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    look = commands.add_parser("sheet", help="write a contact sheet (PNG): a clip a row")
    look.add_argument("--out", type=Path, required=True)
    look.add_argument("--kind", choices=sorted(KINDS), help="default: one clip of every kind")
    look.add_argument("--place", choices=PLACES)
    look.add_argument("--light", choices=LIGHTS)
    look.add_argument("--seed", type=int, default=0)
    look.add_argument("--clips", type=int, default=6)
    look.add_argument("--seconds", type=float, default=6.0)
    look.add_argument("--every", type=float, default=0.75, help="seconds between pictures in a row")
    speed = commands.add_parser("speed", help="measure frames a second over drawn scenes")
    speed.add_argument("--clips", type=int, default=20)
    speed.add_argument("--frames", type=int, default=50)
    speed.add_argument("--size", type=int, default=172)
    boxed = commands.add_parser("clips", help="write the clips in the box, on reserved seeds")
    boxed.add_argument("--out", type=Path, default=Path(__file__).resolve().parents[2] / "clips")
    test = commands.add_parser("frames", help="write the pictures of the self-test, likewise")
    test.add_argument("--out", type=Path, default=frames.FILE)
    options = parser.parse_args(arguments)
    ways = {"sheet": _sheet, "speed": _speed, "clips": _clips, "frames": _frames}
    return ways[options.command](options)


def _sheet(options: argparse.Namespace) -> int:
    kinds = [options.kind] * options.clips if options.kind else list(KINDS)
    rows = []
    step = max(round(options.every * 10), 1)
    for number, kind in enumerate(kinds):
        seed = options.seed + number
        clip, labels = render(
            kind, seed, frames=round(options.seconds * 10), place=options.place, light=options.light
        )
        rows.append(list(clip[::step]))
        held = {name: f"{flags.mean():.2f}" for name, flags in labels.items()}
        print(f"row {number}: {kind}, seed {seed}, {held}", file=sys.stderr)
    write_png(options.out, sheet(rows))
    return 0


def _speed(options: argparse.Namespace) -> int:
    spent = []
    for seed in range(options.clips):
        began = time.process_time()
        kind, clip, _ = scene(seed, frames=options.frames, size=options.size)
        spent.append((time.process_time() - began) / len(clip))
        print(f"{seed + 1}/{options.clips} {kind}: {1 / spent[-1]:.0f} frames/s", file=sys.stderr)
    print(f"{1 / float(np.mean(spent)):.0f} frames a second, {options.size} pixels, one core")
    return 0


def _clips(options: argparse.Namespace) -> int:
    # PyAV is a training extra: the other commands do without it.
    from models.build.scenes.clips import write_all

    print(f"{write_all(options.out)} bytes in {options.out}")
    return 0


def _frames(options: argparse.Namespace) -> int:
    from models.build.scenes.clips import frames as rendered
    from models.build.scenes.clips import write_frames

    write_frames(options.out, rendered())
    print(f"{options.out.stat().st_size} bytes in {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
