"""Feed edgehome what is not fit for it, and count what comes of it.

    python scripts/fuzz.py commands [--count 1000000] [--seed 1] [--json]
    python scripts/fuzz.py models   [--count 10000]
    python scripts/fuzz.py outbox   [--count 5000]
    python scripts/fuzz.py pipe     [--count 100]

`commands`: MQTT commands, from the delivery thread to the node. `models`: corrupted model files,
each loaded in a child. `outbox`: corrupted databases. `pipe`: lives of a worker that talks
nonsense to a real supervisor. Exits with 1 when something died, leaked, or was believed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from figures import report  # noqa: E402

COUNTS = {"commands": 1_000_000, "models": 10_000, "outbox": 5_000, "pipe": 100}


def parser() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=COUNTS)
    parser.add_argument("--count", type=int, help="so many of them")
    parser.add_argument("--seed", type=int, default=1, help="others of the same kind (1)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


def main() -> int:
    """Print the figures; return 1 when something was not as it must be."""
    options = parser().parse_args()
    count = options.count or COUNTS[options.what]
    figures, faults = fuzz(options.what, count, options.seed)
    return report(figures, faults, as_json=options.json)


def fuzz(what: str, count: int, seed: int) -> tuple[dict[str, object], list[str]]:
    """Return the figures and what is wrong with them."""
    # Imported late: numpy and the model's runtime would hide what the others' memory does.
    if what == "commands":
        from fuzz_commands import fuzz_commands as run  # noqa: PLC0415
    elif what == "models":
        from fuzz_models import fuzz_models as run  # noqa: PLC0415
    elif what == "outbox":
        from fuzz_outbox import fuzz_outbox as run  # noqa: PLC0415
    else:
        from fuzz_pipe import fuzz_pipe as run  # noqa: PLC0415
    return run(count, seed)


if __name__ == "__main__":
    sys.exit(main())
