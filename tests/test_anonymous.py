"""A broker without passwords works, and is a problem until the file says that it is meant."""

from __future__ import annotations

from pathlib import Path

from broker import Broker, Listener, wait_for
from daemon import ALERT, Daemon, problems, wait_for_alerts

from edgehome.broker import anonymous
from edgehome.config.types import MqttConfig


def test_a_broker_without_passwords_is_a_problem_unless_the_file_says_that_it_is_meant(
    tmp_path: Path, box_model: Path, rendered: Path
) -> None:
    clip = rendered / "room-day-fight.mp4"
    with (
        Broker(tmp_path / "broker", anonymous=True) as broker,
        Listener(broker, "edgehome/#") as listener,
        Daemon(tmp_path / "node", broker, model=box_model, source=clip) as node,
    ):
        del node.config["mqtt"]["username"], node.config["mqtt"]["password_file"]
        node.write()
        node.start()
        wait_for(lambda: "broker_anonymous" in problems(listener), what="the problem")
        problem = problems(listener)["broker_anonymous"]
        assert "disarm" in problem["message"]
        assert "mqtt.anonymous: true" in problem["remedy"]
        wait_for_alerts(listener, 1)  # the home is watched all the same
        node.config["mqtt"]["anonymous"] = True
        node.write()
        wait_for(lambda: "broker_anonymous" not in problems(listener), what="the problem's end")
        assert listener.heard(ALERT)


def test_a_node_with_a_user_of_its_own_has_no_such_problem() -> None:
    assert anonymous(MqttConfig(username="edgehome")) is None
    assert anonymous(MqttConfig(anonymous=True)) is None
    assert anonymous(MqttConfig()) is not None
