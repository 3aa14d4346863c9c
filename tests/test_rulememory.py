"""What the node keeps on its disk of how it stands."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgehome import statefile
from edgehome.rulememory import LONG_S, Clocks, RuleMemory, boot_id
from edgehome.statefile import FileWriter, StateFile

RULES = {"rules": {"Fight": {"state": "pending"}}}
WALL_S = 1.79e9


@pytest.fixture
def writer() -> Iterator[FileWriter]:
    with FileWriter() as writer:
        yield writer


def clocks(monotonic_s: float, wall_s: float = WALL_S, boot: str = "a") -> Clocks:
    return Clocks(lambda: monotonic_s, lambda: wall_s, boot)


def gap(path: Path, writer: FileWriter, saved: Clocks, loaded: Clocks, seen_s: float) -> float:
    RuleMemory(path, writer, saved).save(RULES, seen_s)
    writer.flush()
    found = RuleMemory(path, writer, loaded).load()
    assert found
    assert found.memory == RULES
    return found.gap_s


def test_in_the_same_boot_a_gap_is_as_long_as_it_was_whatever_the_wall_clock_did(
    tmp_path: Path, writer: FileWriter
) -> None:
    year_s = 365 * 86400
    for wall_s in (WALL_S, WALL_S + year_s, WALL_S - year_s):
        found_s = gap(tmp_path / "f", writer, clocks(100), clocks(112, wall_s), 98)
        assert found_s == 14, "from the last frame on, not from when it was written"


@pytest.mark.parametrize(
    ("later_s", "gap_s"),
    [(20, 22), (3600, 3602), (2 * 86400, LONG_S), (-1, 1), (-3600, LONG_S), (365 * 86400, LONG_S)],
)
def test_over_a_reboot_the_wall_clock_tells_if_it_can(
    tmp_path: Path, writer: FileWriter, later_s: float, gap_s: float
) -> None:
    loaded = clocks(5, WALL_S + later_s, boot="b")
    assert gap(tmp_path / "f", writer, clocks(100), loaded, 98) == gap_s


def test_where_no_boot_is_known_another_one_is_taken_for_granted(
    tmp_path: Path, writer: FileWriter
) -> None:
    saved, loaded = clocks(100, boot=""), clocks(105, WALL_S + 60, boot="")
    assert gap(tmp_path / "f", writer, saved, loaded, 100) == 60
    assert boot_id() == boot_id()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"rules": 3}', b'{"boot": "a"}',
     b'{"boot":"a","monotonic_s":"x","wall_s":1,"rules":{}}',
     b'{"boot":"a","monotonic_s":1,"wall_s":1,"rules":[1]}'],
)  # fmt: skip
def test_a_broken_memory_is_as_good_as_none(
    tmp_path: Path, writer: FileWriter, content: bytes
) -> None:
    path = tmp_path / "rules.json"
    memory = RuleMemory(path, writer, clocks(1))
    assert memory.load() is None
    path.write_bytes(content)
    assert memory.load() is None


def test_a_time_that_is_no_number_makes_the_gap_a_long_one(
    tmp_path: Path, writer: FileWriter
) -> None:
    path = tmp_path / "rules.json"
    path.write_text('{"boot": "a", "monotonic_s": NaN, "wall_s": 1, "rules": {}}')
    found = RuleMemory(path, writer, clocks(1)).load()
    assert found
    assert found.gap_s == LONG_S


def test_a_reload_does_not_wait_for_the_disk(tmp_path: Path, writer: FileWriter) -> None:
    now_s = [100.0]
    memory = RuleMemory(tmp_path / "no" / "f", writer, Clocks(lambda: now_s[0], lambda: 0, "a"))
    memory.save(RULES, 99)
    now_s[0] = 103
    found = memory.load()
    assert found
    assert (found.memory, found.gap_s) == (RULES, 4)


def test_a_save_is_due_once_a_minute(tmp_path: Path, writer: FileWriter) -> None:
    now_s = [1000.0]
    memory = RuleMemory(tmp_path / "f", writer, Clocks(lambda: now_s[0], lambda: WALL_S, "a"))
    assert memory.due()
    memory.save(RULES, 1000)
    now_s[0] += 59
    assert not memory.due()
    now_s[0] += 1
    assert memory.due()


def test_a_slow_disk_keeps_nobody_waiting_and_gets_the_last_of_each_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[bytes] = []
    go_on = threading.Event()

    def slow(path: Path, data: bytes) -> None:
        go_on.wait(10)
        written.append(data)

    monkeypatch.setattr(statefile, "write_atomically", slow)
    with FileWriter() as writer:
        began_s = time.monotonic()
        state = StateFile(tmp_path / "state.json", writer)
        for number in range(1000):
            state.set("mode", str(number))
        assert time.monotonic() - began_s < 1
        go_on.set()
        state.flush()
        assert json.loads(written[-1]) == {"mode": "999"}
        assert len(written) <= 2
        writer.put(tmp_path / "other", b"last words")
    assert written[-1] == b"last words", "what is left is written at the end"


def test_a_disk_that_refuses_is_told_once_and_taken_again_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "gone" / "state.json"
    with FileWriter() as writer:
        for number in range(3):
            writer.put(path, b"%d" % number)
            writer.flush()
        assert len(caplog.records) == 1
        path.parent.mkdir()
        writer.put(path, b"3")
        writer.flush()
        assert path.read_bytes() == b"3"


def test_the_newer_of_the_file_and_the_outbox_is_taken_whatever_the_clocks_say(
    tmp_path: Path, writer: FileWriter
) -> None:
    path = tmp_path / "rules.json"
    first = RuleMemory(path, writer, clocks(100, WALL_S))
    first.save({"told": 0}, 100)
    writer.flush()
    past = RuleMemory(path, writer, clocks(5, WALL_S - 1e8, boot="b"))
    past.load()
    stored = past.encode({"told": 1}, 5)  # a kill follows: the file is not written
    third = RuleMemory(path, writer, clocks(5, WALL_S - 2e8, boot="c"))
    found = third.load(stored)
    assert found
    assert found.memory == {"told": 1}
    third.save({"told": 2}, 5)
    writer.flush()
    fourth = RuleMemory(path, writer, clocks(5, WALL_S, boot="d")).load(stored)
    assert fourth
    assert fourth.memory == {"told": 2}


def test_an_outbox_that_could_not_be_read_at_one_start_is_not_taken_for_newer_at_the_next(
    tmp_path: Path, writer: FileWriter
) -> None:
    path = tmp_path / "rules.json"
    first = RuleMemory(path, writer, clocks(100))
    first.save({"told": 0}, 100)
    writer.flush()
    stored = b""
    for told in range(1, 10):
        stored = first.encode({"told": told}, 100)
    second = RuleMemory(path, writer, clocks(101))
    assert second.load(None)
    second.save({"told": 10}, 101)
    writer.flush()
    third = RuleMemory(path, writer, clocks(102)).load(stored)
    assert third
    assert third.memory == {"told": 10}


@pytest.mark.parametrize("stored", [b"", b"{", b'{"rules": 1}', b'{"number": 1e999}', bytes(99)])
def test_a_broken_memory_in_the_outbox_leaves_the_files(
    tmp_path: Path, writer: FileWriter, stored: bytes
) -> None:
    path = tmp_path / "rules.json"
    RuleMemory(path, writer, clocks(100)).save(RULES, 100)
    writer.flush()
    found = RuleMemory(path, writer, clocks(101)).load(stored)
    assert found
    assert found.memory == RULES
