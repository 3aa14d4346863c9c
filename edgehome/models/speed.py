"""How fast an imported model is beside the file it came from."""

from __future__ import annotations

from pathlib import Path

from edgehome.bench import compare

_ROUNDS = 4


def ratio_to(imported: Path, original: Path) -> float:
    """Return the median step of ours as a share of the original's, which takes turns with it.

    One thread; the original is driven through its signature, as TensorFlow's example does.
    Raises ModelError when either does not run.
    """
    ways = (("recognizer", imported), ("signature", original))
    ours, theirs = compare(*ways, threads=1, rounds=_ROUNDS)
    return round(float(ours["median_ms"] / theirs["median_ms"]), 3)
