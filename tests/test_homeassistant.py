"""What Home Assistant is told, checked without it; tests/homeassistant/ asks the real one."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from edgehome.config.conditions import Activity, ActivityCondition
from edgehome.config.types import Config, DeviceConfig, MqttConfig, Rule
from edgehome.delivery.storage import ALERT_BYTES
from edgehome.homeassistant import (
    Mute,
    NameLesson,
    NodeStatus,
    NotSuspicious,
    Release,
    Reload,
    Retry,
    RuleStatus,
    SetMode,
    SetThreshold,
    ShowLesson,
    Silence,
    Taught,
    alert_payload,
    announced_components,
    clear_gone,
    device_identity,
    discovery,
    heartbeat,
    parse_command,
    rule_slugs,
    state_messages,
)
from edgehome.homeassistant.discovery import LARGE_BYTES
from edgehome.types import (
    Alert,
    CameraState,
    EdgehomeError,
    Evidence,
    Message,
    Mode,
    NearMiss,
    Problem,
    Severity,
)

ID = "edgehome_1a2b3c4d"
BASE = f"edgehome/{ID}"
STARTED = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
HELD_SINCE = datetime(2026, 3, 1, 22, 29, 59, tzinfo=UTC)
ALERT = Alert(
    id="01J",
    at=datetime(2026, 3, 1, 22, 30, 1, 250_000, tzinfo=UTC),
    rule="Fight in the hall",
    label="fighting",
    severity=Severity.CRITICAL,
    message="fighting (83%)",
    score=0.834567,
    evidence=(
        Evidence("fighting", "0.83", "0.60", met=True, since=HELD_SINCE),
        Evidence("between", "22:30", "22:00-06:00", met=True),
    ),
    since=HELD_SINCE,
    folded=3,
    model="ab" * 32,
    config="cd" * 32,
)
NEAR_MISS = NearMiss(
    at=datetime(2026, 3, 1, 21, 0, tzinfo=UTC),
    rule="Fight in the hall",
    reason="too_short",
    message="would have fired at 21:00:02, but `for: 5s` was held only 3.2 s",
    evidence=ALERT.evidence,
)


def make_rule(name: str, activity: str = "fighting") -> Rule:
    return Rule(name=name, when=ActivityCondition(activity=Activity(activity, (activity,))))


def make_config(
    *names: str,
    device: str = "Front door",
    prefix: str = "homeassistant",
    adjustable: Collection[str] = (),
) -> Config:
    rules = tuple(replace(make_rule(name), adjustable=name in adjustable) for name in names)
    return Config(
        device=DeviceConfig(name=device),
        rules=rules,
        mqtt=MqttConfig(discovery_prefix=prefix),
    )


def announce(
    *names: str,
    device: str = "Front door",
    announced: dict[str, str] | None = None,
    adjustable: Collection[str] = (),
) -> dict[str, Any]:
    config = make_config(*names, device=device, adjustable=adjustable)
    payload: dict[str, Any] = json.loads(
        discovery(config, ID, ["fighting"], "1.2.3", announced).payload
    )
    for component in payload["cmps"].values():
        expand(component, payload)
    return payload


def expand(component: dict[str, Any], payload: dict[str, Any]) -> None:
    """Write topics in full, as Home Assistant does."""
    if set(component) == {"p"}:
        return
    if component["p"] != "button":
        component.setdefault("stat_t", payload["stat_t"])
    base = component.pop("~", "~")
    for key in [key for key in component if key.endswith("_t")]:
        component[key] = component[key].replace("~", base)


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
    assert set(announce("Fight")) == {"dev", "o", "avty_t", "stat_t", "qos", "cmps"}


def test_every_component_has_a_platform_a_name_topics_and_an_identity_of_its_own() -> None:
    components = announce("Fight", "Fall")["cmps"]
    assert all(component["name"] for component in components.values())
    assert len({component["uniq_id"] for component in components.values()}) == len(components)
    for key, component in components.items():
        assert component["uniq_id"] == f"{ID}_{key}"
        topics = [value for name, value in component.items() if name.endswith("_t")]
        assert topics
        assert all(topic.startswith(f"{BASE}/") for topic in topics)


@pytest.mark.parametrize("device", ["Front door", "Küche", "門"])
def test_every_entity_has_the_id_that_the_documentation_says(device: str) -> None:
    """Where Home Assistant would make the same of the names, it is not said: that saves room."""
    slug = {"Front door": "front_door", "Küche": "kuche", "門": ID}[device]
    for key, component in announce("Fight", "Zoë's room", device=device)["cmps"].items():
        usual = f"{device} {component['name']}".lower().replace(" ", "_")
        said = component.get("obj_id", usual)
        assert said == f"{slug}_{key}"
        assert component.get("def_ent_id", f"{component['p']}.{usual}") == (
            f"{component['p']}.{slug}_{key}"
        )


def test_renaming_the_device_renames_no_unique_id() -> None:
    before, after = announce("Fight")["cmps"], announce("Fight", device="Küche")["cmps"]
    assert [c["uniq_id"] for c in before.values()] == [c["uniq_id"] for c in after.values()]
    assert after["mode"]["def_ent_id"] == "select.kuche_mode"


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


def test_what_people_automate_on_has_no_category_and_the_rest_is_config_or_diagnostic() -> None:
    components = announce("Fight", adjustable=["Fight"])["cmps"]
    of = {
        category: {key for key, c in components.items() if c.get("ent_cat") == category}
        for category in (None, "config", "diagnostic")
    }
    main = {"alert", "rule_fight", "activity", "confidence", "last_alert", "mode", "camera_view"}
    main |= {"silence", "silence_for_an_hour"}
    main |= {"new_activity", "that_was_it", "that_was_normal", "not_suspicious", "unusual"}
    assert of[None] == main
    assert of["config"] == {"mute_fight", "reload", "retry", "threshold_fight"}
    assert len(of["diagnostic"]) == len(components) - len(main) - 4


def test_the_activity_sensor_offers_each_activity_once_and_none() -> None:
    config = make_config("Fight")
    payload = discovery(config, ID, ["fighting", "falling", "fighting", "none"], "1").payload
    options = json.loads(payload)["cmps"]["activity"]["ops"]
    assert options == ["none", "fighting", "falling"]


def test_the_alert_event_offers_each_rule_one_for_rules_that_are_gone_and_the_node_s_own() -> None:
    of_the_node = ["other", "disarmed", "silenced", "alerts_dropped"]
    assert announce("Fight", "Fall")["cmps"]["alert"]["evt_typ"] == ["fight", "fall", *of_the_node]
    assert announce()["cmps"]["alert"]["evt_typ"] == of_the_node


@pytest.mark.parametrize("name", ["Other", "Disarmed", "silenced!", "Alerts dropped"])
def test_a_rule_that_is_called_like_an_event_of_the_node_is_told_apart(name: str) -> None:
    types = announce(name)["cmps"]["alert"]["evt_typ"]
    assert len(set(types)) == len(types) == 5
    assert types[0].rpartition("_")[0] in types


def test_text_of_the_user_reaches_no_topic() -> None:
    config = make_config("Fight {{ states }} #+/", device="{{ hack }}/#")
    status = make_status(rules=(RuleStatus("Fight {{ states }} #+/", last_alert=ALERT),))
    sent = [discovery(config, ID, ["fighting"], "1"), heartbeat(status), *state_messages(status)]
    topics = {message.topic for message in sent}
    payload = json.loads(sent[0].payload)
    for component in payload["cmps"].values():
        expand(component, payload)
        topics |= {value for key, value in component.items() if key.endswith("_t")}
    assert not [topic for topic in topics if not set("{}#+ ").isdisjoint(topic)]


def size_of(name: str, count: int, *, adjustable: bool) -> int:
    names = [f"{name} {index}" for index in range(10, 10 + count)]
    config = make_config(*names, adjustable=names if adjustable else ())
    return len(discovery(config, ID, ["falling"], "1.2.3").payload)


def test_a_rule_costs_what_the_documentation_says() -> None:
    """Bytes of the one message: docs/reference/mqtt.md says when they become too many."""
    short, long = "Somebody falls in room", "Somebody climbs over the garden wall"
    print("none:", size_of("", 0, adjustable=False))
    for name in (short, long):
        for adjustable in (False, True):
            size = size_of(name, 30, adjustable=adjustable)
            print(f"30 rules, {len(name) + 3} characters, adjustable {adjustable}: {size}")
    assert size_of("", 0, adjustable=False) < 9_300
    assert size_of(short, 15, adjustable=False) < LARGE_BYTES
    assert size_of(short, 10, adjustable=True) < LARGE_BYTES
    assert size_of(long, 12, adjustable=False) < LARGE_BYTES
    assert size_of(long, 30, adjustable=True) < 46_500


def test_a_rule_that_is_gone_is_named_with_its_platforms_alone() -> None:
    before = discovery(make_config("Fight", "Fall"), ID, [], "1").payload
    announced = announced_components(before)
    assert (announced["rule_fall"], announced["mute_fall"]) == ("binary_sensor", "switch")
    components = announce("Fight", announced=announced)["cmps"]
    assert components["rule_fall"] == {"p": "binary_sensor"}
    assert components["mute_fall"] == {"p": "switch"}
    assert components["rule_fight"]["name"] == "Fight"


def test_the_broker_is_made_to_forget_the_states_of_a_rule_that_is_gone_and_no_others() -> None:
    announced = announced_components(discovery(make_config("Fight", "Fall"), ID, [], "1").payload)
    cleared = clear_gone(make_config("Fight"), ID, announced)
    rule = f"{BASE}/rule/fall"
    assert {message.topic for message in cleared} == {rule, f"{rule}/attributes", f"{rule}/mute"}
    assert all(message.payload == b"" and message.retain for message in cleared)
    assert clear_gone(make_config("Fight", "Fall"), ID, announced) == []


def test_a_rule_that_is_adjustable_has_a_slider_until_it_is_not() -> None:
    before = announce("Fight", "Fall", adjustable=["Fight"])
    slider = before["cmps"]["threshold_fight"]
    assert (slider["p"], slider["min"], slider["max"], slider["step"]) == ("number", 0.05, 1, 0.01)
    assert slider["mode"] == "slider"
    assert "threshold_fall" not in before["cmps"]
    announced = announced_components(json.dumps(before).encode())
    after = announce("Fight", "Fall", announced=announced)
    assert after["cmps"]["threshold_fight"] == {"p": "number"}
    (cleared,) = clear_gone(make_config("Fight", "Fall"), ID, announced)
    assert (cleared.topic, cleared.payload) == (f"{BASE}/rule/fight/threshold", b"")
    kept = make_config("Fight", "Fall", adjustable=["Fight"])
    assert clear_gone(kept, ID, announced) == []


def test_the_switch_of_the_time_before_there_were_modes_is_taken_away() -> None:
    announced = {"armed": "switch", "alert": "event"}
    assert announce("Fight", announced=announced)["cmps"]["armed"] == {"p": "switch"}
    (cleared,) = clear_gone(make_config("Fight"), ID, announced)
    assert (cleared.topic, cleared.payload, cleared.retain) == (f"{BASE}/armed", b"", True)


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
        "rules": (RuleStatus("Fight in the hall", "firing", last_alert=ALERT),),
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


def test_a_problem_is_told_at_a_glance_in_a_state_that_home_assistant_takes() -> None:
    def text(*problems: Problem) -> Any:
        sent = by_topic(state_messages(make_status(problems=problems)))
        return json.loads(sent[f"{BASE}/state"].payload)["problem_text"]

    problem = Problem("camera_missing", "No camera found.", "Is the ribbon cable seated?")
    assert text() is None
    assert text(problem) == "No camera found. Is the ribbon cable seated?"
    assert text(problem, problem) == "No camera found. Is the ribbon cable seated? (and 1 more)"
    long = Problem("long", "x" * 300, "y" * 300)
    assert len(text(long)) == len(text(long, problem)) == 255
    assert text(long, problem).endswith("... (and 1 more)")


def test_without_a_word_of_a_newer_version_there_is_no_update() -> None:
    sent = by_topic(state_messages(make_status()))[f"{BASE}/update"]
    assert json.loads(sent.payload) == {
        "installed_version": "1.2.3",
        "latest_version": "1.2.3",
        "title": "edgehome",
    }
    assert sent.retain


def test_a_newer_version_is_told_with_its_notes_and_cannot_be_installed_from_the_home() -> None:
    release = Release("1.3.0", "edgehome 1.3", "https://example.org/1.3.0")
    sent = by_topic(state_messages(make_status(release=release)))[f"{BASE}/update"]
    assert json.loads(sent.payload) == {
        "installed_version": "1.2.3",
        "latest_version": "1.3.0",
        "title": "edgehome 1.3",
        "release_url": "https://example.org/1.3.0",
    }
    component = announce()["cmps"]["update"]
    assert (component["p"], component["stat_t"]) == ("update", f"{BASE}/update")
    assert "cmd_t" not in component


def test_a_silence_says_until_when() -> None:
    until = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    for silenced_until, said in (
        (None, ("OFF", None)),
        (until, ("ON", "2026-03-01T23:30:00+00:00")),
    ):
        sent = by_topic(state_messages(make_status(silenced_until=silenced_until)))
        state = json.loads(sent[f"{BASE}/state"].payload)
        assert (state["silenced"], state["silenced_until"]) == said


def test_a_threshold_is_said_of_adjustable_rules_alone() -> None:
    rules = (RuleStatus("Fight", threshold=0.65), RuleStatus("Fall"))
    sent = by_topic(state_messages(make_status(rules=rules)))
    assert sent[f"{BASE}/rule/fight/threshold"].payload == b"0.65"
    assert sent[f"{BASE}/rule/fight/threshold"].retain
    assert f"{BASE}/rule/fall/threshold" not in sent


@pytest.mark.parametrize(("throttled", "said"), [(None, None), (True, "ON"), (False, "OFF")])
def test_the_heartbeat_tells_how_the_machine_is(throttled: bool | None, said: str | None) -> None:
    status = make_status(
        throttled=throttled, temperature=61.27, frame_age_s=0.4, ignored=3, rate=3.333, threads=2
    )
    beat = json.loads(heartbeat(status).payload)
    assert (beat["throttled"], beat["temperature"]) == (said, 61.3)
    assert (beat["frame_age_s"], beat["ignored"]) == (0, 3)
    assert (beat["rate"], beat["threads"]) == (3.3, 2)
    unknown = json.loads(heartbeat(make_status()).payload)
    assert (unknown["temperature"], unknown["frame_age_s"]) == (None, None)
    assert (unknown["rate"], unknown["threads"]) == (None, None)


def test_every_topic_that_is_announced_is_published() -> None:
    status = make_status(rules=(RuleStatus("Fight", last_alert=ALERT, threshold=0.6),))
    published = {message.topic for message in [*state_messages(status), heartbeat(status)]}
    announced = {
        value
        for component in announce("Fight", adjustable=["Fight"])["cmps"].values()
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


def test_a_rule_says_how_it_stands_and_why_it_last_fired_and_last_did_not() -> None:
    rule = RuleStatus("Fight in the hall", "pending", True, ALERT, NEAR_MISS)
    sent = by_topic(state_messages(make_status(rules=(rule,)), lambda alert: f"why {alert.id}"))
    attributes = json.loads(sent[f"{BASE}/rule/fight_in_the_hall/attributes"].payload)
    assert (attributes["rule_state"], attributes["muted"]) == ("pending", True)
    assert attributes["id"] == "01J"
    assert attributes["explanation"] == "why 01J"
    assert attributes["last_near_miss"] == {
        "at": "2026-03-01T21:00:00.000+00:00",
        "reason": "too_short",
        "message": "would have fired at 21:00:02, but `for: 5s` was held only 3.2 s",
    }
    quiet = by_topic(state_messages(make_status(rules=(RuleStatus("Fight"),))))
    attributes = json.loads(quiet[f"{BASE}/rule/fight/attributes"].payload)
    assert attributes == {"rule_state": "inactive", "muted": False, "last_near_miss": None}


@pytest.mark.parametrize(
    ("state", "said"), [("inactive", b"OFF"), ("pending", b"OFF"), ("firing", b"ON")]
)
def test_a_rule_is_on_only_while_it_fires(state: str, said: bytes) -> None:
    sent = by_topic(state_messages(make_status(rules=(RuleStatus("Fight", state),))))
    assert sent[f"{BASE}/rule/fight"].payload == said


def test_a_muted_rule_says_so() -> None:
    rules = (RuleStatus("Fight", muted=True), RuleStatus("Fall"))
    sent = by_topic(state_messages(make_status(rules=rules)))
    assert sent[f"{BASE}/rule/fight/mute"].payload == b"ON"
    assert sent[f"{BASE}/rule/fall/mute"].payload == b"OFF"


@pytest.mark.parametrize("mode", Mode)
def test_the_mode_is_one_of_those_that_the_select_offers(mode: Mode) -> None:
    said = by_topic(state_messages(make_status(mode=mode)))[f"{BASE}/mode"].payload.decode()
    assert said == mode.value
    assert said in announce("Fight")["cmps"]["mode"]["ops"]


@pytest.mark.parametrize(
    ("motion", "said"),
    [
        (None, "None"),
        (0.0, "0"),
        (0.009, "0"),
        (0.01, "1"),
        (0.049, "2"),
        (0.3, "20"),
        (1.0, "100"),
    ],
)
def test_motion_is_said_in_coarse_steps(motion: float | None, said: str) -> None:
    sent = by_topic(state_messages(make_status(motion=motion)))
    assert sent[f"{BASE}/motion"].payload.decode() == said


def test_what_is_wrong_with_the_view_is_said_in_full() -> None:
    states = frozenset({CameraState.MOVED, CameraState.DARK})
    sent = by_topic(state_messages(make_status(camera=states)))
    state = json.loads(sent[f"{BASE}/state"].payload)
    assert (state["camera"], state["camera_states"]) == ("ON", ["dark", "moved"])
    sent = by_topic(state_messages(make_status()))
    state = json.loads(sent[f"{BASE}/state"].payload)
    assert (state["camera"], state["camera_states"]) == ("OFF", [])


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
    assert payload["since"] == "2026-03-01T22:29:59.000+00:00"
    assert payload["folded"] == 3
    assert payload["model"] == "ab" * 6
    assert payload["config"] == "cd" * 6
    assert payload["evidence"] == [
        {
            "condition": "fighting",
            "value": "0.83",
            "threshold": "0.60",
            "met": True,
            "since": "2026-03-01T22:29:59.000+00:00",
        },
        {
            "condition": "between",
            "value": "22:30",
            "threshold": "22:00-06:00",
            "met": True,
            "since": None,
        },
    ]
    assert "explanation" not in payload
    assert alert_payload(ALERT, "fight", "because")["explanation"] == "because"


def test_an_alert_of_a_rule_with_countless_conditions_still_fits_into_the_outbox() -> None:
    """Texts of a hundred characters, each six bytes as JSON escapes them."""
    many = tuple(Evidence("門" * 100, "0.83", "0.6", met=True) for _ in range(500))
    alert = replace(ALERT, rule="門" * 100, label="門" * 100, message="門" * 300, evidence=many)
    payload = alert_payload(alert, "x" * 45, "門" * 5000)
    assert len(json.dumps(payload)) < ALERT_BYTES
    told = payload["evidence"]
    assert isinstance(told, list)
    assert 5 < len(told) == 500 - int(str(payload["evidence_left_out"]))


@pytest.mark.parametrize(
    ("key", "payload", "command"),
    [
        ("mode", b"disarmed", SetMode(Mode.DISARMED)),
        ("mode", b"home", SetMode(Mode.HOME)),
        ("mode", b"away", SetMode(Mode.AWAY)),
        ("mode", b"night", SetMode(Mode.NIGHT)),
        ("rule/fight/mute", b"ON", Mute("fight", muted=True)),
        ("rule/fight_1a2b/mute", b"OFF", Mute("fight_1a2b", muted=False)),
        ("rule/fight/threshold", b"0.65", SetThreshold("fight", 0.65)),
        ("rule/fight/threshold", b"1", SetThreshold("fight", 1.0)),
        ("rule/fight/threshold", b"1.0", SetThreshold("fight", 1.0)),
        ("rule/fight/threshold", b"0.05", SetThreshold("fight", 0.05)),
        ("rule/fight/threshold", b"0.30000000000000004", SetThreshold("fight", 0.3)),
        ("silence", b"ON", Silence(silent=True)),
        ("silence", b"OFF", Silence(silent=False)),
        ("reload", b"PRESS", Reload()),
        ("retry", b"PRESS", Retry()),
    ],
)
def test_there_are_five_commands(key: str, payload: bytes, command: object) -> None:
    assert parse_command(key, payload) == command


@pytest.mark.parametrize(
    ("key", "payload"),
    [
        ("mode", b"Away"),
        ("mode", b"away "),
        ("mode", b""),
        ("mode", b"any"),
        ("mode", b'{"mode": "away"}'),
        ("mode", b"\xff\xfe"),
        ("mode", b"away" * 100_000),
        ("armed", b"ON"),
        ("reload", b""),
        ("retry", b""),
        ("reload", b"press"),
        ("reload", b"/etc/passwd"),
        ("rule/fight/mute", b"on"),
        ("rule/fight/mute", b"PRESS"),
        ("rule//mute", b"ON"),
        ("rule/fi ght/mute", b"ON"),
        ("rule/fight/mute\n", b"ON"),
        ("rule/fight/extra/mute", b"ON"),
        ("rule/" + "x" * 46 + "/mute", b"ON"),
        ("rule/fight", b"ON"),
        *(
            ("rule/fight/threshold", payload)
            for payload in (
                b"", b"0", b"0.04", b"0.049999", b"1.01", b"2", b"-0.5", b"+0.5", b".5", b"0.",
                b"0,5", b"5e-1", b"1e0", b"1E0", b"NaN", b"nan", b"Infinity", b"inf", b" 0.5",
                b"0.5\n", b"0_1", b"00.5", b"0x1", b'"0.5"', b"50%", b"ON",
                "\u0660.\u0665".encode(),
                b"0." + b"5" * 18, b"0." + b"5" * 4000,
            )
        ),
        ("rule/fight/threshold\n", b"0.5"),
        ("rule//threshold", b"0.5"),
        ("rule/" + "x" * 46 + "/threshold", b"0.5"),
        ("threshold", b"0.5"),
        ("silence", b"PRESS"),
        ("silence", b"on"),
        ("silence", b"3600"),
        ("reboot", b"ON"),
        ("", b"ON"),
    ],
)  # fmt: skip
def test_anything_else_is_no_command(key: str, payload: bytes) -> None:
    assert parse_command(key, payload) is None


def test_every_command_that_is_announced_is_understood() -> None:
    names = ["Fight", "Zoë's room"]
    for key, component in announce(*names, adjustable=names)["cmps"].items():
        if "cmd_t" not in component:
            continue
        button = component.get("pl_prs", "PRESS").encode()
        payloads = {"select": b"home", "button": button, "switch": b"ON", "number": b"0.5",
                    "text": b"Window cleaner"}  # fmt: skip
        name = component["cmd_t"].removeprefix(f"{BASE}/").removesuffix("/set")
        assert parse_command(name, payloads[component["p"]]), key


def test_a_press_says_what_the_last_seconds_were_and_anything_else_is_no_press() -> None:
    assert parse_command("that_was_it", b"PRESS") == ShowLesson(shows=True)
    assert parse_command("that_was_normal", b"PRESS") == ShowLesson(shows=False)
    assert parse_command("not_suspicious", b"PRESS") == NotSuspicious()
    named = b"0123456789abcdef" * 2
    assert parse_command("not_suspicious", named) == NotSuspicious(named.decode())
    wrong = (named[1:], named.upper(), named + b"0", b"../" + named)
    assert [parse_command("not_suspicious", p) for p in wrong] == [None] * 4
    assert parse_command("that_was_it", named) is None
    for key in ("that_was_it", "that_was_normal", "not_suspicious"):
        assert [parse_command(key, p) for p in (b"", b"press", b"PRESS ", b"ON")] == [None] * 4


@pytest.mark.parametrize("name", ["", "dance", "Over the wall", "Fen\u00eatre", "\u4e8c" * 40])
def test_a_new_activity_s_name_is_a_line_of_forty_characters(name: str) -> None:
    assert parse_command("new_activity", name.encode()) == NameLesson(name)


@pytest.mark.parametrize(
    "payload",
    [b"a" * 41, "\u4e8c".encode() * 41, b"\xff", b"a\nb", b"\0", b"a" * 4000, b"\xe4\xba"],
)
def test_what_is_no_such_line_is_no_command(payload: bytes) -> None:
    assert parse_command("new_activity", payload) is None


def test_each_taught_activity_has_a_sensor_and_all_stand_in_one_topic() -> None:
    payload = discovery(make_config(), ID, [], "1", taught=["over_the_wall", "dance"]).payload
    components = json.loads(payload)["cmps"]
    assert components["taught_dance"]["name"] == "Taught dance"
    assert components["taught_over_the_wall"]["stat_t"] == f"{BASE}/taught"
    alone = discovery(make_config(), ID, [], "1", taught=["dance"]).payload
    assert len(payload) - len(alone) < 420, "bytes of a taught activity"
    gone = discovery(make_config(), ID, [], "1", announced_components(payload), taught=["dance"])
    assert json.loads(gone.payload)["cmps"]["taught_over_the_wall"] == {"p": "sensor"}
    lessons = (
        Taught("dance", 7, 5, "finds about 4 of 5", ""),
        Taught("over_the_wall", 1, 1, "", "2 more examples"),
    )
    status = NodeStatus(ID, "1", STARTED, teaching="dance", taught=lessons)
    (message,) = [m for m in state_messages(status) if m.topic == f"{BASE}/taught"]
    assert message.retain
    assert json.loads(message.payload) == {
        "name": "dance",
        "taught": {
            "dance": {
                "stage": "learnt", "examples": 5, "says": "finds about 4 of 5", "version": 7
            },
            "over_the_wall": {
                "stage": "learning", "examples": 1, "says": "2 more examples", "version": 1
            },
        },
    }  # fmt: skip
