"""A supervisor and its broker are killed, frozen and restarted at random; no raised alert is lost.

EDGEHOME_CHAOS_S=120 makes it a long run; EDGEHOME_CHAOS_SEED repeats one.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from broker import PASSWORD, USER, Broker, Listener, wait_for

ROOT = Path(__file__).resolve().parents[1]
SECONDS = float(os.environ.get("EDGEHOME_CHAOS_S", "20"))
SEED = int(os.environ.get("EDGEHOME_CHAOS_SEED", str(time.time_ns() % 100_000)))
BASE = "edgehome/chaos"

SUPERVISOR = """
import itertools, sys, time
from pathlib import Path
from edgehome.config.types import MqttConfig
from edgehome.delivery import Delivery

port, place, life = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
config = MqttConfig("127.0.0.1", port, sys.argv[4], place / "password")
with Delivery(mqtt=config, base=sys.argv[5], outbox=place / "outbox.db") as delivery:
    told = 0
    for number in itertools.count():
        delivery.raise_alert(f"{life}-{number}", {"message": "x" * 400})
        time.sleep(0.01)
        raised = delivery.status().raised
        for known in range(told, raised):  # in the order of raising, so these are committed
            sys.stdout.write(f"{life}-{known}\\n")
        sys.stdout.flush()
        told = raised
"""


class Node:
    """The supervisor's side as a process of its own; remembers what it reported as committed."""

    def __init__(self, broker: Broker, place: Path) -> None:
        self._broker = broker
        self._place = place
        self._lives = 0
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.committed: list[str] = []

    def start(self) -> None:
        self._lives += 1
        arguments = [str(self._broker.port), str(self._place), f"life{self._lives}", USER, BASE]
        self._process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISOR, *arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        self.committed += [line.strip() for line in process.stdout if line.endswith("\n")]

    def kill(self) -> None:
        assert self._process
        assert self._reader
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()

    def signal(self, number: signal.Signals) -> None:
        assert self._process
        self._process.send_signal(number)


def freeze_node(node: Node, chance: random.Random) -> None:
    node.signal(signal.SIGSTOP)
    time.sleep(chance.uniform(0.1, 2.0))
    node.signal(signal.SIGCONT)


def freeze_broker(broker: Broker, chance: random.Random) -> None:
    broker.freeze()
    time.sleep(chance.uniform(0.1, 3.0))
    broker.thaw()


def kill_node(node: Node, chance: random.Random) -> None:
    node.kill()
    time.sleep(chance.uniform(0.0, 0.5))
    node.start()


def restart_broker(end: Callable[[], None], broker: Broker, chance: random.Random) -> None:
    end()
    time.sleep(chance.uniform(0.0, 1.5))
    broker.start()


def kill_both(broker: Broker, node: Node, chance: random.Random) -> None:
    broker.kill()
    kill_node(node, chance)
    broker.start()


def storm(broker: Broker, node: Node, chance: random.Random) -> Counter[str]:
    """Do harm at random for SECONDS; return what was done how often."""
    harm: dict[str, Callable[[], None]] = {
        "node killed": lambda: kill_node(node, chance),
        "node frozen": lambda: freeze_node(node, chance),
        "broker killed": lambda: restart_broker(broker.kill, broker, chance),
        "broker stopped": lambda: restart_broker(broker.stop, broker, chance),
        "broker frozen": lambda: freeze_broker(broker, chance),
        "both killed": lambda: kill_both(broker, node, chance),
    }
    done: Counter[str] = Counter()
    until_s = time.monotonic() + SECONDS
    while time.monotonic() < until_s:
        time.sleep(chance.uniform(0.2, 2.5))
        kind = chance.choice(list(harm))
        harm[kind]()
        done[kind] += 1
    return done


@pytest.mark.parametrize("autosave_s", [3, 1800])
def test_no_committed_alert_is_lost_whatever_is_killed(tmp_path: Path, autosave_s: int) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)
    chance = random.Random(SEED)
    topic = f"{BASE}/alert"
    with (
        Broker(tmp_path / "broker", autosave_s=autosave_s) as broker,
        Listener(broker, topic) as home,
    ):
        node = Node(broker, tmp_path)
        node.start()
        try:
            done = storm(broker, node, chance)
            node.kill()
            node.start()  # what is left goes out now
            time.sleep(1.0)
            known = set(node.committed)
            wait_for(lambda: known <= set(home.ids(topic)), 90, "alerts are missing")
        finally:
            node.kill()
            print(f"seed {SEED}, autosave {autosave_s} s: {dict(done)}")
        heard = Counter(home.ids(topic))
        copies = sum(heard.values()) - len(heard)
        print(f"{len(node.committed)} committed, {len(known - set(heard))} lost, {copies} copies")
        assert len(known) > SECONDS
        seqs: dict[str, set[int]] = {}
        for message in home.heard(topic):
            seqs.setdefault(message.json["id"], set()).add(message.json["seq"])
        assert all(len(numbers) == 1 for numbers in seqs.values()), "a copy with another seq"
