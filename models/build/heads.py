"""Makes the heads: `fall`, `fighting`, `person`, for one model or for several with one embedding.

Clips of the split `train` are seen twice by every model, by all their frames: the recogniser takes
every second, so there are two ways to begin. Which statistics, window and regulariser a head has is
chosen by validation across groups within that split; no other clip is looked at.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgehome.clips import LabelledClip, Segment, read_clips
from edgehome.footage import watch_clip
from edgehome.heads.head import Head, write_head
from edgehome.heads.selection import Taught, choose, make_head
from edgehome.recognizer.recognizer import Recognizer
from models.build.rendered import PERSONS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PERSON = Path(__file__).with_name("person.csv")
PHASES = 2
PIECE_S = 5.0
"""Longest stretch of `person`: whether somebody is there is known for every second of a clip."""
_TICK_S = 1e-3
CARDS: Mapping[str, Mapping[str, str]] = {
    "fall": {
        "description": "Somebody falls, or has just fallen and lies.",
        "limits": "Learnt from nine falls of three people, acted indoors and seen from the side, "
        "by day and by lamp light. Unknown: infrared, a camera above, children, crowds, beds that "
        "somebody lies down on at leisure.",
    },
    "fighting": {
        "description": "Two or more people fight.",
        "limits": "Learnt from security footage of streets and shops. Unknown: homes, infrared, "
        "children at play, sport, embraces. Where no fight was nearby, most of what else moves was "
        "calm.",
    },
    "person": {
        "description": "At least one person can be seen.",
        "limits": "Labels by public detectors, not by people. Empty scenes come from few places. "
        "Unknown: infrared, faces only, people far away, animals.",
    },
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the heads and return an exit status. Raises EdgehomeError for files that are wrong."""
    options = _parser().parse_args(arguments)
    listed = [clip for path in options.clips for clip in read_clips(path, split=options.split)]
    clips = {"fall": listed, "fighting": listed, "person": _persons(options)}
    wanted = {name: clips[name] for name in options.heads}
    paths = {clip.path for listed in wanted.values() for clip in listed if clip.labels}
    views: dict[Path, list[Sequence[NDArray[np.float32]]]] = {}
    for model in options.model:
        rate, embedding = _watch(model, sorted(paths), views)
    options.out.mkdir(parents=True, exist_ok=True)
    for name, listed in wanted.items():
        taught = list(_taught(listed, name, views, options.clips[0].parent))
        head = _made(name, taught, rate, options.embedding or embedding, options.alarms)
        write_head(options.out / f"{name}.json", head)
        _say(f"{name}: {head.card['figures']}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m models.build heads", description=__doc__)
    parser.add_argument(
        "--clips",
        type=Path,
        action="append",
        required=True,
        help="a list of clips; those of further ones teach, and nothing is judged by them",
    )
    parser.add_argument("--person", type=Path, default=PERSON, help="where persons are seen")
    parser.add_argument("--split", default="train", help="(%(default)s)")
    parser.add_argument("--model", type=Path, action="append", required=True, help="repeatable")
    parser.add_argument("--embedding", default="", help="name of the space (without: the model's)")
    parser.add_argument("--heads", nargs="+", choices=CARDS, default=list(CARDS))
    parser.add_argument("--alarms", type=float, default=1.0, help="wished, an hour (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the head files")
    return parser


def _persons(options: argparse.Namespace) -> list[LabelledClip]:
    """Return the filmed clips of the first list, and those of lists with one of persons beside."""
    first, *others = options.clips
    clips = read_clips(options.person, folder=first.parent, split=options.split)
    for beside in (listing.with_name(PERSONS) for listing in others):
        clips += read_clips(beside, split=options.split)
    return clips


def _watch(
    model: Path, paths: Sequence[Path], views: dict[Path, list[Sequence[NDArray[np.float32]]]]
) -> tuple[float, str]:
    """Add the views of one model to each clip's; return its rate and space of embeddings."""
    with Recognizer(model) as recognizer:
        manifest = recognizer.manifest
        for number, path in enumerate(paths, 1):
            seen = [
                watch_clip(recognizer, path, phase=phase, phases=PHASES).embeddings
                for phase in range(PHASES)
            ]
            views.setdefault(path, []).append([view for view in seen if len(view)])
            if number % 25 == 0:
                _say(f"{model.name}: {number} of {len(paths)} clips")
        return manifest.rate, manifest.embedding


def _taught(
    clips: Iterable[LabelledClip],
    name: str,
    views: Mapping[Path, list[Sequence[NDArray[np.float32]]]],
    filmed: Path,
) -> Iterable[Taught]:
    """Yield a clip once for each model that saw it; only those under `filmed` judge."""
    for clip in clips:
        if not clip.labels:
            continue
        for seen in views[clip.path]:
            stretches = clip.stretches(name)
            if name == "person":  # every second of which something is known is in a segment
                stretches = list(_pieces(clip.segments, name))
            yield Taught(seen, stretches, clip.group, clip.path.is_relative_to(filmed))


def _pieces(segments: Iterable[Segment], name: str) -> Iterable[tuple[float, float, bool]]:
    """Cut segments, so that one of a minute weighs more than one of seconds."""
    for segment in segments:
        for piece in range(math.ceil((segment.end_s - segment.start_s) / PIECE_S)):
            start_s = segment.start_s + piece * PIECE_S
            # A second begins with its frame; that of the next is not among those looked at.
            end_s = min(start_s + PIECE_S, segment.end_s) - _TICK_S
            yield start_s, end_s, segment.name == name


def _made(name: str, clips: Sequence[Taught], rate: float, embedding: str, alarms: float) -> Head:
    best, *rest = choose(clips, rate, progress=lambda text: _say(f"{name}: {text}"))
    _say(f"{name}: {best.recipe} is the best of {1 + len(rest)}, AUC {best.auc:.4f}")
    groups = len({clip.group for clip in clips if clip.judged})
    rendered = len({clip.group for clip in clips if not clip.judged})
    return make_head(
        clips,
        best.recipe,
        rate=rate,
        name=name,
        embedding=embedding,
        alarms_an_hour=alarms,
        card={
            **CARDS[name],
            "trained_on": f"{len(clips)} views of clips from {groups} sources, and of {rendered} "
            f"rendered scenes, by which nothing is judged; {best.recipe}",
            "licence": "Apache-2.0",
        },
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
