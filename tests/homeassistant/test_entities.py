"""What the real Home Assistant makes of our messages, sent by a stand-in node."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from broker import Broker

from edgehome.config.conditions import Activity, ActivityCondition
from edgehome.config.types import Config, DeviceConfig, Rule
from edgehome.homeassistant import (
    Mute,
    NameLesson,
    NodeStatus,
    NotSuspicious,
    Release,
    Reload,
    RuleStatus,
    SetMode,
    SetThreshold,
    ShowLesson,
    Silence,
    Taught,
    Topics,
    alert_payload,
    announced_components,
    clear_gone,
    discovery,
    heartbeat,
    state_messages,
)
from edgehome.types import (
    Alert,
    CameraState,
    Evidence,
    Message,
    Mode,
    NearMiss,
    Problem,
    Severity,
)

from .broker import wait_until
from .conftest import ENTITIES, IDENTITY, MAYBE_UNKNOWN, documented, remove_device
from .harness import HomeAssistant
from .node import Client, StandInNode

EXPECTED = ENTITIES | {
    "binary_sensor.front_door_rule_fight",
    "binary_sensor.front_door_rule_fall",
    "switch.front_door_mute_fight",
    "switch.front_door_mute_fall",
    "number.front_door_threshold_fight",
}


def make_alert(identifier: str, rule: str = "Fight") -> Alert:
    return Alert(
        id=identifier,
        at=datetime.now(UTC),
        rule=rule,
        label="fighting",
        severity=Severity.CRITICAL,
        message="fighting (83%) in the hall",
        score=0.83,
        evidence=(Evidence("fighting above", "0.83", "0.6", met=True),),
    )


NEAR_MISS = NearMiss(
    at=datetime(2026, 3, 1, 7, 0, tzinfo=UTC),
    rule="Fight",
    reason="too_short",
    message="would have fired at 07:00:02, but `for: 5s` was held only 3.2 s",
)


def make_config(*rules: str, adjustable: Collection[str] = ("Fight",)) -> Config:
    fighting = ActivityCondition(activity=Activity("fighting", ("fighting",)))
    return Config(
        device=DeviceConfig(name="Front door"),
        rules=tuple(Rule(name, fighting, adjustable=name in adjustable) for name in rules),
    )


def announcement(
    *rules: str, before: bytes = b"", adjustable: Collection[str] = ("Fight",)
) -> Message:
    announced = announced_components(before)
    config = make_config(*rules, adjustable=adjustable)
    return discovery(config, IDENTITY, ["fighting"], "1.2.3", announced)


def last_alert(alert: Alert) -> Message:
    """Return what the delivery thread keeps on the broker."""
    payload = json.dumps({**alert_payload(alert, "fight"), "seq": 1}).encode()
    return Message(Topics(IDENTITY).last_alert, payload, retain=True)


def status(**changes: Any) -> NodeStatus:
    known: dict[str, Any] = {
        "rules": (RuleStatus("Fight", threshold=0.6), RuleStatus("Fall")),
        "motion": 0.02,
        "frames": 12,
        "frames_per_second": 4.96,
        "inference_ms": 81.2,
        "rate": 5.0,
        "threads": 2,
        "frame_age_s": 0.2,
        "temperature": 48.3,
        "throttled": False,
    }
    started = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    return NodeStatus(IDENTITY, "1.2.3", started, **{**known, **changes})


@pytest.fixture(scope="module", autouse=True)
def alone(home: HomeAssistant, listener: Client) -> Iterator[None]:
    """Leave nothing of the device behind."""
    yield
    remove_device(home, listener)


@pytest.fixture(autouse=True)
def announced(home: HomeAssistant, node: StandInNode) -> None:
    before = last_alert(make_alert("before"))
    node.online(announcement("Fight", "Fall"), before, *state_messages(status()))
    home.wait_state("select.front_door_mode", "away")
    wait_until(lambda: beats_arrive(home, node), "the heartbeat")


def beats_arrive(home: HomeAssistant, node: StandInNode) -> bool:
    """Send one and say whether one has arrived: a subscription takes Home Assistant a second."""
    node.say(heartbeat(status()))
    return home.state("sensor.front_door_pending") == "0"


def test_every_entity_is_accepted_and_nothing_is_complained_about(home: HomeAssistant) -> None:
    assert home.device_entities("select.front_door_mode") == EXPECTED
    assert home.devices() == 1
    states = {entity: home.state(entity) for entity in sorted(EXPECTED)}
    unknown = {entity for entity, state in states.items() if state == "unknown"}
    assert unknown == MAYBE_UNKNOWN - {
        "sensor.front_door_temperature", "binary_sensor.front_door_throttled"
    }  # fmt: skip
    assert not set(states.values()) & {"unavailable", "missing"}, states
    assert home.complaints() == []
    assert home.repairs() == 0


def test_states_arrive_as_they_were_meant(home: HomeAssistant, node: StandInNode) -> None:
    alert = make_alert("meant")
    firing = (
        RuleStatus("Fight", "firing", last_alert=alert, last_near_miss=NEAR_MISS),
        RuleStatus("Fall"),
    )
    now = status(rules=firing, activity="fighting", confidence=0.83)
    node.say(last_alert(alert), *state_messages(now))
    home.wait_state("binary_sensor.front_door_rule_fight", "on")
    rule = home.entity("binary_sensor.front_door_rule_fight")["attributes"]
    assert rule["friendly_name"] == "Front door Fight"
    assert rule["device_class"] == "safety"
    assert rule["id"] == "meant"
    assert (rule["rule_state"], rule["muted"]) == ("firing", False)
    assert rule["last_near_miss"]["message"] == NEAR_MISS.message
    calm = home.entity("binary_sensor.front_door_rule_fall")["attributes"]
    assert calm["rule_state"] == "inactive"
    assert home.state("binary_sensor.front_door_rule_fall") == "off"
    home.wait_state("sensor.front_door_activity", "fighting")
    assert home.state("sensor.front_door_confidence") == "83"
    last = home.entity("sensor.front_door_last_alert")
    assert datetime.fromisoformat(last["state"]) == alert.at.replace(microsecond=0)
    assert last["attributes"]["message"] == "fighting (83%) in the hall"
    assert home.state("sensor.front_door_frames_per_second") == "5.0"
    assert home.state("sensor.front_door_started") == "2026-03-01T08:00:00+00:00"


def test_what_is_not_known_yet_is_unknown_without_a_complaint(
    home: HomeAssistant, node: StandInNode
) -> None:
    node.say(heartbeat(status(frames_per_second=None, inference_ms=None)))
    home.wait_state("sensor.front_door_inference_ms", "unknown")
    assert home.complaints() == []


def test_an_automation_on_a_problem_sees_its_remedy(
    home: HomeAssistant, node: StandInNode, listener: Client
) -> None:
    trigger = {
        "trigger": "state",
        "entity_id": "binary_sensor.front_door_problem",
        "to": "on",
        "from": "off",
    }
    home.republish("problem", trigger, "{{ trigger.to_state.attributes.problems | to_json }}")
    problem = Problem("camera_missing", "No camera found.", "Is the cable {{ seated }}?")
    node.say(*state_messages(status(problems=(problem,))))
    assert listener.wait_for("test/problem") == [
        {
            "code": "camera_missing",
            "message": "No camera found.",
            "remedy": "Is the cable {{ seated }}?",
        }
    ]


def test_the_documented_automations_load_and_tell_an_alert_once(
    home: HomeAssistant, node: StandInNode, broker: Broker
) -> None:
    for index, text in enumerate(documented("yaml")):
        home.add_automation(f"documented_{index}", yaml.safe_load(text))
    time.sleep(1.5)  # until its subscription is at the broker, which is not told
    topic = f"{node.topics.alert}/ack"
    with Client(broker.port, user="edgehome", topics=[topic]).running() as client:
        for identifier in ("first", "first", "second"):  # the same again is not news
            node.alert(alert_payload(make_alert(identifier), "fight"))
        wait_until(lambda: len(client.payloads(topic)) == 3, "an answer to each")
        assert client.payloads(topic) == [b"first", b"first", b"second"]
    shown = [one["notification_id"] for one in home.ask(type="persistent_notification/get")]
    assert (shown.count("first"), shown.count("second")) == (1, 1)


def test_an_alert_of_a_rule_that_is_gone_still_arrives(
    home: HomeAssistant, node: StandInNode
) -> None:
    node.alert(alert_payload(make_alert("late", rule="Old"), "old"))

    def event() -> dict[str, Any]:
        attributes: dict[str, Any] = home.entity("event.front_door_alert")["attributes"]
        return attributes

    wait_until(lambda: event().get("id") == "late", "the alert")
    assert event()["event_type"] == "other"
    assert event()["rule"] == "Old"
    assert event()["evidence"][0]["met"] is True
    assert home.complaints() == []


def test_what_is_wrong_with_the_view_and_what_moves_arrive(
    home: HomeAssistant, node: StandInNode
) -> None:
    camera = frozenset({CameraState.COVERED, CameraState.DARK})
    node.say(*state_messages(status(camera=camera, motion=0.3)))
    home.wait_state("binary_sensor.front_door_camera_view", "on")
    view = home.entity("binary_sensor.front_door_camera_view")["attributes"]
    assert view["device_class"] == "problem"
    assert view["states"] == ["covered", "dark"]
    home.wait_state("sensor.front_door_motion", "20")
    node.say(*state_messages(status(motion=None)))
    home.wait_state("sensor.front_door_motion", "unknown")
    home.wait_state("binary_sensor.front_door_camera_view", "off")
    assert home.complaints() == []


def test_the_mode_reaches_the_node_and_comes_back(home: HomeAssistant, node: StandInNode) -> None:
    options = home.entity("select.front_door_mode")["attributes"]["options"]
    assert options == ["disarmed", "home", "away", "night"]
    home.call("select", "select_option", "select.front_door_mode", option="night")
    assert node.wait_command("mode") == SetMode(Mode.NIGHT)
    assert home.state("select.front_door_mode") == "away", "it must wait for the node's word"
    node.say(*state_messages(status(mode=Mode.NIGHT)))
    home.wait_state("select.front_door_mode", "night")


def test_a_rule_is_muted_by_its_own_switch(home: HomeAssistant, node: StandInNode) -> None:
    home.wait_state("switch.front_door_mute_fall", "off")
    home.call("switch", "turn_on", "switch.front_door_mute_fall")
    assert node.wait_command("rule/fall/mute") == Mute("fall", muted=True)
    node.say(*state_messages(status(rules=(RuleStatus("Fight"), RuleStatus("Fall", muted=True)))))
    home.wait_state("switch.front_door_mute_fall", "on")
    assert home.state("switch.front_door_mute_fight") == "off"


def test_the_button_asks_for_a_reload(home: HomeAssistant, node: StandInNode) -> None:
    home.call("button", "press", "button.front_door_reload")
    assert node.wait_command("reload") == Reload()


def test_an_activity_is_named_shown_and_told_of_and_goes_when_it_is_removed(
    home: HomeAssistant, node: StandInNode
) -> None:
    home.call("text", "set_value", "text.front_door_new_activity", value="Over the wall")
    assert node.wait_command("new_activity") == NameLesson("Over the wall")
    for key, command in {
        "that_was_it": ShowLesson(shows=True),
        "that_was_normal": ShowLesson(shows=False),
        "not_suspicious": NotSuspicious(),
    }.items():
        home.call("button", "press", f"button.front_door_{key}")
        assert node.wait_command(key) == command
    config, sensor = make_config("Fight", "Fall"), "sensor.front_door_taught_over_the_wall"
    lesson = Taught("over_the_wall", 7, 5, "finds about 4 of 5", "")
    with_it = discovery(config, IDENTITY, ["fighting"], "1.2.3", taught=["over_the_wall"])
    node.say(with_it, *state_messages(status(teaching="over_the_wall", taught=(lesson,))))
    home.wait_state(sensor, "learnt")
    attributes = home.entity(sensor)["attributes"]
    assert (attributes["examples"], attributes["version"]) == (5, 7)
    assert attributes["says"] == "finds about 4 of 5"
    home.wait_state("text.front_door_new_activity", "over_the_wall")
    before = announced_components(with_it.payload)
    node.say(*state_messages(status()))
    node.say(discovery(config, IDENTITY, ["fighting"], "1.2.3", before))
    home.wait_state(sensor, "missing")
    assert home.complaints() == []


def test_a_threshold_is_set_by_a_slider_and_shown_as_the_node_says(
    home: HomeAssistant, node: StandInNode
) -> None:
    slider = "number.front_door_threshold_fight"
    home.wait_state(slider, "0.6")
    attributes = home.entity(slider)["attributes"]
    assert (attributes["min"], attributes["max"], attributes["step"]) == (0.05, 1.0, 0.01)
    assert attributes["mode"] == "slider"
    for value, above in (("0.35", 0.35), ("1", 1.0), ("0.05", 0.05)):
        home.call("number", "set_value", slider, value=value)
        wanted = SetThreshold("fight", above)
        wait_until(lambda wanted=wanted: node.wait_command("rule/fight/threshold") == wanted, "it")
    assert home.state(slider) == "0.6", "it must wait for the node's word"
    rules = (RuleStatus("Fight", threshold=0.05), RuleStatus("Fall"))
    node.say(*state_messages(status(rules=rules)))
    home.wait_state(slider, "0.05")
    before = announcement("Fight", "Fall").payload
    gone = clear_gone(
        make_config("Fight", "Fall", adjustable=()), IDENTITY, announced_components(before)
    )
    node.say(announcement("Fight", "Fall", before=before, adjustable=()), *gone)
    home.wait_state(slider, "missing")
    node.say(announcement("Fight", "Fall"), *state_messages(status()))
    home.wait_state(slider, "0.6")
    assert home.complaints() == []


def test_all_rules_are_silenced_for_an_hour_by_a_switch_or_a_button(
    home: HomeAssistant, node: StandInNode
) -> None:
    switch, until = "switch.front_door_silence", "sensor.front_door_silenced_until"
    home.wait_state(switch, "off")
    home.call("switch", "turn_on", switch)
    assert node.wait_command("silence") == Silence(silent=True)
    end = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    node.say(*state_messages(status(silenced_until=end)))
    home.wait_state(switch, "on")
    home.wait_state(until, "2026-03-01T23:30:00+00:00")
    home.call("switch", "turn_off", switch)
    wait_until(lambda: node.wait_command("silence") == Silence(silent=False), "its end")
    home.call("button", "press", "button.front_door_silence_for_an_hour")
    wait_until(lambda: node.wait_command("silence") == Silence(silent=True), "the button")
    node.say(*state_messages(status()))
    home.wait_state(switch, "off")
    home.wait_state(until, "unknown")
    assert home.complaints() == []


def test_a_newer_version_is_shown_and_cannot_be_installed_from_there(
    home: HomeAssistant, node: StandInNode
) -> None:
    update = "update.front_door_update"
    home.wait_state(update, "off")
    release = Release("1.3.0", "edgehome 1.3", "https://example.org/1.3.0")
    node.say(*state_messages(status(release=release)))
    home.wait_state(update, "on")
    attributes = home.entity(update)["attributes"]
    assert (attributes["installed_version"], attributes["latest_version"]) == ("1.2.3", "1.3.0")
    assert attributes["title"] == "edgehome 1.3"
    assert attributes["release_url"] == "https://example.org/1.3.0"
    assert not attributes["supported_features"] & 1, "no Install button"
    assert home.complaints() == []


def test_what_ails_the_node_is_readable_at_a_glance(home: HomeAssistant, node: StandInNode) -> None:
    text = "sensor.front_door_problem_text"
    hot = Problem("throttled", "The processor is too hot.", "Give it a fan, " * 30)
    node.say(*state_messages(status(problems=(hot, hot))))
    home.wait_state(text, lambda state: state.startswith("The processor is too hot."))
    assert len(home.state(text)) == 255
    node.say(
        heartbeat(status(temperature=84.6, throttled=True, frame_age_s=41.0, ignored=3, rate=2.5))
    )
    home.wait_state("sensor.front_door_temperature", "84.6")
    home.wait_state("binary_sensor.front_door_throttled", "on")
    assert home.state("sensor.front_door_frame_age_s") == "41"
    assert home.state("sensor.front_door_rate") == "2.5"
    assert home.state("sensor.front_door_ignored") == "3"
    node.say(heartbeat(status(temperature=None, throttled=None, frame_age_s=None)))
    home.wait_state("binary_sensor.front_door_throttled", "unknown")
    home.wait_state("sensor.front_door_temperature", "unknown")
    node.say(*state_messages(status()))
    home.wait_state(text, "unknown")
    assert home.complaints() == []


@pytest.mark.parametrize("event_type", ["disarmed", "silenced", "alerts_dropped"])
def test_what_the_node_has_to_tell_of_itself_arrives_under_its_own_name(
    home: HomeAssistant, node: StandInNode, event_type: str
) -> None:
    node.alert(alert_payload(make_alert(event_type, rule="Disarmed"), event_type))

    def event() -> dict[str, Any]:
        attributes: dict[str, Any] = home.entity("event.front_door_alert")["attributes"]
        return attributes

    wait_until(lambda: event().get("id") == event_type, "the event")
    assert event()["event_type"] == event_type
    assert home.complaints() == []


def test_a_name_that_a_person_gave_stays_over_a_reload_a_new_version_and_a_new_device_name(
    home: HomeAssistant, node: StandInNode
) -> None:
    ours, theirs = "binary_sensor.front_door_rule_fight", "binary_sensor.brawl"
    home.ask(
        type="config/entity_registry/update", entity_id=ours, new_entity_id=theirs, name="Brawl"
    )
    home.wait_state(theirs, "off")
    before = announcement("Fight", "Fall").payload
    config = replace(make_config("Fight"), device=DeviceConfig(name="Back door"))
    announced = announced_components(before)
    node.say(discovery(config, IDENTITY, ["fighting", "falling"], "1.3.0", announced))
    home.wait_state("switch.front_door_mute_fall", "missing")
    assert home.entity(theirs)["attributes"]["friendly_name"].endswith("Brawl")
    assert home.state(ours) == "missing"
    assert home.state("binary_sensor.back_door_rule_fight") == "missing"
    node.say(announcement("Fight", "Fall"), *state_messages(status()))
    home.ask(type="config/entity_registry/update", entity_id=theirs, new_entity_id=ours, name=None)
    home.wait_state(ours, "off")
    home.wait_state("switch.front_door_mute_fall", "off")
    assert home.complaints() == []


def test_thirty_adjustable_rules_with_long_names_are_taken_in_one_message(
    home: HomeAssistant, node: StandInNode
) -> None:
    names = [f"Somebody climbs over the garden wall {number}" for number in range(10, 40)]
    before = announcement("Fight", "Fall").payload
    message = announcement(*names, before=before, adjustable=names)
    print(f"{len(message.payload)} bytes")
    assert len(message.payload) > 40_000
    rules = tuple(RuleStatus(name, threshold=0.6) for name in names)
    node.say(message, *state_messages(status(rules=rules)))
    last = "front_door_{}somebody_climbs_over_the_garden_wall_39"
    home.wait_state(f"number.{last.format('threshold_')}", "0.6")
    home.wait_state(f"binary_sensor.{last.format('rule_')}", "off")
    assert len(home.device_entities("select.front_door_mode")) == len(ENTITIES) + 3 * 30
    config = make_config("Fight", "Fall")
    cleared = clear_gone(config, IDENTITY, announced_components(message.payload))
    node.say(announcement("Fight", "Fall", before=message.payload), *cleared)
    home.wait_state(f"number.{last.format('threshold_')}", "missing")
    node.say(announcement("Fight", "Fall"), *state_messages(status()))
    home.wait_state("number.front_door_threshold_fight", "0.6")
    assert home.complaints() == []


def test_the_switch_of_the_time_before_there_were_modes_goes(
    home: HomeAssistant, node: StandInNode
) -> None:
    topic = f"{node.topics.base}/armed"
    payload = json.loads(announcement("Fight", "Fall").payload)
    old = {"p": "switch", "name": "Armed", "uniq_id": f"{IDENTITY}_armed"}
    payload["cmps"]["armed"] = {**old, "stat_t": topic, "cmd_t": f"{topic}/set"}
    before = json.dumps(payload).encode()
    node.say(replace(announcement("Fight", "Fall"), payload=before), Message(topic, b"ON", True))
    home.wait_state("switch.front_door_armed", "on")
    announced = announced_components(before)
    cleared = clear_gone(make_config("Fight", "Fall"), IDENTITY, announced)
    node.say(announcement("Fight", "Fall", before=before), *cleared)
    home.wait_state("switch.front_door_armed", "missing")
    assert home.complaints() == []


def test_the_entity_of_a_removed_rule_goes_and_the_others_stay(
    home: HomeAssistant, node: StandInNode
) -> None:
    before = announcement("Fight", "Fall").payload
    after = announcement("Fight", before=before)
    cleared = clear_gone(make_config("Fight"), IDENTITY, announced_components(before))
    node.say(after, *cleared)
    home.wait_state("binary_sensor.front_door_rule_fall", "missing")
    gone = {"binary_sensor.front_door_rule_fall", "switch.front_door_mute_fall"}
    assert home.device_entities("select.front_door_mode") == EXPECTED - gone

    assert home.complaints() == []
    home.stop()  # it is forgotten for good, not only until the next start
    home.start()
    home.wait_state("select.front_door_mode", "away")
    assert home.device_entities("select.front_door_mode") == EXPECTED - gone
    assert home.complaints() == []
