"""Which commands are passed on, how many a second, and that every other one is counted."""

from __future__ import annotations

import logging
import random

import pytest

from edgehome.delivery.commands import COMMAND_BYTES, RATE, REPORT_S, Commands
from edgehome.homeassistant import parse_command
from edgehome.mqtt import Received

BASE = "edgehome/edgehome_1a2b3c4d"


class Gate:
    """A node's commands with a clock of their own; refuses what is none."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.passed: list[tuple[str, bytes]] = []
        self.commands = Commands(BASE, self.obey, lambda: self.now_s)

    def obey(self, key: str, payload: bytes) -> str | None:
        if payload == b"fails":
            raise RuntimeError(payload)
        if not parse_command(key, payload):
            return "it is none of ours"
        self.passed.append((key, payload))
        return None

    def say(self, key: str, payload: bytes, *, retained: bool = False) -> None:
        topic = f"{BASE}/{key}/set"
        self.commands.take(Received(topic, payload, retained=retained))


def test_ten_commands_a_second_are_obeyed_and_more_are_dropped_and_counted() -> None:
    gate = Gate()
    for _ in range(50):
        gate.say("mode", b"home")
    assert (len(gate.passed), gate.commands.ignored) == (RATE, 40)
    gate.now_s += 0.99
    gate.say("mode", b"home")
    assert (len(gate.passed), gate.commands.ignored) == (RATE, 41)
    gate.now_s += 0.02
    gate.say("mode", b"away")
    assert gate.passed[-1] == ("mode", b"away")


@pytest.mark.parametrize("per_second", [1, 9, 11, 200])
def test_over_a_long_time_no_second_has_more_than_ten(per_second: int) -> None:
    gate = Gate()
    taken: list[float] = []
    for _ in range(per_second * 20):
        before = len(gate.passed)
        gate.say("reload", b"PRESS")
        taken += [gate.now_s] * (len(gate.passed) - before)
        gate.now_s += 1 / per_second
    assert max(sum(start <= s < start + 1 for s in taken) for start in taken) <= RATE
    assert len(taken) >= min(per_second, RATE) * 20 - RATE
    assert len(taken) + gate.commands.ignored == per_second * 20


def test_what_is_refused_takes_no_room_from_what_is_obeyed_unless_it_looks_like_a_command() -> None:
    gate = Gate()
    for _ in range(100):
        gate.say("mode", b"home", retained=True)
        gate.say("mode", b"x" * (COMMAND_BYTES + 1))
    gate.say("mode", b"home")
    assert (len(gate.passed), gate.commands.ignored) == (1, 200)


def test_a_command_that_fails_or_is_none_is_counted_and_the_next_is_obeyed() -> None:
    gate = Gate()
    gate.say("mode", b"fails")
    gate.say("mode", b"maybe")
    gate.say("mode", b"home")
    assert (gate.passed, gate.commands.ignored) == ([("mode", b"home")], 2)


def test_a_message_on_another_topic_is_no_command_and_counts_as_none() -> None:
    gate = Gate()
    for topic in ("homeassistant/status", f"{BASE}/mode", "edgehome/other/mode/set"):
        gate.commands.take(Received(topic, b"home", retained=False))
    assert (gate.passed, gate.commands.ignored) == ([], 0)


def test_a_flood_is_told_in_the_log_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    gate = Gate()
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            gate.say("mode\nforged line", b"x")
        assert len(caplog.messages) == 1
        assert "\n" not in caplog.messages[0], "a topic makes no line of its own"
        gate.now_s += REPORT_S
        gate.say("mode", b"x")
    assert len(caplog.messages) == 2
    assert "it is none of ours; 999 more" in caplog.messages[1]


def test_a_hundred_thousand_random_commands_are_each_obeyed_or_counted() -> None:
    random_ = random.Random(7)
    gate = Gate()
    keys = ["mode", "reload", "silence", "rule/a/mute", "rule/a/threshold", "", "/", "rule//mute"]
    payloads = [b"home", b"PRESS", b"ON", b"OFF", b"0.5", b"NaN", b"1e9", b"", b"\xff\x00"]
    for _ in range(100_000):
        key = random_.choice(keys)
        payload = random_.choice(payloads)
        if random_.random() < 0.3:
            payload = random_.randbytes(random_.randrange(30))
        gate.say(key, payload, retained=random_.random() < 0.1)
        gate.now_s += 0.2
    assert len(gate.passed) + gate.commands.ignored == 100_000
    assert all(parse_command(*passed) for passed in gate.passed)
    assert len(gate.passed) > 5_000
