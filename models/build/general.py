"""Makes the general negatives for teaching at home: what is normal, of rendered scenes alone.

The scenes are rendered anew from seeds, those that show a fall or a fight are left out, and the
model's embeddings of the others become a small file of numbers (edgehome/teaching/general.py). No
filmed clip goes in, so the file may be passed on as everything else here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import edgehome.teaching
from edgehome.clips import read_clips
from edgehome.footage import watch_clip
from edgehome.recognizer.recognizer import Recognizer
from edgehome.teaching.general import SUFFIX, encode_general, general_of
from edgehome.teaching.learner import WINDOW_S
from models.build.rendered import render_scenes

SCENES = 160
EACH = 3
"""Windows of a scene: its first, its last and one between; their neighbours are nearly the same."""
MODEL = Path(__file__).resolve().parents[1] / "edgehome-a0.tflite"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file and return an exit status. Raises EdgehomeError for what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m models.build general", description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for the rendered scenes")
    parser.add_argument("--model", type=Path, default=MODEL, help="(%(default)s)")
    parser.add_argument("--scenes", type=int, default=SCENES, help="(%(default)s)")
    parser.add_argument("--out", type=Path, default=Path(edgehome.teaching.__path__[0]))
    options = parser.parse_args(arguments)
    clips = read_clips(render_scenes(options.work, options.scenes))
    normal = [clip for clip in clips if clip.labels == {"normal"}]
    with Recognizer(options.model) as recognizer:
        seen = [watch_clip(recognizer, clip.path, phases=2).embeddings for clip in normal]
        rate, space = recognizer.manifest.rate, recognizer.manifest.embedding
    of = f"{len(normal)} rendered scenes, seen by {options.model.name}"
    general = general_of(seen, embedding=space, rate=rate, window_s=WINDOW_S, of=of, each=EACH)
    path = options.out / f"{space}{SUFFIX}"
    path.write_bytes(encode_general(general))
    sys.stdout.write(f"{path}: {len(general.windows)} windows, {path.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
