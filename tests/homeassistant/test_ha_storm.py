"""An alert every half second while Home Assistant, the broker and the node come and go.

It prints what was sent, lost and told twice. EDGEHOME_TEST_LONG=1 makes it a quarter of an hour
(EDGEHOME_STORM_S: another time); EDGEHOME_STORM_SEED repeats one.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from broker import Broker

from edgehome.config.types import MqttConfig
from edgehome.delivery import Delivery

from .broker import USERS, wait_until
from .harness import HomeAssistant
from .node import Client

BASE = "edgehome/edgehome_storm"
LONG = os.environ.get("EDGEHOME_TEST_LONG") == "1"
SECONDS = float(os.environ.get("EDGEHOME_STORM_S", "900" if LONG else "60"))
SEED = int(os.environ.get("EDGEHOME_STORM_SEED", str(time.time_ns() % 100_000)))
PERIOD_S = 0.5
QUIET_S = 200
"""The longest until the last alert is told: pauses of resending and reconnecting."""


class Node:
    """The delivery side of a node that raises alerts, with an outbox that outlives it."""

    def __init__(self, place: Path, port: int) -> None:
        password = place / "password"
        password.touch(mode=0o600)
        password.write_text(USERS["test"])
        self._config = MqttConfig("127.0.0.1", port, "test", password)
        self._outbox = place / "outbox.db"
        self._lock = threading.Lock()
        self._delivery = self._open()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._raise, daemon=True)
        self.sent: list[str] = []

    def _open(self) -> Delivery:
        delivery = Delivery(mqtt=self._config, base=BASE, outbox=self._outbox)
        return delivery.__enter__()

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.pause()
            self._delivery.__exit__()

    def pause(self) -> None:
        """Raise no more."""
        self._stop.set()
        self._thread.join()

    def restart(self) -> None:
        with self._lock:
            self._delivery.__exit__()
            self._delivery = self._open()

    @property
    def mode(self) -> str:
        return self._delivery.status().mode

    @property
    def unanswered(self) -> int:
        status = self._delivery.status()
        return status.unanswered + status.pending

    def _raise(self) -> None:
        while not self._stop.wait(PERIOD_S):
            with self._lock:
                alert_id = f"storm-{len(self.sent):08}"
                payload = {"rule": "Storm", "message": alert_id, "severity": "warning"}
                self._delivery.raise_alert(alert_id, payload)
                self.sent.append(alert_id)


def troubles(home: HomeAssistant, broker: Broker, node: Node) -> dict[str, Callable[[], None]]:
    def restart(how: signal.Signals) -> None:
        home.stop(how)
        home.start()

    def lose_broker(end: Callable[[], None]) -> None:
        end()
        time.sleep(2)
        broker.start()

    return {
        "Home Assistant restarted": lambda: restart(signal.SIGTERM),
        "Home Assistant killed": lambda: restart(signal.SIGKILL),
        "broker restarted": lambda: lose_broker(broker.stop),
        "broker killed": lambda: lose_broker(broker.kill),
        "node restarted": node.restart,
    }


@pytest.mark.parametrize("watched", [False, True], ids=["alone", "beside another subscriber"])
def test_every_alert_is_told_once(
    home: HomeAssistant, broker: Broker, tmp_path: Path, watched: bool
) -> None:
    """Beside another subscriber the broker's word never says that Home Assistant is away."""
    chance = random.Random(SEED)
    before = len(home.effects())
    effect = [{"action": "shell_command.effect", "data": {"id": "{{ tag }}"}}]
    home.api(
        "POST", "/api/services/input_text/set_value",
        {"entity_id": "input_text.memory", "value": ""},
    )  # fmt: skip
    home.use_blueprint("storm", "notify", actions=effect, memory="input_text.memory")
    time.sleep(1.5)
    node = Node(tmp_path, broker.port)
    counts: Counter[str] = Counter()
    other = Client(broker.port, user="test", topics=[f"{BASE}/alert"]) if watched else None
    with suppress_client(other), node.running():
        wait_until(lambda: node.mode == "acknowledged", "the first answer")
        until_s = time.monotonic() + SECONDS
        while time.monotonic() < until_s:
            for name, act in chance.sample(list(troubles(home, broker, node).items()), 5):
                time.sleep(chance.uniform(1, 5))
                act()
                counts[name] += 1
        node.pause()
        with suppress(AssertionError):
            wait_until(lambda: not node.unanswered, "the last answers", QUIET_S)
        told = Counter(home.effects()[before:])
    lost = [alert_id for alert_id in node.sent if alert_id not in told]
    twice = sum(told.values()) - len(told)
    copies = f", {len(other.received)} copies seen" if other else ""
    print(f"\nseed {SEED}, {dict(counts)}")
    print(f"sent {len(node.sent)}, lost {len(lost)}, told twice {twice}{copies}")
    home.api("DELETE", "/api/config/automation/config/storm")
    assert lost == []
    assert set(told) <= set(node.sent)
    # A kill between the effect and the memory of it cannot be told from one before the effect.
    assert twice <= counts["Home Assistant killed"]


@contextmanager
def suppress_client(client: Client | None) -> Iterator[None]:
    """Run a client, where there is one."""
    if client is None:
        yield
        return
    with client.running():
        yield
