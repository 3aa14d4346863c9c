"""MQTT 5 to the home's broker: one thread owns the socket and tells what happens in one queue.

Every connection is a fresh paho client, driven through paho's external-loop interface. paho's own
thread dies of an exception while `is_connected()` stays true, it resends what it remembers behind
the outbox's back, and without a loop thread `publish()` writes to the socket from the caller's.
Callbacks only put on the queue: paho holds its locks while it calls them.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edgehome import broker
from edgehome.backoff import BackOff
from edgehome.config.types import MqttConfig
from edgehome.types import EdgehomeError, Message, Problem

if TYPE_CHECKING:
    from paho.mqtt.reasoncodes import ReasonCode

logger = logging.getLogger(__name__)

KEEPALIVE_S = 20  # a pulled cable shows at the broker after 1.5 times this, here after 2
CONNECT_TIMEOUT_S = 10.0
MAXIMUM_PACKET_BYTES = 65536  # the broker drops larger ones
WINDOW = 16
"""Unacknowledged QoS 1 messages, either way."""

FAILURE = 0x80
NOT_AUTHORIZED, TAKEN_OVER, UNSPECIFIED = 0x87, 0x8E, 0x80


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker accepted us; publish through `session` until Lost comes."""

    session: Session


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no connection; another attempt follows by itself, unless we said goodbye."""

    problem: Problem | None
    """None after a goodbye."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """PUBACK: 0 success, 0x10 no matching subscribers, 0x80 and above refused."""

    mid: int
    reason: int


@dataclass(frozen=True, slots=True)
class Subscribed:
    """SUBACK, a reason for each filter in order, 0x80 and above refused."""

    mid: int
    reasons: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Received:
    """A message that the broker sent; retained: it was kept by the broker, nobody sent it now."""

    topic: str
    payload: bytes
    retained: bool


class Session:
    """One connection, from CONNECT to the end of its socket; `with` opens its wake-up pair."""

    def __init__(
        self,
        config: MqttConfig,
        client_id: str,
        will: Message,
        events: SimpleQueue[Any],
        environment: Mapping[str, str],
    ) -> None:
        """Assign; `events` gets one of the above for everything that happens."""
        self._config = config
        self._events = events
        self._environment = environment
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._end: Problem | None = None
        self._leaving = False
        self.accepted = False
        self.most_bytes = inf
        """The largest packet that the broker takes."""
        self._client = client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        client.suppress_exceptions = True
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_inflight_messages_set(WINDOW)
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = lambda _c, _u, mid, reason, _p: events.put(
            Acknowledged(mid, reason.value)
        )
        client.on_subscribe = lambda _c, _u, mid, reasons, _p: events.put(
            Subscribed(mid, tuple(reason.value for reason in reasons))
        )
        client.on_message = lambda _c, _u, message: events.put(
            Received(message.topic, bytes(message.payload), message.retain)
        )
        client.on_socket_register_write = lambda *_: self.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wake_reader.close()
        self._wake_writer.close()

    def publish(self, message: Message) -> int | None:
        """Hand a message over and return its id for Acknowledged, None without a connection."""
        info = self._client.publish(message.topic, message.payload, message.qos, message.retain)
        return info.mid if info.rc == paho.MQTT_ERR_SUCCESS else None

    def subscribe(self, filters: Sequence[tuple[str, bool]]) -> int | None:
        """Ask for topic filters, each with or without what is retained; return an id.

        Without, a message that is published now with the retain flag keeps it, and shows.
        """
        kept, live = SubscribeOptions(qos=1), SubscribeOptions(qos=1, retainAsPublished=True)
        live.retainHandling = 2
        options = [(name, kept if retained else live) for name, retained in filters]
        return self._client.subscribe(options)[1]

    def disconnect(self) -> None:
        """Say goodbye, so that the broker does not publish the will."""
        self._leaving = True
        self._client.disconnect()

    def wake(self) -> None:
        """Make the network thread look at what there is to write."""
        with suppress(OSError):
            self._wake_writer.send(b"\0")

    def serve(self, stop: threading.Event, vouched: Callable[[], bool]) -> Problem | None:
        """Connect and move packets until the connection ends; return why, None after a goodbye.

        Raises OSError when there is no connection to be had, EdgehomeError for a bad setting.
        """
        client, config = self._client, self._config
        password = broker.read_password(config, self._environment)
        if config.username:
            client.username_pw_set(config.username, password)
        if config.tls:
            client.tls_set_context(broker.tls_context(config))
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = WINDOW
        properties.MaximumPacketSize = MAXIMUM_PACKET_BYTES
        client.connect(
            config.host, config.port, KEEPALIVE_S, clean_start=True, properties=properties
        )
        while not stop.is_set() and (peer := client.socket()) is not None:
            if not vouched():
                peer.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]  # the will goes out
            self._turn(peer)
        if self._leaving:
            return None
        return self._end or broker.unreachable(config, "the connection was lost")

    def _turn(self, peer: Any) -> None:  # noqa: ANN401  # paho's own socket-like
        waiting = isinstance(peer, ssl.SSLSocket) and peer.pending() > 0
        writers = [peer] if self._client.want_write() else []
        pause_s = 0.0 if waiting else 2.0
        readable, writable, _ = select.select([peer, self._wake_reader], writers, [], pause_s)
        if self._wake_reader in readable:
            self._wake_reader.recv(4096)
        if waiting or peer in readable:
            self._client.loop_read()
        if peer in writable:
            self._client.loop_write()
        self._client.loop_misc()

    def _on_connect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, said: Any) -> None:  # noqa: ANN401
        if reason.is_failure:
            self._end = broker.refusal(self._config, reason.value, str(reason))
            return
        self.accepted = True
        self.most_bytes = getattr(said, "MaximumPacketSize", inf)
        self._events.put(Connected(self))

    def _on_disconnect(self, _c: Any, _u: Any, _f: Any, reason: ReasonCode, _p: Any) -> None:  # noqa: ANN401
        if reason.value == TAKEN_OVER:
            self._end = broker.taken_over()
        elif self._end is None and reason.value != UNSPECIFIED:
            self._end = broker.unreachable(self._config, str(reason))


class Client:
    """Keeps one session alive for ever, while `vouched` says so; `with` starts its thread."""

    def __init__(
        self,
        config: MqttConfig,
        *,
        client_id: str,
        will: Message,
        events: SimpleQueue[Any],
        clock: Callable[[], float],
        jitter: Callable[[float, float], float],
        vouched: Callable[[], bool] = lambda: True,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        """Assign; `clock` gives monotonic seconds, `jitter(a, b)` a number between the two."""
        self._config = config
        self._events = events
        self._clock = clock
        self._vouched = vouched
        self._backoff = BackOff(jitter)
        self._client_id = client_id
        self._will = will
        self._environment = environment
        self._stop = threading.Event()
        self._session: Session | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self._told = ""
        self._short_lives = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if session := self._session:
            session.wake()
        self._thread.join(CONNECT_TIMEOUT_S + 2.0)
        if self._thread.is_alive():  # a name server can hold a thread for longer; it is a daemon
            logger.warning("the network thread is still looking for %s", self._config.host)

    def _run(self) -> None:
        while not self._stop.wait(0.0 if self._vouched() else 1.0):
            if not self._vouched():
                continue
            since_s = self._clock()
            problem = self._attempt()
            self._events.put(Lost(problem))
            if problem is None or self._stop.is_set():
                return
            self._tell(problem)
            if self._clock() - since_s > broker.STABLE_S:
                self._backoff.succeed()
                self._told = ""
                self._short_lives = 0
            self._stop.wait(self._backoff.fail(self._clock()))

    def _attempt(self) -> Problem | None:
        """Hold one session, and return why it ended."""
        config = self._config
        try:
            self._session = Session(
                config, self._client_id, self._will, self._events, self._environment
            )
            with self._session as session:
                problem = session.serve(self._stop, self._vouched)
                self._short_lives += session.accepted
                return broker.judge(config, problem, self._short_lives)
        except EdgehomeError as error:
            return error.problem
        except Exception as error:  # noqa: BLE001  # whatever paho's parser raises on what is sent
            return broker.failure(config, error)
        finally:
            self._session = None

    def _tell(self, problem: Problem) -> None:
        """Warn once for each new reason; repeats are for debugging."""
        level = logging.DEBUG if self._told == problem.code else logging.WARNING
        self._told = problem.code
        logger.log(level, "%s", problem)
