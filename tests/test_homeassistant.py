"""What Home Assistant is told, checked without it; tests/homeassistant/ asks the real one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from edgehome.config.types import Activity, Config, DeviceConfig, MqttConfig, Rule
from edgehome.homeassistant import (
    Command,
    NodeStatus,
    RuleStatus,
    alert_payload,
    announced_components,
    clear_gone_rules,
    device_identity,
    discovery,
    heartbeat,
    parse_command,
    rule_slugs,
    state_messages,
)
from edgehome.types import Alert, EdgehomeError, Evidence, Message, Problem, Severity

ID = "edgehome_1a2b3c4d"
BASE = f"edgehome/{ID}"
STARTED = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ALERT = Alert(
    id="01J",
    at=datetime(2026, 3, 1, 22, 30, 1, 250_000, tzinfo=UTC),
    rule="Fight in the hall",
    label="fighting",
    severity=Severity.CRITICAL,
    message="fighting (83%)",
    score=0.834567,
    evidence=(Evidence("fighting above", "0.83", "0.6", met=True),),
)


def make_rule(name: str, activity: str = "fighting") -> Rule:
    return Rule(name=name, when=Activity(activity, (activity,)))


def make_config(*names: str, device: str = "Front door", prefix: str = "homeassistant") -> Config:
    return Config(
        device=DeviceConfig(name=device),
        rules=tuple(make_rule(name) for name in names),
        mqtt=MqttConfig(discovery_prefix=prefix),
    )


def announce(
    *names: str, device: str = "Front door", announced: dict[str, str] | None = None
) -> dict[str, Any]:
    message = discovery(make_config(*names, device=device), ID, ["fighting"], "1.2.3", announced)
    payload: dict[str, Any] = json.loads(message.payload)
    return payload


def by_topic(messages: list[Message]) -> dict[str, Message]:
    return {message.topic: message for message in messages}


def test_the_identity_is_made_of_a_hash_of_the_machine_id_and_does_not_show_it() -> None:
    made = device_identity(DeviceConfig(), "0123456789abcdef0123456789abcdef\n")
    assert made == device_identity(DeviceConfig(), "0123456789abcdef0123456789abcdef")
    assert made.startswith("edgehome_")
    assert len(made) == len("edgehome_") + 8
    assert made.removeprefix("edgehome_") not in "0123456789abcdef0123456789abcdef"
    assert made != device_identity(DeviceConfig(), "another machine")


def test_a_configured_identity_is_kept() -> None:
    assert device_identity(DeviceConfig(id="hall-cam_2"), "x") == "hall-cam_2"


@pytest.mark.parametrize("bad", ["a/b", "a+", "#", "Hall", "hall cam", "a" * 65, "ä"])
def test_an_identity_that_cannot_stand_in_a_topic_is_refused_with_a_remedy(bad: str) -> None:
    with pytest.raises(EdgehomeError) as caught:
        device_identity(DeviceConfig(id=bad), "x")
    assert caught.value.problem.code == "device_id_invalid"
    assert caught.value.problem.remedy


def test_a_rule_name_becomes_a_plain_slug() -> None:
    assert rule_slugs(["Fight in the hall!"]) == {"Fight in the hall!": "fight_in_the_hall"}
    assert rule_slugs(["Fällt Opa?"]) == {"Fällt Opa?": "fallt_opa"}


def test_rules_whose_names_give_the_same_slug_or_none_keep_apart() -> None:
    names = ["Fall", "fall!", "FALL?", "跌倒", "打架", "../#/+", "x" * 300, "x" * 299]
    slugs = rule_slugs(names)
    assert list(slugs) == names
    assert len(set(slugs.values())) == len(names)
    assert all(slug.replace("_", "").isalnum() and slug.isascii() for slug in slugs.values())
    assert max(map(len, slugs.values())) <= 45


def test_a_colliding_slug_stays_when_an_unrelated_rule_goes() -> None:
    assert rule_slugs(["fall", "Fall", "fall!"])["fall!"] == rule_slugs(["fall", "fall!"])["fall!"]


def test_one_retained_message_announces_the_device_on_the_configured_prefix() -> None:
    message = discovery(make_config("Fight", prefix="ha"), ID, ["fighting"], "1.2.3")
    assert message.topic == f"ha/device/{ID}/config"
    assert message.retain
    payload = json.loads(message.payload)
    assert payload["dev"]["ids"] == [ID]
    assert payload["dev"]["name"] == "Front door"
    assert payload["dev"]["sw"] == "1.2.3"
    assert payload["o"]["name"] == "edgehome"
    assert payload["avty_t"] == f"{BASE}/availability"


def test_unknown_keys_at_the_root_would_cost_the_device_so_there_are_none() -> None:
    assert set(announce("Fight")) == {"dev", "o", "avty_t", "qos", "cmps"}


def test_every_component_has_a_platform_a_name_a_topic_and_an_identity_of_its_own() -> None:
    components = announce("Fight", "Fall")["cmps"]
    assert all(component["name"] for component in components.values())
    for field in ("uniq_id", "obj_id", "def_ent_id"):
        assert len({component[field] for component in components.values()}) == len(components)
    for key, component in components.items():
        assert component["uniq_id"] == f"{ID}_{key}"
        assert component["obj_id"] == f"front_door_{key}"
        assert component["def_ent_id"] == f"{component['p']}.front_door_{key}"
        assert component["stat_t"].startswith(f"{BASE}/")


def test_renaming_the_device_renames_no_unique_id() -> None:
    before, after = announce("Fight")["cmps"], announce("Fight", device="Küche")["cmps"]
    assert [c["uniq_id"] for c in before.values()] == [c["uniq_id"] for c in after.values()]
    assert after["armed"]["def_ent_id"] == "switch.kuche_armed"


def test_only_what_the_heartbeat_carries_expires_and_the_heartbeat_is_not_retained() -> None:
    status = make_status()
    expiring = {
        component["stat_t"]
        for component in announce("Fight")["cmps"].values()
        if "exp_aft" in component
    }
    assert expiring == {heartbeat(status).topic}
    assert not heartbeat(status).retain
    assert all(message.retain for message in state_messages(status))
    assert expiring.isdisjoint(message.topic for message in state_messages(status))


def test_what_people_automate_on_has_no_category_and_the_rest_is_diagnostic() -> None:
    components = announce("Fight")["cmps"]
    main = {key for key, component in components.items() if "ent_cat" not in component}
    assert main == {"alert", "rule_fight", "activity", "confidence", "last_alert", "armed"}
    assert {c["ent_cat"] for key, c in components.items() if key not in main} == {"diagnostic"}


def test_the_activity_sensor_offers_each_activity_once_and_none() -> None:
    config = make_config("Fight")
    payload = discovery(config, ID, ["fighting", "falling", "fighting", "none"], "1").payload
    options = json.loads(payload)["cmps"]["activity"]["ops"]
    assert options == ["none", "fighting", "falling"]


def test_the_alert_event_offers_the_slug_of_each_rule_and_one_for_rules_that_are_gone() -> None:
    assert announce("Fight", "Fall")["cmps"]["alert"]["evt_typ"] == ["fight", "fall", "other"]
    assert announce()["cmps"]["alert"]["evt_typ"] == ["other"]
    assert announce("Other")["cmps"]["alert"]["evt_typ"] == ["other"]


def test_text_of_the_user_reaches_no_topic() -> None:
    config = make_config("Fight {{ states }} #+/", device="{{ hack }}/#")
    status = make_status(rules=(RuleStatus("Fight {{ states }} #+/", last_alert=ALERT),))
    sent = [discovery(config, ID, ["fighting"], "1"), heartbeat(status), *state_messages(status)]
    topics = {message.topic for message in sent}
    for component in json.loads(sent[0].payload)["cmps"].values():
        topics |= {value for key, value in component.items() if key.endswith("_t")}
    assert not [topic for topic in topics if not set("{}#+ ").isdisjoint(topic)]


def test_twenty_five_rules_with_long_names_stay_under_twenty_kilobytes() -> None:
    names = [f"Somebody falls in room number {index}" for index in range(25)]
    payload = discovery(make_config(*names), ID, ["falling"], "1.2.3").payload
    assert len(payload) < 20_000


def test_a_rule_that_is_gone_is_named_with_its_platform_alone() -> None:
    before = discovery(make_config("Fight", "Fall"), ID, [], "1").payload
    announced = announced_components(before)
    assert announced["rule_fall"] == "binary_sensor"
    components = announce("Fight", announced=announced)["cmps"]
    assert components["rule_fall"] == {"p": "binary_sensor"}
    assert components["rule_fight"]["name"] == "Fight"


def test_the_broker_is_made_to_forget_the_states_of_a_rule_that_is_gone_and_no_others() -> None:
    announced = announced_components(discovery(make_config("Fight", "Fall"), ID, [], "1").payload)
    cleared = clear_gone_rules(make_config("Fight"), ID, announced)
    topics = {f"{BASE}/rule/fall", f"{BASE}/rule/fall/attributes"}
    assert {message.topic for message in cleared} == topics
    assert all(message.payload == b"" and message.retain for message in cleared)
    assert clear_gone_rules(make_config("Fight", "Fall"), ID, announced) == []


def test_a_rule_that_comes_back_is_announced_in_full() -> None:
    gone = announce("Fight", announced={"rule_fall": "binary_sensor"})
    announced = announced_components(json.dumps(gone).encode())
    assert announce("Fight", "Fall", announced=announced) == announce("Fight", "Fall")


@pytest.mark.parametrize("junk", [b"", b"{", b"[]", b"null", b'{"cmps": 3}', b'{"cmps": {"a": 1}}'])
def test_a_note_of_the_last_announcement_that_is_broken_counts_as_none(junk: bytes) -> None:
    assert announced_components(junk) == {}


def make_status(**changes: Any) -> NodeStatus:
    known: dict[str, Any] = {
        "identity": ID,
        "version": "1.2.3",
        "started_at": STARTED,
        "rules": (RuleStatus("Fight in the hall", firing=True, last_alert=ALERT),),
        "activity": "fighting",
        "confidence": 0.834,
    }
    return NodeStatus(**{**known, **changes})


def test_attributes_go_before_the_state_that_they_describe() -> None:
    topics = [message.topic for message in state_messages(make_status())]
    rule = f"{BASE}/rule/fight_in_the_hall"
    assert topics.index(f"{rule}/attributes") < topics.index(rule)


def test_the_state_says_what_is_going_on() -> None:
    state = json.loads(by_topic(state_messages(make_status()))[f"{BASE}/state"].payload)
    assert state["activity"] == "fighting"
    assert state["confidence"] == 83
    assert state["problem"] == "OFF"
    assert state["problems"] == []
    assert state["started"] == "2026-03-01T08:00:00+00:00"


def test_nothing_going_on_is_said_with_an_announced_option() -> None:
    state = json.loads(by_topic(state_messages(make_status(activity="")))[f"{BASE}/state"].payload)
    assert state["activity"] in announce("Fight")["cmps"]["activity"]["ops"]


def test_problems_are_told_with_their_remedies() -> None:
    problem = Problem("camera_missing", "No camera found.", "Is the ribbon cable seated?")
    messages = by_topic(state_messages(make_status(problems=(problem,))))
    state = json.loads(messages[f"{BASE}/state"].payload)
    assert state["problem"] == "ON"
    assert state["problems"] == [
        {
            "code": "camera_missing",
            "message": "No camera found.",
            "remedy": "Is the ribbon cable seated?",
        }
    ]


def test_every_topic_that_is_announced_is_published() -> None:
    status = make_status(rules=(RuleStatus("Fight", last_alert=ALERT),))
    published = {message.topic for message in [*state_messages(status), heartbeat(status)]}
    announced = {
        value
        for component in announce("Fight")["cmps"].values()
        for key, value in component.items()
        if key in ("stat_t", "json_attr_t")
    }
    by_delivery = {f"{BASE}/alert", f"{BASE}/alert/last"}
    assert announced - published == by_delivery


def test_every_value_that_a_template_reads_is_in_its_payload() -> None:
    status = make_status(rules=(RuleStatus("Fight", last_alert=ALERT),))
    last = Message(f"{BASE}/alert/last", json.dumps(alert_payload(ALERT, "fight")).encode())
    sent = by_topic([*state_messages(status), heartbeat(status), last])
    for key, component in announce("Fight")["cmps"].items():
        name = component.get("val_tpl", "").removeprefix("{{ value_json.").removesuffix(" }}")
        if key != "alert" and name:
            assert name in json.loads(sent[component["stat_t"]].payload), key


def test_what_the_broker_keeps_of_a_rule_without_a_new_alert_is_left_alone() -> None:
    topics = {
        message.topic for message in state_messages(make_status(rules=(RuleStatus("Fight"),)))
    }
    assert f"{BASE}/rule/fight" in topics
    assert f"{BASE}/rule/fight/attributes" not in topics


def test_rules_and_the_armed_switch_say_on_or_off() -> None:
    quiet = (RuleStatus("Fight in the hall"),)
    on, off = make_status(), make_status(rules=quiet, armed=False)
    for topic in (f"{BASE}/rule/fight_in_the_hall", f"{BASE}/armed"):
        assert by_topic(state_messages(on))[topic].payload == b"ON"
        assert by_topic(state_messages(off))[topic].payload == b"OFF"


def test_the_heartbeat_carries_the_frame_counter_and_null_for_what_is_not_known_yet() -> None:
    beat = json.loads(heartbeat(make_status(frames=4711, inference_ms=12.345)).payload)
    assert beat["frames"] == 4711
    assert beat["inference_ms"] == 12.3
    assert beat["frames_per_second"] is None


def test_an_alert_says_why_in_plain_json() -> None:
    payload = alert_payload(ALERT, "fight_in_the_hall")
    assert json.loads(json.dumps(payload)) == payload
    assert payload["event_type"] == "fight_in_the_hall"
    assert payload["id"] == "01J"
    assert payload["at"] == "2026-03-01T22:30:01.250+00:00"
    assert payload["severity"] == "critical"
    assert payload["score"] == 0.8346
    assert payload["evidence"] == [
        {"condition": "fighting above", "value": "0.83", "threshold": "0.6", "met": True}
    ]


def test_the_armed_switch_understands_on_and_off() -> None:
    assert parse_command("armed", b"ON") == Command(armed=True)
    assert parse_command("armed", b"OFF") == Command(armed=False)


@pytest.mark.parametrize(
    ("key", "payload"),
    [
        ("armed", b"on"),
        ("armed", b"ON "),
        ("armed", b""),
        ("armed", b'{"armed": true}'),
        ("armed", b"\xff\xfe"),
        ("armed", b"OFF" * 100_000),
        ("reboot", b"ON"),
        ("", b"ON"),
    ],
)
def test_anything_else_is_no_command(key: str, payload: bytes) -> None:
    assert parse_command(key, payload) is None
