"""Worker, broker and supervisor killed at random: no alert that was raised is lost.

`EDGEHOME_CHAOS_S=120` makes it last two minutes; the default is short. The listener keeps no
session and comes back like Home Assistant does, so whatever is sent while it is away is gone.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from pathlib import Path

import pytest
from broker import Broker, Listener, wait_for
from daemon import BASE, Daemon

SECONDS = float(os.environ.get("EDGEHOME_CHAOS_S", "20"))
ALERT = f"{BASE}/alert"


class Trouble:
    """Does one thing after the other to the node and to its broker."""

    def __init__(self, daemon: Daemon, broker: Broker, seed: int) -> None:
        self.daemon = daemon
        self.broker = broker
        self.done: Counter[str] = Counter()
        self._chance = random.Random(seed)

    def make(self) -> None:
        name, act = self._chance.choice(
            [
                ("worker SIGKILL", lambda: self._worker(signal.SIGKILL)),
                ("worker SIGSTOP", lambda: self._worker(signal.SIGSTOP)),
                ("supervisor SIGKILL", lambda: self._restart_node(signal.SIGKILL)),
                ("supervisor SIGTERM", lambda: self._restart_node(signal.SIGTERM)),
                ("broker SIGKILL", self._kill_broker),
                ("broker restart", self._restart_broker),
                ("broker SIGSTOP", self._freeze_broker),
            ]
        )
        act()
        self.done[name] += 1

    def pause(self, longest_s: float) -> None:
        time.sleep(self._chance.uniform(0, longest_s))

    def _worker(self, how: signal.Signals) -> None:
        if worker := self.daemon.worker():
            os.kill(worker, how)

    def _restart_node(self, how: signal.Signals) -> None:
        self.daemon.end(how)
        self.daemon.start()

    def _kill_broker(self) -> None:
        self.broker.kill()
        self.pause(1.5)
        self.broker.start()

    def _restart_broker(self) -> None:
        self.broker.stop()
        self.broker.start()

    def _freeze_broker(self) -> None:
        self.broker.freeze()
        self.pause(3)
        self.broker.thaw()


def raised(outbox: Path) -> set[str]:
    """Return the ids of all alerts that were ever committed; the outbox keeps the newest 2,000."""
    with sqlite3.connect(outbox) as database:
        return {row[0] for row in database.execute("SELECT id FROM alerts")}


@pytest.mark.parametrize("autosave_s", [3, 1800])
def test_no_raised_alert_is_lost_whatever_is_killed(
    tmp_path: Path,
    box_model: Path,
    rendered: Path,
    autosave_s: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clip = rendered / "room-day-fight.mp4"
    with (
        Broker(tmp_path / "broker", autosave_s=autosave_s) as broker,
        Listener(broker, ALERT, keeps_session=False) as listener,
        Daemon(tmp_path / "node", broker, model=box_model, source=clip) as daemon,
    ):
        daemon.config["rules"][0] |= {"for": "200ms", "repeat_interval": "200ms"}
        daemon.write()
        daemon.start()
        wait_for(lambda: listener.heard(ALERT), 30)
        trouble = Trouble(daemon, broker, seed=autosave_s)
        until_s = time.monotonic() + SECONDS
        while time.monotonic() < until_s:
            trouble.make()
            trouble.pause(2.5)
        count = len(listener.heard(ALERT))
        wait_for(lambda: len(listener.heard(ALERT)) > count, 90, "alerts after the trouble")
        daemon.config["rules"] = []
        daemon.write()
        daemon.send(signal.SIGHUP)
        database = daemon.state / "outbox.db"
        assert daemon.alive()
        wait_for(lambda: settled(listener, daemon), 120, "everything is told")
        assert daemon.end() == 0
        ids = raised(database)
        heard = Counter(listener.ids(ALERT))
        with capsys.disabled():
            print(
                f"\n{SECONDS:.0f} s, autosave {autosave_s} s: {len(ids)} raised, "
                f"{len(ids - set(heard))} lost, {heard.total() - len(heard)} duplicates; "
                + ", ".join(f"{n} x {what}" for what, n in sorted(trouble.done.items()))
            )
    assert len(ids) > SECONDS / 4, "there was little to lose"
    assert set(heard) >= ids
    assert sum(trouble.done.values()) > SECONDS / 5


def settled(listener: Listener, daemon: Daemon) -> bool:
    """Return whether nothing has been told for a while by a node that runs without rules."""
    count = len(listener.heard(ALERT))
    time.sleep(8)
    return daemon.alive() and len(listener.heard(ALERT)) == count
