"""The picture of the last alert, from a clip that stands in for the camera, in Home Assistant."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker
from daemon import Daemon

from .broker import USERS, wait_until
from .conftest import IDENTITY, remove_device
from .harness import HomeAssistant
from .node import Client

pytest.importorskip("av", reason="the clip that stands in for the camera needs PyAV")

PICTURE = "image.front_door_last_alert_picture"
RULES = [{"name": "Visitor", "when": "person", "above": 0.3, "for": "1s", "repeat_interval": "4s"}]


@pytest.fixture(scope="module")
def daemon(
    broker: Broker,
    home: HomeAssistant,
    listener: Client,
    rendered: Path,
    box_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Daemon]:
    user = ("edgehome", USERS["edgehome"])
    clip = rendered / "room-day-fight.mp4"
    folder = tmp_path_factory.mktemp("node")
    with Daemon(
        folder, broker, model=box_model, source=clip, identity=IDENTITY, user=user
    ) as daemon:
        daemon.config["device"]["name"] = "Front door"
        daemon.config["rules"] = RULES
        daemon.config["snapshots"] = {"enabled": True}
        daemon.write()
        # Whoever asks for the attributes when the picture changes must find those of this one.
        # Of an entity that goes there is no state.
        attributes = "{{ {'alert_id': (trigger.to_state or this).attributes.alert_id | default('')}"
        trigger = {"trigger": "state", "entity_id": PICTURE}
        home.republish("picture", trigger, attributes + " | to_json }}")
        alert = {"trigger": "state", "entity_id": "event.front_door_alert"}
        home.republish("alerted", alert, "{{ (trigger.to_state or this).attributes | to_json }}")
        daemon.start()
        yield daemon
        daemon.end()
        print(daemon.log.read_text())
    remove_device(home, listener)


def test_home_assistant_serves_the_picture_of_the_alert_and_knows_whose_it_is(
    daemon: Daemon, home: HomeAssistant, listener: Client
) -> None:
    def taken() -> bool:
        return home.state(PICTURE) not in ("missing", "unknown", "unavailable")

    wait_until(taken, "a picture", 90)
    data = home.download(f"/api/image_proxy/{PICTURE}")
    assert data.startswith(b"\xff\xd8\xff")
    assert data.endswith(b"\xff\xd9")
    assert len(data) <= 100_000
    attributes = home.entity(PICTURE)["attributes"]
    assert attributes["alert_id"]
    assert attributes["at"]

    def told(topic: str, key: str) -> list[str]:
        found = (json.loads(payload).get(key, "") for payload in listener.payloads(topic))
        return [value for value in found if value]

    wait_until(lambda: len(told("test/picture", "alert_id")) >= 3, "three pictures", 60)
    pictures = told("test/picture", "alert_id")
    wait_until(lambda: set(pictures) <= set(told("test/alerted", "id")), "their alerts")
    assert len(set(pictures)) >= 2
    assert home.complaints() == []


def test_the_entity_goes_when_pictures_are_switched_off(
    daemon: Daemon, home: HomeAssistant
) -> None:
    daemon.end()
    daemon.config["snapshots"] = {"enabled": False}
    daemon.write()
    daemon.start()
    home.wait_state(PICTURE, "missing", 90)
    home.wait_state("select.front_door_mode", "away", 90)
    assert home.complaints() == []
