"""From an act to the alert at the broker, with the node's own parts and nobody alarmed.

The bundled pictures go through model, rules and outbox; the alert goes to the configured broker, on
a topic below the node's own that nothing listens to, and is read back from there.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Self

from edgehome import broker
from edgehome.app import machine_id
from edgehome.config.types import Config
from edgehome.configfile import required
from edgehome.delivery.board import not_allowed
from edgehome.homeassistant import Topics, alert_payload, device_identity
from edgehome.labels import labels_of
from edgehome.messages import Ready
from edgehome.mqtt import (
    FAILURE,
    Acknowledged,
    Client,
    Connected,
    Lost,
    Received,
    Session,
    Subscribed,
)
from edgehome.node import Node
from edgehome.outbox import Outbox
from edgehome.selftest import player
from edgehome.selftest.heard import scores_of
from edgehome.settings import worker_settings
from edgehome.types import Alert, EdgehomeError, Message, Problem

LEAD_S = 3.0
"""Of a still scene before the act: the first steps, and the memory that loading takes, are over."""
ACT_S = 30.0
BROKER_S = 15.0


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert, and when the act began and its deciding frame was born, in monotonic seconds."""

    alert: Alert
    act_s: float
    frame_s: float


def act_to_alert(config: Config, folder: Path, credentials: Path) -> dict[str, Any]:
    """Return the times from the act, and from the frame that decides, to disk, broker and echo.

    `folder` is on the disk that is to keep the alert, `credentials` the folder with the password.
    What the broker refused is null, with the problem's code in `broker_problem`. Raises
    EdgehomeError when there is no alert at all, OSError when the folder cannot be used.
    """
    problem: str | None = None
    with (
        tempfile.TemporaryDirectory(prefix="selftest-", dir=folder) as mine,
        Outbox(Path(mine) / "outbox.db") as outbox,  # its file is grown before the time counts
        Home(config, credentials) as home,
    ):
        try:
            home.connect()
        except EdgehomeError as error:
            problem = error.problem.code
        raised = raise_alert(config, Path(mine))
        body = json.dumps(alert_payload(raised.alert, "selftest")).encode()
        outbox.append(raised.alert.id, body, raised.alert.at.timestamp())
        times_s = {"disk": time.monotonic()}
        if not problem:
            try:
                times_s |= home.tell(body)
            except EdgehomeError as error:
                problem = error.problem.code
    since_ms = {name: round((at_s - raised.frame_s) * 1000, 1) for name, at_s in times_s.items()}
    return {
        "label": player.LABEL,
        "act_to_alert_s": round(max(times_s.values()) - raised.act_s, 2),
        "frame_to_disk_ms": since_ms["disk"],
        "frame_to_broker_ms": since_ms.get("broker"),
        "frame_to_echo_ms": since_ms.get("echo"),
        "broker_problem": problem,
    }


def raise_alert(config: Config, folder: Path) -> Raised:
    """Show a worker the act until a rule on it fires. Raises EdgehomeError if none does."""
    if player.LABEL not in (labels_of(config.recognizer.model) or ()):
        message = f"The model does not know `{player.LABEL}`, which the bundled pictures show."
        raise EdgehomeError("unknown_label", message, "The model in the box does.")
    node = _node(config, folder)
    settings = replace(worker_settings(config, config.recognizer.model), shorter_s=(), ensemble=1)
    worker = player.spawn(settings, LEAD_S)
    first_s = None
    try:
        for said in scores_of(worker, LEAD_S + ACT_S):
            if isinstance(said, Ready):
                node.model = said.sha256
                continue
            first_s = said.time_s if first_s is None else first_s
            if alerts := node.see(said).alerts:
                return Raised(alerts[0], first_s + LEAD_S, said.time_s)
    finally:
        worker.end()
    message = f"The model saw no {player.LABEL} in {ACT_S:.0f} s of the bundled pictures."
    raise EdgehomeError("no_alert", message, "Run `edgehome bench --selftest`.")


class Home:
    """The configured broker, under a name and on a topic of our own; `with` ends the connection."""

    def __init__(self, config: Config, credentials: Path) -> None:
        self._mqtt = config.mqtt
        base = Topics(device_identity(config.device, machine_id())).base
        self._topic = f"{base}/selftest"
        self._events: SimpleQueue[Any] = SimpleQueue()
        self._session: Session | None = None
        # The file that the service gets as a credential lies beside the config.
        environment = {"CREDENTIALS_DIRECTORY": str(credentials), **os.environ}
        self._client = Client(
            config.mqtt,
            client_id=f"{base.replace('/', '-')}-selftest",
            will=Message(self._topic, b""),
            events=self._events,
            clock=time.monotonic,
            jitter=random.uniform,
            environment=environment,
        )

    def __enter__(self) -> Self:
        self._client.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._session:
            self._session.disconnect()
        self._client.__exit__()

    def connect(self) -> None:
        """Wait for the broker, and listen to what we shall tell. Raises EdgehomeError."""
        for event in self._heard():
            if isinstance(event, Connected):
                self._session = event.session
                self._session.subscribe([(self._topic, False)])
            elif isinstance(event, Subscribed):
                return

    def tell(self, body: bytes) -> dict[str, float]:
        """Publish, and return when the broker had it and when it came back, monotonic seconds.

        The latter is missing where we may not read our own topics. Raises EdgehomeError, such as
        `broker_acl` when we may not publish on them.
        """
        if self._session is None:
            raise _failed(broker.unreachable(self._mqtt, "the connection was lost"))
        self._session.publish(Message(self._topic, body))
        times_s: dict[str, float] = {}
        try:
            for event in self._heard():
                if isinstance(event, Acknowledged):
                    if event.reason >= FAILURE:
                        raise _failed(not_allowed("publish on", self._topic))
                    times_s["broker"] = time.monotonic()
                elif isinstance(event, Received) and event.payload == body:
                    times_s["echo"] = time.monotonic()
                if len(times_s) == 2:
                    break
        except EdgehomeError:
            if not times_s:
                raise
        return times_s

    def _heard(self) -> Iterator[Any]:
        """Yield what happens for BROKER_S. Raises EdgehomeError when the connection is lost."""
        until_s = time.monotonic() + BROKER_S
        while (left_s := until_s - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left_s)
            except Empty:
                break
            if isinstance(event, Lost) and event.problem:
                raise _failed(event.problem)
            yield event
        raise _failed(broker.unreachable(self._mqtt, f"no answer within {BROKER_S:g} s"))


def _node(config: Config, folder: Path) -> Node:
    """Return the node's own judgement, with one rule: the label, from the head's threshold on."""
    file = folder / "config.yaml"
    rule = {"name": "Selftest", "when": player.LABEL}
    model = {"model": str(config.recognizer.model.absolute())}
    file.write_text(json.dumps({"recognizer": model, "rules": [rule]}), encoding="utf-8")
    return Node(
        replace(required(file), events=config.events),
        identity="selftest",
        started_at=datetime.now(UTC),
        identify=lambda: uuid.uuid4().hex,
    )


def _failed(problem: Problem) -> EdgehomeError:
    return EdgehomeError(problem.code, problem.message, problem.remedy)
