"""Acknowledgements through a real mosquitto, from a listener in Home Assistant's place."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from broker import PASSWORD, USER, Broker, Listener, wait_for

from edgehome.config.types import MqttConfig
from edgehome.delivery import Delivery
from edgehome.delivery.birth import Birth
from edgehome.delivery.greeting import greet, mode_in

BASE = "edgehome/t1"
ALERT, ACK = f"{BASE}/alert", f"{BASE}/alert/ack"
BIRTH = "homeassistant/status"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD + "\n")
    with Broker(tmp_path / "broker") as broker:
        yield broker


def low(low: float, _high: float) -> float:
    return low


@contextmanager
def running(broker: Broker, place: Path, **changes: Any) -> Iterator[Delivery]:
    config = MqttConfig("127.0.0.1", broker.port, USER, place / "password")
    birth = Birth(low, delay_s=(0.2, 0.3), look_back_s=0.0)
    options: dict[str, Any] = {"birth": birth, "jitter": low, **changes}
    with Delivery(mqtt=config, base=BASE, outbox=place / "outbox.db", **options) as delivery:
        wait_for(lambda: delivery.status().connected)
        yield delivery


def raise_alerts(node: Delivery, home: Listener, *ids: str) -> None:
    """Raise alerts and wait until the home has heard them."""
    for alert_id in ids:
        node.raise_alert(alert_id, {"message": "x"})
    wait_for(lambda: set(home.ids(ALERT)) >= set(ids))


def acknowledged(node: Delivery, home: Listener, alert_id: str) -> None:
    home.say(ACK, alert_id.encode())
    wait_for(lambda: node.status().mode == "acknowledged")


def test_an_unanswered_alert_comes_again_with_its_id_and_age_and_an_answered_one_does_not(
    broker: Broker, tmp_path: Path
) -> None:
    with Listener(broker, ALERT) as home, running(broker, tmp_path) as node:
        raise_alerts(node, home, "a1", "a2", "a3")
        assert node.status().mode == "broker"
        home.say(ACK, b"a1")
        home.say(ACK, json.dumps({"id": "a3"}).encode())
        wait_for(lambda: node.status().unanswered == 1)
        wait_for(lambda: len(home.ids(ALERT)) > 3)
        again = home.heard(ALERT)[3].json
        assert (again["id"], again["seq"], again["replay"]) == ("a2", 2, True)
        assert 4.5 < again["age_s"] < 10
        home.say(ACK, b"a2")
        wait_for(lambda: not node.status().unanswered)
        assert home.ids(ALERT) == ["a1", "a2", "a3", "a2"]


def test_a_node_that_is_started_again_sends_what_nobody_answered_for(
    broker: Broker, tmp_path: Path
) -> None:
    with Listener(broker, ALERT) as home:
        with running(broker, tmp_path) as node:
            raise_alerts(node, home, "a1", "a2")
            acknowledged(node, home, "a1")
        with running(broker, tmp_path) as node:
            assert wait_for(lambda: node.status().mode) == "acknowledged"
            wait_for(lambda: home.ids(ALERT) == ["a1", "a2", "a2"])
            assert home.heard(ALERT)[-1].json["replay"] is True


def test_a_broker_that_forgets_gets_no_answered_alert_again(broker: Broker, tmp_path: Path) -> None:
    with running(broker, tmp_path) as node:
        with Listener(broker, ALERT, keeps_session=False) as home:
            raise_alerts(node, home, "a1", "a2")
            acknowledged(node, home, "a1")
        broker.kill()
        wait_for(lambda: not node.status().connected)
        broker.start()
        with Listener(broker, ALERT, keeps_session=False) as home:
            wait_for(lambda: home.ids(ALERT))
            time.sleep(1)
            assert set(home.ids(ALERT)) == {"a2"}


def test_nothing_is_sent_again_while_home_assistant_is_offline(
    broker: Broker, tmp_path: Path
) -> None:
    with Listener(broker, ALERT) as home, running(broker, tmp_path) as node:
        raise_alerts(node, home, "a1", "a2")
        acknowledged(node, home, "a1")
        home.say(BIRTH, b"offline")
        time.sleep(7)
        assert home.ids(ALERT) == ["a1", "a2"]
        home.say(BIRTH, b"online")
        wait_for(lambda: home.ids(ALERT) == ["a1", "a2", "a2"])


@pytest.mark.parametrize("payload", [b"nobody", b'{"id": 1}', b"a1 ", b"x" * 5000, b""])
def test_an_answer_that_is_none_is_counted_and_changes_nothing(
    broker: Broker, tmp_path: Path, payload: bytes
) -> None:
    with Listener(broker, ALERT) as home, running(broker, tmp_path) as node:
        raise_alerts(node, home, "a1")
        home.say(ACK, payload)
        wait_for(lambda: node.status().ignored == 1)
        assert node.status().mode == "broker"


def test_what_is_published_now_with_the_retain_flag_is_neither_obeyed_nor_believed(
    broker: Broker, tmp_path: Path
) -> None:
    obeyed: list[str] = []
    with (
        Listener(broker, ALERT) as home,
        running(broker, tmp_path, on_command=lambda key, _: obeyed.append(key)) as node,
    ):
        raise_alerts(node, home, "a1")
        home.say(f"{BASE}/mode/set", b"disarmed", retain=True)
        home.say(ACK, b"a1", retain=True)
        wait_for(lambda: node.status().ignored == 2)
        home.say(f"{BASE}/mode/set", b"home")
        wait_for(lambda: obeyed)
        assert obeyed == ["mode"]
        assert node.status().mode == "broker"


def test_doctor_reads_who_vouches_for_alerts_from_the_nodes_state(
    broker: Broker, tmp_path: Path
) -> None:
    config = MqttConfig("127.0.0.1", broker.port, USER, tmp_path / "password")
    assert greet(config, BASE, {}) == (None, b"")
    with Listener(broker, ALERT) as home:
        home.say(f"{BASE}/state", b'{"delivery": "acknowledged"}', retain=True)
    problem, state = greet(config, BASE, {})
    assert problem is None
    assert mode_in(state) == "acknowledged"
    assert [mode_in(text) for text in (b"", b"[]", b"{}", b'{"delivery": 1}')] == [""] * 4
