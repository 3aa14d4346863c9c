"""The blueprints at the real Home Assistant, with a stand-in node."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from broker import Broker

from edgehome.config.conditions import Activity, ActivityCondition
from edgehome.config.types import Config, DeviceConfig, Rule
from edgehome.homeassistant import NodeStatus, Topics, discovery, state_messages
from edgehome.types import CameraState, Message, Mode, Problem

from .broker import wait_until
from .harness import BLUEPRINTS, HomeAssistant
from .node import Client, StandInNode

IDENTITY = "edgehome_5e6f7a8b"
"""A node of its own: Home Assistant remembers what an entity of the same name once said."""
BASE = f"edgehome/{IDENTITY}"
NAMES = {"notify", "arm", "light_and_siren", "camera_blind", "digest"}
VIEW, PROBLEM = "binary_sensor.back_door_camera_view", "binary_sensor.back_door_problem"
MODE = "select.back_door_mode"
TOLD = "{{ tag }}|{{ title }}|{{ message }}|{{ picture | default('') }}"
INPUTS: dict[str, dict[str, Any]] = {
    "notify": {},
    "arm": {"modes": [MODE], "people": ["person.ann"]},
    "light_and_siren": {},
    "camera_blind": {"view": VIEW, "problem": PROBLEM, "mode": MODE},
    "digest": {"node": "0123456789abcdef", "memory": "input_text.counts"},
}
"""The least that each asks for."""


def publishing(topic: str, payload: str) -> list[dict[str, Any]]:
    """Return actions that a listener hears under `test/`."""
    data = {"topic": f"test/{topic}", "payload": payload, "qos": 1}
    return [{"action": "mqtt.publish", "data": data}]


class Watched(StandInNode):
    """A stand-in node that raises alerts of its own and hears the acknowledgements."""

    def __init__(self, client: Client) -> None:
        super().__init__(client, IDENTITY)
        self.client = client
        self.seq = 0

    def raises(self, alert_id: str, **changes: object) -> None:
        """Send one alert, all but what `changes` says as usual."""
        self.seq += 1
        usual = {"event_type": "fight", "id": alert_id, "seq": self.seq, "rule": "Fight"}
        usual |= {"at": datetime.now(UTC).isoformat(), "message": "fighting (83%)"}
        usual |= {"severity": "warning", "replay": False, "age_s": 0.1}
        self.alert({**usual, **changes})

    def answers(self) -> list[str]:
        return [payload.decode() for payload in self.client.payloads(f"{BASE}/alert/ack")]

    def wait_answer(self, alert_id: str) -> None:
        wait_until(lambda: alert_id in self.answers(), f"an answer for {alert_id}", 10)

    def states(self, **changes: Any) -> None:
        """Publish all states of a node that is well, but for what `changes` says."""
        status = NodeStatus(identity=IDENTITY, version="1", started_at=datetime.now(UTC))
        for name, value in changes.items():
            object.__setattr__(status, name, value)
        self.say(*state_messages(status))


@pytest.fixture(scope="module")
def watched(home: HomeAssistant, broker: Broker, listener: Client) -> Iterator[Watched]:
    topics = [f"{BASE}/alert/ack", f"{BASE}/+/set"]
    with Client(broker.port, user="test", topics=topics).running() as client:
        node = Watched(client)
        rule = Rule("Fight", ActivityCondition(activity=Activity("fighting", ("fighting",))))
        config = Config(device=DeviceConfig(name="Back door"), rules=(rule,))
        announced = discovery(config, IDENTITY, ["fighting"], "1")
        content = json.loads(announced.payload)
        content["cmps"]["picture"] = {
            "p": "image", "name": "Picture", "uniq_id": f"{IDENTITY}_picture",
            "img_t": f"{BASE}/picture", "cont_type": "image/jpeg",
        }  # fmt: skip
        node.online(Message(announced.topic, json.dumps(content).encode(), retain=True))
        node.states()
        home.wait_state(MODE, "away")
        yield node
    listener.send([Message(announced.topic, b"", retain=True)])
    home.wait_state(MODE, "missing")


@pytest.fixture
def automations(home: HomeAssistant) -> Iterator[None]:
    """No automation of one test is there in the next."""
    yield
    template = "{{ states.automation | map(attribute='attributes.id') | list | to_json }}"
    for identifier in home.render(template):
        home.api("DELETE", f"/api/config/automation/config/{identifier}")
    wait_until(lambda: home.render(template) == [], "the automations to go")


pytestmark = pytest.mark.usefixtures("automations")


def told(listener: Client, topic: str = "told") -> list[list[str]]:
    return [payload.decode().split("|") for payload in listener.payloads(f"test/{topic}")]


def tags(listener: Client, topic: str = "told") -> list[str]:
    return [parts[0] for parts in told(listener, topic)]


def errors(home: HomeAssistant, identifier: str) -> list[str]:
    """Return what went wrong in the runs of an automation that Home Assistant remembers."""
    traces = home.ask(type="trace/list", domain="automation", item_id=identifier)
    assert traces
    return [trace["error"] for trace in traces if "error" in trace]


def listens(home: HomeAssistant, identifier: str, name: str, **inputs: Any) -> None:
    """Make an automation and wait until its subscription is at the broker, which is not told."""
    home.use_blueprint(identifier, name, **inputs)
    time.sleep(1.5)


def test_home_assistant_takes_every_blueprint(home: HomeAssistant) -> None:
    known = home.ask(type="blueprint/list", domain="automation")
    ours = {path: found for path, found in known.items() if path.startswith("edgehome/")}
    assert set(ours) == {f"edgehome/{name}.yaml" for name in NAMES}
    assert {path.stem for path in BLUEPRINTS.iterdir()} == NAMES
    for found in ours.values():
        assert "error" not in found, found
        assert found["metadata"]["homeassistant"]["min_version"] == "2024.10.0"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_blueprint_makes_an_automation_and_refuses_what_is_missing(
    home: HomeAssistant, watched: Watched, name: str
) -> None:
    assert watched
    path = f"edgehome/{name}.yaml"
    substituted = home.ask(
        type="blueprint/substitute", domain="automation", path=path, input=INPUTS[name]
    )
    assert substituted["substituted_config"]["triggers"]
    home.use_blueprint(name, name, **INPUTS[name])
    if INPUTS[name]:
        missing = {"alias": "bad", "use_blueprint": {"path": path, "input": {}}}
        with pytest.raises(urllib.error.HTTPError, match="400"):
            home.api("POST", "/api/config/automation/config/bad", missing)


def test_an_alert_is_told_and_acknowledged(
    home: HomeAssistant, watched: Watched, listener: Client
) -> None:
    listens(home, "notify", "notify", actions=publishing("told", TOLD))
    listener.send([Message("edgehome/edgehome_other/alert", b"no JSON")])
    watched.raises("first-0000001")
    watched.wait_answer("first-0000001")
    assert told(listener)[-1] == ["first-0000001", "Fight", "fighting (83%)", ""]
    watched.raises("first-0000002", age_s=130, replay=True)
    watched.wait_answer("first-0000002")
    assert told(listener)[-1][2] == "fighting (83%) (3 min ago)"
    assert errors(home, "notify") == []
    assert home.complaints() == []


def test_without_any_input_an_alert_is_a_notification_in_home_assistant(
    home: HomeAssistant, watched: Watched
) -> None:
    listens(home, "plain", "notify")
    for _ in range(2):  # the copy replaces it
        watched.raises("plain-0000001")
    wait_until(lambda: watched.answers().count("plain-0000001") == 2, "two answers")
    shown = home.ask(type="persistent_notification/get")
    ours = [one for one in shown if one["notification_id"] == "plain-0000001"]
    assert [(one["title"], one["message"]) for one in ours] == [("Fight", "fighting (83%)")]


def test_what_is_not_told_is_acknowledged_all_the_same(
    home: HomeAssistant, watched: Watched, listener: Client
) -> None:
    home.api(
        "POST", "/api/services/input_text/set_value",
        {"entity_id": "input_text.memory", "value": ""},
    )  # fmt: skip
    listens(
        home, "picky", "notify", actions=publishing("told", TOLD), severity="warning",
        oldest=10, memory="input_text.memory", cooldown=5,
    )  # fmt: skip
    watched.raises("picky-info", severity="info")
    watched.raises("picky-old", age_s=601, replay=True)
    watched.raises("picky-told")
    watched.raises("picky-told", replay=True)
    watched.raises("picky-pause")
    watched.raises("picky-critical", severity="critical")
    watched.wait_answer("picky-critical")
    ids = [one for one in watched.answers() if one.startswith("picky")]
    expected = ["info", "old", "told", "told", "pause", "critical"]
    assert ids == [f"picky-{one}" for one in expected]
    picky = [one for one in tags(listener) if one.startswith("picky")]
    assert picky == ["picky-told", "picky-critical"]
    time.sleep(5)
    watched.raises("picky-later")
    watched.wait_answer("picky-later")
    assert tags(listener)[-1] == "picky-later"
    assert errors(home, "picky") == []


def test_the_memory_is_full_and_forgets_the_oldest(home: HomeAssistant, watched: Watched) -> None:
    actions = publishing("told", TOLD)
    listens(home, "full", "notify", actions=actions, memory="input_text.memory")
    for number in range(40):
        watched.raises(f"full-{number:08}")
    watched.wait_answer("full-00000039")
    kept = home.state("input_text.memory")
    assert len(kept) <= 255
    assert "00000039" in kept
    assert "00000010" not in kept
    assert errors(home, "full") == []


def test_fifty_alerts_at_once_are_all_told(
    home: HomeAssistant, watched: Watched, listener: Client
) -> None:
    listens(home, "burst", "notify", actions=publishing("told", TOLD))
    ids = [f"burst-{number}" for number in range(50)]
    for alert_id in ids:
        watched.raises(alert_id)
    wait_until(lambda: set(ids) <= set(watched.answers()), "fifty answers")
    assert [one for one in tags(listener) if one in ids] == ids


def test_alerts_of_a_node_that_was_not_chosen_are_left_to_others(
    home: HomeAssistant, watched: Watched, listener: Client
) -> None:
    device = home.render("{{ device_id('" + MODE + "') | to_json }}")
    listens(home, "chosen", "notify", actions=publishing("told", TOLD), nodes=[device])
    other = Message("edgehome/edgehome_other/alert", b'{"id": "other-1", "age_s": 0}')
    listener.send([other])
    watched.raises("chosen-1")
    watched.wait_answer("chosen-1")
    assert "other-1" not in tags(listener)


class Phone:
    """The Home Assistant app's push server, and a phone that is registered with it."""

    def __init__(self, home: HomeAssistant) -> None:
        self.heard: list[dict[str, Any]] = []
        heard = self.heard

        class Push(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(201)
                self.end_headers()
                limits = {"attempts": 1, "successful": 1, "errors": 0, "maximum": 150}
                limits |= {"resetsAt": "2030-01-01T00:00:00Z"}
                self.wfile.write(json.dumps({"rateLimits": limits}).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Push)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        push = {"push_token": "t", "push_url": f"http://127.0.0.1:{self.server.server_port}/"}
        try:
            home.api("POST", "/api/mobile_app/registrations", {
                "app_id": "test", "app_name": "Test", "app_version": "1",
                "os_name": "none", "os_version": "1",
                "device_name": "Ann's phone", "device_id": "ann", "manufacturer": "none",
                "model": "none", "supports_encryption": False, "app_data": push,
            })  # fmt: skip
        except urllib.error.HTTPError:
            pytest.skip("this installation of Home Assistant cannot do mobile_app")
        wait_until(lambda: self._device(home), "the phone")
        self.device = self._device(home)

    @staticmethod
    def _device(home: HomeAssistant) -> str:
        devices = home.ask(type="config/device_registry/list")
        return next((one["id"] for one in devices if one["name"] == "Ann's phone"), "")


def test_a_phone_is_told_with_a_button_and_the_node_hears_which_alert_was_a_false_one(
    home: HomeAssistant, watched: Watched
) -> None:
    phone, alert = Phone(home), "0123456789abcdef0123456789abcdef"
    listens(home, "phone", "notify", phones=[phone.device])
    watched.raises(alert)
    watched.wait_answer(alert)
    (told,) = phone.heard
    assert (told["title"], told["message"]) == ("Fight", "fighting (83%)")
    (button,) = told["data"]["actions"]
    assert button["title"] == "Not suspicious"

    def judged() -> list[str]:
        topic = f"{BASE}/not_suspicious/set"
        return [payload.decode() for payload in watched.client.payloads(topic)]

    for action in ("another app's", f"edgehome|{IDENTITY}", button["action"]):
        home.api("POST", "/api/events/mobile_app_notification_action", {"action": action})
    wait_until(judged, "the judgement")
    assert judged() == [alert]
    listens(home, "phone", "notify", phones=[phone.device], feedback="")
    watched.raises("plain-phone")
    watched.wait_answer("plain-phone")
    assert "actions" not in phone.heard[-1]["data"]
    assert errors(home, "phone") == []
    phone.server.shutdown()


def test_a_picture_that_comes_within_two_seconds_is_waited_for(
    home: HomeAssistant, watched: Watched, listener: Client
) -> None:
    image = "image.back_door_picture"
    actions = publishing("told", TOLD)
    listens(home, "picture", "notify", actions=actions, pictures=[image])
    watched.raises("picture-1")
    time.sleep(0.5)
    watched.say(Message(f"{BASE}/picture", b"\xff\xd8\xff\xd9", retain=True))
    watched.wait_answer("picture-1")
    assert told(listener)[-1][3].startswith(f"/api/image_proxy/{image}?token=")
    watched.raises("picture-2")  # none comes
    watched.wait_answer("picture-2")
    assert told(listener)[-1][3] == ""
    assert errors(home, "picture") == []


def test_an_alarm_panel_sets_the_mode(home: HomeAssistant, watched: Watched) -> None:
    panel = "alarm_control_panel.house"
    home.set_state(panel, "disarmed")
    home.use_blueprint("panel", "arm", modes=[MODE], panel=panel)
    for state, mode in [
        ("armed_away", None), ("arming", None), ("armed_night", "night"), ("triggered", None),
        ("disarmed", "disarmed"), ("armed_home", "home"), ("armed_vacation", "away"),
    ]:  # fmt: skip
        before = len(watched.client.payloads(f"{BASE}/mode/set"))
        home.set_state(panel, state)
        if mode:
            wait_until(lambda n=before: len(watched.client.payloads(f"{BASE}/mode/set")) > n, state)
            assert watched.client.payloads(f"{BASE}/mode/set")[-1].decode() == mode
            watched.states(mode=Mode(mode))
            home.wait_state(MODE, mode)
        else:
            time.sleep(0.5)
            assert len(watched.client.payloads(f"{BASE}/mode/set")) == before
    assert errors(home, "panel") == []


def test_who_is_at_home_sets_the_mode(home: HomeAssistant, watched: Watched) -> None:
    people = ["person.ann", "person.bob"]
    for person in people:
        home.set_state(person, "home")
    home.use_blueprint("people", "arm", modes=[MODE], people=people, night="input_boolean.lamp")

    def wait_mode(mode: str) -> None:
        topic = f"{BASE}/mode/set"
        wait_until(lambda: watched.client.payloads(topic)[-1:] == [mode.encode()], mode)
        watched.states(mode=Mode(mode))
        home.wait_state(MODE, mode)

    watched.states(mode=Mode.DISARMED)
    home.wait_state(MODE, "disarmed")
    home.set_state("person.ann", "not_home")
    wait_mode("home")
    home.set_state("person.bob", "work")
    wait_mode("away")
    home.set_state("person.ann", "home")
    wait_mode("home")
    home.call("input_boolean", "turn_on", "input_boolean.lamp")
    wait_mode("night")
    home.call("input_boolean", "turn_off", "input_boolean.lamp")
    wait_mode("home")
    assert errors(home, "people") == []
    watched.states()
    home.wait_state(MODE, "away")


def test_light_and_siren_go_on_for_a_while_and_not_for_an_old_alert(
    home: HomeAssistant, watched: Watched
) -> None:
    lamp, siren = "input_boolean.lamp", "input_boolean.siren"
    listens(home, "loud", "light_and_siren", lights=[lamp], sirens=[siren], duration=2)
    watched.raises("loud-old", severity="critical", age_s=31, replay=True)
    watched.raises("loud-mild")
    time.sleep(1)
    assert (home.state(lamp), home.state(siren)) == ("off", "off")
    watched.raises("loud-1", severity="critical")
    home.wait_state(siren, "on")
    home.wait_state(lamp, "on")
    watched.raises("loud-2", severity="critical")
    home.wait_state(siren, "off", 4)
    home.wait_state(lamp, "off", 4)
    assert errors(home, "loud") == []
    assert not [one for one in watched.answers() if one.startswith("loud")]


def test_a_blind_camera_is_told_while_armed(
    home: HomeAssistant, watched: Watched, listener: Client
) -> None:
    home.use_blueprint(
        "blind", "camera_blind", view=VIEW, problem=PROBLEM, mode=MODE, patience=1,
        actions=publishing("blind", TOLD),
    )  # fmt: skip
    covered = frozenset({CameraState.COVERED})
    watched.states(mode=Mode.DISARMED, camera=covered)
    home.wait_state(VIEW, "on")
    time.sleep(2)
    assert told(listener, "blind") == []
    watched.states(mode=Mode.AWAY, camera=covered)  # armed while it is blind
    wait_until(lambda: len(told(listener, "blind")) == 1, "word of the camera")
    assert told(listener, "blind")[-1][1:3] == [
        "Back door", "The camera sees nothing of use: covered.",
    ]  # fmt: skip
    trouble = Problem("worker", "The model does not load.", "Run edgehome doctor.")
    watched.states(problems=(trouble,))
    wait_until(lambda: len(told(listener, "blind")) == 2, "word of the problem")
    assert told(listener, "blind")[-1][2] == "The model does not load. Run edgehome doctor."
    watched.say(Message(Topics(IDENTITY).availability, b"offline", retain=True))
    wait_until(lambda: len(told(listener, "blind")) == 3, "word that it is gone")
    assert "Nothing is heard of it" in told(listener, "blind")[-1][2]
    watched.online()
    watched.states()
    home.wait_state(PROBLEM, "off")
    assert errors(home, "blind") == []


def test_a_digest_counts_by_rule_and_begins_anew(
    home: HomeAssistant, watched: Watched, listener: Client
) -> None:
    device = home.render("{{ device_id('" + MODE + "') | to_json }}")
    counts = "input_text.counts"
    soon = datetime.fromtimestamp(time.time() + 8, UTC).strftime("%H:%M:%S")
    text = "{{ title }}|{{ message }}|{{ total }}"
    listens(
        home, "digest", "digest", node=device, memory=counts, at=soon, acknowledge=True,
        actions=publishing("digest", text),
    )  # fmt: skip
    watched.raises("digest-1")
    watched.raises("digest-2", event_type="a_fall_at_night")
    watched.raises("digest-3")
    watched.raises("digest-3", seq=watched.seq, replay=True)  # a copy
    watched.wait_answer("digest-3")
    wait_until(lambda: home.state(counts).endswith("|fight=2|a_fall_at_night=1"), "the counts")
    wait_until(lambda: told(listener, "digest"), "the digest")
    assert told(listener, "digest") == [["Back door", "fight: 2, a fall at night: 1", "3"]]
    wait_until(lambda: "|" not in home.state(counts), "the counts to begin anew")
    assert errors(home, "digest") == []
    assert home.complaints() == []
