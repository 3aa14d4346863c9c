"""The storm from beginning to end, and what came of it."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from broker import Broker, Listener

from edgehome.outbox import Outbox
from storm.harm import Harm, Plan
from storm.node import ALERT, Node
from storm.proxy import Link, Proxy

DISK = "40m"
"""The small disk: outbox, reserve and history, and not much besides."""
ALERTS_A_SECOND = 60.0
RULES = 3
SHARE_S = 15.0
"""Longest wait for the alerts that a harm is to meet: a frozen worker gives none for a while."""
ARRIVE_S = 180.0
"""Longest wait for the last alerts after the storm."""

MARKED_S = 2.0
"""Time for the copies of what was heard before, and for the marks in the outbox."""


@dataclass(slots=True)
class Figures:
    """What came of a storm."""

    seed: int
    done: dict[str, int] = field(default_factory=dict)
    """Harms, by name."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Harms that could not be done here, with the reason."""
    raised: int = 0
    """Alerts whose append to the outbox returned."""
    lost: int = 0
    """Raised, and not heard by the listener."""
    dropped: int = 0
    """Counted as dropped by the outbox itself."""
    left: int = 0
    """Pending when all had been heard and the node had stopped."""
    copies: int = 0
    """Alerts heard beyond the first of each id."""
    most_copies: int = 0
    """Of one alert."""
    other_seq: int = 0
    """Ids that had two seqs, or seqs that had two ids."""
    out_of_order: int = 0
    """First sendings within a connection that came after one of a higher seq."""
    connections: int = 0
    appends_refused: int = 0
    """By a full disk; each was tried again."""
    noticed_s: list[float] = field(default_factory=list)
    bad_exits: int = 0
    """Supervisors that did not end with 0, or by it while they started, on SIGTERM."""
    settled_s: float = 0.0
    """From the end of the storm until the last alert was heard."""
    seconds: float = 0.0

    def faults(self, plan: Plan) -> list[str]:
        """Return what was not as it must be, in words."""
        wrong = ("lost", "dropped", "left", "other_seq", "out_of_order", "bad_exits")
        found = [f"{getattr(self, name)} {name}" for name in wrong if getattr(self, name)]
        if self.raised < plan.alerts:
            found.append(f"{self.raised} of {plan.alerts} alerts raised")
        for name, count in plan.harms().items():
            if self.done.get(name, 0) != count and name not in self.skipped:
                found.append(f"{self.done.get(name, 0)} of {count} {name}")
        return found


@contextmanager
def small_disk(place: Path) -> Iterator[Path | None]:
    """Mount a tmpfs of our own; None where that cannot be."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def storm(place: Path, plan: Plan, seed: int, *, autosave_s: int = 1) -> Figures:
    """Do what the plan says in an order by chance; tell on stderr how far it is."""
    chance = random.Random(seed)
    figures = Figures(seed)
    began_s = time.monotonic()
    with (
        small_disk(place / "disk") as disk,
        Broker(place / "broker", autosave_s=autosave_s) as broker,
        Proxy(broker.port, ALERT) as proxy,
        Proxy(broker.port, ALERT) as way_home,
        Listener(way_home, ALERT) as home,
        Node(
            place / "node", broker, port=proxy.port, state=(disk or place) / "state",
            rate=ALERTS_A_SECOND / RULES, rules=RULES,
        ) as node,
    ):  # fmt: skip
        if disk is None:
            figures.skipped["full_disks"] = "mounting a small tmpfs needs root"
        harm = Harm(node, broker, proxy=proxy, home=way_home, chance=chance, disk=disk)
        node.start()
        begin(node)
        rage(harm, node, plan, chance)
        settle(harm, node, proxy, home, figures)
        figures.done = dict(harm.done)
        figures.noticed_s = [round(s, 1) for s in harm.noticed_s]
        figures.bad_exits += sum(status not in (0, -signal.SIGTERM) for status in harm.exits)
        judge(figures, node, home, proxy.links)
    figures.seconds = round(time.monotonic() - began_s, 1)
    return figures


def begin(node: Node) -> None:
    """Wait for the first alert; raises RuntimeError when the node has none, storm or no storm."""
    wait_for_share(node, 1)
    if not node.committed:
        raise RuntimeError(f"no alert is raised even without a storm: {node.said()[-2000:]}")


def rage(harm: Harm, node: Node, plan: Plan, chance: random.Random) -> None:
    """Do all harms, each amid its share of the alerts; some as soon as the one before is done."""
    names = [name for name, count in plan.harms().items() for _ in range(count)]
    chance.shuffle(names)
    for number, name in enumerate(names, 1):
        if chance.random() < 0.8:
            wait_for_share(node, plan.alerts * number // len(names))
        time.sleep(chance.uniform(0, 0.3))
        harm.do(name)
        _tell(f"{number}/{len(names)} {name}, {len(node.committed)} alerts")
    harm.relieve()
    until_s = time.monotonic() + 60
    while len(node.committed) < plan.alerts and time.monotonic() < until_s:
        time.sleep(0.05)


def wait_for_share(node: Node, count: int) -> None:
    until_s = time.monotonic() + SHARE_S
    while len(node.committed) < count and time.monotonic() < until_s:
        time.sleep(0.01)


def settle(harm: Harm, node: Node, proxy: Proxy, home: Listener, figures: Figures) -> None:
    """Let everything arrive: a last life without rules, and with nothing in its way."""
    harm.relieve()
    began_s = time.monotonic()
    node.end(signal.SIGKILL)
    node.config["rules"] = []
    node.write()
    node.start()
    while time.monotonic() - began_s < ARRIVE_S:
        missing = node.committed.keys() - set(home.ids(ALERT))
        _tell(f"{len(node.committed)} raised, {len(missing)} not heard yet")
        if not missing and proxy.talking():
            break
        time.sleep(0.2)
    figures.settled_s = round(time.monotonic() - began_s, 1)
    time.sleep(MARKED_S)
    figures.bad_exits += node.end(signal.SIGTERM) != 0


def judge(figures: Figures, node: Node, home: Listener, links: list[Link]) -> None:
    """Count what was heard against what was committed."""
    heard = [(m.json["id"], m.json["seq"]) for m in home.heard(ALERT)]
    copies = Counter(alert for alert, _ in heard)
    figures.raised = len(node.committed)
    figures.lost = len(node.committed.keys() - copies.keys())
    figures.copies = copies.total() - len(copies)
    figures.most_copies = max(copies.values(), default=1) - 1
    figures.appends_refused = node.refused
    figures.other_seq = node.other_seq + other_seqs(heard, node.committed)
    figures.connections = sum(bool(link.alerts) for link in links)
    figures.out_of_order = sum(out_of_order(link.alerts) for link in links)
    with Outbox(node.state / "outbox.db") as outbox:
        figures.dropped, figures.left = outbox.dropped, outbox.pending_count


def other_seqs(heard: list[tuple[str, int]], committed: dict[str, int]) -> int:
    """Count ids with a second seq and seqs with a second id; 0 stands for not stored yet."""
    seqs, ids = dict(committed), {seq: alert for alert, seq in committed.items()}
    return sum(
        seqs.setdefault(alert, seq) != seq or ids.setdefault(seq, alert) != alert
        for alert, seq in heard
        if seq
    )


def out_of_order(sent: list[tuple[str, int]]) -> int:
    """Count the alerts of one connection whose first sending came after a higher seq's."""
    highest, seen, count = 0, set(), 0
    for alert, seq in sent:
        if seq and alert not in seen:
            count += seq < highest
            highest = max(highest, seq)
        seen.add(alert)
    return count


def plain(figures: Figures) -> dict[str, object]:
    """Return the figures as JSON takes them."""
    return asdict(figures)


class _Progress:
    """Says on stderr how far it is: on one line of a terminal, else every few seconds."""

    period_s = 5.0
    said_s = -period_s

    def __call__(self, line: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
        elif time.monotonic() - self.said_s >= self.period_s:
            self.said_s = time.monotonic()
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


_tell = _Progress()
