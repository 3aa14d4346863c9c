"""What the storm does to a node, its broker, its network and its disk."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from broker import Broker

from storm.node import Node
from storm.proxy import Link, Proxy

NOTICED_S = 60.0
"""A half-open connection is noticed by keepalive within twice 20 s."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many alerts are to go through how much harm."""

    alerts: int = 10_000
    supervisor_kills: int = 200
    supervisor_stops: int = 10
    supervisor_freezes: int = 5
    worker_kills: int = 20
    worker_freezes: int = 5
    broker_kills: int = 50
    broker_restarts: int = 10
    broker_forgets: int = 20
    """Further kills, while what the broker has acknowledged waits there for an absent listener."""
    broker_freezes: int = 10
    resets: int = 30
    half_open: int = 8
    half_open_noticed: int = 2
    """Further half-open connections that are left until the node itself notices."""
    full_disks: int = 20

    def harms(self) -> dict[str, int]:
        """Return how often each harm is to be done, by its name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "alerts"}


SHORT = Plan(
    alerts=300,
    supervisor_kills=5,
    supervisor_stops=1,
    supervisor_freezes=0,
    worker_kills=1,
    worker_freezes=0,
    broker_kills=2,
    broker_restarts=0,
    broker_forgets=2,
    broker_freezes=1,
    resets=1,
    half_open=1,
    half_open_noticed=0,
    full_disks=2,
)


class Harm:
    """Does one thing after the other; a spell lasts while the next few things are done."""

    def __init__(
        self,
        node: Node,
        broker: Broker,
        *,
        proxy: Proxy,
        home: Proxy,
        chance: random.Random,
        disk: Path | None,
    ) -> None:
        """Assign; the broker is behind `proxy` for the node and behind `home` for the listener.

        `disk` is a small file system of our own, None where there is none.
        """
        self._node = node
        self._broker = broker
        self._proxy = proxy
        self._home = home
        self._chance = chance
        self._disk = disk
        self._spells: list[tuple[int, Callable[[], None]]] = []
        self.done: Counter[str] = Counter()
        self.noticed_s: list[float] = []
        """How long the node took to notice a half-open connection."""
        self.exits: list[int] = []
        """Exit statuses of supervisors that were asked to stop."""

    def do(self, name: str) -> None:
        """Do a harm by its name in the plan."""
        self._end_spells()
        if getattr(self, f"_{name}")() is not False:
            self.done[name] += 1

    def relieve(self) -> None:
        """End every spell."""
        self._end_spells(all_of_them=True)

    def _end_spells(self, *, all_of_them: bool = False) -> None:
        kept = []
        for turns, end in self._spells:
            if all_of_them or turns <= 0:
                end()
            else:
                kept.append((turns - 1, end))
        self._spells = kept

    def _spell(self, end: Callable[[], None], longest: int) -> None:
        self._spells.append((self._chance.randrange(longest), end))

    def _pause(self, longest_s: float) -> None:
        time.sleep(self._chance.uniform(0, longest_s))

    def _supervisor_kills(self) -> None:
        self._node.end(signal.SIGKILL)
        self._pause(0.3)
        self._node.start()

    def _supervisor_stops(self) -> None:
        self.exits.append(self._node.end(signal.SIGTERM))
        self._node.start()

    def _supervisor_freezes(self) -> None:
        self._node.send(signal.SIGSTOP)
        self._pause(2.0)
        self._node.send(signal.SIGCONT)

    def _worker_kills(self) -> None:
        self._worker(signal.SIGKILL)

    def _worker_freezes(self) -> None:
        self._worker(signal.SIGSTOP)  # the supervisor has to find out for itself

    def _worker(self, how: signal.Signals) -> None:
        if worker := self._node.worker():
            with suppress(ProcessLookupError):
                os.kill(worker, how)

    def _broker_kills(self) -> None:
        self._broker.kill()
        self._pause(1.0)
        self._broker.start()

    def _broker_restarts(self) -> None:
        self._broker.stop()
        self._broker.start()

    def _broker_forgets(self) -> None:
        self.relieve()
        self._home.refuses = True
        self._home.reset()
        sent, until_s = self._proxy.sent(), time.monotonic() + 10
        while self._proxy.sent() == sent and time.monotonic() < until_s:
            time.sleep(0.01)
        self._pause(0.5)
        self._broker.kill()
        self._home.refuses = False
        self._broker.start()

    def _broker_freezes(self) -> None:
        self._broker.freeze()
        self._spell(self._broker.thaw, 3)

    def _resets(self) -> None:
        until_s = time.monotonic() + 10
        while not self._proxy.reset() and time.monotonic() < until_s:
            time.sleep(0.01)  # there has to be a connection to reset

    def _half_open(self) -> Link | None:
        until_s = time.monotonic() + 10
        while not self._proxy.talking() and time.monotonic() < until_s:
            time.sleep(0.01)
        return self._proxy.go_silent()

    def _half_open_noticed(self) -> None:
        self.relieve()
        link, began_s = self._half_open(), time.monotonic()
        while not self._proxy.talking() and time.monotonic() - began_s < NOTICED_S:
            time.sleep(0.1)
        assert link
        self.noticed_s.append(time.monotonic() - began_s)

    def _full_disks(self) -> bool:
        if self._disk is None:
            return False
        rubbish = self._disk / "rubbish"
        with rubbish.open("ab", buffering=0) as file, suppress(OSError):
            for size in (65536, 4096, 1):
                with suppress(OSError):
                    while file.write(bytes(size)):
                        pass
        assert shutil.disk_usage(self._disk).free == 0
        self._spell(lambda: rubbish.unlink(missing_ok=True), 5)
        return True
