"""Kill, freeze, cut off and fill up a node and its broker at random; count what is lost.

    python scripts/storm.py [--alerts 10000] [--seed N] [--short] [--keep FOLDER] [--json]

The supervisor as it ships, SQLite on a small disk, a mosquitto that forgets, and a TCP proxy in
between; only camera and model are a script, so that alerts come fast. Raised is what the outbox
committed. Exits with 1 when one raised alert is lost, dropped or out of order, or when a copy has
another seq. Needs mosquitto, and root for the full disk.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from storm.harm import SHORT, Plan  # type: ignore[import-not-found] # noqa: E402
from storm.run import plain, storm  # type: ignore[import-not-found] # noqa: E402


def parser() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--alerts", type=int, help="raise at least so many (10000)")
    parser.add_argument("--seed", type=int, default=1, help="another order of the same harm (1)")
    parser.add_argument("--short", action="store_true", help="the few harms of the test suite")
    parser.add_argument("--keep", type=Path, help="work in this new folder, and leave it there")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def main() -> int:
    """Print the figures; return 1 when something was not as it must be."""
    options = parser().parse_args()
    plan = SHORT if options.short else Plan()
    plan = replace(plan, alerts=options.alerts or plan.alerts)
    with tempfile.TemporaryDirectory(prefix="edgehome-storm-") as folder:
        place = options.keep or Path(folder)
        place.mkdir(exist_ok=True)
        figures = storm(place, plan, options.seed)
    faults = figures.faults(plan)
    if options.json:
        print(json.dumps(plain(figures) | {"faults": faults}))
    else:
        for name, value in plain(figures).items():
            print(f"{name}: {value}")
        print("\n".join(faults) or "nothing was lost")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
