"""The whole node, from a clip that stands in for its camera, at the real Home Assistant."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker import Broker
from daemon import Daemon

from .broker import USERS, wait_until
from .conftest import ENTITIES, IDENTITY, MAYBE_UNKNOWN, remove_device
from .harness import HomeAssistant
from .node import Client

pytest.importorskip("av", reason="the clip that stands in for the camera needs PyAV")

CLIP = "room-day-fight.mp4"
"""Rendered: two people fight."""

RULES = [
    {"name": "Visitor", "when": "person", "above": 0.3, "for": "1s", "repeat_interval": "4s"},
    {"name": "Fall", "when": "fall", "above": 0.99},
]

EXPECTED = ENTITIES | {
    "binary_sensor.front_door_rule_visitor",
    "binary_sensor.front_door_rule_fall",
    "switch.front_door_mute_visitor",
    "switch.front_door_mute_fall",
}

MODE = "select.front_door_mode"

BACK_S = 90
"""Two heartbeats and Home Assistant's pauses, and then some."""


@pytest.fixture(scope="module")
def daemon(
    broker: Broker,
    home: HomeAssistant,
    listener: Client,
    rendered: Path,
    box_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Daemon]:
    """One node for all tests here; each leaves it running and armed."""
    user = ("edgehome", USERS["edgehome"])
    folder = tmp_path_factory.mktemp("node")
    with Daemon(
        folder, broker, model=box_model, source=rendered / CLIP, identity=IDENTITY, user=user
    ) as daemon:
        daemon.config["device"]["name"] = "Front door"
        daemon.config["rules"] = RULES
        daemon.write()
        daemon.start()
        home.wait_state(MODE, "away", BACK_S)
        trigger = {"trigger": "state", "entity_id": "event.front_door_alert"}
        home.republish("alert", trigger, "{{ trigger.to_state.attributes | to_json }}")
        yield daemon
        daemon.end()
        print(daemon.log.read_text())
    remove_device(home, listener)


def alerts(listener: Client) -> dict[int, dict[str, Any]]:
    """Return by `seq` the alerts that have reached the automation, copies once.

    It also runs when the entity becomes unavailable, and then has no alert to tell.
    """
    received = map(json.loads, listener.payloads("test/alert"))
    return {alert["seq"]: alert for alert in received if "seq" in alert}


def wait_for_new_alert(listener: Client) -> dict[str, Any]:
    """Wait for an alert that is no copy, and return it."""
    before = max(alerts(listener), default=0)
    wait_until(lambda: max(alerts(listener), default=0) > before, "a new alert", BACK_S)
    return alerts(listener)[max(alerts(listener))]


def wait_for_missed_alerts(listener: Client) -> None:
    """Wait until no number is missing among the alerts of the automation."""

    def missing() -> set[int]:
        seqs = set(alerts(listener))
        return set(range(min(seqs), max(seqs))) - seqs

    try:
        wait_until(lambda: not missing(), "the alerts in between", BACK_S)
    except AssertionError:
        raise AssertionError(f"never arrived: {missing()}") from None


def wait_for_all(home: HomeAssistant, expected: set[str]) -> None:
    """Wait until every entity has a state again; an event or a button may have none yet."""

    def lost() -> set[str]:
        states = {name: home.state(name) for name in expected}
        return {
            name
            for name, state in states.items()
            if state in ("unavailable", "missing")
            or (state == "unknown" and name not in MAYBE_UNKNOWN)
        }

    try:
        wait_until(lambda: not lost(), "every entity", BACK_S)
    except AssertionError:
        raise AssertionError(f"still without a state: {lost()}") from None


def test_a_clip_becomes_one_device_and_an_alert_in_an_automation(
    daemon: Daemon, home: HomeAssistant, listener: Client
) -> None:
    alert = wait_for_new_alert(listener)
    assert alert["event_type"] == "visitor"
    assert alert["rule"] == "Visitor"
    assert alert["label"] == "person"
    assert alert["score"] > 0.3
    assert alert["evidence"]
    wait_for_all(home, EXPECTED)
    assert home.device_entities(MODE) == EXPECTED
    assert home.devices() == 1
    assert home.state("sensor.front_door_activity") == "person"
    assert home.state("binary_sensor.front_door_rule_visitor") == "on"
    assert home.state("binary_sensor.front_door_rule_fall") == "off"
    assert home.state("binary_sensor.front_door_problem") == "off"
    assert float(home.state("sensor.front_door_frames_per_second")) > 3
    assert home.complaints() == []
    assert home.repairs() == 0
    assert daemon.alive(), daemon.log.read_text()[-3000:]


def test_the_mode_in_home_assistant_disarms_the_node(
    daemon: Daemon, home: HomeAssistant, listener: Client
) -> None:
    home.call("select", "select_option", MODE, option="disarmed")
    home.wait_state(MODE, "disarmed")
    home.wait_state("binary_sensor.front_door_rule_visitor", "off")

    daemon.end()  # it remembers
    home.wait_state(MODE, "unavailable")
    daemon.start()
    home.wait_state(MODE, "disarmed", BACK_S)

    home.call("select", "select_option", MODE, option="away")
    home.wait_state(MODE, "away")
    wait_for_new_alert(listener)


def test_a_rule_muted_in_home_assistant_tells_nothing(
    daemon: Daemon, home: HomeAssistant, listener: Client
) -> None:
    mute = "switch.front_door_mute_visitor"
    home.call("switch", "turn_on", mute)
    home.wait_state(mute, "on")
    time.sleep(1)
    count = len(alerts(listener))
    time.sleep(6)  # it repeats every four seconds
    assert len(alerts(listener)) == count
    home.call("switch", "turn_off", mute)
    wait_for_new_alert(listener)


def test_a_mistake_in_the_file_is_told_with_its_place_until_it_is_corrected(
    daemon: Daemon, home: HomeAssistant
) -> None:
    good = daemon.file.read_text()
    daemon.file.write_text(good.replace("above:", "abov:", 1))
    home.wait_state("binary_sensor.front_door_problem", "on")
    (problem,) = home.entity("binary_sensor.front_door_problem")["attributes"]["problems"]
    assert f"{daemon.file}:" in problem["message"]
    daemon.file.write_text(good)
    home.wait_state("binary_sensor.front_door_problem", "off")
    daemon.file.write_text(good.rstrip())
    home.wait_state("binary_sensor.front_door_problem", "on")
    home.call("button", "press", "button.front_door_reload")
    home.wait_state("binary_sensor.front_door_problem", "off")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_entities_and_alerts_are_back_after_home_assistant_restarts(
    daemon: Daemon, home: HomeAssistant, listener: Client, how: signal.Signals
) -> None:
    home.stop(how)
    home.start()
    wait_for_all(home, EXPECTED)
    assert home.device_entities(MODE) == EXPECTED
    wait_for_new_alert(listener)
    wait_for_missed_alerts(listener)
    assert home.complaints() == []
    assert daemon.alive(), daemon.log.read_text()[-3000:]


def test_entities_and_alerts_are_back_after_mosquitto_restarts(
    daemon: Daemon, home: HomeAssistant, broker: Broker, listener: Client
) -> None:
    broker.stop()
    home.wait_state(MODE, "unavailable")
    broker.start()
    wait_for_all(home, EXPECTED)
    wait_for_new_alert(listener)
    wait_for_missed_alerts(listener)
    assert daemon.alive(), daemon.log.read_text()[-3000:]


def test_a_killed_node_is_unavailable_within_a_second_and_comes_back(
    daemon: Daemon, home: HomeAssistant, listener: Client
) -> None:
    daemon.end(signal.SIGKILL)
    elapsed_s = home.wait_state("binary_sensor.front_door_rule_visitor", "unavailable")
    print(f"unavailable after {elapsed_s:.2f} s")
    assert elapsed_s < 1
    daemon.start()
    wait_for_all(home, EXPECTED)
    wait_for_new_alert(listener)
    wait_for_missed_alerts(listener)


def test_the_entity_of_a_rule_that_was_removed_goes(daemon: Daemon, home: HomeAssistant) -> None:
    daemon.end()
    daemon.config["rules"] = RULES[:1]
    daemon.write()
    daemon.start()
    home.wait_state("binary_sensor.front_door_rule_fall", "missing", BACK_S)
    gone = {"binary_sensor.front_door_rule_fall", "switch.front_door_mute_fall"}
    wait_for_all(home, EXPECTED - gone)
    assert home.device_entities(MODE) == EXPECTED - gone
    assert home.complaints() == []
