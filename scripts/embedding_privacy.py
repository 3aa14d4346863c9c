"""What a taught activity's embeddings give away of the pictures, measured on a folder of clips.

    python scripts/embedding_privacy.py models/clips/clips.csv [--model FILE] [--json]

Whoever gets hold of a taught file has embeddings: rows of numbers, a byte each. Three attacks:

* the nearest other embedding of the list: is it of the same clip, of the same place?
* ridge regression from embedding to picture (SIDE x SIDE, grey), fitted to the other clips of the
  list, once with other clips of the same place among them and once without;
* the picture of the nearest embedding among the same clips, as it is.

A picture's error is compared with that of a guess that knows nothing, the mean picture of all, and
with one that knows the place, its mean picture. PSNR in decibels and SSIM (Wang et al. 2004) over
windows of 8 x 8, both of what is between 0 and 1. Intervals: 2.5 % to 97.5 % of 1,000 drawings of
groups.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome.camera import open_clip  # noqa: E402
from edgehome.clips import LabelledClip, read_clips  # noqa: E402
from edgehome.recognizer.recognizer import Recognizer  # noqa: E402
from edgehome.types import CameraError, Frame  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

SIDE = 32
APART_S = 2.0
"""A clip's own embeddings count as another moment's from here on: the next frame is the same."""
EACH = 3
"""Of so many frames one is taken."""
RIDGES = (0.1, 1.0, 10.0, 100.0, 1000.0)
DRAWS = 1000
START = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Seen:
    """Frames of all clips: what is kept of each, what it was, and where it is from."""

    embeddings: Numbers
    """As they are kept: 256 steps over the clip's range, (frames, width)."""
    pictures: Numbers
    """(frames, SIDE * SIDE), 0-1."""
    clip: NDArray[np.int64]
    group: NDArray[np.str_]
    place: NDArray[np.str_]
    time_s: Numbers


def main() -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("clips", type=Path, help="the list, as for `edgehome evaluate`")
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "edgehome-a0.tflite")
    parser.add_argument(
        "--place",
        default="source",
        choices=("source", "name"),
        help="a place is a `source`, or the first word of a file's name",
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    named: Callable[[LabelledClip], str] = (
        (lambda clip: clip.source or clip.group)
        if options.place == "source"
        else (lambda clip: clip.path.stem.partition("-")[0])
    )
    seen = watch(read_clips(options.clips), options.model, named)
    figures = {
        "frames": len(seen.clip),
        "clips": len(set(seen.clip.tolist())),
        "places": len(set(seen.place.tolist())),
        **recognised(seen),
        **decoded(seen),
    }
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name}: {value}")
    return 0


def watch(clips: list[LabelledClip], model: Path, named: Callable[[LabelledClip], str]) -> Seen:
    """Return the frames of all clips that can be read."""
    rows: list[tuple[Numbers, Numbers, int, str, str, float]] = []
    with Recognizer(model) as recognizer:
        for number, clip in enumerate(clips):
            sys.stderr.write(f"\r\x1b[K{number + 1} of {len(clips)}: {clip.path.name}")
            try:
                kept, pictures, times = _watch(recognizer, clip.path)
            except CameraError as error:
                sys.stderr.write(f"\n{error}\n")
                continue
            rows += [
                (one, picture, number, clip.group, named(clip), time_s)
                for one, picture, time_s in zip(kept, pictures, times, strict=True)
            ]
    sys.stderr.write("\n")
    embeddings, pictures_, clip_, group, place, time_ = zip(*rows, strict=True)
    return Seen(
        np.array(embeddings), np.array(pictures_), np.array(clip_), np.array(group),
        np.array(place), np.array(time_),
    )  # fmt: skip


def _watch(recognizer: Recognizer, path: Path) -> tuple[Numbers, Numbers, Numbers]:
    manifest = recognizer.manifest
    recognizer.reset()
    kept, pictures, times = [], [], []
    with open_clip(path, size=manifest.size, rate=manifest.rate, start=START) as camera:
        for number, frame in enumerate(camera.frames()):
            recognizer.step(frame)
            if number % EACH == EACH - 1 and recognizer.embedding is not None:
                kept.append(np.array(recognizer.embedding, np.float64))
                pictures.append(_picture(frame))
                times.append(frame.time_s)
    if not kept:
        raise CameraError("clip_unreadable", f"{path} has less than {EACH} frames.", "")
    found = np.array(kept)
    step = max(float(np.abs(found).max()) / 255, 1e-9)
    return np.round(found / step) * step, np.array(pictures), np.array(times)


def _picture(frame: Frame) -> Numbers:
    """Return a frame in grey (ITU-R BT.601), each of SIDE x SIDE the mean of what it covers."""
    grey = frame.image.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255
    edges = np.linspace(0, len(grey), SIDE + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(grey, edges, 0), edges, 1)
    counts = np.diff([*edges, len(grey)])
    picture: Numbers = (sums / np.outer(counts, counts)).ravel()
    return picture


def recognised(seen: Seen) -> dict[str, object]:
    """Return how often the nearest embedding is of the same clip, and of the same place.

    Of the same clip: among all but those within APART_S. Of the same place: among the other
    groups, for frames of places of which there are several. `chance` is how often a frame that is
    drawn would be.
    """
    near = _nearness(seen)
    same_clip = seen.clip[:, None] == seen.clip
    close = same_clip & (np.abs(seen.time_s[:, None] - seen.time_s) < APART_S)
    own_group = seen.group[:, None] == seen.group
    same_place = (seen.place[:, None] == seen.place) & ~own_group
    return {
        "same clip": _found(seen, near, same_clip & ~close, ~close),
        "same place, other group": _found(seen, near, same_place, ~own_group),
    }


def _nearness(seen: Seen) -> Numbers:
    """Return the cosine between each two embeddings, of which the mean of all is taken."""
    centred = seen.embeddings - seen.embeddings.mean(0)
    centred /= np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-9)
    cosine: Numbers = centred @ centred.T
    return cosine


def _found(
    seen: Seen, near: Numbers, right: NDArray[np.bool_], asked: NDArray[np.bool_]
) -> dict[str, object]:
    able = right.any(1)
    if not able.any():
        return {"frames": 0}
    nearest = np.where(asked, near, -2.0).argmax(1)
    hits = right[np.arange(len(near)), nearest][able]
    chance = (right & asked)[able].sum(1) / asked[able].sum(1)
    return {
        "frames": int(able.sum()),
        "found": round(float(hits.mean()), 3),
        "interval": _interval(hits.astype(np.float64), seen.group[able]),
        "chance": round(float(chance.mean()), 3),
    }


def decoded(seen: Seen) -> dict[str, object]:
    """Return how well pictures are made of embeddings."""
    found: dict[str, object] = {}
    for name, held in (("place seen, other clip", seen.group), ("place never seen", seen.place)):
        made = _decoded(seen, held, several=held is seen.group)
        if made:
            found[name] = made
    return found


def _decoded(seen: Seen, held: NDArray[np.str_], *, several: bool) -> dict[str, object]:
    """Decode each part's pictures by what was fitted to the others.

    `several`: only those of which another part shows the same place.
    """
    made: dict[str, list[tuple[Numbers, Numbers, NDArray[np.str_]]]] = {}
    for part in sorted(set(held.tolist())):
        test = held == part
        if several and not (np.isin(seen.place, seen.place[test]) & ~test).any():
            continue
        for name, guess in _guesses(seen, ~test, test, several=several).items():
            made.setdefault(name, []).append((guess, seen.pictures[test], seen.group[test]))
    return {name: _judged(parts) for name, parts in made.items()}


def _guesses(
    seen: Seen, train: NDArray[np.bool_], test: NDArray[np.bool_], *, several: bool
) -> dict[str, Numbers]:
    known, pictures = seen.embeddings[train], seen.pictures[train]
    mean = pictures.mean(0)
    asked = seen.embeddings[test]
    guesses = {
        "mean picture": np.tile(mean, (len(asked), 1)),
        "ridge": _ridge(known, pictures, asked, seen.group[train]),
        "nearest": pictures[_nearest(known, asked)],
    }
    if several:
        at = [(seen.place == place) & train for place in seen.place[test]]
        guesses["mean of the place"] = np.array(
            [seen.pictures[here].mean(0) if here.any() else mean for here in at]
        )
    return guesses


def _nearest(known: Numbers, asked: Numbers) -> NDArray[np.int64]:
    mean = known.mean(0)
    one, other = known - mean, asked - mean
    one /= np.maximum(np.linalg.norm(one, axis=1, keepdims=True), 1e-9)
    nearest: NDArray[np.int64] = (other @ one.T).argmax(1)
    return nearest


def _ridge(known: Numbers, pictures: Numbers, asked: Numbers, group: NDArray[np.str_]) -> Numbers:
    """Return pictures by ridge regression, its strength chosen on a quarter of the groups."""
    groups = sorted(set(group.tolist()))
    left_out = np.isin(group, groups[::4])
    if left_out.all() or not left_out.any():
        left_out = np.arange(len(group)) % 4 == 0
    tried = _solve(known[~left_out], pictures[~left_out], known[left_out])
    errors = [float(((guess - pictures[left_out]) ** 2).mean()) for guess in tried]
    return _solve(known, pictures, asked)[int(np.argmin(errors))]


def _solve(known: Numbers, pictures: Numbers, asked: Numbers) -> list[Numbers]:
    """Return the pictures for each of RIDGES; components of one deviation."""
    mean, scale = known.mean(0), np.maximum(known.std(0), 1e-3)
    x, y = (known - mean) / scale, pictures - pictures.mean(0)
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    right = vectors.T @ (x.T @ y / len(x))
    left = (asked - mean) / scale @ vectors
    return [
        np.clip(left @ (right / (values + ridge / 100)[:, None]) + pictures.mean(0), 0, 1)
        for ridge in RIDGES
    ]


def _judged(parts: list[tuple[Numbers, Numbers, NDArray[np.str_]]]) -> dict[str, object]:
    guess, true, group = (np.concatenate(column) for column in zip(*parts, strict=True))
    errors = np.maximum(((guess - true) ** 2).mean(1), 1e-6)
    psnr, alike = -10 * np.log10(errors), _ssim(guess, true)
    return {
        "frames": len(errors),
        "psnr": round(float(psnr.mean()), 2),
        "psnr interval": _interval(psnr, group, 2),
        "ssim": round(float(alike.mean()), 3),
        "ssim interval": _interval(alike, group),
    }


def _ssim(one: Numbers, other: Numbers) -> Numbers:
    """Return each picture's mean SSIM over windows of 8 x 8, four apart."""
    a, b = (
        np.lib.stride_tricks.sliding_window_view(p.reshape(-1, SIDE, SIDE), (8, 8), (1, 2))[
            :, ::4, ::4
        ]
        for p in (one, other)
    )
    mean_a, mean_b = a.mean((3, 4)), b.mean((3, 4))
    both = (a * b).mean((3, 4)) - mean_a * mean_b
    light, contrast = 0.01**2, 0.03**2
    value = (2 * mean_a * mean_b + light) * (2 * both + contrast)
    value /= (mean_a**2 + mean_b**2 + light) * (a.var((3, 4)) + b.var((3, 4)) + contrast)
    alike: Numbers = value.mean((1, 2))
    return alike


def _interval(values: Numbers, group: NDArray[np.str_], digits: int = 3) -> list[float]:
    """Return where the mean lies when groups are drawn anew."""
    names, which = np.unique(group, return_inverse=True)
    sums = np.bincount(which, values, len(names))
    counts = np.bincount(which, minlength=len(names))
    drawn = np.random.default_rng(0).integers(0, len(names), (DRAWS, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    return [round(float(value), digits) for value in np.quantile(means, (0.025, 0.975))]


if __name__ == "__main__":
    sys.exit(main())
