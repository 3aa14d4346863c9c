"""A worker that talks nonsense: to the decoder, and to a whole supervisor, life after life."""

from __future__ import annotations

import random
import tempfile
import time
from array import array
from collections import Counter
from dataclasses import replace
from pathlib import Path

from broker import Broker, Listener  # type: ignore[import-not-found]
from figures import Progress, descriptors, memory_mb, threads
from storm.node import ALERT, Node  # type: ignore[import-not-found]
from storm.worker import LABELS, ready, scores, spoilt  # type: ignore[import-not-found]

from edgehome.messages import MessageError, Probabilities, decode, encode, places_of
from edgehome.normality import Normality
from edgehome.taken import Piece, Taken
from edgehome.types import Problem

PACKETS_A_LIFE = 10_000
"""Packets for the decoder alone, for every life of a worker that the supervisor sees."""
OF_A_WORKER = 3
"""Descriptors that come and go with it."""
WARM_LIVES = 5
LIFE_S = 90.0
"""Longest wait for a worker's next life: the pause between two grows to 30 s."""


def fuzz_pipe(count: int, seed: int) -> tuple[dict[str, object], list[str]]:
    """Return the figures and what is wrong with them."""
    figures, faults = decode_nonsense(count * PACKETS_A_LIFE, seed)
    more, others = supervise_nonsense(count, seed)
    return figures | more, faults + others


def decode_nonsense(count: int, seed: int) -> tuple[dict[str, object], list[str]]:
    """Feed the decoder; anything but a message or a MessageError is a fault."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated
    taken = Taken("id", 5.0, 2, (Piece(1.0, 2, bytes(4), bytes(8)),), 1.0, 2.0)
    normality = Normality(0.5, b"learnt", Problem("normal_model", "Another.", "Nothing."))
    unusual = replace(scores(1), unusual=8.5, episode=1e9, resembles="most like 14:03")
    said = [encode(one) for one in (ready(), scores(1), unusual, taken, normality)]
    places = places_of(LABELS)
    before = Probabilities(places, array("f", [0.0] * len(LABELS)))
    outcomes: Counter[str] = Counter()
    faults: list[str] = []
    progress = Progress()
    start_mb = memory_mb()
    for number in range(count):
        packet = spoilt(chance.choice(said), chance)
        try:
            outcomes[type(decode(packet, places, before)).__name__] += 1
        except MessageError:
            outcomes["refused"] += 1
        except Exception as error:  # noqa: BLE001  # any other is what is looked for
            faults.append(f"{error!r} from {packet[:100]!r}")
        if number % 1000 == 0:
            progress(f"{number:,} of {count:,} packets: {dict(outcomes)}")
    figures: dict[str, object] = {"packets": count, "decoded_as": dict(outcomes)}
    figures["decoder_grown_mb"] = round(memory_mb() - start_mb, 2)
    return figures, faults[:20]


def supervise_nonsense(lives: int, seed: int) -> tuple[dict[str, object], list[str]]:
    """Let a whole supervisor go through so many workers; it must stay one process, and as big."""
    progress = Progress()
    with (
        tempfile.TemporaryDirectory() as folder,
        Broker(Path(folder) / "broker") as broker,
        Listener(broker, ALERT) as home,
        Node(
            Path(folder) / "node", broker, port=broker.port, state=Path(folder) / "state", rate=1
        ) as node,
    ):
        node.use(EDGEHOME_STORM_NONSENSE=str(seed), EDGEHOME_STORM_EAGER="1")
        node.start()
        seen: set[int] = set()
        before = (0.0, 0, 0)
        until_s = time.monotonic() + LIFE_S
        while len(seen) < lives and node.alive() and time.monotonic() < until_s:
            worker = node.worker()
            if worker and worker not in seen:
                seen.add(worker)
                until_s = time.monotonic() + LIFE_S
                if len(seen) == WARM_LIVES:
                    before = memory_mb(node.pid), descriptors(node.pid), threads(node.pid)
                progress(f"{len(seen)} of {lives} workers, {memory_mb(node.pid):.1f} MB")
            time.sleep(0.02)
        alive = node.alive()
        if not alive:
            return {}, [f"the supervisor died: {node.said()[-1500:]}"]
        now = memory_mb(node.pid), descriptors(node.pid), threads(node.pid)
        figures: dict[str, object] = {
            "workers": len(seen),
            "supervisor_alive": alive,
            "supervisor_mb": round(now[0], 1),
            "supervisor_grown_mb": round(now[0] - before[0], 2),
            "alerts_from_nonsense": len(set(home.ids(ALERT))),
            "tracebacks": node.said().count("Traceback"),
        }
        status = node.end()
    faults = [] if len(seen) >= lives else [f"only {len(seen)} workers were started"]
    faults += [f"it ended with status {status}"] if status else []
    faults += [f"{now[1:]} descriptors and threads, {before[1:]} before"] * (
        now[1] > before[1] + OF_A_WORKER
    )
    faults += [f"memory grew by {now[0] - before[0]:.1f} MB"] if now[0] - before[0] > 2.0 else []
    return figures, faults
