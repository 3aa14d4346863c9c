"""A machine in a home: its configuration, and what the broker hears of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from machine import Machine, wait_until

if TYPE_CHECKING:
    from broker import Broker, Listener

CONFIG = """\
device: {{name: Hall, id: hall}}
camera: {{source: {source}}}
rules:
  - {{name: Visitor, when: person, above: 0.3, for: 1s, repeat_interval: 10s}}
mqtt: {{host: 127.0.0.1, port: {port}, username: hall}}
alerts: {{limit: 1000}}
"""


class Home:
    """Broker and listener are processes outside the machine."""

    USER, PASSWORD = "hall", "correct horse"

    def __init__(self, machine: Machine, broker: Broker, listener: Listener) -> None:
        self.machine = machine
        self.listener = listener
        # A virtual camera that works with picamera2 is in libcamera from 0.7 on: Debian 12 has
        # none, and a video file stands in for it there.
        source = "pi" if machine.suite == "trixie" else "/srv/clip.mp4"
        self.config = CONFIG.format(source=source, port=broker.port)
        self.config_file = machine.root / "etc/edgehome/config.yaml"

    def alerts(self) -> list[dict[str, Any]]:
        """Return all alerts that have come, each once."""
        heard = [message.json for message in self.listener.heard("edgehome/hall/alert")]
        return list({alert["id"]: alert for alert in heard}.values())

    def await_alert(self, timeout_s: float = 60) -> dict[str, Any]:
        """Return the next alert that comes from now on."""
        before = len(self.alerts())
        try:
            wait_until(lambda: len(self.alerts()) > before, "a new alert", timeout_s)
        except AssertionError:
            print(self.machine.journal()[-4000:])
            raise
        return self.alerts()[-1]

    def outbox(self) -> str:
        """Return the name that the node's outbox was given when it was made."""
        return str(self.listener.heard("edgehome/hall/outbox/cursor")[-1].json["store"])

    def problems(self) -> list[str]:
        """Return the codes of the problems that the home knows of."""
        heard = self.listener.heard("edgehome/hall/state")
        return [problem["code"] for problem in heard[-1].json["problems"]] if heard else []
