"""What "not suspicious" on alerts of a head in the box brings, and what it costs, on clips.

    python scripts/correction_curves.py CLIPS.csv --model FILE [--embeddings FILE.npz] [--draws 12]

The heads in the box raise nothing false on clips that they were trained on, so heads are learnt
anew of four fifths of the groups and judge the last, at the level at which they find all of the
label's clips. Of a place (`group`) with more than K false alerts K are judged; counted are the
share of its other false alerts that go, and of all true alerts that go with them: by the local
correction in edgehome, and by a passive-aggressive update of the head's weights (Crammer et al.
2006). A clip's alert is its windows above the level.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome.clips import read_clips  # noqa: E402
from edgehome.footage import watch_clip  # noqa: E402
from edgehome.heads.selection import calibrate  # noqa: E402
from edgehome.recognizer.corrections import MARGIN, _squares, likeness, lowered  # noqa: E402
from edgehome.recognizer.manifest import read_manifest  # noqa: E402
from edgehome.recognizer.recognizer import Recognizer  # noqa: E402
from edgehome.teaching.correction import MOMENTS  # noqa: E402
from edgehome.teaching.general import shipped_general  # noqa: E402
from edgehome.teaching.learner import fit, windows_in  # noqa: E402

FOLDS = 5
FOUND = 1.0
Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Lowered = Callable[[int], Array]


class Judged:
    """The clips of one label as heads see them that never saw their groups."""

    def __init__(self, seen: Sequence[Array], truth: Array, groups: Array, space: str) -> None:
        general = shipped_general(space)
        windows = [windows_in(np.asarray(one, np.float32), 5.0) for one in seen]
        names = np.random.default_rng(0).permutation(np.unique(groups))
        fold = np.array([list(names).index(one) % FOLDS for one in groups])
        scores: list[Array] = [np.empty(0)] * len(seen)
        for part in range(FOLDS):
            kept = np.flatnonzero(fold != part)
            yes, no = ([windows[i] for i in kept if truth[i] == wanted] for wanted in (True, False))
            learnt = fit(yes, no, general)
            for i in np.flatnonzero(fold == part):
                whitened = (windows[i] - learnt.center) / learnt.scale
                scores[i] = whitened @ learnt.weights + learnt.bias
        best = np.array([one.max() for one in scores])
        slope, offset = calibrate(best, truth.astype(bool))
        self.logits = [slope * one + offset for one in scores]
        self.windows = [(one - general.center) / general.scale for one in windows]
        self.best = slope * best + offset
        self.level = float(np.quantile(self.best[truth.astype(bool)], 1 - FOUND))

    def local(self, chosen: Sequence[int]) -> Lowered:
        """Return what the local correction of these clips makes of any clip."""
        moments = []
        for i in chosen:
            rows = self.windows[i]
            places = np.linspace(0, len(rows) - 1, MOMENTS).round().astype(int)
            moments.append(rows[np.unique(places)])
        near = np.concatenate(moments)
        squares = _squares(near)

        def lower(i: int) -> Array:
            shares = [likeness(row, near, squares) for row in self.windows[i]]
            pairs = zip(self.logits[i].tolist(), shares, strict=True)
            return np.array([lowered(logit, self.level, share) for logit, share in pairs])

        return lower

    def linear(self, chosen: Sequence[int]) -> Lowered:
        """Return what a passive-aggressive update by these clips makes of any clip."""
        change = np.zeros(self.windows[0].shape[1] + 1)
        rows = {i: np.c_[self.windows[i], np.ones(len(self.windows[i]))] for i in chosen}
        for _ in range(20):
            for i in chosen:
                left = self.logits[i] - rows[i] @ change
                top = int(left.argmax())
                loss = max(float(left[top]) - (self.level - MARGIN), 0.0)
                change += rows[i][top] * loss / (rows[i][top] @ rows[i][top])
        return lambda i: self.logits[i] - self.windows[i] @ change[:-1] - change[-1]


def measure(label: str, judged: Judged, truth: Array, groups: Array, draws: int) -> None:
    """Print a line for each number of judged alerts and each way."""
    alerts = judged.best >= judged.level
    false, true = np.flatnonzero(alerts & (truth == 0)), np.flatnonzero(alerts & (truth == 1))
    places = Counter(groups[false])
    print(
        f"{label}: {len(false)} false alerts of {int((truth == 0).sum())} clips, {len(true)} true"
    )
    for count in (1, 2, 3):
        for way in (judged.local, judged.linear):
            chance = np.random.default_rng(count)
            told = []
            for place in sorted(name for name, many in places.items() if many > count):
                for _ in range(draws):
                    order = chance.permutation(false[groups[false] == place])
                    made = way([int(i) for i in order[:count]])
                    gone = [
                        np.mean([made(int(i)).max() < judged.level for i in some])
                        for some in (order[:count], order[count:], true)
                    ]
                    told.append(gone)
            mean = np.mean(told, axis=0) if told else [float("nan")] * 3
            print(
                f"  {count} judged, {way.__name__:6}: judged ones gone {mean[0]:.2f}, others "
                f"of the place {mean[1]:.2f}; true ones lost {mean[2]:.3f} "
                f"({len(told) // draws} places)",
                flush=True,
            )


def main() -> None:
    """Measure both labels."""
    parser = argparse.ArgumentParser(description="What not suspicious brings, and costs.")
    parser.add_argument("clips", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--embeddings", type=Path, help="kept here, or taken from here")
    parser.add_argument("--draws", type=int, default=12)
    options = parser.parse_args()
    clips = [clip for clip in read_clips(options.clips) if clip.labels]
    if options.embeddings and options.embeddings.exists():
        with np.load(options.embeddings) as kept:
            seen = [kept[str(number)] for number in range(len(clips))]
    else:
        with Recognizer(options.model) as recognizer:
            seen = [watch_clip(recognizer, clip.path, phases=2).embeddings for clip in clips]
        if options.embeddings:
            np.savez(options.embeddings, **{str(n): one for n, one in enumerate(seen)})
    groups = np.array([clip.group for clip in clips])
    space = read_manifest(options.model).embedding
    for label in ("fall", "fighting"):
        truth = np.array([float(label in clip.labels) for clip in clips])
        measure(label, Judged(seen, truth, groups, space), truth, groups, options.draws)


if __name__ == "__main__":
    main()
