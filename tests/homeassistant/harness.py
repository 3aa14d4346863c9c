"""A real Home Assistant, headless, on loopback, with the MQTT integration set up.

It walks the same onboarding and the same config flow as a browser would, by the REST API.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from broker import Broker, free_port

from .broker import USERS, wait_until

BLUEPRINTS = Path(__file__).parents[2] / "blueprints" / "automation" / "edgehome"
_CLIENT = "http://127.0.0.1/"
_NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))

_CONFIGURATION = """\
homeassistant:
  name: Test home
  latitude: 52.0
  longitude: 4.0
  elevation: 0
  unit_system: metric
  time_zone: UTC
  country: NL
  currency: EUR
http:
  server_host: 127.0.0.1
  server_port: {port}
api:
config:
logger:
  default: warning
mobile_app:
automation: !include automations.yaml
script:
scene:
input_text:
  memory:
    max: 255
  counts:
    max: 255
input_boolean:
  lamp:
  siren:
shell_command:
  effect: sh {folder}/effect.sh {{{{ id }}}}
"""

_WEBSOCKET = """\
import asyncio, json, sys, aiohttp
async def ask(address, token, message):
    async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": token})
        await socket.receive_json()
        await socket.send_json({"id": 1, **message})
        return await socket.receive_json()
print(json.dumps(asyncio.run(ask(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))))
"""
"""Home Assistant's own Python has a client for its websockets; ours needs none otherwise."""


class HomeAssistant:
    """A Home Assistant of its own folder, on `broker`."""

    def __init__(self, *, python: Path, folder: Path, broker: Broker) -> None:
        self.folder = folder
        self.broker = broker
        self._python = python
        self._port = free_port()
        self._token = ""
        self._process: subprocess.Popen[bytes] | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[HomeAssistant]:
        try:
            self._configure()
            self.start()
            self._onboard()
            self._add_mqtt()
            yield self
        finally:
            self.stop()

    def start(self) -> None:
        """Start, and return when it runs (or, the first time, waits for its owner)."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if name != "PYTHONDONTWRITEBYTECODE"  # or it would compile itself at every start
        }
        command = [str(self._python), "-m", "homeassistant", "-c", str(self.folder), "--skip-pip"]
        with (self.folder / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, env={**environment, "TZ": "UTC"}
            )
        wait_until(self._answers, "Home Assistant to start", 180)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Return the decoded answer of the REST API; raises HTTPError, with the reason."""
        data = None if body is None else json.dumps(body).encode()
        return self._request(method, path, data, "application/json")

    def ask(self, **message: Any) -> Any:
        """Return the result of a websocket command; raises AssertionError when there is none."""
        address = f"ws://127.0.0.1:{self._port}/api/websocket"
        command = [str(self._python), "-c", _WEBSOCKET, address, self._token, json.dumps(message)]
        answer = json.loads(subprocess.check_output(command, timeout=30))
        assert answer["success"], answer
        return answer["result"]

    def use_blueprint(self, identifier: str, name: str, **inputs: Any) -> None:
        """Make an automation from one of our blueprints, as the editor does."""
        blueprint = {"path": f"edgehome/{name}.yaml", "input": inputs}
        self.add_automation(identifier, {"alias": identifier, "use_blueprint": blueprint})

    def set_state(self, entity_id: str, state: str, **attributes: Any) -> None:
        """Set the state of an entity that no integration owns."""
        self.api("POST", f"/api/states/{entity_id}", {"state": state, "attributes": attributes})

    def effects(self) -> list[str]:
        """Return what `shell_command.effect` was called with, over all lives, in order."""
        log = self.folder / "effect.sh.log"
        return log.read_text().split() if log.exists() else []

    def render(self, template: str) -> Any:
        """Return what Home Assistant makes of a template that ends in `| to_json`."""
        return self.api("POST", "/api/template", {"template": template})

    def state(self, entity_id: str) -> str:
        """Return the state, or `missing` when there is no such entity."""
        return str(self.entity(entity_id).get("state", "missing"))

    def entity(self, entity_id: str) -> dict[str, Any]:
        """Return state and attributes, or an empty dictionary."""
        with contextlib.suppress(urllib.error.HTTPError):
            found: dict[str, Any] = self.api("GET", f"/api/states/{entity_id}")
            return found
        return {}

    def wait_state(
        self, entity_id: str, wanted: str | Callable[[str], object], timeout_s: float = 30
    ) -> float:
        """Return the seconds until the state was `wanted` (a state, or a test of one)."""
        holds = wanted if callable(wanted) else wanted.__eq__
        return wait_until(
            lambda: holds(self.state(entity_id)), f"{entity_id} to become {wanted}", timeout_s
        )

    def call(self, domain: str, service: str, entity_id: str, **data: str) -> None:
        self.api("POST", f"/api/services/{domain}/{service}", {"entity_id": entity_id, **data})

    def device_entities(self, entity_id: str) -> set[str]:
        """Return the enabled entities of the device that has `entity_id`."""
        template = "{{ device_entities(device_id('" + entity_id + "')) | to_json }}"
        return set(self.render(template))

    def devices(self) -> int:
        """Return how many devices have entities of the MQTT integration."""
        template = "{{ integration_entities('mqtt') | map('device_id') | unique | list | to_json }}"
        return len(self.render(template))

    def repairs(self) -> int:
        """Return how many repair issues the MQTT integration raised."""
        template = "{{ issues().values() | selectattr('domain', 'eq', 'mqtt') | list | length }}"
        return int(self.render(template))

    def complaints(self) -> list[str]:
        """Return what the log says above info about our messages, automations and templates.

        That the broker went away is said by `mqtt.client`, and is no fault of a message; that a
        device is already gone is said when Home Assistant hears its own removal of it.
        """
        lines = (self.folder / "home-assistant.log").read_text().splitlines()
        loud = re.compile(r" (WARNING|ERROR|CRITICAL) .*(mqtt|automation|template|Template)")
        expected = re.compile(r"mqtt\.client\]|No device components to cleanup")
        return [line for line in lines if loud.search(line) and not expected.search(line)]

    def add_automation(self, identifier: str, automation: dict[str, Any]) -> None:
        """Create it as the editor does (which refuses bad ones) and wait until it is on."""
        self.api("POST", f"/api/config/automation/config/{identifier}", automation)
        template = (
            "{{ states.automation | selectattr('attributes.id', 'eq', '"
            + identifier
            + "') | selectattr('state', 'eq', 'on') | list | length }}"
        )
        wait_until(lambda: self.render(template) == 1, f"automation {identifier}")

    def republish(self, identifier: str, trigger: dict[str, Any], payload: str) -> None:
        """Add an automation that publishes a template of its trigger on `test/<identifier>`."""
        data = {"topic": f"test/{identifier}", "payload": payload, "qos": 1}
        action = {"action": "mqtt.publish", "data": data}
        triggers = {"alias": identifier, "mode": "queued", "max": 50, "triggers": [trigger]}
        self.add_automation(identifier, {**triggers, "actions": [action]})

    # -- what a person does once, in the browser

    def _configure(self) -> None:
        storage = self.folder / ".storage"
        storage.mkdir(parents=True)
        (self.folder / "configuration.yaml").write_text(
            _CONFIGURATION.format(port=self._port, folder=self.folder)
        )
        (self.folder / "effect.sh").write_text('echo "$1" >> "$0.log"\n')
        (self.folder / "automations.yaml").write_text("[]\n")
        shutil.copytree(BLUEPRINTS, self.folder / "blueprints" / "automation" / "edgehome")
        # All steps but the owner are done: the others look for services on the internet.
        done = {"done": ["core_config", "analytics", "integration"]}
        onboarding = {"version": 4, "minor_version": 1, "key": "onboarding", "data": done}
        (storage / "onboarding").write_text(json.dumps(onboarding))

    def _onboard(self) -> None:
        owner = {"client_id": _CLIENT, "name": "Test", "username": "test", "language": "en"}
        answer = self.api("POST", "/api/onboarding/users", {**owner, "password": "test"})
        form = {
            "grant_type": "authorization_code",
            "code": answer["auth_code"],
            "client_id": _CLIENT,
        }
        data = urllib.parse.urlencode(form).encode()
        tokens = self._request("POST", "/auth/token", data, "application/x-www-form-urlencoded")
        self._token = tokens["access_token"]  # good for half an hour, which a storm outlasts
        self._token = self.ask(type="auth/long_lived_access_token", client_name="t", lifespan=1)
        wait_until(self._answers, "Home Assistant to run", 120)
        with contextlib.suppress(AssertionError):  # newer ones else take back `http` in 5 minutes
            self.ask(type="http/config/promote")

    def _add_mqtt(self) -> None:
        flows = "/api/config/config_entries/flow"
        form = self.api("POST", flows, {"handler": "mqtt", "show_advanced_options": False})
        answers = self._fill_in(form["data_schema"])
        done = self.api("POST", f"{flows}/{form['flow_id']}", answers)
        assert done["type"] == "create_entry", done
        wait_until(self._mqtt_is_loaded, "the MQTT integration")

    def _fill_in(self, fields: list[dict[str, Any]]) -> dict[str, Any]:
        """Return answers to a form; that of 2025 asks for the first four alone."""
        known: dict[str, object] = {
            "broker": "127.0.0.1",
            "port": self.broker.port,
            "username": "homeassistant",
            "password": USERS["homeassistant"],
            "protocol": "5",
            "keepalive": 60,
            "set_client_cert": False,
            "set_ca_cert": "off",
            "transport": "tcp",
        }
        return {
            field["name"]: self._fill_in(field["schema"]) if "schema" in field else known[name]
            for field in fields
            if (name := field["name"]) in known or "schema" in field
        }

    def _mqtt_is_loaded(self) -> bool:
        entries = self.api("GET", "/api/config/config_entries/entry?domain=mqtt")
        return [entry["state"] for entry in entries] == ["loaded"]

    # -- talking to it

    def _answers(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "output.txt").read_text()[-3000:])
        with contextlib.suppress(OSError):  # not listening yet, or an HTTP error
            if not self._token:
                return isinstance(self.api("GET", "/api/onboarding"), list)
            return bool(self.api("GET", "/api/config")["state"] == "RUNNING")
        return False

    def download(self, path: str) -> bytes:
        """Return what a path of the API holds, as it is."""
        return self._read("GET", path, None, "application/octet-stream")

    def _request(self, method: str, path: str, data: bytes | None, kind: str) -> Any:
        return json.loads(self._read(method, path, data, kind) or b"null")

    def _read(self, method: str, path: str, data: bytes | None, kind: str) -> bytes:
        headers = {"Content-Type": kind}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        address = f"http://127.0.0.1:{self._port}{path}"
        request = urllib.request.Request(address, data, headers, method=method)
        try:
            with _NO_PROXY.open(request, timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            error.add_note(error.read(2000).decode(errors="replace"))
            raise
