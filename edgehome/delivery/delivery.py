"""The delivery thread: it owns the outbox and all publishing.

Callers and the network thread only put on its queue. What it does about a broker that forgets and
a Home Assistant that restarts is in docs/decisions/0003-outbox.md.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Self

from edgehome import broker
from edgehome.config.types import MqttConfig
from edgehome.delivery.backlog import Backlog
from edgehome.delivery.birth import Birth
from edgehome.delivery.board import Board
from edgehome.delivery.body import alert_body, alert_content
from edgehome.delivery.commands import Commands
from edgehome.delivery.cursor import Cursor
from edgehome.delivery.status import DeliveryStatus
from edgehome.delivery.storage import Payload, Raised, raised
from edgehome.mqtt import Acknowledged, Client, Connected, Lost, Received, Session, Subscribed
from edgehome.types import Message, Problem

logger = logging.getLogger(__name__)

LONGEST_SLEEP_S = 5.0
"""The loop turns at least this often, so that `progress_s` tells a live thread from a dead one."""
BATCH = 256
"""Items taken off the queue before anything else is done."""
GOODBYE_S = 2.0
STOP_S = 8.0


@dataclass(frozen=True, slots=True)
class _Publish:
    messages: tuple[Message, ...]
    once: bool


class Delivery:
    """Stores alerts, sends them until the broker has them, and keeps the home's states fresh.

    `with` starts and joins the thread; nothing raises for a fault of the world, `status` tells.
    """

    def __init__(
        self,
        *,
        mqtt: MqttConfig,
        base: str,
        outbox: Path,
        on_command: Callable[[str, bytes], str | None] = lambda _key, _payload: None,
        vouched: Callable[[], bool] = lambda: True,
        birth: Birth | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Assign; `base` is the topic in front of all others, `outbox` the file.

        `on_command(key, payload)` is called on the delivery thread for `<base>/<key>/set`: it says
        why that is not obeyed, or None. While `vouched()`, asked on the network thread, says no,
        there is no connection. `clock`: monotonic seconds; `wall`: since 1970; `jitter`: between.
        """
        self._base = base
        self._birth_topic = mqtt.birth_topic
        self._commands = Commands(base, on_command)
        self._answer_topic = f"{base}/alert/ack"
        self._clock, self._wall = clock, wall
        self._queue: SimpleQueue[object] = SimpleQueue()
        self._backlog = Backlog(outbox, jitter=jitter)
        self._cursor = Cursor(f"{base}/outbox/cursor", self._backlog)
        self._birth = birth or Birth(jitter)
        self._board = Board()
        self._board.put(Message(f"{base}/availability", b"online", retain=True), 0.0)
        self._goodbye = Message(f"{base}/availability", b"offline", retain=True)
        name, will, box = base.replace("/", "-"), self._goodbye, self._queue
        self._client = Client(
            mqtt, client_id=name, will=will, events=box, vouched=vouched, clock=clock, jitter=jitter
        )
        self._session: Session | None = None
        self._trouble: Problem | None = None
        self._stable_s, self._stopping = 0.0, False
        self._status = DeliveryStatus()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def __enter__(self) -> Self:
        self._status = DeliveryStatus(progress_s=self._clock())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Commit what was raised, tell the home that we go, and end the thread."""
        self._queue.put(None)
        self._thread.join(STOP_S)
        if self._thread.is_alive():
            logger.error("the delivery thread did not end within %.0f s", STOP_S)

    def raise_alert(
        self, alert_id: str, payload: Payload, *, memory: bytes | None = None, joined: bool = False
    ) -> None:
        """Hand in an alert and return at once; `status().raised` counts those committed.

        `memory`, how the rules stand after it, is committed with it; so is the next alert, where
        it is `joined` to it. Raises ValueError for a payload that is no JSON or over 16 KiB of it.
        """
        self._queue.put(raised(alert_id, payload, self._wall(), memory=memory, joined=joined))

    def memory(self) -> bytes | None:
        """Return the rules' memory as the outbox had it at the start, None for none."""
        return self._backlog.memory()

    def publish(self, messages: Iterable[Message], *, once: bool = False) -> None:
        """Hand in states and return at once.

        The newest retained message of each topic is kept, and published after every connection
        and on Home Assistant's birth, in the order of the topics' first messages. One that is not
        retained is published once, or dropped without a connection; so is any with `once`.
        """
        self._queue.put(_Publish(tuple(messages), once))

    def status(self) -> DeliveryStatus:
        """Return how things stood at the thread's last turn."""
        return self._status

    def _run(self) -> None:
        with self._client:
            self._turn(0.0)
            while not self._stopping:
                self._turn(self._sleep_s())
            self._say_goodbye()
        self._backlog.close()

    def _sleep_s(self) -> float:
        now_s = self._clock()
        parts = (self._backlog, self._cursor, self._birth)
        next_s = min(part.next_step_s(now_s) for part in parts)
        return min(LONGEST_SLEEP_S, next_s - now_s)

    def _turn(self, sleep_s: float) -> None:
        """Wait for something to happen, note it, and do what is due."""
        for item in self._items(sleep_s):
            self._take(item)
        now_s, wall_s = self._clock(), self._wall()
        for entry in self._backlog.step(now_s, wall_s):
            logger.info("alert %d (%s) is stored", entry.seq, entry.id)
            self._show_last(now_s)
        present = bool(self._session) and self._cursor.settled and not self._birth.away
        self._backlog.send_again(now_s, present=present)
        if self._session:
            self._send(self._session, now_s, wall_s)
        self._status = self._look(now_s)

    def _items(self, sleep_s: float) -> Iterator[object]:
        try:
            yield self._queue.get(timeout=max(0.0, sleep_s))
            for _ in range(BATCH):
                yield self._queue.get_nowait()
        except Empty:
            return

    def _take(self, item: object) -> None:
        now_s = self._clock()
        match item:
            case Raised():
                self._backlog.add(item)
            case _Publish(messages, once):
                for message in messages:
                    self._board.put(message, now_s, once=once)
            case Acknowledged():
                self._acknowledged(item, now_s)
            case Received():
                self._received(item, now_s)
            case Subscribed():
                self._cursor.subscribed(item, now_s)
            case Connected(session):
                self._connected(session, now_s)
            case Lost(problem):
                self._lost(problem)
            case None:
                self._stopping = True

    def _connected(self, session: Session, now_s: float) -> None:
        logger.info("connected to the broker")
        self._session = session
        self._stable_s = now_s + broker.STABLE_S
        self._show_last(now_s)
        self._board.connected(now_s, most_bytes=session.most_bytes)
        self._board.flush(session)
        filters = [(self._cursor.topic, True), (self._birth_topic, True)]
        filters += [(name, False) for name in (*self._commands.filters, self._answer_topic)]
        self._cursor.ask(session.subscribe(filters), now_s)
        self._backlog.connected(now_s)
        if missed := self._birth.connected(now_s):
            self._came_back(missed)

    def _lost(self, problem: Problem | None) -> None:
        if self._session:
            logger.info("the connection to the broker ended; alerts are kept")
            self._backlog.disconnected()
            self._cursor.disconnected(self._wall())
            self._board.disconnected()
        self._session = None
        self._trouble = problem

    def _acknowledged(self, event: Acknowledged, now_s: float) -> None:
        if self._backlog.owns(event.mid):
            self._backlog.acknowledge(event.mid, event.reason, now_s)
            self._board.note(f"{self._base}/alert", event.reason, now_s)
        elif self._board.acknowledge(event.mid, event.reason, now_s) == self._cursor.topic:
            self._cursor.acknowledged(now_s)

    def _received(self, event: Received, now_s: float) -> None:
        if event.topic == self._cursor.topic:
            self._cursor.received(event, now_s)
        elif event.topic == self._birth_topic:
            if event.payload == b"offline":
                self._birth.went(now_s)
            elif event.payload == b"online" and not event.retained:
                self._birth.came(now_s)
        elif event.topic == self._answer_topic:
            read = self._backlog.acknowledgement.read
            if alert_id := read(event.payload, now_s, retained=event.retained):
                self._backlog.answer(alert_id)
        else:
            self._commands.take(event)

    def _came_back(self, missed: tuple[float, float]) -> None:
        """Send Home Assistant what it missed, and what it never answered for."""
        self._backlog.replay_between(*missed)
        self._backlog.acknowledgement.returned()

    def _show_last(self, now_s: float) -> None:
        """Keep the newest alert where Home Assistant sees it after an outage."""
        if newest := self._backlog.newest():
            content = json.dumps(alert_content(newest)).encode()
            self._board.put(Message(f"{self._base}/alert/last", content, retain=True), now_s)

    def _send(self, session: Session, now_s: float, wall_s: float) -> None:
        """Publish what is due: states, then alerts by seq, then the cursor."""
        if missed := self._birth.greeting(now_s):
            logger.info("Home Assistant is back: announcing again")
            self._board.tell_everything(now_s)
            self._came_back(missed)
        if cursor := self._cursor.step(now_s, wall_s):
            self._board.put(cursor, now_s, once=True)
        flushed = self._board.flush(session)
        held = self._stopping or not self._cursor.settled or self._birth.holding(now_s)
        if flushed and not held:
            self._send_alerts(session, now_s, wall_s)

    def _send_alerts(self, session: Session, now_s: float, wall_s: float) -> None:
        while entry := self._backlog.take(now_s):
            body = alert_body(entry, wall_s, copied=self._backlog.is_copied(entry))
            mid = session.publish(Message(f"{self._base}/alert", body))
            if mid is None:
                self._backlog.not_sent()
                return
            self._backlog.handed_over(mid, entry)

    def _look(self, now_s: float) -> DeliveryStatus:
        if self._session and (now_s > self._stable_s or not broker.comes_and_goes(self._trouble)):
            self._trouble = None
        found = [self._trouble, self._cursor.problem, *self._backlog.problems]
        return replace(
            self._backlog.status(),
            connected=self._session is not None,
            announcements=self._board.announcements,
            ignored=self._commands.ignored + self._backlog.acknowledgement.ignored,
            problems=tuple(p for p in [*found, *self._board.problems()] if p),
            progress_s=now_s,
        )

    def _say_goodbye(self) -> None:
        """Let what is in flight arrive, say offline, and wait for the broker to have it."""
        until_s = self._clock() + GOODBYE_S
        self._turn_until(lambda: not self._session or not self._backlog.in_flight, until_s)
        if session := self._session:
            if cursor := self._cursor.last(self._clock(), self._wall()):
                self._board.put(cursor, self._clock(), once=True)
            self._board.put(self._goodbye, self._clock())
            self._board.flush(session)
            self._turn_until(lambda: not self._session or not self._board.in_flight, until_s)
            session.disconnect()
            self._turn_until(lambda: not self._session, until_s)

    def _turn_until(self, done: Callable[[], bool], until_s: float) -> None:
        while not done() and (left_s := until_s - self._clock()) > 0:
            self._turn(left_s)
