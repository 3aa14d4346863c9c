"""The supervisor as it ships, with a worker by script, telling which alerts were committed.

`supervisor.py CONFIG STATE PYTHON FD`: PYTHON is what is run in Python's place for the worker. For
every alert a line `id seq` goes to FD once `Outbox.append_all` has returned: from then on it is
raised and must arrive. A line `- refused` stands for an append that the disk refused.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edgehome import app, ladder, safemode
from edgehome.outbox import New, Outbox
from edgehome.types import OutboxError


def tell_commits(descriptor: int) -> None:
    """Have every return of `append` told."""
    append_all = Outbox.append_all

    def told(self: Outbox, alerts: Sequence[New], **named: Any) -> list[int]:
        try:
            seqs = append_all(self, alerts, **named)
        except OutboxError:
            os.write(descriptor, b"- refused\n")
            raise
        for alert, seq in zip(alerts, seqs, strict=True):
            os.write(descriptor, f"{alert.id} {seq}\n".encode())
        return seqs

    Outbox.append_all = told  # type: ignore[method-assign]


def main() -> int:
    config, state, python, descriptor = sys.argv[1:]
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    tell_commits(int(descriptor))
    sys.executable = python
    if "EDGEHOME_STORM_EAGER" in os.environ:
        ladder.BACKOFF_S = (0.0, 0.1)  # or a hundred workers take an hour
    safemode.BAD_STARTS = sys.maxsize  # or a storm would soon meet a node at rest
    return app.run(Path(config), Path(state))


if __name__ == "__main__":
    sys.exit(main())
