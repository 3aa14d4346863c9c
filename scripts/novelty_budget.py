"""How well the budget of what is unusual is kept: homes made of labelled clips, for a month.

    python scripts/novelty_budget.py CLIPS.csv --model FILE [--homes 24] [--seed 0] [--show fall]
    python scripts/novelty_budget.py --made-up [--homes 24] [--seed 0]

A home is 25 clips labelled normal, drawn anew for each (edgehome/novelty/replayed.py). Counted are
the episodes in a month from the moment on that return periods are given. `--show LABEL` shows, to
a copy, four clips with that label on three evenings: the share that reaches each return period.
`--embeddings FILE.npz` keeps what the model said of the clips, or takes it from there.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome.clips import LabelledClip, read_clips  # noqa: E402
from edgehome.footage import watch_clip  # noqa: E402
from edgehome.novelty.normal import Key, Normal  # noqa: E402
from edgehome.novelty.replayed import DAY_S, Habits, Home, live, made_up  # noqa: E402
from edgehome.recognizer.recognizer import Recognizer  # noqa: E402
from edgehome.types import CameraError  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Clip = NDArray[np.float32]

CLIPS = 25
SHOWN = 4
LIMITS = (1.0, 7.0, 30.0)
DAYS = 30
EVENINGS = (12, 20, 28)
LEARNING = 10
"""Days within which return periods must be given."""
_LEAST_FRAMES = 12
_RATE = 5.0
WIDTH = 96
KEY = Key("", "")


@dataclass
class Lived:
    """A home's month."""

    known: float
    alerts: dict[float, int]
    shown: dict[float, list[bool]] = field(default_factory=lambda: {limit: [] for limit in LIMITS})


def month(clips: list[Clip], strange: list[Clip], seed: int, habits: Habits | None) -> Lived:
    """Live a month from the moment on that return periods are given."""
    home = Home(clips, np.random.default_rng(seed), habits)
    normal = Normal(KEY, clips[0].shape[1])
    lived = Lived(float("inf"), dict.fromkeys(LIMITS, 0))
    for day in range(LEARNING + DAYS):
        found = live(normal, home, day, 1, limits=LIMITS)
        lived.known = min(lived.known, found.known)
        for limit, episodes in found.alerts.items():
            lived.alerts[limit] += sum(at < (lived.known + DAYS) * DAY_S for at in episodes)
        if day in EVENINGS:
            for clip in strange:
                days = _shown(copy.deepcopy(normal), clip, (day + 1) * DAY_S)
                for limit, reached in lived.shown.items():
                    reached.append(days >= limit)
    return lived


def _shown(normal: Normal, clip: Clip, at: float) -> float:
    """Return once in how many days the most unusual moment of a clip comes."""
    times = at + np.arange(len(clip)) / _RATE
    return max(
        normal.step(row, time, time / 3600 % 24).days
        for row, time in zip(clip, times.tolist(), strict=True)
    )


def embeddings(clips: list[LabelledClip], model: Path, kept: Path | None) -> dict[str, Clip]:
    """Return what a model says of each clip that can be read, by its path."""
    if kept and kept.exists():
        with np.load(kept) as data:
            return {name: data[name] for name in data.files}
    found = {}
    with Recognizer(model) as recognizer:
        for number, clip in enumerate(clips, 1):
            sys.stderr.write(f"\r{number} of {len(clips)} ")
            try:
                found[str(clip.path)] = watch_clip(recognizer, clip.path).embeddings
            except CameraError as error:
                sys.stderr.write(f"{error}\n")
    if kept:
        np.savez(kept, **found)  # type: ignore[arg-type]
    return found


def filmed(options: argparse.Namespace) -> tuple[list[Clip], list[Clip]]:
    """Return the normal clips, and those with the label to be shown."""
    clips = [clip for clip in read_clips(options.clips) if clip.labels]
    found = embeddings(clips, options.model, options.embeddings)
    long = [
        (clip, found[str(clip.path)])
        for clip in clips
        if len(found.get(str(clip.path), ())) >= _LEAST_FRAMES
    ]
    normal = [rows for clip, rows in long if "normal" in clip.labels]
    return normal, [rows for clip, rows in long if options.show in clip.labels]


def homes(options: argparse.Namespace) -> list[Lived]:
    """Live the months."""
    normal, strange = ([], []) if options.made_up else filmed(options)
    lived = []
    for seed in range(options.seed, options.seed + options.homes):
        chance, habits = np.random.default_rng(seed), None
        if options.made_up:
            habits = (Habits(comings=15), Habits(), Habits(comings=40, blend=20))[seed % 3]
            made = made_up(seed, 16 + SHOWN, WIDTH)
            mine, other = made[:-SHOWN], made[-SHOWN:]
        else:
            mine = [normal[i] for i in chance.permutation(len(normal))[:CLIPS]]
            other = [strange[i] for i in chance.permutation(len(strange))[:SHOWN]]
        start = time.monotonic()
        lived.append(month(mine, other, seed, habits))
        said = {f"{limit:g}": count for limit, count in lived[-1].alerts.items()}
        took = time.monotonic() - start
        sys.stderr.write(f"{seed}: known {lived[-1].known:.1f} days, {said}, {took:.0f} s\n")
    return lived


def summed(lived: list[Lived]) -> dict[str, Any]:
    """Return the figures of all homes, ready for JSON."""
    known = [one.known for one in lived]
    found: dict[str, Any] = {"homes": len(lived), "known": [min(known), max(known)], "limits": {}}
    for limit in LIMITS:
        counts = np.array([one.alerts[limit] for one in lived])
        asked = DAYS / limit
        ratio = counts / asked
        shown = [reached for one in lived for reached in one.shown[limit]]
        found["limits"][f"{limit:g}"] = {
            "asked": round(asked, 2),
            "mean": round(float(counts.mean()), 2),
            "ratio": round(float(ratio.mean()), 3),
            "deviation": round(float(ratio.std()), 3),
            "within_two": round(float(np.mean((ratio >= 0.5) & (ratio <= 2))), 3),
            "counts": sorted(counts.tolist()),
            "shown": round(float(np.mean(shown)), 3) if shown else None,
        }
    return found


def main() -> None:
    """Live the months, and tell them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("clips", type=Path, nargs="?", help="labelled clips")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--made-up", action="store_true", help="homes of nobody, without clips")
    parser.add_argument("--homes", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0, help="of the first home")
    parser.add_argument("--show", default="fall", metavar="LABEL")
    parser.add_argument("--embeddings", type=Path, metavar="FILE.npz")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.made_up and not (options.clips and options.model):
        parser.error("either CLIPS.csv with --model, or --made-up")
    result = summed(homes(options))
    if options.json:
        print(json.dumps(result))
        return
    print("{homes} homes, known after {known[0]:.1f} to {known[1]:.1f} days".format(**result))
    for limit, one in result["limits"].items():
        print(
            f"once in {limit} days: asked {one['asked']}, mean {one['mean']} ({one['ratio']} of "
            f"it, deviation {one['deviation']}); {one['within_two']:.0%} of the homes within a "
            f"factor of two; shown {one['shown']}; {one['counts']}"
        )


if __name__ == "__main__":
    main()
