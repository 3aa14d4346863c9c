"""Say which operators of a .tflite file the Edge TPU would take, by its compiler's published rules.

Usage: edgetpu_rules.py [--json] [--least SHARE] MODEL. With `--least 95` the exit status is 1 when
less than 95 % of the multiply-accumulates map. The rules and their source are in
edgehome/movinet/edgetpu_rules.py.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from edgehome.movinet.edgetpu_rules import judge, summary
from edgehome.types import EdgehomeError


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the verdicts and the summary; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--least", type=float, default=0.0, metavar="PERCENT")
    options = parser.parse_args(arguments)
    try:
        verdicts = judge(options.model.read_bytes())
    except (OSError, EdgehomeError) as error:
        print(f"edgetpu_rules: {error}", file=sys.stderr)
        return 65
    found = summary(verdicts)
    if options.json:
        print(json.dumps(found | {"operations": [asdict(verdict) for verdict in verdicts]}))
    else:
        for v in verdicts:
            print(
                f"{v.position:4} {v.operator:<18} {list(v.shape)!s:<20} {v.macs:>10,} "
                f"{v.runs}{': ' if v.reason else ''}{v.reason}"
            )
        print(
            f"{found['mapped_percent']:.1f} % of {found['macs']:,} multiply-accumulates, and "
            f"{found['mapped']} of {found['operators']} operators, stand before the first that "
            "is not supported, by the published rules; nothing was compiled."
        )
    return int(found["mapped_percent"] < options.least)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # the reader of our output has seen enough
    sys.exit(main())
