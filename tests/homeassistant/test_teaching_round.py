"""The real Home Assistant: an activity acted out, made a rule of, corrected; so a label too."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broker import Broker
from daemon import Daemon

from .broker import USERS, wait_until
from .conftest import IDENTITY, remove_device
from .harness import HomeAssistant
from .node import Client

pytest.importorskip("av", reason="the clips that stand in for the camera need PyAV")

ROOT = Path(__file__).resolve().parents[2]
CLIP_S = 8.0
TAKEN_S = 6.0
"""What a press takes."""
SLOW_S = 90.0
"""Generous: the machine may be busy."""
SHOWN = ("room-day-fight", "room-night-fight", "porch-night-fight")
NORMAL = ("room-day-walk", "room-night-walk", "porch-night-walk")
ANOTHER, ANOTHER_NORMAL = "porch-infrared-fight", "porch-day-walk"
"""Neither was shown."""
SHOWN_FALSE = "porch-day-fight"
QUIET_RULE = {"name": "Fall", "when": "fall", "above": 0.99}
RULE = {"name": "Wrestling", "when": "wrestle", "above": 0.4, "repeat_interval": "1s"}
LESSON = "sensor.front_door_taught_wrestle"
KNOWN_RULE = {"name": "Brawl", "when": "fighting", "above": 0.5, "repeat_interval": "1s"}
"""On what came with the model."""
CORRECTION = "sensor.front_door_taught_fighting"


class Stage:
    """What is before the camera: a clip, over and over; another begins where one has ended.

    It is written into the same file: a worker may open no other that came later.
    """

    def __init__(self, folder: Path, clips: Path) -> None:
        self.source = folder / "camera.mp4"
        self.source.touch()
        self._clips = clips

    def show(self, name: str) -> None:
        with self.source.open("r+b") as file:
            file.write((self._clips / f"{name}.mp4").read_bytes())
            file.truncate()

    def act(self, name: str) -> None:
        """Show a clip until the last seconds are all of it."""
        self.show(name)
        time.sleep(CLIP_S + TAKEN_S + 1)


@pytest.fixture(scope="module")
def stage(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    stage = Stage(tmp_path_factory.mktemp("stage"), rendered)
    stage.show(NORMAL[0])
    return stage


@pytest.fixture(scope="module")
def daemon(
    broker: Broker,
    home: HomeAssistant,
    listener: Client,
    stage: Stage,
    box_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Daemon]:
    user = ("edgehome", USERS["edgehome"])
    folder = tmp_path_factory.mktemp("node")
    with Daemon(
        folder, broker, model=box_model, source=stage.source, identity=IDENTITY, user=user
    ) as daemon:
        daemon.config["device"]["name"] = "Front door"
        daemon.config["rules"] = [QUIET_RULE]
        daemon.write()
        daemon.start()
        home.wait_state("select.front_door_mode", "away", SLOW_S)
        trigger = {"trigger": "state", "entity_id": "event.front_door_alert"}
        home.republish("alert", trigger, "{{ trigger.to_state.attributes | to_json }}")
        yield daemon
        daemon.end()
        print(daemon.said())
    remove_device(home, listener)


def alerts(listener: Client) -> dict[int, dict[str, Any]]:
    """Return by `seq` the alerts that have reached the automation, copies once."""
    received = map(json.loads, listener.payloads("test/alert"))
    return {alert["seq"]: alert for alert in received if "seq" in alert}


def press(home: HomeAssistant, name: str) -> None:
    home.call("button", "press", f"button.front_door_{name}")


def lesson(home: HomeAssistant) -> dict[str, Any]:
    """Return what the sensor of the lesson says of it, nothing while there is none."""
    return dict(home.entity(LESSON).get("attributes", {}))


def wait_for_version(home: HomeAssistant, above: int) -> None:
    wait_until(lambda: lesson(home).get("version", 0) > above, "another version", SLOW_S)


def shown(home: HomeAssistant, button: str) -> None:
    """Press, and wait until it was learnt."""
    before = lesson(home).get("version", 0)
    press(home, button)
    wait_for_version(home, before)
    print(button, home.state(LESSON), lesson(home))


def alerts_of(listener: Client, stage: Stage, clip: str, seconds: float) -> int:
    """Return how many alerts a clip raises, from its beginning on."""
    before = len(alerts(listener))
    stage.act(clip)
    time.sleep(seconds)
    return len(alerts(listener)) - before


def test_what_is_acted_out_is_learnt_raises_alerts_and_is_corrected(
    daemon: Daemon, home: HomeAssistant, listener: Client, stage: Stage
) -> None:
    home.call("text", "set_value", "text.front_door_new_activity", value="Wrestle!")
    home.wait_state("text.front_door_new_activity", "wrestle")

    for act, normal in zip(SHOWN, NORMAL, strict=True):
        stage.act(act)
        shown(home, "that_was_it")
        stage.act(normal)
        shown(home, "that_was_normal")
    time.sleep(TAKEN_S)
    shown(home, "that_was_normal")
    home.wait_state(LESSON, "learnt", SLOW_S)
    assert lesson(home)["examples"] == len(SHOWN)
    assert lesson(home)["says"]
    assert alerts(listener) == {}

    daemon.config["rules"] = [QUIET_RULE, RULE]
    daemon.write()
    home.wait_state("binary_sensor.front_door_rule_wrestling", "off", SLOW_S)
    assert home.state("binary_sensor.front_door_problem") == "off"
    assert alerts_of(listener, stage, ANOTHER_NORMAL, CLIP_S) == 0
    stage.show(ANOTHER)
    wait_until(lambda: alerts(listener), "an alert", SLOW_S)
    (alert, *_) = alerts(listener).values()
    assert (alert["rule"], alert["label"]) == ("Wrestling", "wrestle")

    time.sleep(CLIP_S)  # somebody has to walk to the button
    version = lesson(home)["version"]
    press(home, "not_suspicious")
    wait_for_version(home, version)
    stage.act(ANOTHER_NORMAL)  # it is over; then it happens once more
    assert alerts_of(listener, stage, ANOTHER, CLIP_S) == 0
    assert home.complaints() == []
    assert daemon.alive(), daemon.said()[-3000:]


def test_a_label_of_the_model_is_corrected_and_the_correction_taken_back(
    daemon: Daemon, home: HomeAssistant, listener: Client, stage: Stage
) -> None:
    stage.show(ANOTHER_NORMAL)
    daemon.config["rules"] = [QUIET_RULE, KNOWN_RULE]
    daemon.write()
    home.wait_state("binary_sensor.front_door_rule_brawl", "off", SLOW_S)
    before = len(alerts(listener))
    stage.show(SHOWN_FALSE)
    wait_until(lambda: len(alerts(listener)) > before, "an alert", SLOW_S)
    time.sleep(CLIP_S)
    press(home, "not_suspicious")
    home.wait_state(CORRECTION, "learnt", SLOW_S)
    said = dict(home.entity(CORRECTION)["attributes"])
    assert said["says"].startswith("1 alert judged as not suspicious"), said
    stage.act(ANOTHER_NORMAL)
    assert alerts_of(listener, stage, SHOWN_FALSE, CLIP_S) == 0

    stage.act(ANOTHER_NORMAL)
    command = [sys.executable, "-m", "edgehome", "teach", "fighting", "--undo"]
    where = ["-c", str(daemon.file), "--state", str(daemon.state)]
    subprocess.run([*command, *where], cwd=ROOT, check=True)
    before = len(alerts(listener))
    stage.show(SHOWN_FALSE)
    wait_until(lambda: len(alerts(listener)) > before, "the alert again", SLOW_S)
    assert home.complaints() == []
