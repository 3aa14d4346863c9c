"""A real Home Assistant for each file of tests, so that none finds what another left behind.

It takes minutes, so it has to be asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Broker

from edgehome.delivery.commands import LEVELS
from edgehome.homeassistant import Topics
from edgehome.types import Message

from .broker import home_broker
from .harness import HomeAssistant
from .installation import home_assistant_python
from .node import Client, StandInNode

HERE = Path(__file__).parent
HOW_TO = HERE.parents[1] / "docs" / "how-to" / "home-assistant.md"
IDENTITY = "edgehome_1a2b3c4d"
"""The id that the documentation uses."""
ENTITIES = {
    "event.front_door_alert",
    "sensor.front_door_activity",
    "sensor.front_door_confidence",
    "sensor.front_door_last_alert",
    "binary_sensor.front_door_problem",
    "binary_sensor.front_door_camera_view",
    "select.front_door_mode",
    "button.front_door_reload",
    "sensor.front_door_motion",
    "sensor.front_door_frames_per_second",
    "sensor.front_door_inference_ms",
    "sensor.front_door_worker_restarts",
    "sensor.front_door_pending",
    "sensor.front_door_dropped",
    "sensor.front_door_started",
    "sensor.front_door_version",
    "sensor.front_door_problem_text",
    "sensor.front_door_rate",
    "sensor.front_door_threads",
    "sensor.front_door_frame_age_s",
    "sensor.front_door_temperature",
    "binary_sensor.front_door_throttled",
    "sensor.front_door_ignored",
    "sensor.front_door_delivery",
    "switch.front_door_silence",
    "button.front_door_silence_for_an_hour",
    "sensor.front_door_silenced_until",
    "button.front_door_retry",
    "update.front_door_update",
    "text.front_door_new_activity",
    "button.front_door_that_was_it",
    "button.front_door_that_was_normal",
    "button.front_door_not_suspicious",
    "sensor.front_door_normal",
    "sensor.front_door_unusual",
}
"""Those of every node called "Front door", but for the two counters that are off by default."""
MAYBE_UNKNOWN = {
    "event.front_door_alert",
    "button.front_door_reload",
    "button.front_door_retry",
    "button.front_door_silence_for_an_hour",
    "button.front_door_that_was_it",
    "button.front_door_that_was_normal",
    "button.front_door_not_suspicious",
    "sensor.front_door_problem_text",
    "sensor.front_door_silenced_until",
    "sensor.front_door_temperature",
    "binary_sensor.front_door_throttled",
}
"""Nothing has happened yet, all is well, or the machine does not say."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("EDGEHOME_TEST_HA") == "1":
        return
    skip = pytest.mark.skip(reason="takes minutes and a Home Assistant: set EDGEHOME_TEST_HA=1")
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(skip)


def documented(kind: str) -> list[str]:
    """Return the fenced blocks of one kind in the how-to, as they stand there."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", HOW_TO.read_text(), re.MULTILINE | re.DOTALL)


def remove_device(home: HomeAssistant, administrator: Client) -> None:
    """Do what the how-to says about taking a node away, and see the device go."""
    topic = Topics(IDENTITY).discovery("homeassistant")
    administrator.send([Message(topic, b"", retain=True)])
    home.wait_state("select.front_door_mode", "missing")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A mosquitto with exactly the permissions that the how-to gives."""
    (acl,) = documented("acl")
    with home_broker(tmp_path_factory.mktemp("broker"), acl) as broker:
        yield broker


@pytest.fixture(scope="module")
def home(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAssistant]:
    folder = tmp_path_factory.mktemp("home") / "config"
    python = home_assistant_python()
    with HomeAssistant(python=python, folder=folder, broker=broker).running() as home:
        yield home


@pytest.fixture(scope="module")
def listener(broker: Broker) -> Iterator[Client]:
    """Receives what automations publish under `test/`, and nothing of the node's own."""
    with Client(broker.port, user="test", topics=["test/#"]).running() as client:
        yield client


@pytest.fixture
def node(broker: Broker) -> Iterator[StandInNode]:
    topics = [f"edgehome/{IDENTITY}/{levels}/set" for levels in LEVELS]
    will = f"edgehome/{IDENTITY}/availability"
    with Client(broker.port, user="edgehome", topics=topics).running(will) as client:
        yield StandInNode(client, IDENTITY)
