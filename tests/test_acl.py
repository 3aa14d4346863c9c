"""The access list that users copy, docs/how-to/mosquitto.acl, on a real mosquitto as it stands."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from broker import Broker, Listener, wait_for
from daemon import ALERT, BASE, IDENTITY, Daemon, problems, wait_for_alerts

ROOT = Path(__file__).resolve().parents[1]
ACL = ROOT / "docs" / "how-to" / "mosquitto.acl"
HOME, NODE, OTHER = ("homeassistant", "home"), (IDENTITY, "node"), ("edgehome_other", "other")
FAILURE, NOT_AUTHORIZED = 0x80, 0x87
DISCOVERY = f"homeassistant/device/{IDENTITY}/config"


class Visitor:
    """Somebody with a user of their own who tries what they may do."""

    def __init__(self, broker: Broker, user: tuple[str, str]) -> None:
        self._broker = broker
        self._answers: dict[int, int] = {}
        self._answered = threading.Event()
        self.heard: list[str] = []
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False
        )
        self._client.username_pw_set(*user)
        self._client.on_publish = self._on_answer
        self._client.on_message = lambda _c, _u, message: self.heard.append(message.topic)

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._broker.port)
        self._client.loop_start()
        wait_for(self._client.is_connected)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _on_answer(self, _c: object, _u: object, mid: int, reason: Any, _p: object) -> None:
        self._answers[mid] = reason.value

    def publish(self, topic: str) -> bool:
        """Return whether the broker took it; Mosquitto 2.0.11 ends a connection that it denies."""
        mid = self._client.publish(topic, b"x", qos=1).mid
        wait_for(lambda: mid in self._answers or not self._client.is_connected())
        code = self._answers.get(mid, NOT_AUTHORIZED)
        assert code < FAILURE or code == NOT_AUTHORIZED
        return code < FAILURE

    def listen(self, *topics: str) -> None:
        self._client.subscribe([(topic, 1) for topic in topics])


def taken(broker: Broker, user: tuple[str, str], topics: Iterable[str]) -> set[str]:
    """Return those of the topics on which the broker lets the user speak."""
    done = set()
    for topic in topics:
        with Visitor(broker, user) as visitor:
            if visitor.publish(topic):
                done.add(topic)
    return done


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(
        tmp_path / "broker", acl=ACL.read_text(), users=dict([HOME, NODE, OTHER])
    ) as broker:
        yield broker


def test_a_node_works_fully_under_the_access_list(
    tmp_path: Path, broker: Broker, box_model: Path, rendered: Path
) -> None:
    clip = rendered / "room-day-fight.mp4"
    with (
        Listener(broker, "edgehome/#", "homeassistant/#", user=HOME) as home,
        Daemon(tmp_path / "node", broker, model=box_model, source=clip, user=NODE) as node,
    ):
        node.start()
        wait_for_alerts(home, 1)
        assert home.heard(DISCOVERY)
        assert home.heard(f"{BASE}/availability")[-1].payload == b"online"
        wait_for(lambda: home.heard(f"{BASE}/outbox/cursor"), what="the cursor")
        home.say(f"{BASE}/mode/set", b"night")
        wait_for(lambda: home.heard(f"{BASE}/mode")[-1].payload == b"night", what="the command")
        before = len(home.heard(DISCOVERY))
        home.say("homeassistant/status", b"offline")
        home.say("homeassistant/status", b"online")
        wait_for(lambda: len(home.heard(DISCOVERY)) > before, what="the birth is heard")
        answered = home.ids(ALERT)[0]
        home.say(f"{BASE}/alert/ack", f'{{"id": "{answered}"}}'.encode())
        # Once it was answered, what it sends is watched; its own word comes back from the broker.
        with Visitor(broker, NODE) as itself:
            itself.listen(f"{BASE}/#")
            wait_for(lambda: f"{BASE}/outbox/cursor" in itself.heard)
        assert "broker_acl" not in problems(home)
        assert node.end() == 0
        with closing(sqlite3.connect(node.state / "outbox.db")) as outbox:
            states = dict(outbox.execute("SELECT id, state FROM alerts"))
    assert states[answered] == "acknowledged"


def test_a_node_and_its_neighbour_cannot_speak_for_anybody_else(broker: Broker) -> None:
    with (
        Listener(broker, "#", user=HOME) as home,
        Visitor(broker, NODE) as node,
        Visitor(broker, OTHER) as other,
    ):
        other.listen("#", "edgehome/#", f"{BASE}/#", f"{BASE}/alert")
        node.listen("#", "homeassistant/#")
        own = (f"{BASE}/alert", DISCOVERY)
        strange = (
            "homeassistant/status", "zigbee2mqtt/door/set", f"edgehome/{OTHER[0]}/mode/set",
            "homeassistant/alarm_control_panel/fake/config", "edgehome/alert", "edgehome",
            "homeassistant/device/another/config", f"homeassistant/device/{OTHER[0]}/config",
        )  # fmt: skip
        assert taken(broker, NODE, (*own, *strange)) == set(own)
        keys = ("mode/set", "reload/set", "rule/visitor/mute/set", "alert/ack", "alert")
        assert taken(broker, OTHER, (*(f"{BASE}/{key}" for key in keys), DISCOVERY)) == set()
        home.say("homeassistant/status", b"online")
        wait_for(lambda: home.heard("homeassistant/status"))
        wait_for(lambda: node.heard, what="the birth, which a node may read")
        wait_for(lambda: other.heard)
        assert {message.topic for message in home.heard()} == {*own, "homeassistant/status"}
        assert set(other.heard) == {"homeassistant/status"}, "it reads another node's topics"


def test_nobody_comes_in_without_a_password(broker: Broker) -> None:
    refused = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
    client.on_connect = lambda _c, _u, _f, reason, _p: reason.is_failure and refused.set()
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    assert refused.wait(5)
    client.loop_stop()
